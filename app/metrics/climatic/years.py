"""From year to year: interannual variability and trends of every cell."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from app.arrays import Array
from app.data.times import Stamps
from app.metrics.bootstrap import TimeBlocks
from app.metrics.climatic.cells import CellStatistics, Measured
from app.metrics.climatic.days import Years, deviation_known, mean_known
from app.metrics.influence import over_cells
from app.metrics.metric import Subject, Totals
from app.metrics.table import BY_CELL, About

if TYPE_CHECKING:
    from app.metrics.table import Row

LEAST = 3  # years
DECADE = 10.0  # years
STD, TREND = "interannual_std", "trend"


class YearToYear(CellStatistics):
    """Standard deviation of yearly means, and their linear trend."""

    about: ClassVar[Mapping[str, About]] = {
        STD: About(
            "standard deviation of yearly means less the truth's",
            "std(x̂ by year) - std(x by year)",
            "population standard deviation over calendar years, partial ones as they are",
            order=BY_CELL,
        ),
        TREND: About(
            "linear trend of yearly means less the truth's",
            "b(x̂) - b(x), x ≈ a + b·year",
            "least squares over calendar years, partial ones as they are",
            order=BY_CELL,
        ),
    }
    definitions = (
        "interannual_std_bias, trend_bias: standard deviation of the means of calendar years, and"
        " their slope of least squares in a decade, less the truth's.",
    )

    def __init__(self, subject: Subject) -> None:
        years, _ = Stamps.of(subject.times).fields()
        self.years = Years.of(years)
        super().__init__(subject)

    @classmethod
    def suits(cls, subject: Subject) -> bool:
        years, _ = Stamps.of(subject.times).fields()
        return len(np.unique(years)) >= LEAST

    def units_of(self, subject: Subject) -> dict[str, str]:
        decade = "(10 year)-1"
        trend = decade if subject.unit == "1" else f"{subject.unit} {decade}"
        return {STD: subject.unit, TREND: trend}

    def rows(self, errors: Totals) -> list[Row]:
        return [replace(row, n=len(self.years.numbers)) for row in super().rows(errors)]

    def blocks_of(self, subject: Subject) -> TimeBlocks:
        return TimeBlocks.of_groups(Stamps.of(subject.times).fields()[0])

    def measured(self, series: Array, level: Array, area: Array) -> dict[str, Measured]:
        numbers, means = self.years.numbers, self.years.mean(series)
        spread, trend = deviation_known(means), slope(numbers, means)
        return {
            STD: Measured(spread, spread_influence(means, spread, area)),
            TREND: Measured(DECADE * trend, DECADE * slope_influence(numbers, means, trend, area)),
        }


def spread_influence(values: Array, spread: Array, weights: Array) -> Array:
    """Of the standard deviation of values (a, y, x), sums over cells by weights (a,)."""
    known = np.isfinite(values)
    count = np.maximum(known.sum(axis=0), 1)
    apart = np.where(known, np.square(values - mean_known(values)) - spread**2, 0.0)
    share = np.where(spread > 0, weights * len(values) / count / np.where(spread > 0, spread, 1), 0)
    return over_cells(apart, share / 2)


def slope_influence(years: Array, values: Array, trend: Array, weights: Array) -> Array:
    """Of the slope of least squares, likewise: what is left, by its distance from the middle."""
    known = np.isfinite(values)
    count = np.maximum(known.sum(axis=0), 1)
    place = np.where(known, years[:, None, None], 0.0)
    place = np.where(known, place - place.sum(axis=0) / count, 0.0)
    size = np.square(place).sum(axis=0)
    left = np.where(known, values - mean_known(values) - trend * place, 0.0)
    share = np.where(size > 0, weights * len(values) / np.where(size > 0, size, 1.0), 0.0)
    return over_cells(place * left, share)


def slope(years: Array, values: Array) -> Array:
    """Slope of least squares (…) of values (a, …) over years (a,), of those that are known."""
    known = np.isfinite(values)
    count = np.maximum(known.sum(axis=0), 1)
    place = np.where(known, (years - years.mean()).reshape(-1, *[1] * (values.ndim - 1)), 0.0)
    place = np.where(known, place - place.sum(axis=0) / count, 0.0)
    size = np.square(place).sum(axis=0)
    total = (place * np.where(known, values, 0.0)).sum(axis=0)
    return np.where(size > 0, total / np.where(size > 0, size, 1.0), np.nan)
