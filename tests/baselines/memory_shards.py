"""Shards held in memory: the reading side of the real ones, for tests of what reads them."""

from __future__ import annotations

import numpy as np

from app.data import times
from app.data.description import Variable
from app.grids import Geometry, Grid


class MemoryShards:
    """Fields by role, cut into splits by row numbers."""

    has_times = True

    def __init__(
        self,
        *,
        geometry: Geometry,
        times: np.ndarray,
        splits: dict[str, np.ndarray],
        fields: dict[str, np.ndarray],
        variables: dict[str, tuple[Variable, ...]],
        source_grid: Grid | None = None,
    ) -> None:
        self.geometry, self.variables, self.source_grid = geometry, variables, source_grid
        self.explicit = source_grid is not None
        self.splits = tuple(splits)
        self._rows, self._times, self._fields = splits, times, fields

    @property
    def predictands(self) -> tuple[Variable, ...]:
        return self.variables["hr"]

    def size(self, split: str) -> int:
        return len(self._rows[split])

    def shape(self, role: str, split: str) -> tuple[int, ...]:
        return self._fields[role].shape[1:]

    def times(self, split: str) -> np.ndarray:
        return self._times[self._rows[split]]

    def harmonics(self, split: str, indices: np.ndarray | slice = slice(None)) -> np.ndarray:
        return times.harmonics(self.times(split)[indices])

    def read(self, role: str, split: str, indices: np.ndarray) -> np.ndarray:
        return self._fields[role][self._rows[split][indices]].astype(np.float32)

    def series(self, role: str, split: str, rows: slice) -> np.ndarray:
        return self._fields[role][self._rows[split]][:, rows].astype(np.float32)


def fine_grid(rows: int, columns: int, *, south: float = 40.0, step: float = 0.5) -> Grid:
    """A rectilinear grid in canonical order."""
    return Grid(lat=south + step * np.arange(rows), lon=-10 + step * np.arange(columns))


def perfect_prog(
    hr: np.ndarray,
    *,
    scale: int = 2,
    halo: int = 0,
    start: str = "2001-01-01",
    step_hours: int = 24,
    shares: tuple[float, float] = (0.6, 0.8),
    grid: Grid | None = None,
    variables: tuple[Variable, ...] | None = None,
    predictors: np.ndarray | None = None,
) -> MemoryShards:
    """Shards of truth (n, y, x, C) and its block means."""
    n, rows, columns, channels = hr.shape
    geometry = Geometry.build(grid or fine_grid(rows, columns), scale, halo)
    lr = np.moveaxis(geometry.coarsen(np.moveaxis(hr, -1, 1)), 1, -1)
    named = variables or tuple(Variable(f"v{c}", f"v{c}", units="K") for c in range(channels))
    first, second = (int(share * n) for share in shares)
    rows_of = {
        "train": np.arange(first),
        "validation": np.arange(first, second),
        "test": np.arange(second, n),
    }
    fields = {"hr": hr, "lr": lr}
    roles = {"hr": named, "lr": named, "predictors": ()}
    if predictors is not None:
        fields["predictors"] = predictors
        count = predictors.shape[-1]
        roles["predictors"] = tuple(Variable(f"p{c}", f"p{c}", units="1") for c in range(count))
    stamps = np.datetime64(start, "ns") + step_hours * np.arange(n) * np.timedelta64(1, "h")
    return MemoryShards(
        geometry=geometry, times=stamps, splits=rows_of, fields=fields, variables=roles
    )
