"""Wet cells: how many there are."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


class WetSums:
    """Area of wet cells of every sample, and the amounts that fell there.

    truth, truth_amount (n,); candidates, amounts (k, n).
    """

    def __init__(self, candidates: int, samples: int, limit: float) -> None:
        self.limit = np.float32(limit)  # as the fields, so that a value of the limit is wet
        self.truth = np.zeros(samples)
        self.candidates = np.zeros((candidates, samples))
        self.truth_amount = np.zeros(samples)
        self.amounts = np.zeros((candidates, samples))

    def add(
        self,
        indices: np.ndarray,
        truth: np.ndarray,
        versions: Sequence[np.ndarray],
        weights: np.ndarray,
    ) -> None:
        """Take in truth and weights (n, y, x) and each candidate's versions (m, n, y, x)."""
        wet = truth >= self.limit
        self.truth[indices] = np.einsum("nyx,nyx->n", weights, wet)
        self.truth_amount[indices] = np.einsum("nyx,nyx->n", weights, np.where(wet, truth, 0.0))
        for area, amount, stack in zip(self.candidates, self.amounts, versions, strict=True):
            wet = stack >= self.limit
            area[indices] = np.einsum("nyx,mnyx->n", weights, wet) / len(stack)
            falls = np.where(wet, stack, 0.0)
            amount[indices] = np.einsum("nyx,mnyx->n", weights, falls) / len(stack)
