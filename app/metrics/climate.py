"""Bins of value from the training period: range, tails, histograms, and scores by bin."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from app.arrays import Array
from app.baselines.base import fine_values, split_size, time_blocks

if TYPE_CHECKING:
    from app.data.contract import PreparedData

BINS = 5  # of equal width over the training range
TAILS = (0.99, 0.999)  # quantiles of the training values; above each lies one more bin
MIN_DAYS = 30  # independent days that a bin must hold to be scored
LEVELS = (0.5, 0.75, 0.9, 0.95, 0.99, 0.999)  # of the quantiles compared
NODES = 2**16  # of the histograms that quantiles are read from
Undo = Callable[[Array], Array]


@dataclass(frozen=True, eq=False)
class Histogram:
    """Counts of values between two bounds; what lies beyond counts at the ends."""

    low: float
    high: float
    counts: Array

    @classmethod
    def empty(cls, low: float, high: float) -> Histogram:
        return cls(low, high, np.zeros(NODES, np.int64))

    def merge(self, other: Histogram) -> None:
        """Add the counts of another histogram between the same bounds."""
        self.counts[:] += other.counts

    def add(self, values: Array) -> None:
        place = values.astype(np.float64).ravel()
        place -= self.low
        place /= self.high - self.low
        place *= NODES
        np.clip(place, 0, NODES - 1, out=place)
        self.counts[:] += np.bincount(place.astype(np.int64), None, NODES)

    def quantiles(self, levels: Sequence[float]) -> Array:
        """Upper ends of the cells in which the levels are reached, at most a cell too high."""
        total = np.cumsum(self.counts)
        cells = np.searchsorted(total, np.asarray(levels) * total[-1])
        result: Array = (
            self.low + (np.minimum(cells, NODES - 1) + 1) * (self.high - self.low) / NODES
        )
        return result


@dataclass(frozen=True)
class Climate:
    """The training values of a predictand: their range, and the thresholds of its tails."""

    low: float
    high: float
    tails: tuple[float, ...]

    @property
    def bins(self) -> list[tuple[str, float, float]]:
        """Name, lower and upper end of each; the outermost are open, as later values exceed."""
        edges = np.linspace(self.low, self.high, BINS + 1)
        edges[0], edges[-1] = -np.inf, np.inf
        equal = [(f"bin_{i + 1}", float(a), float(b)) for i, (a, b) in enumerate(pairwise(edges))]
        named = zip(TAILS, self.tails, strict=True)
        return equal + [(f"above_p{100 * level:g}", value, np.inf) for level, value in named]


def training_climate(shards: PreparedData, undo: Undo | None = None) -> list[Climate | None]:
    """Range and tails of each predictand's training values; None where they are all alike or none.

    `undo` takes fields to the units of the truth that is scored.
    """
    n = split_size(shards, "train")
    if not n:
        return [None] * len(shards.variables["hr"])
    blocks = list(time_blocks(n, fine_values(shards)))

    def read(indices: Array) -> Array:
        fields = shards.read("hr", "train", indices)
        return fields if undo is None else np.asarray(undo(fields))

    c = len(shards.variables["hr"])
    low, high = np.full(c, np.inf), np.full(c, -np.inf)
    for indices in blocks:
        fields = read(indices)
        known = np.isfinite(fields)
        low = np.minimum(low, np.where(known, fields, np.inf).min(axis=(0, 1, 2)))
        high = np.maximum(high, np.where(known, fields, -np.inf).max(axis=(0, 1, 2)))
    varied = [bool(a < b) for a, b in zip(low, high, strict=True)]
    histograms = [
        Histogram.empty(a, b if ok else a + 1) for a, b, ok in zip(low, high, varied, strict=True)
    ]
    for indices in blocks:
        fields = read(indices)
        for channel, histogram in enumerate(histograms):
            values = fields[..., channel]
            histogram.add(values[np.isfinite(values)])
    return [
        Climate(float(h.low), float(h.high), tuple(map(float, h.quantiles(TAILS)))) if ok else None
        for h, ok in zip(histograms, varied, strict=True)
    ]


@dataclass(frozen=True, eq=False)
class BinScores:
    """Errors by bin b of the truth, for candidate k.

    days (b,): independent days on which a value fell into the bin; share (b,): of all area and
    time. rmse, rmse_low, rmse_high (95 % interval over days), mae, bias: (k, b), NaN in bins of
    fewer than MIN_DAYS days. truth_quantiles (q,), quantiles (k, q): at LEVELS, over time and
    space. Sums by sample, for comparisons: squares and absolute (k, b, n), weight (b, n).
    """

    candidates: tuple[str, ...]
    bins: list[tuple[str, float, float]]
    days: Array
    share: Array
    rmse: Array
    rmse_low: Array
    rmse_high: Array
    mae: Array
    bias: Array
    truth_quantiles: Array
    quantiles: Array
    squares: Array
    absolute: Array
    weight: Array

    @property
    def scored(self) -> Array:
        """Which bins hold enough days."""
        return self.days >= MIN_DAYS
