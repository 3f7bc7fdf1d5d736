"""Variability that is kept: in time at every cell, and between neighbouring cells."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from app.arrays import Array
from app.metrics.arithmetic import divide
from app.metrics.deterministic.mean_rows import ratio_rows
from app.metrics.metric import Band, Block, Metric, Subject, Totals
from app.metrics.moments import SPREAD_FLOOR
from app.metrics.table import About

if TYPE_CHECKING:
    from app.metrics.table import Row

ALL = slice(None)
NEIGHBOURS = (
    ((ALL, slice(None, -1), ALL), (ALL, slice(1, None), ALL)),
    ((ALL, ALL, slice(None, -1)), (ALL, ALL, slice(1, None))),
)  # of a row, of a column: the first and the second cell of each pair
IN_TIME, DETAIL, STEP = "std_ratio", "detail_ratio", "step_ratio"


class Variability(Metric):
    """Sums over the cells of each sample (1 + k, n), the truth first; of members, their mean.

    in_time: squares of what differs from the cell's mean over the period. detail: squared
    differences between neighbouring cells of a row or column, where both are scored. step: squared
    differences from the sample before, where that is one time step away.
    """

    summed = ("in_time", "detail", "step", "values", "pairs", "steps")
    about: ClassVar[Mapping[str, About]] = {
        "std_ratio": About(
            "standard deviation in time over the truth's",
            "sqrt(Σ(x̂ - mean_t x̂)² / Σ(x - mean_t x)²)",
            "mean over members of their variance",
        ),
        "detail_ratio": About(
            "differences between neighbouring cells over the truth's",
            "sqrt(Σ(Δx̂)² / Σ(Δx)²), Δ along rows and columns",
            "mean over members of their squares",
        ),
        "step_ratio": About(
            "changes from time to time over the truth's",
            "sqrt(Σ(x̂ₜ₊₁ - x̂ₜ)² / Σ(xₜ₊₁ - xₜ)²)",
            "mean over members of their squares, neighbouring times alone",
        ),
    }
    definitions = (
        "std_ratio: standard deviation over time, pooled over cells, ratio to the truth's."
        " detail_ratio: root mean square difference between neighbouring cells, ratio to the"
        " truth's; below 1 too smooth. step_ratio: root mean square difference from time to time,"
        " ratio to the truth's; above 1 too restless.",
    )
    undefined: ClassVar[dict[str, str]] = {
        IN_TIME: "the truth does not change in time in any cell",
        DETAIL: "the truth is the same in all cells of each sample",
        STEP: "the truth does not change from time to time, or no times follow each other",
    }

    def __init__(self, subject: Subject) -> None:
        super().__init__(subject)
        layers = 1 + len(subject.candidates)
        self.in_time, self.detail, self.step = subject.per_sample(3, layers)
        self.values = self.pairs = self.steps = 0.0  # area-weighted numbers of what is summed
        self.follows = None  # samples that follow the one before by a time step
        if subject.consecutive is not None:
            self.follows = 1 + np.flatnonzero(subject.consecutive)

    def add(self, block: Block) -> None:
        n, valid, area = len(block.truth), block.valid, block.area
        neighbours = [(valid[near] & valid[far], area[near[1:]]) for near, far in NEIGHBOURS]
        self.pairs += sum(float((both.sum(axis=0) * own).sum()) for both, own in neighbours)
        for sums, anomalies, stack in zip(
            self.detail, block.version_anomalies(), block.stacks, strict=True
        ):
            for anomaly in anomalies:
                for (near, far), (both, own) in zip(NEIGHBOURS, neighbours, strict=True):
                    squares = _squares(anomaly[far] - anomaly[near])
                    if not block.complete:
                        squares *= both
                    sums[block.indices] += squares.reshape(n, own.size) @ own.ravel() / len(stack)

    def add_series(self, band: Band) -> None:
        valid, complete = band.valid, band.complete
        count = valid.sum(axis=0)
        self.values += float(band.total_weight.sum())
        now = np.zeros(0, np.int64) if self.follows is None else self.follows
        both = valid[1:] & valid[:-1]
        self.steps += float(band.over_cells(both)[now - 1].sum())
        for in_time, step, anomalies, stack in zip(
            self.in_time, self.step, band.version_anomalies(), band.stacks, strict=True
        ):
            for anomaly in anomalies:
                mean = np.nan_to_num(divide(anomaly.sum(axis=0), count))
                apart, change = _squares(anomaly - mean), _squares(anomaly[1:] - anomaly[:-1])
                if not complete:
                    apart *= valid
                    change *= both
                in_time += band.over_cells(apart) / len(stack)
                step[now] += band.over_cells(change)[now - 1] / len(stack)

    def rows(self, errors: Totals) -> list[Row]:
        rounding = (SPREAD_FLOOR * abs(self.subject.truth.mean)) ** 2
        rows = []
        for name, sums, total in (
            (IN_TIME, self.in_time, self.values),
            (DETAIL, self.detail, self.pairs),
            (STEP, self.step, self.steps),
        ):
            if name == STEP and self.follows is None:
                continue
            varies = sums[0].sum() > rounding * total
            rows += ratio_rows(self.subject, name, sums if varies else 0 * sums, root=True)
        return rows


def _squares(values: Array) -> Array:
    """Squares, in place."""
    result: Array = np.square(values, out=values)
    return result
