"""Files of random fields, and shards of them."""

from __future__ import annotations

from pathlib import Path

import netCDF4
import numpy as np

AT_ONCE = 256  # times written at once


def write_fields(path: Path, times: int, cells: int, spacing: float = 0.25) -> None:
    """Hourly random temperature (K) over a square of cells, one contiguous variable t2m."""
    rng = np.random.default_rng(0)
    with netCDF4.Dataset(path, "w") as file:
        for name, size in (("time", times), ("lat", cells), ("lon", cells)):
            file.createDimension(name, size)
            axis = file.createVariable(name, "f8", (name,))
            axis[:] = np.arange(size) * (1 if name == "time" else spacing)
        file["time"].units = "hours since 2000-01-01"
        file["lat"].units, file["lon"].units = "degrees_north", "degrees_east"
        field = file.createVariable("t2m", "f4", ("time", "lat", "lon"), contiguous=True)
        field.units = "K"
        for start in range(0, times, AT_ONCE):
            shape = (min(AT_ONCE, times - start), cells, cells)
            field[start : start + shape[0]] = 280 + 5 * rng.standard_normal(shape, np.float32)


def prepared(data: Path, cache: Path) -> Path:
    """Shards of such a file, all of it for training, four times coarser beside it."""
    from app.data.description import DataDescription, Source, Splits, Variable
    from app.data.shards.prepare import prepare

    description = DataDescription(
        predictand=Source((str(data),), (Variable("t2m", "t2m"),)),
        splits=Splits(fractions=(1.0, 0.0, 0.0)),
    )
    return prepare(description, scale=4, cache_dir=cache)
