"""Extremes over time: the 99th percentile of every grid point."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from app.arrays import Array
from app.metrics.arithmetic import over_space
from app.metrics.metric import Band, Metric, Subject, Totals
from app.metrics.quantiles import last_axis_quantile

if TYPE_CHECKING:
    from app.metrics.table import Row

EXTREME = 0.99


class Extremes(Metric):
    """The quantile over time of the truth (y, x) and of candidates (k, y, x)."""

    summed = ("truth", "candidates")
    definitions = (
        "p99_bias: area-weighted mean ± standard deviation over grid points of the 99th percentile"
        " over time (linear between order statistics) less that of the truth.",
    )

    def __init__(self, subject: Subject) -> None:
        super().__init__(subject)
        self.truth = np.zeros(subject.area.shape)
        self.candidates = np.zeros((len(subject.candidates), *subject.area.shape))

    def add_series(self, band: Band) -> None:
        def extreme(series: Array) -> Array:
            kept = np.where(band.valid, series, np.nan)
            return last_axis_quantile(np.moveaxis(kept, 0, -1), EXTREME)

        self.truth[band.indices] = extreme(band.truth)
        for k, stack in enumerate(band.versions):
            # a pool of members would reach further into the tail than the truth's one series
            self.candidates[k, band.indices] = np.mean([extreme(s) for s in stack], axis=0)

    def rows(self, errors: Totals) -> list[Row]:
        biases = self.candidates - self.truth
        found = np.array([over_space(self.subject.area, field) for field in biases])
        return [self.subject.row("p99_bias", self.subject.unit, *found.T)]
