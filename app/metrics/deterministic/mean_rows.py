"""Rows of scores that are made of sums over samples."""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.metrics.sampled import LOWEST, Best, mean_of, ratio_of

if TYPE_CHECKING:
    from app.arrays import Array
    from app.metrics.metric import Subject
    from app.metrics.table import Row


def mean_rows(
    subject: Subject,
    name: str,
    unit: str,
    sums: Array,
    weight: Array,
    *,
    root: bool = False,
    best: Best = LOWEST,
) -> list[Row]:
    """A row of sums over samples (k, n) by their weight (n,), or (k, n).

    The first k candidates have a value. `root`: of the mean. NaN where nothing weighs.
    """
    return [
        subject.sampled_row(
            name, unit, mean_of(subject.candidates, sums, weight, root=root, best=best)
        )
    ]


def ratio_rows(subject: Subject, name: str, sums: Array, *, root: bool = False) -> list[Row]:
    """A row of the ratio of each candidate's sum to the truth's; see `ratio_of`."""
    return [subject.sampled_row(name, "1", ratio_of(subject.candidates, sums, root=root))]
