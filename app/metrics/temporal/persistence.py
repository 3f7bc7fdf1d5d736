"""How long what a candidate adds to an interpolation lasts: autocorrelation from time to time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from app.arrays import Array
from app.metrics.arithmetic import divide
from app.metrics.metric import Band, Metric, Subject, Totals
from app.metrics.sampled import Sampled
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
        self.sums = subject.per_sample(1 + len(subject.candidates), 3)

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
                sums[:, self.first] += self._moments(series - reference)

    def _moments(self, residual: Array) -> Array:
        """Covariance and both variances of neighbouring times, summed over cells (3, pairs)."""
        now, after = residual[self.first], residual[self.first + 1]
        known = np.isfinite(now) & np.isfinite(after)
        count = np.maximum(known.sum(axis=0), 1)

        def centred(values: Array) -> Array:
            kept = np.where(known, values, 0.0)
            return np.where(known, kept - kept.sum(axis=0) / count, 0.0)

        a, b = centred(now), centred(after)
        return np.stack([np.einsum("nyx,nyx->n", *pair) for pair in ((a, b), (a, a), (b, b))])

    @property
    def correlations(self) -> Array:
        """(1 + k,) of the truth, then of the candidates; NaN where nothing varies."""
        return _correlation(self.sums.sum(axis=-1).ravel())

    def rows(self, errors: Totals) -> list[Row]:
        # the reference less itself has none
        known = np.flatnonzero(np.isfinite(self.correlations[1:]))
        if not len(known):
            return [Row("residual_lag1", "1", {})]
        names = tuple(self.subject.candidates[k] for k in known)
        sums = self.sums[1 + known].reshape(3 * len(known), -1)
        made = Sampled(names, sums, _correlation)
        return [self.subject.sampled_row("residual_lag1", "1", made)]

    def remarks(self) -> list[str]:
        found = self.correlations[0]
        value = (
            f"is {found:.4g}" if np.isfinite(found) else "has no value, it does not vary in time"
        )
        return [f"residual_lag1 of the truth {value}"]


def _correlation(totals: Array) -> Array:
    """Of covariance and both variances, one candidate after the other (…, 3k): (…, k)."""
    parts = totals.reshape(*totals.shape[:-1], -1, 3)
    covariance, first, second = np.moveaxis(parts, -1, 0)
    return divide(covariance, np.sqrt(first * second))
