"""Correlation over time of two predictands, less the truth's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from app.metrics.arithmetic import over_space
from app.metrics.metric import Band, Map, Metric, Subject, Totals
from app.metrics.pairs import correlation, matched
from app.metrics.table import BY_CELL, About

if TYPE_CHECKING:
    from app.metrics.table import Row


class Together(Metric):
    """Correlations by cell with each predictand that follows (1 + k, y, x), the truth first."""

    core = False
    summed = ("found",)
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
        shape = 1 + len(subject.candidates), *subject.area.shape
        self.found = {name: np.zeros(shape) for name in subject.companions}

    @classmethod
    def suits(cls, subject: Subject) -> bool:
        return bool(subject.companions)

    def add_together(self, band: Band, others: Sequence[Band]) -> None:
        for other in others:
            found = self.found[other.subject.variable.name]
            for layer, pairs in enumerate(matched(band, other)):
                own = [correlation(band.masked(a), other.masked(b)) for a, b in pairs]
                found[layer, band.indices] = np.mean(own, axis=0) if own else np.nan

    def rows(self, errors: Totals) -> list[Row]:
        rows = []
        for name, found in self.found.items():
            pairs = [over_space(self.subject.area, own - found[0]) for own in found[1:]]
            row = f"correlation_with_{name}_bias"
            rows.append(self.subject.row(row, "1", *np.array(pairs).T))
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
