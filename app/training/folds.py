"""Training data without a fold of their samples."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np

from app.arrays import Array
from app.data.calendars import pieces


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

    def segments(self, split: str) -> Array:
        """Numbers of gapless pieces; a fold that is left out is a gap."""
        return pieces(self.stamps(split), self._fields.step(split), self._fields.origins)

    def read(self, role: str, split: str, indices: Array) -> Array:
        result: Array = self._fields.read(role, split, self._rows(split, indices))
        return result

    def read_into(self, out: Array, role: str, split: str, indices: Any, *rest: Any) -> None:
        self._fields.read_into(out, role, split, self._rows(split, indices), *rest)

    def harmonics(self, split: str, indices: Any = slice(None)) -> Array:
        result: Array = self._fields.harmonics(split, self._rows(split, indices))
        return result

    def time_features(self, split: str, indices: Any = slice(None)) -> Array:
        result: Array = self._fields.time_features(split, self._rows(split, indices))
        return result

    def _rows(self, split: str, indices: Any) -> Any:
        return self._kept[indices] if split == "train" else indices


def without_fold(shards: Any, left_out: tuple[int, int] | None) -> Any:
    """Shards without fold k of K (counted from 1) in their training period; None: as they are."""
    if left_out is None:
        return shards
    number, folds = left_out
    return WithoutFold(shards, fold_bounds(shards.size("train"), folds)[number - 1])
