"""A data source: a folder of ESRI ASCII grids, one a time, `t2m_2020-01-01T06.asc`.

Use: `--data='ascii:grids/*.asc' --variable=t2m`.
"""

from __future__ import annotations

from glob import glob
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

import app
from app.errors import InputError

HEADER = 6  # lines


@app.register("source", "ascii", "ESRI ASCII grids, NAME_TIME.asc, in degrees and kelvins")
def read(argument: str, target: Path) -> None:
    """Write the grids of files, a glob, as one NetCDF file."""
    paths = sorted(glob(argument))
    if not paths:
        raise InputError(f"ascii:{argument}: no file matches")
    fields = xr.concat([_grid(Path(path)) for path in paths], "time")
    fields.to_dataset().to_netcdf(target)


def _grid(path: Path) -> xr.DataArray:
    """One grid; its rows run southward."""
    name, _, time = path.stem.partition("_")
    lines = path.read_text().splitlines()
    header = {key.lower(): float(value) for key, value in map(str.split, lines[:HEADER])}
    values = np.loadtxt(lines[HEADER:], dtype="f4")
    values[values == header["nodata_value"]] = np.nan
    size = header["cellsize"]
    south, west = header["yllcorner"] + size / 2, header["xllcorner"] + size / 2
    rows, columns = values.shape
    coordinates = {
        "time": pd.Timestamp(time),
        "lat": ("lat", south + size * np.arange(rows)[::-1], {"units": "degrees_north"}),
        "lon": ("lon", west + size * np.arange(columns), {"units": "degrees_east"}),
    }
    return xr.DataArray(values, coordinates, ("lat", "lon"), name, {"units": "K"})
