"""How long series remember: their correlation with themselves some steps later."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from app.arrays import Array
from app.data.times import Stamps, modal_step
from app.metrics.climatic.cells import CellStatistics, Measured
from app.metrics.metric import Subject
from app.metrics.pairs import Paired
from app.metrics.table import BY_CELL, About

LAGS = (1, 2, 5, 10)  # time steps
LEAST = 10  # pairs of times that a lag needs


class Autocorrelation(CellStatistics):
    """Correlation of every cell with itself some time steps later, gaps left out."""

    about: ClassVar[Mapping[str, About]] = {
        "autocorrelation_": About(
            "autocorrelation in time, so many steps apart, less the truth's",
            "r(x̂ₜ, x̂ₜ₊ₕ) - r(xₜ, xₜ₊ₕ)",
            "Pearson's correlation of pairs of times that lie exactly so far apart",
            order=BY_CELL,
        )
    }
    definitions = (
        "autocorrelation_H_bias: correlation of every cell's series with itself H time steps later,"
        " less the truth's; pairs across gaps count where they are H steps apart.",
    )

    def __init__(self, subject: Subject) -> None:
        self.pairs = pairs_of(subject)
        super().__init__(subject)

    @classmethod
    def suits(cls, subject: Subject) -> bool:
        return subject.consecutive is not None and bool(pairs_of(subject))

    def units_of(self, subject: Subject) -> dict[str, str]:
        return {f"autocorrelation_{lag}": "1" for lag in self.pairs}

    def measured(self, series: Array, level: Array, area: Array) -> dict[str, Measured]:
        found = {}
        for lag, (before, after) in self.pairs.items():
            pair, moved = Paired.of(series[before], series[after]), np.zeros(len(series))
            values = pair.correlation
            moved[after] = pair.correlation_moved(values, area) * len(series) / len(after)
            found[f"autocorrelation_{lag}"] = Measured(values, self.blocks.moved(moved))
        return found


def pairs_of(subject: Subject) -> dict[int, tuple[Array, Array]]:
    """By lag in time steps: the earlier and the later samples of all pairs so far apart."""
    seconds = Stamps.of(subject.times).seconds
    step = modal_step(seconds)
    found = {}
    for lag in LAGS:
        after = np.searchsorted(seconds, seconds + lag * step)
        there = after < len(seconds)
        there[there] = seconds[after[there]] == seconds[there] + lag * step
        if step and there.sum() >= LEAST:
            found[lag] = np.flatnonzero(there), after[there]
    return found
