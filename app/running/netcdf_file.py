"""Small NetCDF files that are there whole or not at all."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from app.integrity import trailer
from app.running.disk_space import writing

if TYPE_CHECKING:
    import xarray as xr

CONVENTIONS = "CF-1.8"
TIME = "time"
MOST_IN_32_BITS = np.iinfo(np.int32).max


def conventional(dataset: xr.Dataset, title: str) -> xr.Dataset:
    """The dataset with what the CF conventions ask of every file.

    Coordinates are never missing, labels are characters, whole numbers have 32 bits, times are
    counted from 1970, and every variable has a name in words.
    """
    from app.data.times import ENCODING_UNITS

    told = dataset.copy()
    for name, variable in told.variables.items():
        variable.encoding = {"_FillValue": None} if name in told.coords else {}
        if variable.dtype == np.int64:
            fits = not variable.size or np.abs(variable.values).max() <= MOST_IN_32_BITS
            variable.encoding["dtype"] = "i4" if fits else "f8"
        if variable.dtype.kind in "UO" and isinstance(variable.values.flat[0], str):
            variable.encoding["dtype"] = "S1"
        if name != TIME:
            variable.attrs.setdefault("long_name", str(name).replace("_", " "))
    if TIME in told.coords:
        told[TIME].attrs.update(standard_name="time", long_name="time", axis="T")
        told[TIME].encoding.update(units=ENCODING_UNITS, dtype="f8")
    return told.assign_attrs({"Conventions": CONVENTIONS, "title": title, **told.attrs})


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
