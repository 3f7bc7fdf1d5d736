"""Rows of means over samples, with the interval of resampled periods."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from app.arrays import Array
from app.metrics.arithmetic import divide
from app.metrics.bootstrap import block_length, interval_rows, resampled_sums

if TYPE_CHECKING:
    from app.metrics.metric import Subject
    from app.metrics.table import Row


def mean_rows(
    subject: Subject, name: str, unit: str, sums: Array, weight: Array, *, root: bool = False
) -> list[Row]:
    """A row of sums over samples (k, n) by their weight (n,), or (k, n), and rows of its interval.

    The first k candidates have a value. `root`: of the mean. NaN where nothing weighs.
    """
    k, n = sums.shape
    weights = np.broadcast_to(weight, (k, n))

    def mean(total: Array, by: Array) -> Array:
        found = divide(total, by)
        return np.sqrt(np.maximum(found, 0.0)) if root else found

    drawn = resampled_sums(np.vstack([sums, weights]).T, block_length(subject.times))
    again = None if drawn is None else mean(drawn[:, :k], drawn[:, k:])
    values = mean(sums.sum(axis=1), weights.sum(axis=1))
    return interval_rows(name, unit, subject.candidates[:k], values, again)
