"""Extremes over time: the percentiles of every grid point, and how often they are passed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from app.metrics.arithmetic import divide, over_space
from app.metrics.bootstrap import TimeBlocks
from app.metrics.climatic.cells import moved_row
from app.metrics.deterministic.mean_rows import ratio_rows
from app.metrics.influence import quantiles_moved
from app.metrics.metric import Band, Metric, Subject, Totals
from app.metrics.table import BY_CELL, About

if TYPE_CHECKING:
    from app.metrics.table import Row

EXTREME = 0.99
PERCENT = 100
STILL = "the truth has no values beyond the percentile"
TAILS = ((100, 1), (20, 5))  # samples from which on, percent of them that count as extreme
ABOVE, BELOW = "frequency_above_p", "frequency_below_p"  # and the percentile


class Extremes(Metric):
    """The quantile over time of the truth (y, x) and of candidates (k, y, x).

    moved (1 + k, b): what each block of samples moves them by, the truth's first, summed over the
    cells that have them by area, whose sum is areas (1 + k,). above, below (1 + k, n): area of
    each sample where a value is beyond the truth's percentile of the cell, the truth first; of
    members, their mean.
    """

    summed = ("truth", "candidates", "moved", "areas", "above", "below")
    about: ClassVar[Mapping[str, About]] = {
        "p99_bias": About(
            "99th percentile over time less the truth's",
            "P99(x̂) - P99(x)",
            "linear between order statistics",
            order=BY_CELL,
        ),
        "frequency_above_": About(
            "how often values are above the truth's percentile, over the truth's",
            "Σ[x̂ > P(x)] / Σ[x > P(x)]",
            "percentile of each cell, linear between order statistics",
        ),
        "frequency_below_": About(
            "how often values are below the truth's percentile, over the truth's",
            "Σ[x̂ < P(x)] / Σ[x < P(x)]",
            "percentile of each cell, linear between order statistics",
        ),
    }
    definitions = (
        "p99_bias: area-weighted mean (_std: standard deviation over grid points) of the 99th"
        " percentile over time (linear between order statistics) less that of the truth.",
        "frequency_above_p99, frequency_below_p1: how often values lie beyond that percentile of"
        " the truth at their cell, ratio to the truth's own; of fewer than 100 samples p95 and p5.",
    )

    def __init__(self, subject: Subject) -> None:
        super().__init__(subject)
        self.truth = np.zeros(subject.area.shape)
        self.candidates = np.zeros((len(subject.candidates), *subject.area.shape))
        self.blocks = TimeBlocks.of(subject.times)
        self.moved = np.zeros((1 + len(subject.candidates), self.blocks.count))
        self.areas = np.zeros(1 + len(subject.candidates))
        judged = int(subject.judged.sum())
        self.tail = next((percent for least, percent in TAILS if judged >= least), None)
        limit = None if subject.wet is None else subject.wet.value
        self.least = -np.inf if limit is None else limit
        self.above, self.below = subject.per_sample(2, 1 + len(subject.candidates))

    def add_series(self, band: Band) -> None:
        area = self.subject.area[band.indices]
        orders = (iter((band.ordered_truth,)), *band.ordered_versions())
        for layer, (versions, stack) in enumerate(zip(orders, band.stacks, strict=True)):
            found = self.candidates[layer - 1] if layer else self.truth
            for ordered, series in zip(versions, stack, strict=True):
                # a pool of members would reach further into the tail than the truth's one series
                (values,), (moved,) = quantiles_moved(
                    band.masked(series), (EXTREME,), area, ordered.quantiles
                )
                found[band.indices] += values / len(stack)
                self.moved[layer] += self.blocks.moved(moved) / len(stack)
                self.areas[layer] += (area * np.isfinite(values)).sum() / len(stack)
        if self.tail is not None:
            self._count(band, self.tail / PERCENT)

    def _count(self, band: Band, tail: float) -> None:
        """Add what lies beyond the truth's percentiles, where the truth itself does."""
        high, low = band.ordered_truth.quantiles((1 - tail, tail))
        high = np.maximum(high, self.least)
        for sums, passes, limit in ((self.above, np.greater, high), (self.below, np.less, low)):
            there = (passes(band.truth, limit) & band.valid).any(axis=0)
            area = np.where(there, band.area, 0.0).ravel()
            for total, stack in zip(sums, band.stacks, strict=True):
                for field in stack:
                    beyond = passes(field, limit)
                    if not band.complete:
                        beyond &= band.valid
                    total += beyond.reshape(-1, area.size) @ area / len(stack)

    def rows(self, errors: Totals) -> list[Row]:
        biases = self.candidates - self.truth
        found = np.array([over_space(self.subject.area, field) for field in biases])
        moved = divide(self.moved, self.areas[:, None])
        rows = [moved_row(self.subject, "p99_bias", self.subject.unit, found, moved, self.blocks)]
        sums = {"above": self.above, "below": self.below}
        for name, side, _ in self.tails:
            rows += ratio_rows(self.subject, name, sums[side])
        return rows

    @property
    def tails(self) -> list[tuple[str, str, int]]:
        """Row, side and percentile of the truth that counts as extreme; amounts end at zero."""
        if self.tail is None:
            return []
        high = PERCENT - self.tail
        found = [(f"{ABOVE}{high}", "above", high), (f"{BELOW}{self.tail}", "below", self.tail)]
        return found[:1] if self.subject.variable.kind == "ratio" else found

    def why_undefined(self, row: str) -> str | None:
        return STILL if row.startswith((ABOVE, BELOW)) else None
