"""Wet cells: how many there are."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


class WetSums:
    """Area of wet cells of every sample: of the truth (n,) and of the candidates (k, n)."""

    def __init__(self, candidates: int, samples: int, limit: float) -> None:
        self.limit = np.float32(limit)  # as the fields, so that a value of the limit is wet
        self.truth = np.zeros(samples)
        self.candidates = np.zeros((candidates, samples))

    def add(
        self,
        indices: np.ndarray,
        truth: np.ndarray,
        versions: Sequence[np.ndarray],
        weights: np.ndarray,
    ) -> None:
        """Take in truth and weights (n, y, x) and each candidate's versions (m, n, y, x)."""
        self.truth[indices] = np.einsum("nyx,nyx->n", weights, truth >= self.limit)
        for area, stack in zip(self.candidates, versions, strict=True):
            area[indices] = np.einsum("nyx,mnyx->n", weights, stack >= self.limit) / len(stack)
