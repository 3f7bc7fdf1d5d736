"""What no field should do: change the coarse mean, or leave what is possible."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from app.arrays import Array
from app.data.units import conversion, normalise_unit
from app.metrics.deterministic.mean_rows import mean_rows
from app.metrics.metric import Block, Metric, Subject, Totals
from app.metrics.table import About

if TYPE_CHECKING:
    from app.metrics.table import Row

TEMPERATURES = ("K", "degC", "degF")
COARSE, NEGATIVE, BEYOND = "coarse_mean_rmse", "negative_share", "beyond_bounds"


class Consistency(Metric):
    """Sums over the cells of each sample (k, n): of coarse cells, and of values that cannot be.

    weight (n,): of the coarse cells. Of members their means.
    """

    core = False
    summed = ("coarse", "weight", "negative", "beyond")
    about: ClassVar[Mapping[str, About]] = {
        COARSE: About(
            "root mean square difference of coarse means",
            "sqrt(mean (⟨x̂⟩ - ⟨x⟩)²), ⟨·⟩: area-weighted mean over a coarse cell",
            "coarse cells that are valid throughout",
            order="space and time at once, the root last",
        ),
        NEGATIVE: About("share of negative values", "mean [x̂ < 0]"),
        BEYOND: About(
            "share of values beyond their bounds",
            "mean [x̂ < min or x̂ > max]",
            "valid_min and valid_max of the variable, absolute zero of temperatures",
        ),
    }
    definitions = (
        "coarse_mean_rmse: how far means over coarse cells are from the truth's; 0 where a"
        " prediction keeps a coarse field that is the truth's mean. negative_share,"
        " beyond_bounds: of values below 0, and beyond valid_min, valid_max or absolute zero.",
    )

    def __init__(self, subject: Subject) -> None:
        super().__init__(subject)
        k = len(subject.candidates)
        self.coarse, self.negative, self.beyond = subject.per_sample(3, k)
        self.weight = subject.per_sample()
        self.low, self.high = bounds_of(subject)
        self.scale = subject.scale if 1 < subject.scale <= min(subject.area.shape) else 0

    def add(self, block: Block) -> None:
        weights, indices = block.weights, block.indices
        if self.scale:
            self._add_coarse(block)
        for k, stack in enumerate(block.versions):
            for fields in stack:
                for sums, wrong in (
                    (self.negative, fields < 0),
                    (self.beyond, (fields < self.low) | (fields > self.high)),
                ):
                    sums[k, indices] += np.einsum("nyx,nyx->n", weights, wrong) / len(stack)

    def _add_coarse(self, block: Block) -> None:
        side = self.scale
        whole = _sums(block.valid.astype(np.float64), side) == side**2
        area = np.where(whole, _sums(block.weights, side), 0.0)
        self.weight[block.indices] = area.sum(axis=(1, 2))
        share = np.where(area > 0, area, 1.0)
        for k, stack in enumerate(block.versions):
            for fields in stack:
                apart = np.where(block.valid, fields - block.truth.astype(np.float64), 0.0)
                error = np.where(whole, _sums(apart * block.weights, side) / share, 0.0)
                own = np.einsum("nyx,nyx->n", area, error**2)
                self.coarse[k, block.indices] += own / len(stack)

    def rows(self, errors: Totals) -> list[Row]:
        subject, rows = self.subject, []
        if self.scale:
            rows += mean_rows(subject, COARSE, subject.unit, self.coarse, self.weight, root=True)
        if subject.variable.kind == "ratio":
            rows += mean_rows(subject, NEGATIVE, "1", self.negative, errors.weight)
        if np.isfinite([self.low, self.high]).any():
            rows += mean_rows(subject, BEYOND, "1", self.beyond, errors.weight)
        return rows

    def why_undefined(self, row: str) -> str | None:
        return "no coarse cell is valid throughout" if row == COARSE else None


def bounds_of(subject: Subject) -> tuple[float, float]:
    """What values may be, infinite where nothing is known."""
    variable, unit = subject.variable, normalise_unit(subject.unit)
    low = -np.inf if variable.valid_min is None else variable.valid_min
    high = np.inf if variable.valid_max is None else variable.valid_max
    if unit in TEMPERATURES and variable.kind != "ratio":
        low = max(low, float(conversion("K", unit)(np.zeros(()))))
    return float(low), float(high)


def _sums(fields: Array, side: int) -> Array:
    """Sums over blocks of side × side cells of (n, y, x); what is over at the end is left out."""
    n, y, x = fields.shape
    rows, columns = y // side, x // side
    cut = fields[:, : rows * side, : columns * side]
    result: Array = cut.reshape(n, rows, side, columns, side).sum(axis=(2, 4))
    return result
