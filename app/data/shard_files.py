"""One shard on disk: a CF NetCDF-4 file whose arrays can be mapped into memory."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import h5py
import netCDF4
import numpy as np
import xarray as xr

from app.data.description import Variable
from app.data.grids import Grid
from app.data.times import ENCODING_UNITS, Stamps

TIME = "time"
FIELD_TYPE = np.dtype("<f4")
TIME_TYPE = np.dtype("<i8")


class ShardWriter:
    """Writes fields block by block; `close` syncs and returns the shard's manifest entry."""

    def __init__(
        self, path: Path, grid: Grid, stamps: Stamps, variables: Sequence[Variable]
    ) -> None:
        self._path = path
        self._names = [variable.name for variable in variables]
        xr.Dataset(coords=grid.coords(flip=False)).to_netcdf(
            path, format="NETCDF4", engine="netcdf4"
        )
        self._file = netCDF4.Dataset(path, "a")
        self._file.set_fill_off()  # every value is written, so none need be written twice
        self._file.setncattr("Conventions", "CF-1.8")
        self._define_times(stamps)
        for variable in variables:
            self._define(variable, grid)

    def __enter__(self) -> ShardWriter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._file.isopen():
            self._file.close()

    def _define_times(self, stamps: Stamps) -> None:
        self._file.createDimension(TIME, len(stamps))
        time = self._file.createVariable(TIME, TIME_TYPE, (TIME,), contiguous=True)
        time.setncatts(
            {
                "standard_name": "time",
                "units": ENCODING_UNITS,
                "calendar": stamps.calendar,
                "axis": "T",
            }
        )
        time[:] = stamps.seconds

    def _define(self, variable: Variable, grid: Grid) -> None:
        field = self._file.createVariable(
            variable.name,
            FIELD_TYPE,
            (TIME, *grid.dims),
            contiguous=True,
            endian="little",
            fill_value=np.float32(np.nan),
        )
        field.setncattr("units", variable.units or "1")
        if not grid.rectilinear:
            field.setncattr("coordinates", " ".join(grid.names))
        if grid.mapping is not None:
            field.setncattr("grid_mapping", grid.mapping)

    def write(self, start: int, fields: np.ndarray) -> None:
        """Fields (C, n, y, x) from row `start` on."""
        for name, field in zip(self._names, fields, strict=True):
            self._file.variables[name][start : start + field.shape[0]] = field

    def close(self) -> dict[str, Any]:
        """Size, checksum, and the byte offset of every array."""
        self._file.close()
        return {
            "offsets": offsets(self._path, [TIME, *self._names]),
            **seal(self._path),
        }


def offsets(path: Path, names: Sequence[str]) -> dict[str, int]:
    """Byte offset of each contiguous array in the file."""
    with h5py.File(path, "r") as file:
        return {name: int(file[name].id.get_offset()) for name in names}


def seal(path: Path) -> dict[str, Any]:
    """Force a file to disk; its size and sha256."""
    with path.open("rb") as file:
        os.fsync(file.fileno())
        return {"bytes": path.stat().st_size, "sha256": _digest(file)}


def checksum(path: Path) -> str:
    """sha256 of a file."""
    with path.open("rb") as file:
        return _digest(file)


def _digest(file: Any) -> str:
    return hashlib.file_digest(file, "sha256").hexdigest()


def sync_folder(folder: Path) -> None:
    """Force a folder's entries to disk."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
