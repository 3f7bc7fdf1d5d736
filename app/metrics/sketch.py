"""Distributions of very many values: exact while they are few, bounded in memory and error after.

Values are float32. Once there are too many to keep, they are counted, less an origin, in bins by
their leading bits (sign, exponent and the first bits of the mantissa), and each bin keeps the sum
of its values: none is further from the mean of its bin than 2⁻⁹ of its distance from the origin,
whatever the range, and the sketches of parts of the data add up to that of all.
"""

from __future__ import annotations

import numpy as np

from app.arrays import Array
from app.metrics.quantiles import between_ranks

BITS = 18  # of 32, kept of a value: sign, 8 of the exponent, 9 of the mantissa
BINS = 2**BITS
DROPPED = 32 - BITS
SIGN = np.uint32(1 << 31)
ERROR = 2.0**-9  # of a value less the origin: bound of its distance to what stands for it
KEPT = 2**21  # values kept as they are


class Distribution:
    """Values: all of them, or counts and sums of values less the origin by bin."""

    def __init__(self, origin: float, most: int = KEPT) -> None:
        self.origin, self.most = origin, most
        self._values: list[Array] = []
        self._kept, self._sorted = 0, False
        self._bins: tuple[Array, Array] | None = None

    @property
    def exact(self) -> bool:
        """Whether all values are kept."""
        return self._bins is None

    def add(self, values: Array) -> None:
        """Take in values of any shape, none of them NaN."""
        self._take(values.astype(np.float32).ravel())

    def merge(self, other: Distribution) -> None:
        """Add the values of another part of the data."""
        for values in other._values:
            self._take(values)
        if other._bins is not None:
            self._count()
            assert self._bins is not None
            for own, more in zip(self._bins, other._bins, strict=True):
                own += more

    def _take(self, values: Array) -> None:
        self._values.append(values)
        self._sorted = False
        self._kept += values.size
        if self._kept > self.most or self._bins is not None:
            self._count()

    def _count(self) -> None:
        """Put the values that are kept into bins."""
        counts, sums = self._bins or (np.zeros(BINS), np.zeros(BINS))
        for kept in self._values:
            values = (kept - np.float64(self.origin)).astype(np.float32)
            place = _ordered(values) >> np.uint32(DROPPED)
            counts += np.bincount(place, minlength=BINS)
            sums += np.bincount(place, values, minlength=BINS)
        self._bins, self._values, self._kept = (counts, sums), [], 0

    def points(self) -> tuple[Array, Array]:
        """Values in order, the origin added, and how many each stands for."""
        if self._bins is None:
            values = self._in_order()
            return values.astype(np.float64), np.ones(len(values))
        counts, sums = self._bins
        held = counts > 0
        return sums[held] / counts[held] + self.origin, counts[held]

    def _in_order(self) -> Array:
        """All values that are kept, sorted once."""
        if not self._sorted:
            self._values = [np.sort(np.concatenate([np.zeros(0, np.float32), *self._values]))]
            self._sorted = True
        return self._values[0]

    def quantiles(self, levels: Array) -> Array:
        """Linear between order statistics (q,); NaN without values."""
        if self.exact:
            values = self._in_order()
            count = np.array([len(values)])
            if not len(values):
                return np.full(len(levels), np.nan)
            return between_ranks(values, count, levels)
        values, counts = self.points()
        if not len(values):
            return np.full(len(levels), np.nan)
        last = np.cumsum(counts) - 1  # rank of the last value of each point
        first = last - counts + 1
        ranks = np.stack([first, last], axis=1).ravel()
        return np.interp(levels * last[-1], ranks, np.repeat(values, 2))

    def distance(self, other: Distribution) -> float:
        """Wasserstein's distance of order 1; NaN where either has no values."""
        if self.exact and other.exact and self._kept == other._kept:
            apart = np.subtract(self._in_order(), other._in_order(), dtype=np.float64)
            return float(np.abs(apart).mean()) if apart.size else np.nan
        (own, weights), (others, other_weights) = self.points(), other.points()
        if not len(own) or not len(others):
            return np.nan
        from scipy.stats import wasserstein_distance

        return float(wasserstein_distance(own, others, weights, other_weights))


def _ordered(values: Array) -> Array:
    """uint32 that are in the order of float32 values."""
    bits = np.ascontiguousarray(values).view(np.uint32)
    return np.where(bits & SIGN, ~bits, bits | SIGN)
