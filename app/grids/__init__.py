"""Horizontal grids: found in files, paired fine and coarse, and regridded from one to another."""

from app.grids.coordinates import rivals
from app.grids.detection import detect_grid, to_canonical
from app.grids.geometry import Geometry
from app.grids.grid import Grid
from app.grids.identity import columns_of, difference, same_grid

__all__ = [
    "Geometry",
    "Grid",
    "columns_of",
    "detect_grid",
    "difference",
    "rivals",
    "same_grid",
    "to_canonical",
]
