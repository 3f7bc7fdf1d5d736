"""The grid of a file: found by its coordinates, and brought to canonical order."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from dataclasses import replace
from functools import partial

import numpy as np
import xarray as xr

from app.arrays import Json
from app.errors import InputError
from app.grids import coordinates
from app.grids.grid import Grid

Canonicalise = Callable[[xr.DataArray], xr.DataArray]


def detect_grid(
    data: xr.DataArray | xr.Dataset, where: str = "", dims: Iterable[Hashable] = ()
) -> tuple[Grid, Canonicalise]:
    """The grid of a file or variable, and a function that brings its fields to canonical order.

    `where` names the file in messages. Give the Dataset where 2-D latitudes may be plain
    variables, and the `dims` of the variable that is meant: a file may hold several grids.
    InputError: no latitude or longitude, unstructured, not monotonic, duplicates.
    """
    found = coordinates.find(data, where, frozenset(dims))
    build = _rectilinear if found.lat.ndim == 1 else _curvilinear
    grid = build(found)
    return grid, partial(to_canonical, grid=grid)


def _rectilinear(found: coordinates.Found) -> Grid:
    flipped = coordinates.descending(found.lat, found.where)
    lon = coordinates.order_longitudes(found.lon, found.where)
    grid = Grid(
        lat=found.lat[::-1] if flipped else found.lat,
        lon=lon.values,
        flipped=flipped,
        flipped_columns=lon.flipped,
        roll=lon.roll,
        file_lon=lon.as_in_file,
        **found.labels(),
    )
    return _with_index(grid, found)


def _curvilinear(found: coordinates.Found) -> Grid:
    rows, columns = coordinates.directions(found.lat, found.lon)
    ordered = (slice(None, None, rows), slice(None, None, columns))
    grid = Grid(
        lat=found.lat[ordered],
        lon=found.lon[ordered],
        flipped=rows < 0,
        flipped_columns=columns < 0,
        **found.labels(),
    )
    return _with_index(grid, found)


def _with_index(grid: Grid, found: coordinates.Found) -> Grid:
    y, x = found.y, found.x
    if y is not None and grid.flipped:
        y = y[::-1]
    if x is not None:
        x = np.roll(x[::-1] if grid.flipped_columns else x, -grid.roll)
    return replace(grid, y=y, x=x)


def to_canonical(data: xr.DataArray, grid: Grid) -> xr.DataArray:
    """A variable as (..., y, x) in canonical order, lazily; `grid` is that of its own file.

    Other dimensions, singletons included, keep their order. InputError where the sizes differ.
    """
    missing = [dim for dim in grid.dims if dim not in data.dims]
    if missing or tuple(data.sizes[dim] for dim in grid.dims) != grid.shape:
        raise InputError(
            f"variable {data.name}: expected dimensions {grid.dims} of sizes {grid.shape}, "
            f"received {dict(data.sizes)}"
        )
    ordered = data.transpose(..., *grid.dims)
    stale = [name for name in grid.coords(flip=False) if name in ordered.coords]
    ordered = ordered.drop_vars(stale).isel(_file_indices(grid))
    return ordered.assign_coords(grid.coords(flip=False))


def _file_indices(grid: Grid) -> Json:
    indices: Json = {}
    if grid.flipped:
        indices[grid.dims[0]] = slice(None, None, -1)
    if grid.roll:
        columns = np.arange(grid.shape[1])
        columns = columns[::-1] if grid.flipped_columns else columns
        indices[grid.dims[1]] = np.roll(columns, -grid.roll)
    elif grid.flipped_columns:
        indices[grid.dims[1]] = slice(None, None, -1)
    return indices
