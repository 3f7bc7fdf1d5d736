"""How well the share of wet members tells whether it is wet: Brier score and reliability."""

from __future__ import annotations

import numpy as np

BINS = 10  # of the forecast probability


class WetProbabilitySums:
    """Area-weighted sums over all values of members' wet share p and the truth o, 0 or 1."""

    def __init__(self, limit: float) -> None:
        self._limit = np.float32(limit)
        self.weight, self.brier, self.wet = 0.0, 0.0, 0.0
        self.bins = np.zeros((3, BINS))  # weight, sum of p, sum of o by bins of p

    def add(self, truth: np.ndarray, members: np.ndarray, weights: np.ndarray) -> None:
        """Take in truth and weights (n, y, x), 0 where not scored, and members (M, n, y, x)."""
        valid = weights > 0
        w = weights[valid]
        o = (truth[valid] >= self._limit).astype(np.float64)
        p = (members >= self._limit).mean(axis=0)[valid]
        self.weight += float(w.sum())
        self.brier += float(w @ (p - o) ** 2)
        self.wet += float(w @ o)
        place = np.minimum((p * BINS).astype(int), BINS - 1)
        for row, values in zip(self.bins, (w, w * p, w * o), strict=True):
            row += np.bincount(place, values, BINS)

    @property
    def score(self) -> float:
        """Brier score: mean of (p - o)²; Brier (1950)."""
        return float(self.brier / self.weight) if self.weight else np.nan

    @property
    def skill(self) -> float:
        """1 - score / score of always telling the wet share of the period scored."""
        share = self.wet / self.weight if self.weight else np.nan
        reference = share * (1 - share)
        return float(1 - self.score / reference) if reference else np.nan

    @property
    def reliability(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Share of values, mean p and wet share of the truth in each bin (BINS,); NaN if empty."""
        weight, p, o = self.bins
        safe = np.where(weight > 0, weight, np.nan)
        return weight / max(self.weight, np.finfo(float).tiny), p / safe, o / safe
