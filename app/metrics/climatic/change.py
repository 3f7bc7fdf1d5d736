"""The change signal between two periods, of means, quantiles and climate indices."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from app.arrays import Array
from app.data.times import Stamps
from app.errors import InputError
from app.metrics.arithmetic import over_space
from app.metrics.climatic.cells import CellStatistics
from app.metrics.climatic.climate_statistics import INDICES, MEANS, ClimateStatistics
from app.metrics.climatic.days import Days
from app.metrics.metric import Sheet, Subject
from app.metrics.table import About
from app.options.scoring import ScoringConfig

if TYPE_CHECKING:
    pass

PREFIX = "change_"
COLUMNS = ("variable", "statistic", "unit", "candidate", "change", "truth_change", "bias", "rmse")
INTERANNUAL = "interannual_std"


class Change(CellStatistics):
    """Statistics of the second period less those of the first, by cell."""

    core = True  # wherever periods are named
    about: ClassVar[Mapping[str, About]] = {
        PREFIX: About(
            "change of a statistic between two periods less the truth's",
            "(s₂(x̂) - s₁(x̂)) - (s₂(x) - s₁(x))",
            "statistics over time of each period",
            order="time within each cell and period, then the area-weighted mean over cells",
        )
    }
    definitions = (
        "change_S_bias: statistic S of the second of the two periods less that of the first, less"
        " the same of the truth; r95p by the truth's percentile over both. change.csv has the"
        " changes themselves.",
    )

    def __init__(self, subject: Subject) -> None:
        self.check_times(subject.scoring, subject.times)
        self.rows_of = periods_of(subject.scoring, subject.times)
        found = [ClimateStatistics.of(subject, subject.times[rows]) for rows in self.rows_of]
        self.climates = [climate for climate in found if climate is not None]
        super().__init__(subject)

    @classmethod
    def check_times(cls, scoring: ScoringConfig, times: Array) -> None:
        years, _ = Stamps.of(times).fields()
        periods = zip(scoring.change_periods, periods_of(scoring, times), strict=True)
        for (first, last), rows in periods:
            if len(rows) < 2 or Days.of(times[rows]) is None:
                raise InputError(
                    f"--change_periods: {first}-{last}: {len(rows)} of the times scored, which are "
                    f"of {years.min()} to {years.max()}; expected two or more, at most a day apart"
                )

    @classmethod
    def suits(cls, subject: Subject) -> bool:
        return bool(subject.scoring.change_periods)

    def units_of(self, subject: Subject) -> dict[str, str]:
        plain = dict.fromkeys((*MEANS, INTERANNUAL), subject.unit)
        own = {
            name: self.climates[0].units[name] for name in INDICES if name in self.climates[0].units
        }
        return {PREFIX + name: unit for name, unit in {**plain, **own}.items()}

    def level_of(self, truth: Array) -> Array:
        climate = ClimateStatistics.of(self.subject, self.subject.times)
        return np.zeros(truth.shape[1:]) if climate is None else climate.level(truth)

    def statistics(self, series: Array, level: Array) -> dict[str, Array]:
        before, after = (
            climate.summary(series[rows]) | climate.indices(series[rows], level)
            for rows, climate in zip(self.rows_of, self.climates, strict=True)
        )
        return {PREFIX + name: after[name] - before[name] for name in before}

    def tables(self) -> dict[str, Sheet]:
        area, lines = self.subject.area, []
        for name, unit in self.units.items():
            truth = over_space(area, self.found[name][0])[0]
            for k, candidate in enumerate(self.subject.candidates):
                bias = self.bias(name)[k]
                change = over_space(area, self.found[name][1 + k])[0]
                head: list[object] = [self.subject.variable.name, name.removeprefix(PREFIX), unit]
                rmse = float(np.sqrt(over_space(area, bias**2)[0]))
                mean = over_space(area, bias)[0]
                lines.append([*head, candidate, change, truth, mean, rmse])
        return {"change": Sheet(COLUMNS, lines)}

    def remarks(self) -> list[str]:
        (a, b), (c, d) = self.subject.scoring.change_periods
        counts = [len(rows) for rows in self.rows_of]
        return [f"change from {a}-{b} ({counts[0]} times) to {c}-{d} ({counts[1]} times)"]


def periods_of(scoring: ScoringConfig, times: Array) -> list[Array]:
    """Rows of the times that lie in each period."""
    years, _ = Stamps.of(times).fields()
    return [np.flatnonzero((a <= years) & (years <= b)) for a, b in scoring.change_periods]
