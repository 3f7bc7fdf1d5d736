"""Datasets in memory as files, so that one way of reading serves both."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import xarray as xr

from app.data.reading.paths import separate
from app.errors import InputError, one_line

Data: TypeAlias = xr.Dataset | xr.DataArray | str | Path | Sequence[str | Path]
DATASETS = (xr.Dataset, xr.DataArray)
# What xarray keeps apart from attributes and a file must tell; how numbers were packed is no part
# of it, as the values may be others by now.
KEPT = frozenset(
    {
        *("units", "calendar", "grid_mapping", "bounds", "climatology", "cell_measures"),
        *("formula_terms", "coordinates"),
    }
)
PLAIN = (str, int, float, np.ndarray, np.number, list, tuple)  # attributes that NetCDF can hold


def as_files(data: Data, path: Path) -> str:
    """Names of files as flags take them; a dataset is written to `path`, its values as they are.

    Raises InputError where NetCDF cannot hold the dataset.
    """
    if not isinstance(data, DATASETS):
        return ",".join(names_of(data))
    try:
        plain_dataset(data).to_netcdf(path, engine="netcdf4")
    except (ValueError, TypeError, NotImplementedError, RuntimeError, AttributeError) as error:
        raise InputError(f"the dataset cannot be written as NetCDF ({one_line(error)})") from error
    return str(path)


def names_of(files: str | Path | Sequence[str | Path]) -> list[str]:
    """Names, globs and addresses of files, each apart."""
    given = [files] if isinstance(files, (str, Path)) else files
    return [name for one in given for name in separate(str(one))]


def plain_dataset(data: xr.Dataset | xr.DataArray) -> xr.Dataset:
    """The dataset without what its earlier files were packed by, and attributes that are objects.

    Raises InputError for an array without a name.
    """
    if isinstance(data, xr.DataArray):
        if data.name is None:
            raise InputError("a DataArray without a name: expected one such as array.rename('t2m')")
        data = data.to_dataset()
    plain = data.copy()
    for variable in plain.variables.values():
        variable.encoding = {k: v for k, v in variable.encoding.items() if k in KEPT}
        variable.attrs = _plain(variable.attrs)
    plain.attrs, plain.encoding = _plain(plain.attrs), {}
    return plain


def _plain(attributes: dict[Any, Any]) -> dict[Any, Any]:
    return {name: value for name, value in attributes.items() if isinstance(value, PLAIN)}
