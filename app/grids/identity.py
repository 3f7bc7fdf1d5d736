"""Whether two grids are one and the same, wherever the circle of longitudes is cut."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from app.arrays import Array
from app.grids.grid import Grid
from app.grids.sphere import CIRCLE

SAME_PLACE = 1e-3  # share of a cell by which coordinates of one grid may differ


def same_grid(grid: Grid, other: Grid) -> bool:
    """Whether two grids have the same cells, longitudes modulo 360.

    Coordinates may differ by a thousandth of a cell, or by what single precision, in which
    files often hold them, makes of them.
    """
    if grid.shape != other.shape or grid.lat.ndim != other.lat.ndim:
        return False
    steps = (np.abs(np.diff(other.lat, axis=0)), np.abs(_east(np.diff(other.lon))))
    cell = min((float(np.median(step)) for step in steps if step.size), default=0.0)
    largest = max(float(np.abs(one.lon).max()) for one in (grid, other))
    tolerance = max(SAME_PLACE * cell, float(np.spacing(np.float32(largest))))
    north, east = grid.lat - other.lat, _east(grid.lon - other.lon)
    return bool(np.abs(north).max() <= tolerance and np.abs(east).max() <= tolerance)


def columns_of(grid: Grid, other: Grid) -> NDArray[np.intp] | None:
    """Columns of `other` that are the columns of `grid` in order; both canonical.

    Global files may cut the circle anywhere (0 to 360, -180 to 180): their columns are then
    rotated. All columns in order where the grids are the same; None where the cells differ.
    """
    if grid.shape != other.shape or grid.lat.ndim != other.lat.ndim:
        return None
    columns = np.arange(grid.shape[1])
    if same_grid(grid, other):
        return columns
    (lat, lon), (other_lat, other_lon) = _middle_row(grid), _middle_row(other)
    apart = np.abs(lat[0] - other_lat) + np.abs(_east(lon[0] - other_lon))
    columns = np.roll(columns, -int(np.argmin(apart)))
    rotated = replace(
        other,
        lat=other.lat if other.rectilinear else other.lat[:, columns],
        lon=other.lon[..., columns],
    )
    return columns if same_grid(grid, rotated) else None


def difference(grid: Grid, other: Grid) -> str:
    """What tells a grid from another one, in words, the first thing that does."""
    if grid.lat.ndim != other.lat.ndim:
        kinds = {1: "one-dimensional", 2: "two-dimensional"}
        return f"{kinds[grid.lat.ndim]} coordinates, not {kinds[other.lat.ndim]} ones"
    if grid.shape != other.shape:
        rows, columns = grid.shape
        return (
            f"{rows}×{columns} cells, not {other.shape[0]}×{other.shape[1]} "
            f"({grid.extent()}, not {other.extent()})"
        )
    for name, apart, own, wanted in (
        ("latitudes", grid.lat - other.lat, grid.lat, other.lat),
        ("longitudes", _east(grid.lon - other.lon), grid.lon, other.lon),
    ):
        most = int(np.abs(apart).argmax())
        if np.abs(apart).max() > SAME_PLACE * other.spacing:
            return (
                f"{name} up to {np.abs(apart).max():.4g}° apart "
                f"({own.ravel()[most]:.6g}, not {wanted.ravel()[most]:.6g})"
            )
    return "cells elsewhere"


def _middle_row(grid: Grid) -> tuple[Array, Array]:
    middle = grid.shape[0] // 2
    if grid.rectilinear:
        return np.full(grid.shape[1], grid.lat[middle]), grid.lon
    return grid.lat[middle], grid.lon[middle]


def _east(degrees: Array) -> Array:
    """Differences of longitude brought to [-180, 180)."""
    return (degrees + CIRCLE / 2) % CIRCLE - CIRCLE / 2
