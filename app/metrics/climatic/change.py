"""The change signal between two periods: of means, quantiles, indices, return values, spells."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import ClassVar

import numpy as np

from app.arrays import Array
from app.data.times import Stamps
from app.errors import InputError
from app.metrics.arithmetic import over_space
from app.metrics.bootstrap import TimeBlocks
from app.metrics.climatic.cells import CellStatistics, Measured
from app.metrics.climatic.climate_statistics import INDICES, ClimateStatistics
from app.metrics.climatic.days import Days, Years, deviation_known
from app.metrics.climatic.return_values import LEAST, PERIODS, return_values
from app.metrics.climatic.years import spread_influence
from app.metrics.influence import quantiles_moved
from app.metrics.metric import Sheet, Subject
from app.metrics.probabilistic.events import thresholds_of
from app.metrics.quantiles import last_axis_quantiles
from app.metrics.table import About
from app.metrics.temporal.spells import LENGTH, limits_of, spell_parts
from app.options.scoring import ScoringConfig

PREFIX = "change_"
COLUMNS = ("variable", "statistic", "unit", "candidate", "change", "truth_change", "bias", "rmse")
MEAN, STD, INTERANNUAL = "mean", "std", "interannual_std"
PERCENTILES = {"p1": 0.01, "p5": 0.05, "p50": 0.5, "p95": 0.95, "p99": 0.99}
FEWEST_YEARS = 5  # of each period, that intervals need


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
        " the same of the truth; r95p and spell_length_T by the truth's percentiles over all times"
        " scored; return_T from ten years of each period on, intervals from five. change.csv has"
        " the changes themselves.",
    )

    def __init__(self, subject: Subject) -> None:
        self.check_times(subject.scoring, subject.times)
        self.rows_of = periods_of(subject.scoring, subject.times)
        found = [ClimateStatistics.of(subject, subject.times[rows]) for rows in self.rows_of]
        self.climates = [climate for climate in found if climate is not None]
        self.years = [Years.of(years_of(subject)[rows]) for rows in self.rows_of]
        self.extremes = all(len(years.numbers) >= LEAST for years in self.years)
        self.thresholds = thresholds_of(subject, low=False)
        self.own_years = [TimeBlocks.of_groups(years_of(subject)[rows]) for rows in self.rows_of]
        self.follows = [_follow(subject, rows) for rows in self.rows_of]
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
        plain = dict.fromkeys((MEAN, STD, *PERCENTILES, INTERANNUAL), subject.unit)
        own = {
            name: self.climates[0].units[name] for name in INDICES if name in self.climates[0].units
        }
        if self.extremes:
            own |= {f"return_{period}": subject.unit for period in PERIODS}
        own |= {f"{LENGTH}{threshold}": "step" for threshold in self.thresholds}
        return {PREFIX + name: unit for name, unit in {**plain, **own}.items()}

    def level_of(self, truth: Array) -> Array:
        """The 95th percentile of the truth's wet days, and the thresholds of spells (…, y, x)."""
        climate = ClimateStatistics.of(self.subject, self.subject.times)
        wet = np.zeros(truth.shape[1:]) if climate is None else climate.level(truth)
        return np.concatenate([wet[None], limits_of(self.thresholds, truth)])

    def blocks_of(self, subject: Subject) -> TimeBlocks:
        return TimeBlocks.of_groups(years_of(subject))

    def measured(self, series: Array, level: Array, area: Array) -> dict[str, Measured]:
        before, after = (self._of_period(p, series, level, area) for p in range(len(self.rows_of)))
        few = min(own.count for own in self.own_years) < FEWEST_YEARS
        found = {}
        for name in self.units:
            values = after[name].values - before[name].values
            moved = None if few else self._moved(before[name], after[name])
            found[name] = Measured(values, moved)
        return found

    def _moved(self, *periods: Measured) -> Array:
        """What each year (b,) moves a change by: the years of the first period, and the second."""
        total = np.zeros(self.blocks.count)
        for sign, rows, one in zip((-1, 1), self.rows_of, periods, strict=True):
            assert one.moved is not None
            own = np.unique(self.blocks.place[rows])
            total[own] += sign * one.moved * len(total) / len(own)
        return total

    def _of_period(self, p: int, series: Array, level: Array, area: Array) -> dict[str, Measured]:
        """Every statistic (y, x) of one of the periods, by the name of its change.

        And what each of its years moves it by.
        """
        own, climate, years = series[self.rows_of[p]], self.climates[p], self.own_years[p]
        known = np.isfinite(own)
        found = {MEAN: Measured.of_ratio(np.where(known, own, 0.0), known, area, years)}
        spread = deviation_known(own)
        found[STD] = Measured(spread, years.moved(spread_influence(own, spread, area)))
        ordered = partial(last_axis_quantiles, np.moveaxis(own, 0, -1))
        values, moved = quantiles_moved(own, tuple(PERCENTILES.values()), area, ordered)
        pairs = zip(values, years.moved(moved), strict=True)
        found |= {name: Measured(*pair) for name, pair in zip(PERCENTILES, pairs, strict=True)}
        means = climate.years.mean(climate.days.mean(own))
        spread = deviation_known(means)
        found[INTERANNUAL] = Measured(spread, spread_influence(means, spread, area))
        for name, parts in climate.parts(own, level[0]).items():
            found[name] = Measured.of_ratio(*parts, area)
        if self.extremes:
            found |= _return_values(self.years[p].highest(own), area)
        spells = spell_parts(self.thresholds, own, level[1:], self.follows[p])
        for name, parts in spells.items():
            found[name] = Measured.of_ratio(*parts, area, years)
        return {PREFIX + name: one for name, one in found.items()}

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
        told = f"change from {a}-{b} ({counts[0]} times) to {c}-{d} ({counts[1]} times)"
        few = f"; no return values, which need {LEAST} years of each"
        return [told if self.extremes else told + few, *self._not_covered()]

    def _not_covered(self) -> Iterator[str]:
        """Periods of which there are fewer years than were asked for."""
        years = years_of(self.subject)
        periods = zip(self.subject.scoring.change_periods, self.rows_of, strict=True)
        for (first, last), rows in periods:
            low, high = years[rows].min(), years[rows].max()
            if (low, high) != (first, last):
                yield f"of the period {first}-{last} there are {low} to {high} alone"


def periods_of(scoring: ScoringConfig, times: Array) -> list[Array]:
    """Rows of the times that lie in each period."""
    years, _ = Stamps.of(times).fields()
    return [np.flatnonzero((a <= years) & (years <= b)) for a, b in scoring.change_periods]


def years_of(subject: Subject) -> Array:
    """Calendar year of every sample (n,)."""
    years: Array = Stamps.of(subject.times).fields()[0]
    return years


def _return_values(maxima: Array, area: Array) -> dict[str, Measured]:
    """Of maxima of years (a, y, x); what a year moves them by is told by leaving it out."""
    values, count = return_values(maxima), len(maxima)
    moved = np.zeros((len(PERIODS), count))
    for year in range(count):
        without = return_values(np.delete(maxima, year, axis=0))
        moved[:, year] = np.nansum((count - 1) * (values - without) * area, axis=(1, 2))
    return {
        f"return_{period}": Measured(*pair)
        for period, pair in zip(PERIODS, zip(values, moved, strict=True), strict=True)
    }


def _follow(subject: Subject, rows: Array) -> Array:
    """Numbers among the rows of those that the next row follows by a time step."""
    if subject.consecutive is None:
        return np.zeros(0, np.int64)
    next_is_own = np.diff(rows) == 1
    return np.flatnonzero(next_is_own & subject.consecutive[rows[:-1]])
