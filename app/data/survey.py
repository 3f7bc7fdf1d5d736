"""What prepared data hold: ranges, gaps, and whether inputs and predictand keep the same time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from app.data.description import Variable
from app.data.shards import Shards

BLOCK = 256  # times read at once
LAGS = (-2, -1, 0, 1, 2)  # steps by which an input is compared with the predictand
LAG_SAMPLES = 1500  # training times used for the lag correlation
ROLES = ("hr", "lr", "predictors")


@dataclass(frozen=True)
class Summary:
    """One variable of one split; `missing` is the share of its values, 0 to 1."""

    role: str
    variable: Variable
    minimum: float
    mean: float
    maximum: float
    missing: float


def summaries(shards: Shards, split: str) -> list[Summary]:
    """Range and gaps of every variable in a split, read block by block."""
    found = []
    for role in ROLES:
        if shards.variables[role]:
            found += _role_summaries(shards, split, role)
    return found


def _role_summaries(shards: Shards, split: str, role: str) -> list[Summary]:
    variables = shards.variables[role]
    count, total = np.zeros(len(variables)), np.zeros(len(variables))
    low, high = np.full(len(variables), np.inf), np.full(len(variables), -np.inf)
    values = 0
    for rows in _blocks(shards.size(split)):
        block = shards.read(role, split, rows).reshape(-1, len(variables))
        valid = np.isfinite(block)
        values += len(block)
        count += valid.sum(axis=0)
        total += np.where(valid, block, 0).sum(axis=0, dtype=np.float64)
        low = np.minimum(low, block.min(axis=0, where=valid, initial=np.inf))
        high = np.maximum(high, block.max(axis=0, where=valid, initial=-np.inf))
    return [
        Summary(
            role,
            variable,
            float(low[c]),
            float(total[c] / max(count[c], 1)),
            float(high[c]),
            float(1 - count[c] / values),
        )
        for c, variable in enumerate(variables)
    ]


def lag_correlations(shards: Shards) -> dict[str, dict[str, np.ndarray]]:
    """Correlation in time of each coarse input with each coarsened predictand, by lag.

    predictand → input → (len(LAGS),), the mean over coarse cells of the correlation of
    input(t + lag) with predictand(t) in the training period. Of inputs that keep the
    predictand's time the largest stands at lag 0; another place hints at shifted stamps.
    """
    rows = np.arange(min(shards.size("train"), LAG_SAMPLES))
    segments = shards.segments("train")[rows]
    fine = np.moveaxis(shards.read("hr", "train", rows), -1, 0)
    targets = shards.geometry.coarsen(fine, 0.5)
    # Without explicit pairs the low resolution is the coarsened predictand itself.
    compared = ("lr", "predictors") if shards.explicit else ("predictors",)
    roles = [role for role in compared if shards.variables[role]]
    inputs = {
        variable.name: shards.read(role, "train", rows)[..., c]
        for role in roles
        for c, variable in enumerate(shards.variables[role])
    }
    return {
        variable.name: {
            name: np.array([_correlation(values, target, segments, lag) for lag in LAGS])
            for name, values in inputs.items()
        }
        for variable, target in zip(shards.variables["hr"], targets, strict=True)
    }


def _correlation(inputs: np.ndarray, target: np.ndarray, segments: np.ndarray, lag: int) -> float:
    """Mean over cells of the correlation of inputs (n, h, w) at t + lag with target at t."""
    at = np.arange(max(0, -lag), len(target) - max(0, lag))
    at = at[segments[at] == segments[at + lag]]
    x, y = inputs[at + lag].astype(np.float64), target[at].astype(np.float64)
    both = np.isfinite(x) & np.isfinite(y)
    count = np.maximum(both.sum(axis=0), 1)
    x, y = np.where(both, x, 0), np.where(both, y, 0)
    x = np.where(both, x - x.sum(axis=0) / count, 0)
    y = np.where(both, y - y.sum(axis=0) / count, 0)
    spread = np.sqrt((x * x).sum(axis=0) * (y * y).sum(axis=0))
    known = spread > 0
    if not known.any():
        return float("nan")
    return float(((x * y).sum(axis=0)[known] / spread[known]).mean())


def _blocks(n: int) -> Iterator[np.ndarray]:
    for start in range(0, n, BLOCK):
        yield np.arange(start, min(n, start + BLOCK))
