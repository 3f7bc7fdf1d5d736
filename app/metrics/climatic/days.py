"""Days and calendar years of a period, and what becomes of series over them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from app.arrays import Array
from app.data.times import DAY, Stamps, modal_step

SEASONS = ("DJF", "MAM", "JJA", "SON")


def season_of(months: Array) -> Array:
    """Position in `SEASONS` (n,) of months 1 … 12."""
    result: Array = months % 12 // 3
    return result


def starts_of(groups: Array) -> Array:
    """Rows at which a new group begins; `groups` (n,) lie together."""
    return np.flatnonzero(np.diff(groups, prepend=groups[:1] - 1))


@dataclass(frozen=True, eq=False)
class Days:
    """The days of a period: first sample, number, year and month of each, which are whole (d,).

    A day is whole where it has as many samples as the commonest step of time asks for.
    """

    starts: Array
    numbers: Array
    years: Array
    months: Array
    whole: Array
    per_day: int

    @classmethod
    def of(cls, times: Array) -> Days | None:
        """Of times in order (n,); None where they are further apart than a day, or one alone."""
        stamps = Stamps.of(times)
        step = modal_step(stamps.seconds)
        if not 0 < step <= DAY:
            return None
        numbers = stamps.seconds // DAY
        starts = starts_of(numbers)
        years, months = stamps.take(starts).fields()
        per_day = DAY // step
        held = np.diff(starts, append=len(stamps))
        return cls(starts, numbers[starts], years, months, held == per_day, per_day)

    @property
    def daily(self) -> bool:
        """Whether the samples themselves are days."""
        return self.per_day == 1

    @property
    def breaks(self) -> Array:
        """Days that do not follow the one before."""
        return 1 + np.flatnonzero(np.diff(self.numbers) != 1)

    def reduce(self, series: Array, how: np.ufunc) -> Array:
        """Series (n, …) to whole days (d, …), NaN where a day lacks a value."""
        if self.daily:
            return series
        days: Array = how.reduceat(series, self.starts, axis=0)
        days[~self.whole] = np.nan
        return days

    def mean(self, series: Array) -> Array:
        """Means of whole days (d, …)."""
        return series if self.daily else self.reduce(series, np.add) / self.per_day


@dataclass(frozen=True, eq=False)
class Years:
    """Calendar years among rows of a series: the first row of each (a,), and the years (a,)."""

    starts: Array
    numbers: Array

    @classmethod
    def of(cls, years: Array) -> Years:
        """Of the year of each row (n,), in order."""
        starts = starts_of(years)
        return cls(starts, years[starts])

    def highest(self, series: Array) -> Array:
        """Highest value of each year (a, …), NaN left out."""
        result: Array = np.fmax.reduceat(series, self.starts, axis=0)
        return result

    def lowest(self, series: Array) -> Array:
        """Lowest value of each year (a, …), NaN left out."""
        result: Array = np.fmin.reduceat(series, self.starts, axis=0)
        return result

    def count(self, chosen: Array) -> Array:
        """How many rows of each year are chosen (a, …)."""
        result: Array = np.add.reduceat(chosen, self.starts, axis=0, dtype=np.int64)
        return result

    def total(self, series: Array) -> Array:
        """Sum of each year (a, …), NaN left out; NaN of a year without a value."""
        known = np.isfinite(series)
        sums = np.add.reduceat(np.where(known, series, 0.0), self.starts, axis=0)
        return np.where(self.count(known) > 0, sums, np.nan)

    def mean(self, series: Array) -> Array:
        """Mean of each year (a, …), NaN left out; NaN of a year without a value."""
        count = self.count(np.isfinite(series))
        result: Array = self.total(series) / np.maximum(count, 1)
        return result

    def longest_run(self, chosen: Array, breaks: Array | None = None) -> Array:
        """Longest run of chosen rows within each year (a, …); `breaks`: rows that begin anew."""
        count = np.cumsum(chosen, axis=0)
        before = np.where(chosen, 0, count)
        first = self.starts if breaks is None else np.union1d(self.starts, breaks)
        before[first] = np.maximum(before[first], count[first] - chosen[first])
        runs = count - np.maximum.accumulate(before, axis=0)
        result: Array = np.maximum.reduceat(runs, self.starts, axis=0)
        return result


def mean_known(values: Array) -> Array:
    """Mean over the first axis of what is known (…); NaN where nothing is."""
    known = np.isfinite(values)
    if len(values) and known.all():
        whole: Array = values.mean(axis=0)
        return whole
    count = known.sum(axis=0)
    total = np.where(known, values, 0.0).sum(axis=0)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def deviation_known(values: Array) -> Array:
    """Population standard deviation over the first axis of what is known (…)."""
    result: Array = np.sqrt(mean_known(np.square(values - mean_known(values))))
    return result
