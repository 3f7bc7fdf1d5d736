"""The threshold-weighted CRPS: what members say of values beyond a threshold."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from app.metrics.deterministic.mean_rows import mean_rows
from app.metrics.metric import Band, Metric, Subject, Totals
from app.metrics.probabilistic.ensemble import fair_crps
from app.metrics.probabilistic.events import DEFINITION, levels, thresholds_of
from app.metrics.table import About

if TYPE_CHECKING:
    from app.metrics.table import Row


class WeightedCrps(Metric):
    """Area-weighted sums by threshold, candidate and sample (T, k, n)."""

    core = False
    summed = ("sums",)
    about: ClassVar[Mapping[str, About]] = {
        "twcrps_": About(
            "threshold-weighted continuous ranked probability score",
            "mean |v(xᵢ) - v(x)| - Σᵢⱼ|v(xᵢ) - v(xⱼ)| / (2M(M - 1)), v(x) = max(x, T)",
            "fair estimator over M members; the absolute error of v of a single field",
        )
    }
    definitions = (
        DEFINITION,
        "twcrps_T: CRPS of max(x, T), which weighs values above T alone (Gneiting and Ranjan"
        " 2011).",
    )

    def __init__(self, subject: Subject) -> None:
        super().__init__(subject)
        self.thresholds = thresholds_of(subject)
        self.sums = subject.per_sample(len(self.thresholds), len(subject.candidates))

    def add_series(self, band: Band) -> None:
        valid, weights = band.valid, band.weights
        for t, level in enumerate(levels(band, self.thresholds)):
            truth = np.where(valid, np.maximum(band.truth, level), 0.0)
            for k, stack in enumerate(band.versions):
                distances = np.where(valid, np.maximum(stack, level) - truth, 0.0)
                own = fair_crps(distances) if len(stack) > 1 else np.abs(distances[0])
                self.sums[t, k] += np.einsum("nyx,nyx->n", weights, own)

    def rows(self, errors: Totals) -> list[Row]:
        named = zip(self.thresholds, self.sums, strict=True)
        unit, weight = self.subject.unit, errors.weight
        return [
            row
            for threshold, sums in named
            for row in mean_rows(self.subject, f"twcrps_{threshold}", unit, sums, weight)
        ]
