"""How long what a candidate adds to an interpolation lasts: autocorrelation from time to time."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


class ResidualPersistence:
    """Lag-1 autocorrelation of fields less a reference field, over the cells of all rows.

    For each cell the mean over the pairs of neighbouring times is taken off; covariances and
    variances are summed over cells, of members over members. `pairs`: (n - 1,) True where a
    sample follows the one before by one time step.
    """

    def __init__(self, candidates: int, pairs: np.ndarray) -> None:
        self.first = np.flatnonzero(pairs)
        self.sums = np.zeros((1 + candidates, 3))  # of the truth, then of the candidates

    def add(self, truth: np.ndarray, versions: Sequence[np.ndarray], reference: np.ndarray) -> None:
        """Take in truth and reference (n, r, x), and each candidate's versions (m, n, r, x)."""
        if not len(self.first):
            return
        for sums, stack in zip(self.sums, (truth[None], *versions), strict=True):
            for series in stack:
                sums += self._moments(series - reference.astype(np.float64))

    def _moments(self, residual: np.ndarray) -> np.ndarray:
        """Covariance and both variances of neighbouring times, summed over cells and times."""
        now, after = residual[self.first], residual[self.first + 1]
        known = np.isfinite(now) & np.isfinite(after)
        count = np.maximum(known.sum(axis=0), 1)

        def centred(values: np.ndarray) -> np.ndarray:
            kept = np.where(known, values, 0.0)
            return np.where(known, kept - kept.sum(axis=0) / count, 0.0)

        a, b = centred(now), centred(after)
        return np.array([(a * b).sum(), (a**2).sum(), (b**2).sum()])

    @property
    def correlations(self) -> np.ndarray:
        """(1 + k,) of the truth, then of the candidates; NaN where nothing varies."""
        covariance, first, second = self.sums.T
        size = np.sqrt(first * second)
        return np.where(size > 0, covariance / np.where(size > 0, size, 1.0), np.nan)
