"""Whether two grids are one and the same."""

from __future__ import annotations

import numpy as np

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
    steps = (np.abs(np.diff(other.lat, axis=0)), np.abs(np.diff(other.lon)))
    cell = min((float(np.median(step)) for step in steps if step.size), default=0.0)
    largest = max(float(np.abs(one.lon).max()) for one in (grid, other))
    tolerance = max(SAME_PLACE * cell, float(np.spacing(np.float32(largest))))
    half = CIRCLE / 2
    east = (grid.lon - other.lon + half) % CIRCLE - half
    north = grid.lat - other.lat
    return bool(np.abs(north).max() <= tolerance and np.abs(east).max() <= tolerance)
