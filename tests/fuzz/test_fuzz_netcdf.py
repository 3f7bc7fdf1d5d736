"""Whatever the bytes of a NetCDF file, of fields or stations: values, or a refusal in one line."""

import logging
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path

import netCDF4
import numpy as np
import pytest
from fuzz_bytes import changed, outcome
from fuzz_helpers import EXAMPLES, FUZZED
from hypothesis import given, settings
from hypothesis import strategies as st

from app.data.description import Source, Variable
from app.data.reading.sources import open_source
from app.data.streaming.observations import open_observations
from app.grids import Grid

T = Variable("t", "t", units="K")
GRID = Grid(lat=50.0 + np.arange(4), lon=np.arange(5) * 1.0)
CHILDREN = settings(FUZZED, max_examples=EXAMPLES if EXAMPLES >= 1000 else EXAMPLES // 10)
FORMATS = ("NETCDF3_CLASSIC", "NETCDF3_64BIT_DATA", "NETCDF4")


def written(kind: str, stations: bool) -> bytes:
    """A small file: fields on a grid, or values of stations."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.nc"
        with netCDF4.Dataset(path, "w", format=kind) as dataset:
            dataset.createDimension("time", None)
            times = dataset.createVariable("time", "f8", ("time",))
            times.units, times.calendar = "hours since 2001-01-01", "standard"
            lat, lon = (("station",), ("station",)) if stations else (("lat",), ("lon",))
            for name, dims, values in (("lat", lat, GRID.lat), ("lon", lon, GRID.lon)):
                if dims[0] not in dataset.dimensions:
                    dataset.createDimension(dims[0], 4 if stations else len(values))
                axis = dataset.createVariable(name, "f8", dims)
                axis.units = {"lat": "degrees_north", "lon": "degrees_east"}[name]
                axis[:] = values[:4] if stations else values
            dims = ("time", "station") if stations else ("time", "lat", "lon")
            packed = dataset.createVariable("t", "i2", dims, zlib=kind == "NETCDF4", fill_value=-1)
            packed.units, packed.scale_factor, packed.add_offset = "K", 0.01, 280.0
            times[:] = np.arange(3)
            packed[:] = np.full((3, 4) if stations else (3, 4, 5), 281.0)
        return path.read_bytes()


FIELDS = {kind: written(kind, stations=False) for kind in FORMATS}
STATIONS = {kind: written(kind, stations=True) for kind in FORMATS}


@pytest.fixture(scope="module")
def path() -> Iterator[Path]:
    logging.disable()
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder) / "a.nc"
    logging.disable(logging.NOTSET)


def read_fields(path: Path) -> None:
    opened = open_source(Source((str(path),), (T,)))
    opened.read(np.arange(min(2, len(opened.stamps))))


def read_stations(path: Path) -> None:
    open_observations(path, (T,), GRID, "standard")


@pytest.mark.parametrize("kind", FORMATS)
def test_the_unchanged_files_are_read(path: Path, kind: str) -> None:
    path.write_bytes(FIELDS[kind])
    read_fields(path)
    path.write_bytes(STATIONS[kind])
    read_stations(path)


@pytest.mark.parametrize("kind", FORMATS)
@CHILDREN
@given(data=st.data())
def test_fields(path: Path, kind: str, data: st.DataObject) -> None:
    path.write_bytes(data.draw(changed(FIELDS[kind])))
    assert outcome(lambda: read_fields(path)) in ("read", "refused")


@pytest.mark.parametrize("kind", FORMATS)
@CHILDREN
@given(data=st.data())
def test_stations(path: Path, kind: str, data: st.DataObject) -> None:
    path.write_bytes(data.draw(changed(STATIONS[kind])))
    assert outcome(lambda: read_stations(path)) in ("read", "refused")
