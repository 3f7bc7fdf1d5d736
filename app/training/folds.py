"""Cross-fitted first guesses: each training sample's comes from a fit that has not seen it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from app.data.calendars import pieces

Batch = dict[str, Any]
Guess = Callable[[Batch], Any]


def fold_bounds(samples: int, folds: int) -> list[range]:
    """Contiguous folds of the samples in their order; sizes differ by at most one."""
    edges = [samples * k // folds for k in range(folds + 1)]
    return [range(a, b) for a, b in pairwise(edges)]


class WithoutFold:
    """Fields whose training period lacks one fold; everything else is as it was."""

    def __init__(self, fields: Any, fold: range) -> None:
        self._fields = fields
        samples = np.arange(fields.size("train"))
        self._kept = samples[(samples < fold.start) | (samples >= fold.stop)]

    def __getattr__(self, name: str) -> Any:
        return getattr(self._fields, name)

    def size(self, split: str) -> int:
        return len(self._kept) if split == "train" else self._fields.size(split)

    def stamps(self, split: str) -> Any:
        stamps = self._fields.stamps(split)
        return stamps.take(self._kept) if split == "train" else stamps

    def segments(self, split: str) -> np.ndarray:
        """Numbers of gapless pieces; a fold that is left out is a gap."""
        return pieces(self.stamps(split), self._fields.step(split), self._fields.origins)

    def read(self, role: str, split: str, indices: np.ndarray) -> np.ndarray:
        return self._fields.read(role, split, self._rows(split, indices))

    def read_into(self, out: np.ndarray, role: str, split: str, indices: Any, *rest: Any) -> None:
        self._fields.read_into(out, role, split, self._rows(split, indices), *rest)

    def harmonics(self, split: str, indices: Any = slice(None)) -> np.ndarray:
        return self._fields.harmonics(split, self._rows(split, indices))

    def time_features(self, split: str, indices: Any = slice(None)) -> np.ndarray:
        return self._fields.time_features(split, self._rows(split, indices))

    def _rows(self, split: str, indices: Any) -> Any:
        return self._kept[indices] if split == "train" else indices


def without_fold(shards: Any, left_out: tuple[int, int] | None) -> Any:
    """Shards without fold k of K (counted from 1) in their training period; None: as they are."""
    if left_out is None:
        return shards
    number, folds = left_out
    return WithoutFold(shards, fold_bounds(shards.size("train"), folds)[number - 1])


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

    def guess(self, batch: Batch) -> np.ndarray:
        """Encoded guesses `(B, H, W, C)` of a batch of training samples with their "index"."""
        folds = np.searchsorted(self._starts, batch["index"], side="right") - 1
        found: np.ndarray | None = None
        for k in np.unique(folds):
            own = np.asarray(self.guesses[k](batch), np.float32)
            found = own.copy() if found is None else found
            rows = folds == k
            found[rows] = own[rows]
        assert found is not None  # no batch is empty
        return found if self.own is None else (found + np.asarray(self.own(batch))) / 2
