"""Scores of predicted quantiles: their pinball loss, and how much of the truth they cover."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from app.arrays import Array
from app.metrics.metric import Block, Metric, Subject, Totals
from app.metrics.table import About

if TYPE_CHECKING:
    from app.metrics.table import Row


def pinball(truth: Array, field: Array, level: float) -> Array:
    """max(τ e, (τ - 1) e) with e = truth - field, in the variable's unit.

    Koenker and Bassett (1978), doi:10.2307/1913643
    """
    error = truth - field
    return np.maximum(level * error, (level - 1) * error)


class Quantiles(Metric):
    """Area-weighted sums over the cells of each sample; the first candidate is the quantiles'.

    pinball (Q, k, n): other candidates, single fields, stand for every quantile. covered (Q, n):
    truth at or below the quantile. central (n,): truth from the lowest to the highest quantile,
    both included.
    """

    summed = ("pinball", "covered", "central")
    about: ClassVar[Mapping[str, About]] = {
        "pinball_": About("pinball loss of a quantile τ", "mean max(τ(x - q), (τ - 1)(x - q))"),
        "coverage_": About("share of the truth at or below a quantile", "mean [x ≤ q]"),
        "coverage_central": About(
            "share of the truth from the lowest to the highest quantile", "mean [q₁ ≤ x ≤ qₙ]"
        ),
    }
    definitions = (
        "pinball_τ: area-weighted mean of max(τ·e, (τ - 1)·e), e = truth - quantile τ; a single"
        " field stands for every quantile. coverage_τ: share of the truth at or below the"
        " quantile, τ where it is right; coverage_central: from the lowest to the highest"
        " quantile, both included.",
    )

    def __init__(self, subject: Subject) -> None:
        super().__init__(subject)
        levels = len(subject.quantiles)
        self.pinball = subject.per_sample(levels, len(subject.candidates))
        self.covered = subject.per_sample(levels)
        self.central = subject.per_sample()

    @classmethod
    def suits(cls, subject: Subject) -> bool:
        return bool(subject.quantiles)

    def add(self, block: Block) -> None:
        quantiles, weights, indices = block.layers, block.weights, block.indices
        assert quantiles is not None
        valid = weights > 0

        def summed(values: Array) -> Array:
            result: Array = np.einsum("nyx,nyx->n", weights, np.where(valid, values, 0.0))
            return result

        truth = block.truth
        exact = truth.astype(np.float64)
        for q, level in enumerate(self.subject.quantiles):
            for k, field in enumerate((quantiles[q], *block.fields[1:])):
                self.pinball[q, k, indices] = summed(pinball(exact, field, level))
            self.covered[q, indices] = summed(truth <= quantiles[q])
        self.central[indices] = summed((truth >= quantiles[0]) & (truth <= quantiles[-1]))

    def rows(self, errors: Totals) -> list[Row]:
        subject, weight = self.subject, errors.weight
        rows = [
            subject.mean_row(f"pinball_{level:g}", subject.unit, sums, weight)
            for level, sums in zip(subject.quantiles, self.pinball, strict=True)
        ]
        shares = {
            f"coverage_{level:g}": (level, own)
            for level, own in zip(subject.quantiles, self.covered, strict=True)
        }
        if len(levels := subject.quantiles) > 1:
            shares["coverage_central"] = levels[-1] - levels[0], self.central
        for name, (right, sums) in shares.items():
            rows.append(subject.mean_row(name, "1", sums[None], weight, best=right))
        return rows
