"""Fields on disk: CF NetCDF written block by block, each rank its part, joined by the first."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import netCDF4
import numpy as np

from app.data.description import Variable
from app.data.grids import Grid
from app.data.times import ENCODING_UNITS, Stamps
from app.errors import RunError

CONVENTIONS = "CF-1.8"
IDENTITY = ("model_sha256", "data_fingerprint", "seed")  # attributes that say what a file is
COPY_STEPS = 256  # time steps copied at once when parts are joined


@dataclass(frozen=True)
class Layout:
    """What a file of fields holds besides the fields themselves."""

    grid: Grid
    variables: tuple[Variable, ...]
    attributes: Mapping[str, Any]

    def create(self, path: Path, stamps: Stamps) -> netCDF4.Dataset:
        """A new file with coordinates, all times and one variable a predictand."""
        dataset = netCDF4.Dataset(path, "w", format="NETCDF4")
        dataset.setncatts({"Conventions": CONVENTIONS, **self.attributes})
        dataset.createDimension("time", len(stamps))
        for name, length in zip(self.grid.dims, self.grid.shape, strict=True):
            dataset.createDimension(name, length)
        axis = dataset.createVariable("time", "f8", ("time",))
        axis.setncatts(
            {
                "standard_name": "time",
                "axis": "T",
                "units": ENCODING_UNITS,
                "calendar": stamps.calendar,
            }
        )
        axis[:] = stamps.seconds
        for name, (dims, values, attributes) in self.grid.coords().items():
            values = np.asarray(values)
            coordinate = dataset.createVariable(name, values.dtype, dims)
            coordinate.setncatts(dict(attributes))
            coordinate[...] = values
        for variable in self.variables:
            self._create_field(dataset, variable)
        return dataset

    def _create_field(self, dataset: netCDF4.Dataset, variable: Variable) -> None:
        field = dataset.createVariable(
            variable.name,
            "f4",
            ("time", *self.grid.dims),
            fill_value=np.float32(np.nan),
            contiguous=True,
        )
        field.setncatts({"units": variable.units or "1", "long_name": variable.name})
        if not self.grid.rectilinear:
            field.setncattr("coordinates", " ".join(self.grid.names))
        if self.grid.mapping is not None:
            field.setncattr("grid_mapping", self.grid.mapping)

    def write(self, dataset: netCDF4.Dataset, start: int, fields: np.ndarray) -> None:
        """Write (n, y, x, C) fields in canonical order from time number `start` on."""
        for channel, variable in enumerate(self.variables):
            block = self.grid.restore(fields[..., channel])
            dataset[variable.name][start : start + len(block)] = block


def part_path(path: Path, rank: int, size: int) -> Path:
    """Where a rank writes its part of `path`."""
    return path.with_name(f".{path.stem}.part-{rank:05d}-of-{size:05d}.nc")


@contextmanager
def new_file(layout: Layout, path: Path, stamps: Stamps) -> Iterator[netCDF4.Dataset]:
    """A file that takes its name only when it is complete."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    dataset = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        dataset = layout.create(temporary, stamps)
        yield dataset
        dataset.close()
        dataset = None
        temporary.replace(path)
    except OSError as error:
        raise RunError(f"{path}: cannot be written ({error})") from error
    finally:
        if dataset is not None:
            dataset.close()
        temporary.unlink(missing_ok=True)


def join(layout: Layout, parts: list[Path], path: Path, stamps: Stamps) -> None:
    """Copy the parts, in their order, into one file, and drop them."""
    with new_file(layout, path, stamps) as dataset:
        start = 0
        for part in parts:
            with netCDF4.Dataset(part) as source:
                source.set_auto_mask(False)
                start = _copy(source, dataset, layout.variables, start)
    for part in parts:
        part.unlink()


def _copy(
    source: netCDF4.Dataset, target: netCDF4.Dataset, variables: tuple[Variable, ...], start: int
) -> int:
    n = len(source.dimensions["time"])
    for variable in variables:
        for first in range(0, n, COPY_STEPS):
            block = source[variable.name][first : first + COPY_STEPS]
            target[variable.name][start + first : start + first + len(block)] = block
    return start + n


def history_line(command: str) -> str:
    """An entry of the attribute `history`: when, and by which command."""
    return f"{time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime())}: {command}"


def written_with(path: Path, attributes: Mapping[str, str]) -> bool:
    """Whether a file is there already and came from the same model, data and seed."""
    try:
        with netCDF4.Dataset(path) as dataset:
            found = {name: dataset.getncattr(name) for name in dataset.ncattrs()}
    except OSError:
        return False
    return all(found.get(name) == attributes.get(name) for name in IDENTITY)
