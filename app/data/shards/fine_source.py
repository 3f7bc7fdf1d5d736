"""A source's fields on a given grid: its own cells where they are the same, else regridded."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from app.arrays import Array
from app.data.coverage import Covering
from app.data.description import Source
from app.data.reading.sources import Opened, open_source
from app.data.shards.plan import MARGIN, cells_box, regridder_of, same_cells
from app.grids import Grid
from app.grids.regrid import Regridder


@dataclass(frozen=True, eq=False)
class FineSource:
    """An opened source, read on the target grid; `uncovered` (y, x) are the cells outside it."""

    opened: Opened
    cells: tuple[Array, Array] | None  # rows and columns that are the target grid
    regrid: Regridder | None
    uncovered: Array

    @property
    def row_bytes(self) -> int:
        return 2 * self.opened.row_bytes

    def read(self, rows: Array) -> Array:
        """Rows of the source → (C, n, y, x) float32."""
        fields = self.opened.read(rows)
        if self.cells is not None:
            return fields[..., self.cells[0][:, None], self.cells[1]]
        assert self.regrid is not None  # one of the two is there
        return self.regrid(fields)


def open_fine(role: str, source: Source, grid: Grid, uncovered: str = "refuse") -> FineSource:
    """Open a source for a grid; InputError where it does not cover it, unless that is "mask"."""
    opened = open_source(source, cells_box(grid), MARGIN)
    rows, columns = same_cells(opened.grid, grid)
    if rows is not None and columns is not None:
        return FineSource(opened, (rows, columns), None, np.zeros(grid.shape, bool))
    regrid = regridder_of(opened, grid, source.regrid, role)
    outside = Covering(f"{role} {opened.where}", uncovered).fine(regrid, opened.grid, grid)
    return FineSource(opened, None, regrid, outside)
