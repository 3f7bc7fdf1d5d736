"""Correlation over time of two predictands, less the truth's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from app.metrics.arithmetic import divide, over_space
from app.metrics.bootstrap import TimeBlocks
from app.metrics.climatic.cells import moved_row
from app.metrics.metric import Band, Map, Metric, Subject, Totals
from app.metrics.pairs import Paired, matched
from app.metrics.table import BY_CELL, About

if TYPE_CHECKING:
    from app.metrics.table import Row


class Together(Metric):
    """Correlations by cell with each predictand that follows (1 + k, y, x), the truth first.

    moved (1 + k, b), areas (1 + k,): what each block of samples moves them by, summed over the
    cells that have them by area, and that area.
    """

    core = False
    summed = ("found", "moved", "areas")
    about: ClassVar[Mapping[str, About]] = {
        "correlation_with_": About(
            "correlation over time with another predictand, less the truth's",
            "r(x̂, ŷ) - r(x, y)",
            "values that both have; mean over members",
            order=BY_CELL,
        )
    }
    definitions = (
        "correlation_with_Y_bias: Pearson's correlation over time with the predictand Y, less the"
        " truth's.",
    )

    def __init__(self, subject: Subject) -> None:
        super().__init__(subject)
        layers, names = 1 + len(subject.candidates), subject.companions
        self.blocks = TimeBlocks.of(subject.times)
        self.found = {name: np.zeros((layers, *subject.area.shape)) for name in names}
        self.moved = {name: np.zeros((layers, self.blocks.count)) for name in names}
        self.areas = {name: np.zeros(layers) for name in names}

    @classmethod
    def suits(cls, subject: Subject) -> bool:
        return bool(subject.companions)

    def add_together(self, band: Band, others: Sequence[Band]) -> None:
        area = self.subject.area[band.indices]
        for other in others:
            name = other.subject.variable.name
            for layer, pairs in enumerate(matched(band, other)):
                if not pairs:
                    self.found[name][layer, band.indices] = np.nan
                for a, b in pairs:
                    pair = Paired.of(band.masked(a), other.masked(b))
                    values = pair.correlation
                    moved = pair.correlation_moved(values, area)
                    self.found[name][layer, band.indices] += values / len(pairs)
                    self.moved[name][layer] += self.blocks.moved(moved) / len(pairs)
                    self.areas[name][layer] += area[np.isfinite(values)].sum() / len(pairs)

    def rows(self, errors: Totals) -> list[Row]:
        rows = []
        for name, found in self.found.items():
            pairs = [over_space(self.subject.area, own - found[0]) for own in found[1:]]
            row = f"correlation_with_{name}_bias"
            # a candidate that does not give both is moved by nothing
            moved = np.nan_to_num(divide(self.moved[name], self.areas[name][:, None]))
            rows.append(moved_row(self.subject, row, "1", np.array(pairs), moved, self.blocks))
        return rows

    def maps(self, errors: Totals) -> list[Map]:
        told = "population moments over time, then the difference"
        return [
            Map(
                f"correlation_with_{name}_bias",
                found[1:] - found[0],
                "1",
                f"correlation over time with {name} less the truth's",
                told,
            )
            for name, found in self.found.items()
        ]

    def why_undefined(self, row: str) -> str | None:
        reason = "a predictand does not vary, or the candidate does not give both"
        return reason if row.startswith("correlation_with_") else None
