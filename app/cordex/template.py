"""The grid of a domain as a submission is to have it: coordinates and attributes of a template."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import netCDF4
import numpy as np

from app.arrays import Array, Json
from app.cordex import protocol
from app.data.times import Stamps
from app.errors import InputError

TIME = "time"
# Attributes of how values are stored, which programs set anew, and names of other variables.
STORAGE = frozenset(
    {"_FillValue", "missing_value", "coordinates", "scale_factor", "add_offset", "_Netcdf4Dimid"}
)
TOLERANCE = 1e-5  # of a cell: single-precision coordinates


@dataclass(frozen=True, eq=False)
class Coordinate:
    """A variable of a template that has no time: a coordinate, or the projection."""

    dims: tuple[str, ...]
    values: Array
    attributes: Json

    @property
    def unit(self) -> str:
        return str(self.attributes.get("units", ""))


@dataclass(frozen=True, eq=False)
class Template:
    """What stands beside the values; `dims` are the two of the grid, `attributes` by target."""

    dims: tuple[str, ...]
    shape: tuple[int, ...]
    coordinates: Mapping[str, Coordinate]
    attributes: Mapping[str, Json]


def read_template(folder: Path, domain: str) -> Template:
    """From pr_DOMAIN.nc and tasmax_DOMAIN.nc in a folder. InputError where one is missing."""
    attributes, found = {}, None
    for target in protocol.TARGETS:
        path = folder / f"{target}_{domain}.nc"
        if not path.is_file():
            raise InputError(
                f"--templates={folder}: no {path.name}; expected the benchmark's folder "
                "format_predictions/templates"
            )
        with opened(path) as file:
            if target not in file.variables:
                raise InputError(f"{path}: no variable {target}; expected the benchmark's template")
            attributes[target] = attributes_of(file[target])
            dims = tuple(d for d in file[target].dimensions if d != TIME)
            here = Template(dims, file[target].shape[-2:], coordinates_of(file), {})
            found = found or here
    assert found is not None
    return Template(found.dims, found.shape, found.coordinates, attributes)


def opened(path: Path) -> netCDF4.Dataset:
    """A file with values as they are stored. InputError where it is no NetCDF."""
    try:
        file = netCDF4.Dataset(path)
    except (OSError, RuntimeError) as error:
        raise InputError(f"{path}: cannot be read as NetCDF ({error})") from error
    file.set_auto_maskandscale(False)
    return file


def coordinates_of(file: netCDF4.Dataset) -> dict[str, Coordinate]:
    """Every variable without time that is no target."""
    return {
        name: Coordinate(one.dimensions, np.asarray(one[...]), attributes_of(one))
        for name, one in file.variables.items()
        if TIME not in one.dimensions
        and name != TIME
        and name not in protocol.TARGETS
        and one.dtype is not str
    }


def attributes_of(variable: Any) -> Json:
    """The attributes that tell what a variable is."""
    return {name: variable.getncattr(name) for name in variable.ncattrs() if name not in STORAGE}


def stamps_of(variable: Any) -> Stamps:
    """The times of an opened file, to the second.

    AttributeError or ValueError where they cannot be decoded.
    """
    told = {name: str(variable.getncattr(name)) for name in variable.ncattrs()}
    if "units" not in told:
        raise ValueError("no units")
    return Stamps.of_numbers(np.asarray(variable[...]), told["units"], told.get("calendar"))


def same(a: Any, b: Any) -> bool:
    """Whether two attributes are equal, numbers within the precision of single ones."""
    one, other = np.asarray(a), np.asarray(b)
    if one.dtype.kind in "fiu" and other.dtype.kind in "fiu":
        return one.shape == other.shape and bool(np.allclose(one, other, rtol=1e-6, atol=0))
    return bool(str(a) == str(b))
