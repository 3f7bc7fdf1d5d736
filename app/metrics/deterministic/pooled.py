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
    *lead, y, x = values.shape
    rows, columns = y // SIDE, x // SIDE
    cut = values[..., : rows * SIDE, : columns * SIDE]
    result: Array = cut.reshape(*lead, rows, SIDE, columns, SIDE).sum(axis=(-3, -1))
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
        self.ensemble = EnsembleSums(members, subject.samples) if members > 1 else None
        self.absolute = subject.per_sample(len(subject.candidates))
        self.weight = subject.per_sample()

    def add(self, block: Block) -> None:
        if min(block.truth.shape[1:]) < SIDE:
            return
        indices, weights = block.indices, block.weights
        known = weights > 0
        complete = _block_sum(known.astype(float)) == SIDE**2
        area = np.where(complete, _block_sum(weights), 0.0)

        def pooled(stack: Array) -> Array:
            return pool(np.where(known, stack, 0.0), weights)

        target = pooled(block.truth)
        self.weight[indices] = area.sum(axis=(1, 2))
        if self.ensemble is not None:
            self.ensemble.add(indices, target, pooled(block.versions[0]), area)
        for total, field in zip(self.absolute, block.fields, strict=True):
            total[indices] = np.einsum("nyx,nyx->n", area, np.abs(pooled(field) - target))

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
