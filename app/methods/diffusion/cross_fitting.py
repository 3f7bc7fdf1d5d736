"""Cross-fitted first guesses: each training sample's comes from a fit that has not seen it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.data.shards.prepared import fold_bounds
from app.training.trainer import Batch

Guess = Callable[[Batch], Any]


class CrossFitted:
    """Guesses of training samples, each by the fit that lacked the sample's fold.

    `guesses[k]`, fitted without fold k, takes a batch and gives `(B, H, W, C)`, encoded. With
    `own`, the guess of the fit to all folds, they are half-way between the two: with a leverage h
    residuals of one are √(1 - h) of the noise, those of the other 1/√(1 - h), and their mean has
    its variance up to h²/4.
    """

    def __init__(self, guesses: Sequence[Guess], samples: int, own: Guess | None = None) -> None:
        self.guesses, self.own = tuple(guesses), own
        starts = [fold.start for fold in fold_bounds(samples, len(self.guesses))]
        self._starts = np.array(starts)

    def guess(self, batch: Batch) -> NDArray[np.float32]:
        """Encoded guesses `(B, H, W, C)` of a batch of training samples with their "index"."""
        folds = np.searchsorted(self._starts, batch["index"], side="right") - 1
        found: NDArray[np.float32] | None = None
        for k in np.unique(folds):
            own = np.asarray(self.guesses[k](batch), np.float32)
            found = own.copy() if found is None else found
            rows = folds == k
            found[rows] = own[rows]
        assert found is not None  # no batch is empty
        return found if self.own is None else (found + np.asarray(self.own(batch))) / 2
