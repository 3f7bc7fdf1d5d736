"""Climate indices against the truth's: extremes of the year, spells, wet and hot days."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from app.arrays import Array
from app.data.times import Stamps
from app.metrics.bootstrap import TimeBlocks
from app.metrics.climatic.cells import CellStatistics, Measured
from app.metrics.climatic.climate_statistics import INDICES, ClimateStatistics
from app.metrics.metric import Subject
from app.metrics.table import About

ESTIMATOR = "mean over calendar years, partial ones as they are; whole days alone"
YEARLY = "days and years of each cell, then the area-weighted mean over cells"


class ClimateIndices(CellStatistics):
    """Indices of ETCCDI by cell, from the days and calendar years of the period."""

    about: ClassVar[Mapping[str, About]] = {
        name: About(f"{text} less the truth's", formula, ESTIMATOR, order=YEARLY)
        for name, (text, formula) in INDICES.items()
    }
    definitions = (
        "txx, txn, tnx, tnn, su, fd, rx1day, rx5day, sdii, wet_days, cdd, cwd, r95p _bias: climate"
        " indices less the truth's, means over calendar years; days that lack a sample are left"
        " out; spells end at gaps and with the year; r95p is of days above the 95th percentile of"
        " the truth's wet days.",
    )

    def __init__(self, subject: Subject) -> None:
        self.climate = ClimateStatistics.of(subject, subject.times)
        super().__init__(subject)

    @classmethod
    def suits(cls, subject: Subject) -> bool:
        found = ClimateStatistics.of(subject, subject.times)
        return found is not None and bool(found.units)

    def units_of(self, subject: Subject) -> dict[str, str]:
        return {} if self.climate is None else self.climate.units

    def level_of(self, truth: Array) -> Array:
        assert self.climate is not None
        return self.climate.level(truth)

    def blocks_of(self, subject: Subject) -> TimeBlocks:
        return TimeBlocks.of_groups(Stamps.of(subject.times).fields()[0])

    def measured(self, series: Array, level: Array, area: Array) -> dict[str, Measured]:
        assert self.climate is not None
        parts = self.climate.parts(series, level)
        return {name: Measured.of_ratio(*pair, area) for name, pair in parts.items()}
