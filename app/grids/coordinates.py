"""Latitude and longitude in files as they come: which variables they are, and their order."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from app.arrays import Array, Json
from app.errors import InputError
from app.grids.coordinate_values import (
    NOT_GEOGRAPHIC,
    ROTATED,
    attributes_in_degrees,
    axes_of_mesh,
    check_values,
    in_degrees,
    refuse_one_place,
    refuse_projected,
    refuse_text,
    units_of,
)
from app.grids.sphere import CIRCLE

CF_ATTRIBUTES = (
    {"standard_name": "latitude", "units": "degrees_north"},
    {"standard_name": "longitude", "units": "degrees_east"},
)
PLAIN_DEGREES = {"degree", "degrees", "deg"}
AUXILIARY = ("bnds", "bounds", "vertices", "corners")  # endings of names of cell boundaries
NOT_ATTRIBUTES = {"bounds", "_FillValue", "missing_value", "actual_range", "valid_range"}
REPEATED = 1e-3  # of the usual spacing: columns that close are one and the same, but for rounding
STRADDLING_GAP = 2.0  # an inner gap this many times the closing one shows where to roll


@dataclass(frozen=True)
class Kind:
    """How files call one of the two coordinates."""

    standard_name: str
    units: frozenset[str]
    axis: str
    names: frozenset[str]
    index_names: frozenset[str]


LATITUDE = Kind(
    "latitude",
    frozenset({"degrees_north", "degree_north", "degree_n", "degrees_n", "degreen", "degreesn"}),
    "Y",
    frozenset(
        {
            "lat",
            "latitude",
            "lats",
            "nav_lat",
            "xlat",
            "gphit",
            "tlat",
            "lat_rho",
            "clat",
            "xlat_m",
            "geolat",
        }
    ),
    frozenset({"y", "rlat", "lat", "latitude", "yc", "j", "nj", "south_north", "projection_y"}),
)
LONGITUDE = Kind(
    "longitude",
    frozenset({"degrees_east", "degree_east", "degree_e", "degrees_e", "degreee", "degreese"}),
    "X",
    frozenset(
        {
            "lon",
            "longitude",
            "lons",
            "long",
            "nav_lon",
            "xlong",
            "glamt",
            "tlong",
            "lon_rho",
            "clon",
            "xlong_m",
            "geolon",
        }
    ),
    frozenset({"x", "rlon", "lon", "longitude", "xc", "i", "ni", "west_east", "projection_x"}),
)


@dataclass(frozen=True)
class Found:
    """Coordinates of a file in degrees, still in its own order; 2-D ones as (row, column).

    `mesh_in_file`: the file has the mesh of these 1-D ones as 2-D coordinates.
    """

    lat: Array
    lon: Array
    dims: tuple[str, str]
    names: tuple[str, str]
    y: Array | None
    x: Array | None
    attrs: dict[str, Json]
    mapping: str | None
    where: str
    mesh_in_file: bool = False

    def labels(self) -> Json:
        """What a Grid takes over unchanged."""
        return {
            "dims": self.dims,
            "names": self.names,
            "attrs": self.attrs,
            "mapping": self.mapping,
            "mesh_in_file": self.mesh_in_file,
        }


@dataclass(frozen=True)
class OrderedLongitudes:
    """Increasing longitudes, and how to get them from the file's: reverse, then roll by -roll."""

    values: Array
    flipped: bool
    roll: int
    as_in_file: Array | None


def find(
    data: xr.DataArray | xr.Dataset, where: str = "", dims: frozenset[Hashable] = frozenset()
) -> Found:
    """Latitude and longitude by CF standard name, units, axis or common name, in that order.

    Those along the given `dims` come before others.
    """
    where = _describe(data, where)
    variables = data.variables if isinstance(data, xr.Dataset) else data.coords
    lat = _without_time(_best(data, variables, LATITUDE, where, dims), where)
    lon = _without_time(_best(data, variables, LONGITUDE, where, dims), where)
    _check_pair(lat, lon, where)
    values = (
        in_degrees(lat, LATITUDE.standard_name, where),
        in_degrees(lon, LONGITUDE.standard_name, where),
    )
    check_values(lat, lon, values, where)
    if lat.ndim == 1:
        own, axes, mesh = (lat.dims[0], lon.dims[0]), values, False
    else:
        own, axes, mesh = _rows_and_columns(lat, lon, values, variables)
        refuse_one_place(lat, lon, axes, where)
    shape = (len(axes[0]), len(axes[1])) if axes[0].ndim == 1 else axes[0].shape
    if min(shape) < 2:
        raise InputError(
            f"{where}: the grid has {shape[0]}×{shape[1]} cells; expected at least 2×2"
        )
    mapping = _grid_mapping(variables)
    names = (str(lat.name), str(lon.name))
    y, x = (_index(variables, dim, names) for dim in own)
    kept = {*(d for d, v in zip(own, (y, x), strict=True) if v is not None), mapping}
    attrs = {str(name): _plain(variables[name].attrs) for name in kept if name is not None}
    for name, cf in zip(names, CF_ATTRIBUTES, strict=True):
        attrs[name] = attributes_in_degrees(_plain(variables[name].attrs), cf)
    return Found(
        lat=axes[0],
        lon=axes[1],
        dims=(str(own[0]), str(own[1])),
        names=names,
        y=y,
        x=x,
        attrs=attrs,
        mapping=mapping,
        where=where,
        mesh_in_file=mesh,
    )


def _check_pair(lat: xr.DataArray, lon: xr.DataArray, where: str) -> None:
    """InputError unless the two are latitude and longitude of rows and columns."""
    crossed = str(lat.name).lower() in LONGITUDE.names and str(lon.name).lower() in LATITUDE.names
    if crossed or lat.name == lon.name:
        raise InputError(
            f"{where}: by its attributes {lat.name} is the latitude and {lon.name} the longitude; "
            "expected attributes and names to agree"
        )
    if lat.ndim != lon.ndim:
        raise InputError(
            f"{where}: latitude {lat.name} has dimensions {lat.dims}, longitude {lon.name} "
            f"{lon.dims}; expected both 1-D or both 2-D"
        )
    if lat.ndim == 1 and lat.dims == lon.dims:
        raise InputError(
            f"{where}: {lat.name} and {lon.name} list {lat.size} points along {lat.dims[0]}; "
            "expected a grid of rows and columns, not a list of points (unstructured grid): "
            "regrid the file first, such as with cdo remapnn,r360x180"
        )
    if lat.ndim == 2 and set(lat.dims) != set(lon.dims):
        raise InputError(
            f"{where}: {lat.name} and {lon.name} have dimensions {lat.dims} and {lon.dims}; "
            "expected the same two"
        )


def _rows_and_columns(
    lat: xr.DataArray,
    lon: xr.DataArray,
    values: tuple[Array, Array],
    variables: Mapping[Any, Any],
) -> tuple[tuple[Any, Any], tuple[Array, Array], bool]:
    """Dimensions and values of 2-D coordinates, as (row, column), and whether 1-D ones do."""
    dims = _row_and_column(lat, variables)
    north = values[0] if dims == lat.dims else values[0].T
    east = values[1] if dims == lon.dims else values[1].T
    for order, pair in ((dims, (north, east)), (dims[::-1], (north.T, east.T))):
        if (axes := axes_of_mesh(*pair)) is not None:
            return order, axes, True
    return dims, (north, east), False


def _describe(data: xr.DataArray | xr.Dataset, where: str) -> str:
    if where:
        return where
    if isinstance(data, xr.DataArray):
        return f"variable {data.name}"
    return str(data.encoding.get("source", "dataset"))


def _best(
    data: xr.DataArray | xr.Dataset,
    variables: Mapping[Any, Any],
    kind: Kind,
    where: str,
    dims: frozenset[Hashable],
) -> xr.DataArray:
    ranks = {
        name: (bool(dims) and not dims.issuperset(variable.dims[-2:]), *rank)
        for name, variable in variables.items()
        if (rank := _rank(str(name), variable, kind)) is not None
    }
    if not ranks:
        refuse_text(data, variables, kind.standard_name, kind.names, where)
        refuse_projected(variables, kind.standard_name, where)
        raise InputError(
            f"{where}: no {kind.standard_name} among {', '.join(map(str, variables)) or 'nothing'} "
            f"(dimensions {dict(data.sizes)}); expected standard_name {kind.standard_name}, units "
            f"{max(kind.units, key=len)} or a common name"
        )
    return data[min(ranks, key=lambda name: ranks[name])]


def rivals(dataset: xr.Dataset, latitude: str) -> list[str]:
    """Other 2-D latitudes along the dimensions of one, as of a staggered grid."""
    variables = dataset.variables
    dims = variables[latitude].dims if latitude in variables else ()
    return [
        str(name)
        for name, variable in variables.items()
        if len(dims) > 1
        and name != latitude
        and variable.dims == dims
        and _rank(str(name), variable, LATITUDE) is not None
    ]


def _rank(name: str, variable: Any, kind: Kind) -> tuple[int, bool] | None:
    """Strength of the evidence (lower is stronger) that a variable is this coordinate."""
    attrs = variable.attrs
    standard = str(attrs.get("standard_name", ""))
    units = units_of(variable)
    if not 1 <= variable.ndim <= 3 or variable.dtype.kind not in "fiu":
        return None
    if standard.startswith(NOT_GEOGRAPHIC) or name.lower().endswith(AUXILIARY):
        return None
    named = name.lower() in kind.names
    if standard == kind.standard_name:
        return 0, not named
    if units in kind.units:
        return 1, not named
    if named:
        return 2, False
    if str(attrs.get("long_name", "")).strip().lower() == kind.standard_name:
        return 3, False
    on_axis = str(attrs.get("axis", "")).upper() == kind.axis and units in PLAIN_DEGREES
    on_axis &= name.lower() not in ROTATED
    return (4, False) if on_axis else None


def _without_time(coordinate: xr.DataArray, where: str) -> xr.DataArray:
    """Coordinates repeated at every time step (WRF), reduced to the first."""
    if coordinate.ndim < 3:
        return coordinate
    first = coordinate.isel({coordinate.dims[0]: 0})
    if not np.array_equal(first.values, coordinate.isel({coordinate.dims[0]: -1}).values):
        raise InputError(
            f"{where}: {coordinate.name} changes along {coordinate.dims[0]}; expected a fixed grid"
        )
    return first


def _row_and_column(lat: xr.DataArray, variables: Mapping[Any, Any]) -> tuple[Any, Any]:
    """Dimensions of 2-D latitudes as (row, column): by the index coordinates, else as they are."""
    first, second = lat.dims
    if _is_index(second, variables, LATITUDE) or _is_index(first, variables, LONGITUDE):
        return second, first
    return first, second


def _is_index(dim: Any, variables: Mapping[Any, Any], kind: Kind) -> bool:
    attrs = variables[dim].attrs if dim in variables else {}
    axis = str(attrs.get("axis", "")).upper()
    return axis == kind.axis if axis else str(dim).lower() in kind.index_names


def _index(variables: Mapping[Any, Any], dim: Any, names: tuple[str, str]) -> Array | None:
    """Numbers along a dimension, where they are more than the latitudes or longitudes."""
    if dim in names or dim not in variables or variables[dim].dtype.kind not in "fiu":
        return None
    return np.asarray(variables[dim].values, np.float64)


def _grid_mapping(variables: Mapping[Any, Any]) -> str | None:
    names = [str(name) for name, v in variables.items() if "grid_mapping_name" in v.attrs]
    return names[0] if names else None


def _plain(attrs: Mapping[Any, Any]) -> Json:
    """Attributes that JSON can hold, without those that point to what is not written again."""
    plain = {}
    for key, value in attrs.items():
        if key not in NOT_ATTRIBUTES:
            plain[str(key)] = (
                value.tolist() if isinstance(value, np.ndarray | np.generic) else value
            )
    return plain


def descending(lat: Array, where: str) -> bool:
    """Whether latitudes run north to south; InputError unless strictly monotonic."""
    steps = np.diff(lat)
    if (steps > 0).all() or (steps < 0).all():
        return bool(steps[0] < 0)
    at = int(np.flatnonzero(np.sign(steps) != np.sign(steps[0]))[0]) if steps[0] else 0
    problem = "repeats" if (steps == 0).any() else "turns"
    at = int(np.flatnonzero(steps == 0)[0]) if (steps == 0).any() else at
    raise InputError(
        f"{where}: latitude {problem} after {lat[at]:g} (index {at}); expected strictly "
        "increasing or decreasing values"
    )


def order_longitudes(lon: Array, where: str) -> OrderedLongitudes:
    """Longitudes west to east, rolled where the region straddles the end of the range.

    The file's convention is kept where its values, in this order, increase; otherwise they
    are shifted by multiples of 360 so that the first lies in [-180, 180).
    """
    flipped = bool(_gaps(lon).sum() > _gaps(lon[::-1]).sum())
    ordered = lon[::-1] if flipped else lon
    gaps = _gaps(ordered)
    closing = CIRCLE - gaps.sum()
    least = REPEATED * float(np.median(gaps))
    if abs(closing) <= least:
        raise InputError(
            f"{where}: longitude {ordered[-1]:g} repeats modulo 360: the last column is the first "
            "one again; expected one pass around the circle, without it"
        )
    if (gaps <= least).any() or closing < 0:
        at = int(np.argmax(gaps <= least)) if (gaps <= least).any() else len(lon) - 1
        raise InputError(
            f"{where}: longitude {ordered[at]:g} repeats modulo 360 or the values are not in "
            f"order (first {lon[0]:g}, last {lon[-1]:g}); expected one pass around the circle"
        )
    widest = int(np.argmax(gaps))
    roll = widest + 1 if gaps[widest] > STRADDLING_GAP * closing else 0
    rolled = np.roll(ordered, -roll)
    if (np.diff(rolled) > 0).all():
        return OrderedLongitudes(rolled, flipped, roll, None)
    return OrderedLongitudes(unwrap(rolled), flipped, roll, rolled)


def _gaps(lon: Array) -> Array:
    """Eastward distances between neighbours, degrees in [0, 360)."""
    return np.diff(lon) % CIRCLE


def unwrap(lon: Array) -> Array:
    """Eastward longitudes shifted by multiples of 360 to increase from within [-180, 180)."""
    increasing = lon + CIRCLE * np.concatenate([[0], np.cumsum(np.diff(lon) < 0)])
    result: Array = increasing - CIRCLE * np.floor((lon[0] + CIRCLE / 2) / CIRCLE)
    return result


def directions(lat: Array, lon: Array) -> tuple[int, int]:
    """Steps (1 or -1) along rows and columns that lead mostly north and mostly east."""
    north = np.diff(lat, axis=0).mean()
    east = np.diff(lon, axis=1)
    east = ((east + CIRCLE / 2) % CIRCLE - CIRCLE / 2) * np.cos(np.radians(lat[:, :-1]))
    return (1 if north >= 0 else -1), (1 if east.mean() >= 0 else -1)
