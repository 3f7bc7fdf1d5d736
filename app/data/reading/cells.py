"""Which cells of a source's files are read: each file's own grid, and the region's part of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import xarray as xr
from absl import logging

from app.arrays import Array
from app.data.description import Region
from app.data.reading.parts import FileWindow
from app.errors import InputError
from app.grids import Grid, columns_of, detect_grid, rivals


def spread_over(field: xr.DataArray, grid: Grid, dataset: xr.Dataset) -> xr.DataArray:
    """A coordinate of one dimension that is asked for as a field, repeated along the other."""
    absent = [dim for dim in grid.dims if dim not in field.dims]
    if len(absent) != 1 or field.ndim != 1:
        return field
    other = xr.DataArray(np.zeros(dataset.sizes[absent[0]]), dims=absent)
    spread = field.reset_coords(drop=True) + other
    return spread.rename(field.name).assign_attrs(field.attrs)


def refuse_fewer_dimensions(field: xr.DataArray, grid: Grid, where: str) -> None:
    absent = [str(dim) for dim in grid.dims if dim not in field.dims]
    if absent:
        own = ", ".join(map(str, field.dims)) or "none, it is a single number"
        raise InputError(
            f"{where} is no field: its dimensions are {own}; expected {' and '.join(absent)} too"
        )


def grid_of(dataset: xr.Dataset, field: xr.DataArray, path: str) -> tuple[Grid, list[str]]:
    """The grid of a field, and the latitudes that may as well be its own."""
    try:
        return detect_grid(field, path)[0], []
    except InputError:
        grid = detect_grid(dataset, path, field.dims)[0]
        return grid, rivals(dataset, grid.names[0])


def log_rivals(grid: Grid, others: list[str], where: str) -> None:
    if others:
        logging.warning(
            "%s: %s is taken as its latitude, but %s lies along its dimensions, too; where that is "
            "wrong, give the variable an attribute coordinates",
            where,
            grid.names[0],
            ", ".join(others),
        )


@dataclass(frozen=True, eq=False)
class Cells:
    """What is read of every file: rows and columns of the first file's grid, canonical."""

    whole: Grid
    rows: Array
    columns: Array
    first: str  # file and variable

    @classmethod
    def of(cls, grid: Grid, region: Region | None, margin: int, where: str) -> Cells:
        """The region's cells, all of them where the region is not on the grid and has a margin."""
        rows, columns = np.arange(grid.shape[0]), np.arange(grid.shape[1])
        if region is not None:
            try:
                rows, columns = grid.window(*_widened(region, grid, margin))
            except InputError as error:
                if not margin:
                    raise InputError(f"{where}: {error}") from error
        return cls(grid, rows, columns, where)

    @property
    def grid(self) -> Grid:
        everything = len(self.rows) == self.whole.shape[0] and np.array_equal(
            self.columns, np.arange(self.whole.shape[1])
        )
        return self.whole if everything else self.whole.take(self.rows, self.columns)

    def window_of(self, grid: Grid, where: str) -> FileWindow:
        """Where the same cells stand in a file with this grid of its own."""
        columns = columns_of(self.whole, grid)
        if columns is None:
            raise InputError(
                f"{where}: its grid ({grid.shape[0]}×{grid.shape[1]}, {grid.extent()}) differs "
                f"from {self.first}'s ({self.whole.shape[0]}×{self.whole.shape[1]}, "
                f"{self.whole.extent()})"
            )
        return FileWindow.of(grid, self.rows, columns[self.columns])


def _widened(
    region: Region, grid: Grid, margin: int
) -> tuple[tuple[float, float], tuple[float, float]]:
    north = margin * float(np.abs(np.diff(grid.lat, axis=0)).max())
    east = margin * float(np.median(np.abs(np.diff(grid.lon))))
    (lowest, highest), (leftmost, rightmost) = region.lat, region.lon
    return (lowest - north, highest + north), (leftmost - east, rightmost + east)
