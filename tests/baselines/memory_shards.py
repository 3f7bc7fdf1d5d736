"""Prepared data held in memory, for tests of what reads them."""

from __future__ import annotations

import numpy as np

from app.baselines.base import Baseline
from app.baselines.catalogue import makers_of
from app.data.description import Variable
from app.data.shards import Shards
from app.data.shards.held import in_memory
from app.data.times import Stamps
from app.grids import Geometry, Grid


def held(
    *,
    geometry: Geometry,
    times: np.ndarray,
    splits: dict[str, np.ndarray],
    fields: dict[str, np.ndarray],
    variables: dict[str, tuple[Variable, ...]],
    source_grid: Grid | None = None,
) -> Shards:
    """Fields by role, cut into splits by row numbers."""
    cut = {s: {role: values[rows] for role, values in fields.items()} for s, rows in splits.items()}
    stamps = {split: Stamps.of(times[rows]) for split, rows in splits.items()}
    return in_memory(geometry, variables, cut, stamps, source_grid=source_grid)


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
    lr: np.ndarray | None = None,
) -> Shards:
    """Shards of truth (n, y, x, C) and its block means, or other low-resolution fields."""
    n, rows, columns, channels = hr.shape
    geometry = Geometry.build(grid or fine_grid(rows, columns), scale, halo)
    if lr is None:
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
    return held(geometry=geometry, times=stamps, splits=rows_of, fields=fields, variables=roles)


def fitted(shards: Shards, names: tuple[str, ...]) -> list[Baseline]:
    """Baselines by name."""
    return [make() for make in makers_of(shards, names)]
