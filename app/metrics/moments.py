"""Mean and variance of the truth over time, in every cell."""

from __future__ import annotations

import numpy as np

from app.arrays import Array
from app.metrics.arithmetic import divide
from app.metrics.metric import Block, Subject, Sums

SPREAD_FLOOR = 1e-7  # relative to the values: float32 cannot tell a smaller spread from none


class TruthMoments(Sums):
    """Sums of the truth and its squares, less its mean over the period, of the values scored."""

    summed = ("count", "total", "squares")

    def __init__(self, subject: Subject) -> None:
        self._mean = subject.truth.mean
        self.count = np.zeros(subject.area.shape, dtype=np.int64)
        self.total = np.zeros(subject.area.shape)
        self.squares = np.zeros(subject.area.shape)

    def add(self, block: Block) -> None:
        """Take in some samples."""
        count, total, squares = block.truth_moments
        self.count += count
        self.total += total
        self.squares += squares

    def variance(self) -> tuple[Array, Array, Array]:
        """Mean less the period's, variance over time, and where it is more than rounding (y, x)."""
        mean, squares = (divide(sums, self.count) for sums in (self.total, self.squares))
        variance = squares - mean**2
        floor = (SPREAD_FLOOR * (np.abs(mean) + abs(self._mean))) ** 2
        return mean, variance, variance > floor
