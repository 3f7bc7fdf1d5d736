"""Scores of predicted quantiles: their pinball loss, and how much of the truth they cover."""

from __future__ import annotations

import numpy as np


def pinball(truth: np.ndarray, field: np.ndarray, level: float) -> np.ndarray:
    """max(τ e, (τ - 1) e) with e = truth - field, in the variable's unit.

    Koenker and Bassett (1978), doi:10.2307/1913643
    """
    error = truth - field
    return np.maximum(level * error, (level - 1) * error)


class QuantileSums:
    """Area-weighted sums over the cells of each sample; the first candidate is the quantiles'.

    pinball (Q, k, samples): other candidates, single fields, stand for every quantile.
    covered (Q, samples): truth at or below the quantile. central (samples,): truth from the
    lowest to the highest quantile, both included.
    """

    def __init__(self, levels: tuple[float, ...], candidates: int, samples: int) -> None:
        self.levels = levels
        self.pinball = np.zeros((len(levels), candidates, samples))
        self.covered = np.zeros((len(levels), samples))
        self.central = np.zeros(samples)

    def add(
        self,
        indices: np.ndarray,
        truth: np.ndarray,
        quantiles: np.ndarray,
        fields: np.ndarray,
        weights: np.ndarray,
    ) -> None:
        """Take in truth and weights (n, y, x), 0 where not scored, quantiles (Q, n, y, x) and
        the candidates' fields (k, n, y, x).
        """
        valid = weights > 0

        def summed(values: np.ndarray) -> np.ndarray:
            return np.einsum("nyx,nyx->n", weights, np.where(valid, values, 0.0))

        exact = truth.astype(np.float64)
        for q, level in enumerate(self.levels):
            for k, field in enumerate((quantiles[q], *fields[1:])):
                self.pinball[q, k, indices] = summed(pinball(exact, field, level))
            self.covered[q, indices] = summed(truth <= quantiles[q])
        self.central[indices] = summed((truth >= quantiles[0]) & (truth <= quantiles[-1]))
