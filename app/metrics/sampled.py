"""What a score is made of, where that is sums over samples: intervals and comparisons follow."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from app.metrics.arithmetic import divide

if TYPE_CHECKING:
    from app.arrays import Array

LOWEST, HIGHEST = "lowest", "highest"  # values are best
Best = str | float | None  # one of these, the right value, or None where no value is better


@dataclass(frozen=True, eq=False)
class Sampled:
    """Sums over the cells of each sample, and the score that totals of them make.

    names: of the candidates that have a value (k). sums: (c, n). of: from totals (…, c) over any
    choice of samples to values (…, k). best: which values are. span: consecutive samples that each
    column sums, where it is more than one.
    """

    names: tuple[str, ...]
    sums: Array
    of: Callable[[Array], Array]
    best: Best = None
    span: int = 1

    @property
    def values(self) -> Array:
        """Of all samples (k,)."""
        result: Array = self.of(self.sums.sum(axis=1))
        return result

    def distance(self, values: Array) -> Array:
        """How far values are from the best; comparable with each other, whatever is best."""
        if self.best == LOWEST:
            return values
        if self.best == HIGHEST:
            return -values
        assert isinstance(self.best, float)
        result: Array = np.abs(values - self.best)
        return result


def mean_of(
    names: Sequence[str], sums: Array, weight: Array, *, root: bool = False, best: Best = LOWEST
) -> Sampled:
    """Means of sums (k, n) by their weight (n,), or (k, n); NaN where nothing weighs.

    root: of the mean.
    """
    k = len(sums)

    def of(totals: Array) -> Array:
        found = divide(totals[..., :k], totals[..., k:])
        return np.sqrt(np.maximum(found, 0.0)) if root else found

    return Sampled(tuple(names[:k]), np.vstack([sums, weight]), of, best)


def mean_score(names: Sequence[str], scores: Array, best: Best = HIGHEST) -> Sampled:
    """Means over samples of their own scores (k, n), those that have none left out."""
    known = np.isfinite(scores)
    return mean_of(names, np.where(known, scores, 0.0), known.astype(np.float64), best=best)


def ratio_of(names: Sequence[str], sums: Array, *, root: bool = False) -> Sampled:
    """Each candidate's sum over the truth's, of (1 + k, n), the truth first; best at 1.

    root: of squares, so that the ratio is that of their roots. NaN where the truth's sum is 0.
    """

    def of(totals: Array) -> Array:
        found = divide(totals[..., 1:], totals[..., :1])
        return np.sqrt(found) if root else found

    return Sampled(tuple(names), sums, of, best=1.0)
