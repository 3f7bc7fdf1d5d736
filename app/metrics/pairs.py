"""Series that belong together: of two predictands, of two times."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from app.arrays import Array
from app.metrics.influence import over_cells
from app.metrics.metric import Band
from app.metrics.moments import SPREAD_FLOOR


@dataclass(frozen=True, eq=False)
class Paired:
    """Two fields (n, y, x) over the first axis, of what is known in both.

    x, y: less their means, over their population standard deviations; 0 where not known or where
    nothing varies more than rounding. means, spreads: (2, y, x), spreads NaN where nothing varies.
    known (n, y, x); count (y, x).
    """

    x: Array
    y: Array
    means: Array
    spreads: Array
    known: Array
    count: Array

    @classmethod
    def of(cls, a: Array, b: Array) -> Paired:
        known = np.isfinite(a) & np.isfinite(b)
        whole, count = bool(known.all()), known.sum(axis=0)
        size = np.maximum(count, 1)
        parts, means, spreads = [], [], []
        for values in (a, b):
            mean = (values if whole else np.where(known, values, 0.0)).sum(axis=0) / size
            centred = values - mean if whole else np.where(known, values - mean, 0.0)
            spread = np.sqrt(np.einsum("n...,n...->...", centred, centred) / size)
            varies = (count > 0) & (spread > SPREAD_FLOOR * np.abs(mean))
            centred *= np.where(varies, 1 / np.where(varies, spread, 1.0), 0.0)
            parts.append(centred)
            means.append(np.where(count > 0, mean, np.nan))
            spreads.append(np.where(varies, spread, np.nan))
        x, y = parts
        return cls(x, y, np.array(means), np.array(spreads), known, count)

    @property
    def correlation(self) -> Array:
        """Pearson's correlation (y, x); NaN where either does not vary."""
        varies = np.isfinite(self.spreads).all(axis=0)
        mean = np.einsum("n...,n...->...", self.x, self.y) / np.maximum(self.count, 1)
        return np.where(varies, mean, np.nan)

    def correlation_moved(self, correlation: Array, weights: Array) -> Array:
        """Influence of each row on the correlation, summed over cells by weights (n,)."""
        share = np.nan_to_num(weights * len(self.x) / np.maximum(self.count, 1))
        own = np.where(np.isfinite(correlation), share, 0.0)
        half = own * np.nan_to_num(correlation) / 2
        moved = over_cells(self.x * self.y, own)
        moved -= over_cells(np.square(self.x), half)
        moved -= over_cells(np.square(self.y), half)
        return moved


def correlation(a: Array, b: Array) -> Array:
    """Pearson's correlation over the first axis, of what is known in both.

    NaN where either varies no more than rounding.
    """
    return Paired.of(a, b).correlation


def matched(band: Band, other: Band) -> Iterator[list[tuple[Array, Array]]]:
    """Fields (n, y, x) of both predictands: of the truth, then of each candidate's versions.

    An empty list where the other predictand lacks the candidate.
    """
    yield [(band.truth, other.truth)]
    names, stacks = other.subject.candidates, other.versions
    for name, stack in zip(band.subject.candidates, band.versions, strict=True):
        if name in names:
            yield list(zip(stack, stacks[names.index(name)], strict=True))
        else:
            yield []
