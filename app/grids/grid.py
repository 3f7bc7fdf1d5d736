"""One grid: cell centres in canonical order, and how the user's file had them.

Every field runs south to north (axis -2) and west to east (axis -1); the order and the
longitudes of the file are remembered, so that results come out as the file has them.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from app.arrays import Array, Json
from app.errors import InputError
from app.grids import coordinates, sphere

ANGLE_TOLERANCE = 1e-6  # degrees: wide enough for sums of float64 coordinates
EDGES = ("lat_edges", "lon_edges", "y_edges", "x_edges")
ARRAY_FIELDS = ("lat", "lon", "y", "x", "file_lon", *EDGES)
Indices = NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class Grid:
    """Cell centres in degrees, in canonical order, and how the file had them.

    `lat` (y,) and `lon` (x,) on a rectilinear grid, both (y, x) otherwise. `dims` are the names
    of the dimensions, `names` those of the latitude and longitude variables; `y` and `x` are
    index coordinates of their own (rotated degrees, projected metres). From the file's order,
    canonical is: rows reversed if `flipped`, columns reversed if `flipped_columns`, then
    rolled by -`roll`. `file_lon` holds the file's longitudes, in canonical order, where they
    are not monotonic. `lat_edges`, `lon_edges` (of cells' corners (y+1, x+1) where latitudes are
    2-D), `y_edges` and `x_edges` are given where midpoints would not do. `mesh_in_file`: the file
    of a rectilinear grid writes its coordinates in two dimensions.
    """

    lat: Array
    lon: Array
    dims: tuple[str, str] = ("lat", "lon")
    names: tuple[str, str] = ("lat", "lon")
    y: Array | None = None
    x: Array | None = None
    flipped: bool = False
    flipped_columns: bool = False
    roll: int = 0
    file_lon: Array | None = None
    lat_edges: Array | None = None
    lon_edges: Array | None = None
    y_edges: Array | None = None
    x_edges: Array | None = None
    attrs: dict[str, Json] = field(default_factory=dict)
    mapping: str | None = None
    mesh_in_file: bool = False

    def __post_init__(self) -> None:
        for name in ARRAY_FIELDS:
            value = getattr(self, name)
            if value is not None:
                object.__setattr__(self, name, np.asarray(value, np.float64))

    @property
    def rectilinear(self) -> bool:
        return self.lat.ndim == 1

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        if self.rectilinear:
            return len(self.lat), len(self.lon)
        return self.lat.shape[0], self.lat.shape[1]

    @cached_property
    def edges(self) -> tuple[Array, Array]:
        """Latitude (y+1,) and longitude (x+1,) edges of a rectilinear grid, degrees."""
        if not self.rectilinear:
            raise ValueError("a grid with 2-D coordinates has no 1-D edges")
        lat = sphere.latitude_edges(self.lat) if self.lat_edges is None else self.lat_edges
        lon = sphere.midpoint_edges(self.lon) if self.lon_edges is None else self.lon_edges
        return lat, lon

    @cached_property
    def corners(self) -> Array:
        """Unit vectors (y+1, x+1, 3) of the corners of all cells."""
        if self.rectilinear:
            lat, lon = self.edges
            return sphere.unit_vectors(np.clip(lat, -sphere.POLE, sphere.POLE)[:, None], lon)
        if self.lat_edges is not None and self.lon_edges is not None:
            return sphere.unit_vectors(self.lat_edges, self.lon_edges)
        return sphere.corners_between(sphere.unit_vectors(self.lat, self.lon))

    @cached_property
    def spacing(self) -> float:
        """Side in degrees of a square as large as the typical (median) cell."""
        if self.rectilinear:
            lat, lon = (np.radians(np.diff(edges)) for edges in self.edges)
            areas = np.outer(lat * np.cos(np.radians(self.lat)), lon)
        else:
            areas = sphere.cell_areas(self.corners)
        return float(np.degrees(np.sqrt(np.median(areas))))

    @property
    def periodic(self) -> bool:
        """Whether the columns of a rectilinear grid close the circle."""
        if not self.rectilinear or len(self.lon) < 2:
            return False
        closing = sphere.CIRCLE - (self.lon[-1] - self.lon[0])
        return bool(0 < closing <= sphere.CLOSING_GAP * np.diff(self.lon).max())

    def mesh(self) -> tuple[Array, Array]:
        """Latitude and longitude of every cell, both (y, x)."""
        if not self.rectilinear:
            return self.lat, self.lon
        lat, lon = np.meshgrid(self.lat, self.lon, indexing="ij")
        return lat, lon

    @cached_property
    def _areas(self) -> Array:
        if self.rectilinear:
            lat, lon = self.edges
            bands = np.diff(np.sin(np.radians(np.clip(lat, -sphere.POLE, sphere.POLE))))
            areas = np.outer(bands, np.diff(lon))
        else:
            areas = sphere.cell_areas(self.corners)
        result: Array = areas / areas.mean()
        return result

    def cell_areas(self) -> Array:
        """Relative cell areas (y, x), mean 1: (sin φ₂ - sin φ₁)·Δλ, or spherical quadrilaterals."""
        return self._areas

    def restore(self, fields: Array, axes: tuple[int, int] = (-2, -1)) -> Array:
        """Fields from canonical order back to the order of the file."""
        rows, columns = axes
        if self.roll:
            fields = np.roll(fields, self.roll, axis=columns)
        if self.flipped_columns:
            fields = np.flip(fields, axis=columns)
        return np.flip(fields, axis=rows) if self.flipped else fields

    def coords(self, flip: bool = True) -> Json:
        """Coordinates for xarray: as the file has them, or in canonical order (flip=False)."""
        lon = self.lon if self.file_lon is None or not flip else self.file_lon
        lat, coordinate_dims = self.lat, self._coordinate_dims()
        if flip and self.mesh_in_file and self.names != self.dims:
            lat, lon = np.meshgrid(lat, lon, indexing="ij")
            coordinate_dims = self.dims, self.dims
        values = {self.names[0]: lat, self.names[1]: lon}
        dims = dict(zip(self.names, coordinate_dims, strict=True))
        for dim, index in zip(self.dims, (self.y, self.x), strict=True):
            if index is not None:
                values[dim], dims[dim] = index, (dim,)
        coords: Json = {
            name: (
                dims[name],
                self._in_file_order(array, dims[name]) if flip else array,
                self.attrs.get(name, {}),
            )
            for name, array in values.items()
        }
        for name, defaults in zip(self.names, coordinates.CF_ATTRIBUTES, strict=True):
            coords[name] = (*coords[name][:2], {**defaults, **coords[name][2]})
        if self.mapping is not None:
            coords[self.mapping] = ((), np.int32(0), self.attrs.get(self.mapping, {}))
        return coords

    def _coordinate_dims(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        if self.rectilinear:
            return (self.dims[0],), (self.dims[1],)
        return self.dims, self.dims

    def _in_file_order(self, values: Array, dims: tuple[str, ...]) -> Array:
        if len(dims) == 2:
            return self.restore(values)
        if dims[0] == self.dims[0]:
            return self.restore(values[:, None])[:, 0]
        result: Array = self.restore(values[None, :])[0]
        return result

    def window(self, lat: tuple[float, float], lon: tuple[float, float]) -> tuple[Indices, Indices]:
        """Row and column indices of the cells whose centres lie in a box; see `take`.

        Longitudes are compared modulo 360; columns of a periodic grid may wrap. For 2-D
        coordinates, the smallest window that holds all such cells.
        """
        return _window(self, lat, lon)

    def take(self, rows: Indices, columns: Indices) -> Grid:
        """The grid of the fields `a[..., rows[:, None], columns]`, indices as from `window`."""
        wraps = bool(np.any(np.diff(columns) < 0))
        keep = not wraps and (self.roll == 0 or len(columns) == self.shape[1])
        changes: Json = {
            "y": None if self.y is None else self.y[rows],
            "x": None if self.x is None else self.x[columns],
            "roll": self.roll if keep else 0,
            "file_lon": self.file_lon[columns] if keep and self.file_lon is not None else None,
            **dict.fromkeys(EDGES),
        }
        if self.rectilinear:
            lon = self.lon[columns]
            changes |= {"lat": self.lat[rows], "lon": coordinates.unwrap(lon) if wraps else lon}
        else:
            cells = np.ix_(rows, columns)
            changes |= {"lat": self.lat[cells], "lon": self.lon[cells]}
        return replace(self, **changes)

    def extent(self) -> str:
        """First and last latitude and longitude, for messages."""
        return (
            f"lat {self.lat.min():.6g} to {self.lat.max():.6g}, "
            f"lon {self.lon.min():.6g} to {self.lon.max():.6g}"
        )

    def to_dict(self) -> Json:
        """JSON-able; numbers survive the round trip to the last bit."""
        fields = {name: getattr(self, name) for name in self.__dataclass_fields__}
        return {
            name: value.tolist() if isinstance(value, np.ndarray) else value
            for name, value in fields.items()
        }

    @classmethod
    def from_dict(cls, stored: Json) -> Grid:
        """The grid that `to_dict` came from."""
        return cls(**{**stored, "dims": tuple(stored["dims"]), "names": tuple(stored["names"])})


def _window(
    grid: Grid, lat: tuple[float, float], lon: tuple[float, float]
) -> tuple[Indices, Indices]:
    (south, north), (west, east) = lat, lon
    rows_inside = (grid.lat >= south - ANGLE_TOLERANCE) & (grid.lat <= north + ANGLE_TOLERANCE)
    offset = (grid.lon - west + ANGLE_TOLERANCE) % sphere.CIRCLE
    columns_inside = offset <= east - west + 2 * ANGLE_TOLERANCE
    if grid.rectilinear:
        rows, columns = np.flatnonzero(rows_inside), np.flatnonzero(columns_inside)
        if grid.periodic and not columns_inside.all():
            columns = columns[np.argsort(offset[columns], kind="stable")]
    else:
        inside = rows_inside & columns_inside
        rows, columns = (
            _span(np.flatnonzero(inside.any(axis=1))),
            _span(np.flatnonzero(inside.any(axis=0))),
        )
    jumps = np.diff(columns) % grid.shape[1] if len(columns) > 1 else np.ones(1)
    if len(rows) < 2 or len(columns) < 2 or np.any(jumps != 1):
        raise InputError(
            f"region lat {south:g} to {north:g}, lon {west:g} to {east:g}: expected at least "
            f"2 × 2 neighbouring cells of the grid ({grid.extent()})"
        )
    return rows, columns


def _span(indices: Indices) -> Indices:
    return np.arange(indices[0], indices[-1] + 1) if len(indices) else indices
