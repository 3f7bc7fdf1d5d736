"""Fields pooled over 2×2 cells, where errors that neighbours share no longer average out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from app.arrays import Array
from app.metrics.metric import Block, Metric, Subject, Totals
from app.metrics.probabilistic.ensemble import NO_ERROR, EnsembleSums
from app.metrics.table import About

if TYPE_CHECKING:
    from app.metrics.table import Row

SIDE = 2


def pool(fields: Array, weights: Array) -> Array:
    """Weighted means over 2×2 cells of (…, y, x); an odd last row or column is left out."""
    total = _block_sum(weights)
    result: Array = _block_sum(fields * weights) / np.where(total > 0, total, 1.0)
    return result


def _block_sum(values: Array) -> Array:
    *_, y, x = values.shape
    rows, columns = y - y % SIDE, x - x % SIDE
    pairs = values[..., :rows:SIDE, :columns] + values[..., 1:rows:SIDE, :columns]
    result: Array = pairs[..., ::SIDE] + pairs[..., 1::SIDE]
    return result


class Pooled(Metric):
    """Absolute errors of the pooled candidates, and ensemble scores of the pooled members, if any.

    Blocks of which any cell is not scored are left out.
    """

    summed = ("absolute", "weight", "ensemble")
    about: ClassVar[Mapping[str, About]] = {
        "mae_2x2": About("mean absolute error of means over 2 × 2 cells", "mean |x̂ - x|"),
        "crps_2x2": About(
            "continuous ranked probability score of means over 2 × 2 cells",
            "mean |xᵢ - x| - Σᵢⱼ|xᵢ - xⱼ| / (2M(M - 1))",
            "fair estimator over M members; the absolute error of a single field",
        ),
        "spread_skill_2x2": About(
            "spread over error of means over 2 × 2 cells",
            "sqrt((M + 1)/M · mean s²) / sqrt(mean (x̄ - x)²)",
            "unbiased variance s² of the members",
        ),
    }
    definitions = (
        "_2x2: of area-weighted means over 2 × 2 cells, blocks not scored in every cell left out.",
    )
    undefined: ClassVar[dict[str, str]] = {"spread_skill_2x2": NO_ERROR}

    def __init__(self, subject: Subject) -> None:
        super().__init__(subject)
        members = subject.members
        self.ensemble = EnsembleSums(members, subject.times) if members > 1 else None
        self.absolute = subject.per_sample(len(subject.candidates))
        self.weight = subject.per_sample()

    def add(self, block: Block) -> None:
        if min(block.truth.shape[1:]) < SIDE:
            return
        indices, weights = block.indices, block.weights
        known = weights > 0
        whole = _block_sum(known.astype(np.int8)) == SIDE**2
        area = np.where(whole, _block_sum(weights), 0.0)
        self.weight[indices] = area.sum(axis=(1, 2))
        if self.ensemble is not None:

            def pooled(stack: Array) -> Array:
                return pool(np.where(known, stack, 0.0), weights)

            self.ensemble.add(indices, pooled(block.truth), pooled(block.versions[0]), area)
        for k, total in enumerate(self.absolute):
            # the mean error of four cells, times their area
            errors = np.abs(_block_sum(block.error(k) * block.area))
            total[indices] = np.where(whole, errors, 0.0).sum(axis=(1, 2))

    @property
    def crps(self) -> Array:
        """CRPS (k, n) summed over the blocks; that of a single field is its absolute error."""
        if self.ensemble is None:
            return self.absolute
        return np.vstack([self.ensemble.crps, self.absolute[1:]])

    def rows(self, errors: Totals) -> list[Row]:
        if not self.weight.any():
            return []
        name = "mae_2x2" if self.ensemble is None else "crps_2x2"
        rows = [self.subject.mean_row(name, self.subject.unit, self.crps, self.weight)]
        if self.ensemble is not None:
            made = self.ensemble.spread_to_error(self.subject.candidates)
            rows.append(self.subject.sampled_row("spread_skill_2x2", "1", made))
        return rows

    def series(self, errors: Totals) -> dict[str, Array]:
        return {"weight_2x2": self.weight, "crps_2x2": self.crps}
