"""Central intervals of an ensemble: how much of the truth they cover, and how wide they are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from app.arrays import Array
from app.metrics.deterministic.mean_rows import mean_rows
from app.metrics.metric import Block, Metric, Subject, Totals
from app.metrics.sampled import LOWEST
from app.metrics.table import About

if TYPE_CHECKING:
    from app.metrics.table import Row

NOMINAL = (50, 80, 90, 95)  # percent
NAMES = ("interval_coverage", "interval_width", "interval_score")
QUANTILES = "quantiles of the members at j/(M + 1), linear between"


class Intervals(Metric):
    """Area-weighted sums over the cells of each sample, by interval: (3, I, n)."""

    core = False
    summed = ("sums",)
    about: ClassVar[Mapping[str, About]] = {
        "interval_coverage_": About(
            "share of the truth in a central interval", "mean [l ≤ x ≤ u]", QUANTILES
        ),
        "interval_width_": About("width of a central interval", "mean (u - l)", QUANTILES),
        "interval_score_": About(
            "interval score",
            "mean (u - l + 2/α·(l - x)⁺ + 2/α·(x - u)⁺)",
            QUANTILES,
        ),
    }
    definitions = (
        "interval_…_P: of the central interval of P % of the members (quantiles at j/(M + 1), so"
        " that coverage is P % where the truth is one of them as any other); intervals wider than"
        " the members reach are left out. interval_score: Winkler (1972).",
    )

    def __init__(self, subject: Subject) -> None:
        super().__init__(subject)
        least = 100 * 2 / (subject.members + 1)
        self.nominal = tuple(p for p in NOMINAL if 100 - p >= least - 1e-9)
        self.sums = subject.per_sample(len(NAMES), len(self.nominal))

    @classmethod
    def suits(cls, subject: Subject) -> bool:
        return subject.members > 1

    def add(self, block: Block) -> None:
        if not self.nominal:
            return
        truth, weights = block.masked(block.truth), block.weights
        ranked = np.sort(block.versions[0], axis=0)
        for i, percent in enumerate(self.nominal):
            outside = 1 - percent / 100
            low, high = (_quantile(ranked, p) for p in (outside / 2, 1 - outside / 2))
            width = high - low
            missed = np.maximum(low - truth, 0) + np.maximum(truth - high, 0)
            found = ((low <= truth) & (truth <= high), width, width + 2 / outside * missed)
            for sums, values in zip(self.sums[:, i], found, strict=True):
                kept = np.where(block.valid, values, 0.0)
                sums[block.indices] = np.einsum("nyx,nyx->n", weights, kept)

    def rows(self, errors: Totals) -> list[Row]:
        rows, subject = [], self.subject
        for name, found in zip(NAMES, self.sums, strict=True):
            unit = "1" if name == NAMES[0] else subject.unit
            for percent, sums in zip(self.nominal, found, strict=True):
                row = f"{name}_{percent}"
                best = (percent / 100, None, LOWEST)[NAMES.index(name)]
                rows += mean_rows(subject, row, unit, sums[None], errors.weight, best=best)
        return rows


def _quantile(ranked: Array, share: float) -> Array:
    """Quantile (…) of members in order (M, …), type 6 of Hyndman and Fan (1996)."""
    m = len(ranked)
    position = min(max(share * (m + 1) - 1, 0.0), m - 1.0)
    lower = min(int(position), m - 2)
    part = position - lower
    result: Array = (1 - part) * ranked[lower].astype(np.float64) + part * ranked[lower + 1]
    return result
