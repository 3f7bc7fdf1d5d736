"""Latitudes and longitudes as numbers: in degrees, north and east, on axes where they have any."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr

from app.arrays import Array, Json
from app.errors import InputError
from app.grids.sphere import CIRCLE, POLE

NOT_GEOGRAPHIC = ("grid_", "projection_")  # standard names of rotated and projected axes
ROTATED = frozenset({"rlat", "rlon"})
MOST_ALIKE = 4  # neighbours at one place, which the folds of true grids may have
LATITUDE_TOLERANCE = 1e-3  # degrees beyond the pole that rounding may cause
SEPARABLE = 1e-3  # share of a cell by which 2-D coordinates of a regular grid may waver
RADIANS = frozenset({"rad", "radian", "radians"})
LENGTHS = {"m", "km", "metre", "metres", "meter", "meters"}
SMALL_ANGLES = {"arcmin", "arcminute", "arc_minute", "arcsec", "arcsecond", "arc_second", "gon"}
NOT_DEGREES = frozenset(LENGTHS | SMALL_ANGLES | {f"{unit}s" for unit in SMALL_ANGLES})
AGAINST = {"latitude": ("south", "s"), "longitude": ("west", "w")}  # counted the other way
GLOBAL_RADIANS = (0.9 * np.pi, 0.95 * 2 * np.pi)  # least extents of a globe
ROUNDED_RADIANS = 1e-3  # by which those of a globe may exceed π and 2π


def units_of(variable: Any) -> str:
    """The units attribute in lower case, "" without one."""
    return str(variable.attrs.get("units", "")).strip().lower()


def in_degrees(coordinate: xr.DataArray, standard_name: str, where: str) -> Array:
    """Values in degrees, counted north and east; InputError for units of another kind."""
    values = np.asarray(coordinate.values, np.float64)
    units = units_of(coordinate)
    if units in NOT_DEGREES:
        raise InputError(
            f"{where}: {coordinate.name}, the {standard_name}, has units {units!r}; expected "
            "degrees or radians"
        )
    if units in RADIANS:
        return np.degrees(values)
    against = {
        f"{degree}_{end}" for degree in ("degree", "degrees") for end in AGAINST[standard_name]
    }
    return -values if units in against else values


def attributes_in_degrees(attrs: Mapping[str, Any], cf: Mapping[str, str]) -> Json:
    """Attributes of a coordinate after `in_degrees`."""
    units = str(attrs.get("units", "")).strip().lower()
    if units in RADIANS or units.endswith(("_south", "_s", "_west", "_w")):
        stale = {"units", "valid_min", "valid_max"}
        return {**{k: v for k, v in attrs.items() if k not in stale}, "units": cf["units"]}
    return dict(attrs)


def check_values(
    lat: xr.DataArray, lon: xr.DataArray, values: tuple[Array, Array], where: str
) -> None:
    """InputError for missing values, latitudes beyond the poles, and unnamed radians."""
    for coordinate, numbers in zip((lat, lon), values, strict=True):
        if not np.isfinite(numbers).all():
            raise InputError(f"{where}: {coordinate.name} has missing values; expected all finite")
    north, east = values
    if np.abs(north).max() > POLE + LATITUDE_TOLERANCE:
        swapped = "; are the two swapped?" if np.abs(east).max() <= POLE else ""
        raise InputError(
            f"{where}: {lat.name}, the latitude, runs from {north.min():g} to {north.max():g}, "
            f"{lon.name}, the longitude, from {east.min():g} to {east.max():g}; expected latitudes "
            f"in degrees between -90 and 90{swapped}"
        )
    if not units_of(lat) and not units_of(lon) and _like_radians(north, east):
        raise InputError(
            f"{where}: {lat.name} runs from {north.min():g} to {north.max():g} and {lon.name} "
            f"from {east.min():g} to {east.max():g} without units, which looks like a globe in "
            "radians; expected degrees, or units: radian"
        )


def _like_radians(lat: Array, lon: Array) -> bool:
    extents = np.ptp(lat), np.ptp(lon)
    return all(
        least <= extent <= whole + ROUNDED_RADIANS
        for least, extent, whole in zip(GLOBAL_RADIANS, extents, (np.pi, 2 * np.pi), strict=True)
    )


def refuse_one_place(
    lat: xr.DataArray, lon: xr.DataArray, values: tuple[Array, Array], where: str
) -> None:
    """InputError where many neighbours lie at one place: cells whose coordinates are not known.

    `values`: 2-D latitudes and longitudes, such as NEMO leaves at 0 in parts of the land.
    """
    north, east = values
    if north.ndim < 2:
        return
    alike = (np.diff(north, axis=1) == 0) & (np.diff(east, axis=1) == 0)
    if alike.sum() > MOST_ALIKE:
        row, column = np.argwhere(alike)[0]
        raise InputError(
            f"{where}: {int(alike.sum())} cells have the same {lat.name} and {lon.name} as their "
            f"neighbour, the first {north[row, column]:g} and {east[row, column]:g}; expected the "
            "coordinates of every cell, on land too (such as those of the mesh file)"
        )


def axes_of_mesh(lat: Array, lon: Array) -> tuple[Array, Array] | None:
    """1-D latitudes and longitudes whose mesh the 2-D ones (y, x) are; None if they are not.

    Values may waver by a thousandth of a cell, or by what single precision makes of them.
    """
    rows, columns = np.median(lat, axis=1), lon[0]
    wavering = np.abs(lat - rows[:, None]).max()
    east = (lon - columns + CIRCLE / 2) % CIRCLE - CIRCLE / 2
    steps = np.abs(np.diff(rows)), np.abs((np.diff(columns) + CIRCLE / 2) % CIRCLE - CIRCLE / 2)
    if any(not step.size or not step.all() for step in steps):
        return None
    for step, waver, values in zip(steps, (wavering, np.abs(east).max()), (lat, lon), strict=True):
        rounding = float(np.spacing(np.float32(np.abs(values).max())))
        if waver > max(SEPARABLE * float(np.median(step)), rounding):
            return None
    return rows, columns + np.median(east, axis=0)


def refuse_text(
    data: xr.DataArray | xr.Dataset,
    variables: Mapping[Any, Any],
    standard_name: str,
    names: frozenset[str],
    where: str,
) -> None:
    """InputError where the coordinate is there, but written as text."""
    for name, variable in variables.items():
        meant = variable.attrs.get("standard_name") == standard_name or str(name).lower() in names
        if meant and variable.dtype.kind in "USO" and variable.size:
            first = data[name].values.ravel()[0]
            raise InputError(
                f"{where}: {name}, the {standard_name}, is stored as text ({str(first)[:20]!r}); "
                "expected numbers in degrees"
            )


def refuse_projected(variables: Mapping[Any, Any], standard_name: str, where: str) -> None:
    """InputError where a file has the axes of a projection alone."""
    axes = [
        str(name)
        for name, variable in variables.items()
        if str(variable.attrs.get("standard_name", "")).startswith(NOT_GEOGRAPHIC)
        or str(name).lower() in ROTATED
    ]
    if axes:
        raise InputError(
            f"{where}: {' and '.join(axes)} are the axes of a projection, and there is no "
            f"{standard_name}; expected 2-D latitudes and longitudes beside them"
        )
