"""A metric: the error of the slope between neighbouring cells."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

import app
from app.metrics.metric import Block, Metric, Subject

if TYPE_CHECKING:
    from app.metrics.metric import Totals
    from app.metrics.table import Row


@app.register("metric", "gradient", "error of the slope from a cell to its eastern neighbour")
class GradientError(Metric):
    """Squared errors of differences between neighbours, where both are scored."""

    summed = ("squares", "count")
    definitions = (
        "gradient_rmse: root of the mean over time and space of (Δprediction - Δtruth)², Δ from a"
        " cell to its eastern neighbour.",
    )

    def __init__(self, subject: Subject) -> None:
        super().__init__(subject)
        self.squares = np.zeros(len(subject.candidates))
        self.count = 0

    def add(self, block: Block) -> None:
        both = block.valid[..., 1:] & block.valid[..., :-1]
        self.count += int(both.sum())
        for k in range(len(block.fields)):
            error = np.diff(block.anomaly(k) - block.truth_anomaly, axis=-1)
            self.squares[k] += np.square(error[both]).sum()

    def rows(self, errors: Totals) -> list[Row]:
        rmse = np.sqrt(self.squares / max(1, self.count))
        return [self.subject.row("gradient_rmse", self.subject.unit, rmse)]
