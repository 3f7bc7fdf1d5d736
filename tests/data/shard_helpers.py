"""Small files and descriptions that the tests of sources, prepare, shards and batches share."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from app.data.description import DataDescription, Source, Splits, Variable

LAT = np.arange(6) * 0.5 + 40.0
LON = np.arange(8) * 0.5 - 2.0


def field(
    times: Any = 40, lat: Any = LAT, lon: Any = LON, name: str = "t", seed: int = 0
) -> xr.DataArray:
    """Random field; `times` is a number of hours, or the stamps."""
    if isinstance(times, int):
        times = np.datetime64("2001-01-01", "ns") + np.arange(times) * np.timedelta64(1, "h")
    values = np.random.default_rng(seed).normal(280, 5, (len(times), len(lat), len(lon)))
    coords = {
        "time": times,
        "lat": ("lat", lat, {"units": "degrees_north"}),
        "lon": ("lon", lon, {"units": "degrees_east"}),
    }
    return xr.DataArray(
        values.astype(np.float32), coords, ("time", "lat", "lon"), name, {"units": "K"}
    )


def write(path: Path, *fields: xr.DataArray, **options: Any) -> str:
    """One NetCDF file of all fields; its path."""
    xr.merge(fields, combine_attrs="drop_conflicts").to_netcdf(path, **options)
    return str(path)


def source(*files: str, names: tuple[str, ...] = ("t",), **options: Any) -> Source:
    return Source(tuple(files), tuple(Variable(name, name) for name in names), **options)


def perfect_prog(file: str, **options: Any) -> DataDescription:
    """PerfectProg from one file, in thirds unless said otherwise."""
    return DataDescription(
        predictand=source(file), **{"splits": Splits(fractions=(0.5, 0.25, 0.25)), **options}
    )
