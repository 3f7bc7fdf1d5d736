"""Fields pooled over 2×2 cells, where errors that neighbours share no longer average out."""

from __future__ import annotations

import numpy as np

from app.metrics.ensemble import EnsembleSums, crps_of

SIDE = 2


def pool(fields: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Weighted means over 2×2 cells of (…, y, x); an odd last row or column is left out."""
    total = _block_sum(weights)
    return _block_sum(fields * weights) / np.where(total > 0, total, 1.0)


def _block_sum(values: np.ndarray) -> np.ndarray:
    *lead, y, x = values.shape
    rows, columns = y // SIDE, x // SIDE
    cut = values[..., : rows * SIDE, : columns * SIDE]
    return cut.reshape(*lead, rows, SIDE, columns, SIDE).sum(axis=(-3, -1))


class PooledSums:
    """Absolute errors of the pooled candidates, and ensemble scores of the pooled members, if any.

    Blocks of which any cell is not scored are left out.
    """

    def __init__(self, candidates: int, members: int, samples: int) -> None:
        self.ensemble = EnsembleSums(members, samples) if members > 1 else None
        self.absolute = np.zeros((candidates, samples))
        self.weight = np.zeros(samples)

    def add(
        self,
        indices: np.ndarray,
        truth: np.ndarray,
        fields: np.ndarray,
        members: np.ndarray,
        weights: np.ndarray,
    ) -> None:
        """Take in truth and weights (n, y, x), candidates (k, n, y, x), members (M, n, y, x)."""
        if min(truth.shape[1:]) < SIDE:
            return
        known = weights > 0
        complete = _block_sum(known.astype(float)) == SIDE**2
        area = np.where(complete, _block_sum(weights), 0.0)

        def pooled(stack: np.ndarray) -> np.ndarray:
            return pool(np.where(known, stack, 0.0), weights)

        target = pooled(truth)
        self.weight[indices] = area.sum(axis=(1, 2))
        if self.ensemble is not None:
            self.ensemble.add(indices, target, pooled(members), area)
        for total, field in zip(self.absolute, fields, strict=True):
            total[indices] = np.einsum("nyx,nyx->n", area, np.abs(pooled(field) - target))

    @property
    def crps(self) -> np.ndarray:
        """CRPS (k, n) summed over the blocks; that of a single field is its absolute error."""
        return crps_of(self.absolute, self.ensemble)
