"""Mean and standard deviation of a stream of fields with gaps, without holding the stream."""

from __future__ import annotations

import numpy as np


class RunningMoments:
    """Count, mean and variance per cell over time; NaN is left out.

    Blocks are merged pairwise (Chan, Golub and LeVeque 1983), so that 280 K with a spread of
    0.01 K loses no digits.
    """

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.count = np.zeros(shape, dtype=np.int64)
        self._mean = np.zeros(shape)
        self._squares = np.zeros(shape)

    def add(self, block: np.ndarray) -> None:
        """Take in (n, *shape)."""
        valid = np.isfinite(block)
        count = valid.sum(axis=0)
        some = np.maximum(count, 1)
        mean = np.where(valid, block, 0.0).sum(axis=0, dtype=np.float64) / some
        squares = np.square(np.where(valid, block - mean, 0.0)).sum(axis=0)
        total = self.count + count
        share = count / np.maximum(total, 1)
        step = mean - self._mean
        self._squares += squares + step**2 * self.count * share
        self._mean += step * share
        self.count = total

    @property
    def mean(self) -> np.ndarray:
        """Mean per cell, NaN where nothing valid was seen."""
        return np.where(self.count > 0, self._mean, np.nan)

    @property
    def std(self) -> np.ndarray:
        """Population standard deviation per cell, NaN where nothing valid was seen."""
        variance = self._squares / np.maximum(self.count, 1)
        return np.where(self.count > 0, np.sqrt(variance), np.nan)
