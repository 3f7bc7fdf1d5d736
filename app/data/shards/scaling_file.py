"""The scaling of all roles in one NetCDF file."""

from __future__ import annotations

from pathlib import Path

import xarray as xr
from numpy.typing import ArrayLike

from app.data.transforms import Scaling
from app.running.netcdf_file import write_dataset

SEPARATOR = "."


def write_scaling(path: Path, scaling: dict[str, Scaling]) -> None:
    """Arrays as `role.statistic`, (channel) or (y, x, channel) with the role's own sizes."""
    arrays = {}
    for role, one in scaling.items():
        for name, values in one.to_arrays().items():
            dims = ("y", "x", "channel")[-values.ndim :]
            arrays[f"{role}{SEPARATOR}{name}"] = ([f"{role}_{dim}" for dim in dims], values)
    write_dataset(xr.Dataset(arrays), path)


def read_scaling(path: Path) -> dict[str, Scaling]:
    """What `write_scaling` wrote, by role."""
    arrays: dict[str, dict[str, ArrayLike]] = {}
    with xr.open_dataset(path, engine="netcdf4", mask_and_scale=False) as dataset:
        for key, values in dataset.data_vars.items():
            role, _, name = str(key).partition(SEPARATOR)
            arrays.setdefault(role, {})[name] = values.values
    return {role: Scaling.from_arrays(parts) for role, parts in arrays.items()}
