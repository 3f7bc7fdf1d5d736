"""Variability that is kept: in time at every cell, and between neighbouring cells."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np

from app.metrics.arithmetic import divide
from app.metrics.bootstrap import ratio_rows
from app.metrics.metric import Band, Block, Metric, Subject, Totals
from app.metrics.moments import SPREAD_FLOOR

if TYPE_CHECKING:
    from app.metrics.table import Row

IN_TIME, DETAIL = "std_ratio", "detail_ratio"


class Variability(Metric):
    """Sums over the cells of each sample (1 + k, n), the truth first; of members, their mean.

    in_time: squares of what differs from the cell's mean over the period. detail: squared
    differences between neighbouring cells of a row or column, where both are scored.
    """

    summed = ("in_time", "detail", "values", "pairs")
    definitions = (
        "std_ratio: standard deviation over time, pooled over cells, ratio to the truth's."
        " detail_ratio: root mean square difference between neighbouring cells, ratio to the"
        " truth's; below 1 too smooth.",
    )
    undefined: ClassVar[dict[str, str]] = {
        IN_TIME: "the truth does not change in time in any cell",
        DETAIL: "the truth is the same in all cells of each sample",
    }

    def __init__(self, subject: Subject) -> None:
        super().__init__(subject)
        layers = 1 + len(subject.candidates)
        self.in_time, self.detail = subject.per_sample(2, layers)
        self.values = self.pairs = 0.0  # area-weighted numbers of what is summed

    def add(self, block: Block) -> None:
        area, origin = self.subject.area, self.subject.truth.mean
        for axis in (1, 2):
            valid = block.valid
            first = np.take(valid, range(valid.shape[axis] - 1), axis)
            both = first & np.take(valid, range(1, valid.shape[axis]), axis)
            weights = both * np.take(area, range(area.shape[axis - 1] - 1), axis - 1)
            self.pairs += float(weights.sum())
            for sums, stack in zip(self.detail, (block.truth[None], *block.versions), strict=True):
                for field in stack:
                    anomaly = np.where(valid, field - np.float64(origin), 0.0)
                    squares = np.square(np.diff(anomaly, axis=axis))
                    own = np.einsum("nyx,nyx->n", weights, squares)
                    sums[block.indices] += own / len(stack)

    def add_series(self, band: Band) -> None:
        valid, weights = band.valid, band.valid * self.subject.area[band.indices]
        count = valid.sum(axis=0)
        self.values += float(weights.sum())
        for sums, stack in zip(self.in_time, (band.truth[None], *band.versions), strict=True):
            for series in stack:
                anomaly = np.where(valid, series - np.float64(self.subject.truth.mean), 0.0)
                mean = np.nan_to_num(divide(anomaly.sum(axis=0), count))
                squares = np.square(anomaly - mean)
                sums += np.einsum("nyx,nyx->n", weights, squares) / len(stack)

    def rows(self, errors: Totals) -> list[Row]:
        rounding = (SPREAD_FLOOR * abs(self.subject.truth.mean)) ** 2
        rows = []
        for name, sums, total in (
            (IN_TIME, self.in_time, self.values),
            (DETAIL, self.detail, self.pairs),
        ):
            varies = sums[0].sum() > rounding * total
            rows += ratio_rows(self.subject, name, sums if varies else 0 * sums, root=True)
        return rows
