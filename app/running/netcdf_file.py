"""Small NetCDF files that are there whole or not at all."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from app.integrity import trailer
from app.running.disk_space import writing

if TYPE_CHECKING:
    import xarray as xr


def write_dataset(dataset: xr.Dataset, path: Path, sealed: bool = False) -> None:
    """Replace a file in one step, sealed with its checksum or not; NoRoom where it does not fit."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with writing(path, dataset.nbytes):
            dataset.to_netcdf(temporary, format="NETCDF4", engine="netcdf4")
            if sealed:
                trailer.seal(temporary)
            os.replace(temporary, path)
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
