"""How long what a candidate adds to an interpolation lasts: autocorrelation from time to time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from app.arrays import Array
from app.metrics.metric import Band, Metric, Subject, Totals
from app.metrics.table import About, Row

REFERENCE = "bicubic"


class ResidualPersistence(Metric):
    """Lag-1 autocorrelation of fields less bicubic interpolation, over the cells of all rows.

    For each cell the mean over the pairs of neighbouring times is taken off; covariances and
    variances are summed over cells, of members over members. sums: (1 + k, 3), the truth first.
    """

    summed = ("sums",)
    about: ClassVar[Mapping[str, About]] = {
        "residual_lag1": About(
            "autocorrelation over one step of the field less bicubic",
            "cov(rₜ, rₜ₊₁) / sqrt(var rₜ · var rₜ₊₁), r = x̂ - bicubic",
            "moments of each cell, summed over cells and members",
            "none",
            "sums over time and cells, then the ratio",
        ),
    }
    definitions = (
        "residual_lag1: autocorrelation over one time step of the field less bicubic, each cell's"
        " mean over time taken off, covariance and variances summed over cells (and members).",
    )
    undefined: ClassVar[dict[str, str]] = {
        "residual_lag1": "the prediction less bicubic does not vary, or no times follow each other"
    }

    def __init__(self, subject: Subject) -> None:
        super().__init__(subject)
        assert subject.consecutive is not None
        self.first = np.flatnonzero(subject.consecutive)
        self.sums = np.zeros((1 + len(subject.candidates), 3))

    @classmethod
    def suits(cls, subject: Subject) -> bool:
        return subject.consecutive is not None and REFERENCE in subject.candidates

    def add_series(self, band: Band) -> None:
        if not len(self.first):
            return
        reference = band.fields[self.subject.candidates.index(REFERENCE)].astype(np.float64)
        truth = np.where(band.valid, band.truth, np.nan)
        for sums, stack in zip(self.sums, (truth[None], *band.versions), strict=True):
            for series in stack:
                sums += self._moments(series - reference)

    def _moments(self, residual: Array) -> Array:
        """Covariance and both variances of neighbouring times, summed over cells and times."""
        now, after = residual[self.first], residual[self.first + 1]
        known = np.isfinite(now) & np.isfinite(after)
        count = np.maximum(known.sum(axis=0), 1)

        def centred(values: Array) -> Array:
            kept = np.where(known, values, 0.0)
            return np.where(known, kept - kept.sum(axis=0) / count, 0.0)

        a, b = centred(now), centred(after)
        return np.array([(a * b).sum(), (a**2).sum(), (b**2).sum()])

    @property
    def correlations(self) -> Array:
        """(1 + k,) of the truth, then of the candidates; NaN where nothing varies."""
        covariance, first, second = self.sums.T
        size = np.sqrt(first * second)
        return np.where(size > 0, covariance / np.where(size > 0, size, 1.0), np.nan)

    def rows(self, errors: Totals) -> list[Row]:
        row = self.subject.row("residual_lag1", "1", self.correlations[1:])
        # the reference less itself has none
        known = {name: pair for name, pair in row.values.items() if np.isfinite(pair[0])}
        return [Row(row.metric, row.unit, known)]

    def remarks(self) -> list[str]:
        found = self.correlations[0]
        value = (
            f"is {found:.4g}" if np.isfinite(found) else "has no value, it does not vary in time"
        )
        return [f"residual_lag1 of the truth {value}"]
