"""Time stamps as whole seconds in their calendar: one arithmetic for every calendar."""

from __future__ import annotations

import re
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import cftime
import numpy as np
import pandas as pd

from app.arrays import Array
from app.data.time_units import calendar_name, time_units
from app.errors import InputError

ENCODING_UNITS = "seconds since 1970-01-01 00:00:00"
DAY = 86400  # seconds
UNIT = re.compile(r"[A-Za-z:]")
STANDARD, PROLEPTIC = "standard", "proleptic_gregorian"
CALENDARS = {"gregorian": STANDARD, "365_day": "noleap", "366_day": "all_leap"}
# 1582-10-15: from here on the standard and the proleptic Gregorian calendar are one.
GREGORIAN_START = -12219292800  # seconds since 1970
UNIT_SECONDS = {
    "day": 86400, "days": 86400, "d": 86400, "week": 604800, "weeks": 604800,
    "hour": 3600, "hours": 3600, "hr": 3600, "hrs": 3600, "h": 3600,
    "minute": 60, "minutes": 60, "min": 60, "mins": 60,
    "second": 1, "seconds": 1, "sec": 1, "secs": 1, "s": 1,
}  # fmt: skip
FRACTIONS = {
    "millisecond": 1000, "milliseconds": 1000, "millisec": 1000, "msec": 1000, "ms": 1000,
    "microsecond": 10**6, "microseconds": 10**6, "microsec": 10**6, "us": 10**6,
    "nanosecond": 10**9, "nanoseconds": 10**9, "ns": 10**9,
}  # fmt: skip
FURTHEST = 1e5 * 365 * DAY  # seconds from 1970 to the furthest date
CLOCK_STEPS = (60, 300, 600, 900, 1800, 3600, 10800, 21600, 43200, DAY)  # seconds
CLEAR = 4  # times the precision, from which on the times can only be by chance on a step
CALENDAR_STEPS = ((28, 31), (365, 366))  # days of months and of years
# datetime64[ns] ends in 2262; whole years inside it.
NANOSECOND_YEARS = (1678, 2261)


@dataclass(frozen=True, eq=False)
class Stamps:
    """Times (n,) as int64 seconds since 1970-01-01 in `calendar` (CF name)."""

    seconds: Array
    calendar: str = "standard"

    @classmethod
    def of(cls, values: Array) -> Stamps:
        """From datetime64 values, or cftime objects."""
        values = np.asarray(values)
        if np.issubdtype(values.dtype, np.datetime64):
            return cls._named(_rounded_instants(values), PROLEPTIC)
        if values.size == 0:
            return cls(np.zeros(0, np.int64))
        calendar = values.ravel()[0].calendar
        seconds = np.round(cftime.date2num(values, ENCODING_UNITS, calendar)).astype(np.int64)
        return cls._named(seconds, calendar)

    @classmethod
    def of_numbers(cls, values: Array, units: str, calendar: str | None = None) -> Stamps:
        """From CF numbers such as 3.5 "days since 2000-01-01", rounded to the second.

        ValueError, with a reason, where units or calendar are none that can be decoded.
        """
        name = calendar_name(calendar)
        known = time_units(units, name)
        start = _since_1970(known.reference, name) - known.offset
        if known.unit not in UNIT_SECONDS | FRACTIONS:
            since = known.reference.strftime("%Y-%m-%d %H:%M:%S")
            dates = cftime.num2date(values, f"{known.unit} since {since}", name)
            seconds = cftime.date2num(dates, ENCODING_UNITS, name) - known.offset
            return cls._named(np.round(seconds), name)
        factor = UNIT_SECONDS.get(known.unit) or 1 / FRACTIONS[known.unit]
        seconds = values.astype(np.float64) * factor + start
        _refuse_beyond(seconds, values)
        if np.issubdtype(values.dtype, np.integer):
            whole = _whole_seconds(values.astype(np.int64), known.unit)
            return cls._named(whole + round(start), name)
        precision = np.spacing(np.abs(values).max(initial=0)) * factor
        return cls._named(_on_the_clock(seconds, float(precision)), name)

    @classmethod
    def _named(cls, seconds: Array, calendar: str) -> Stamps:
        """One name for the calendars that agree on all of these times."""
        seconds = seconds.astype(np.int64)
        name = CALENDARS.get(calendar, calendar)
        if name == PROLEPTIC and (seconds >= GREGORIAN_START).all():
            name = STANDARD
        return cls(seconds, name)

    @property
    def _numpy_agrees(self) -> bool:
        """Whether NumPy's (proleptic Gregorian) dates are those of this calendar."""
        late = bool((self.seconds >= GREGORIAN_START).all())
        return self.calendar == PROLEPTIC or (self.calendar == STANDARD and late)

    def __len__(self) -> int:
        return len(self.seconds)

    def take(self, rows: Array | slice) -> Stamps:
        return Stamps(self.seconds[rows], self.calendar)

    def decode(self) -> Array:
        """datetime64[ns] where the calendar and the years allow it, else cftime objects."""
        if self._numpy_agrees:
            instants = self.seconds.astype("datetime64[s]")
            years = instants.astype("datetime64[Y]").astype(np.int64) + 1970
            first, last = NANOSECOND_YEARS
            if not len(years) or (years.min() >= first and years.max() <= last):
                return instants.astype("datetime64[ns]")
        dates = cftime.num2date(self.seconds, ENCODING_UNITS, self.calendar)
        return np.asarray(dates, dtype=object)

    def fields(self) -> tuple[Array, Array]:
        """Year (n,) and month (n,) of each stamp."""
        if self._numpy_agrees:
            months = self.seconds.astype("datetime64[s]").astype("datetime64[M]").astype(np.int64)
            return months // 12 + 1970, months % 12 + 1
        dates = cftime.num2date(self.seconds, ENCODING_UNITS, self.calendar)
        return (
            np.array([date.year for date in dates], np.int64),
            np.array([date.month for date in dates], np.int64),
        )

    def text(self, row: int) -> str:
        """One stamp in ISO form, for messages."""
        date = cftime.num2date(int(self.seconds[row]), ENCODING_UNITS, self.calendar)
        result: str = date.isoformat().removesuffix(":00")
        return result

    def span(self) -> str:
        """First and last stamp, for messages."""
        return f"{self.text(0)} to {self.text(-1)}" if len(self) else "no times"


def _rounded_instants(values: Array) -> Array:
    """datetime64 of any precision → int64 seconds since 1970, rounded."""
    seconds = values.astype("datetime64[s]")
    rest = (values - seconds) / np.timedelta64(1, "s")
    result: Array = seconds.astype(np.int64) + (rest >= 0.5)
    return result


def _whole_seconds(numbers: Array, unit: str) -> Array:
    """int64 in a CF unit → int64 seconds; float64 would lose digits of nanoseconds."""
    if unit in UNIT_SECONDS:
        return numbers * UNIT_SECONDS[unit]
    return (numbers + FRACTIONS[unit] // 2) // FRACTIONS[unit]


def _since_1970(date: cftime.datetime, calendar: str) -> float:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", cftime.CFWarning)  # of the year 0
        return float(cftime.date2num(date, "microseconds since 1970-01-01", calendar)) / 1e6


def _refuse_beyond(seconds: Array, values: Array) -> None:
    beyond = np.flatnonzero(~(np.abs(seconds) < FURTHEST))
    if len(beyond):
        raise ValueError(f"{values[beyond[0]]:g}, at position {beyond[0] + 1}, is no date")


def _on_the_clock(seconds: Array, precision: float) -> Array:
    """Seconds rounded to the second, or to what a clock shows where they are stored less finely.

    Times in single precision may err by minutes: hours in days since 1900 are then still hours.
    """
    if precision <= 1:
        return np.round(seconds)
    for step in CLOCK_STEPS:
        rounded = np.round(seconds / step) * step
        if step >= CLEAR * precision and (np.abs(seconds - rounded) <= precision).all():
            result: Array = rounded
            return result
    return np.round(seconds)


def common_calendar(stamps: Sequence[Stamps]) -> str | None:
    """The calendar of all; None where they differ.

    The standard and the proleptic Gregorian calendar differ before 1582-10-15 alone.
    """
    names = {one.calendar for one in stamps}
    if names == {STANDARD, PROLEPTIC}:
        late = all((s.seconds >= GREGORIAN_START).all() for s in stamps if s.calendar == STANDARD)
        return PROLEPTIC if late else None
    return names.pop() if len(names) == 1 else None


def duration(text: str, where: str) -> int:
    """Seconds of a duration such as "1D", "12h" or "-30min"; InputError without a unit."""
    try:
        if not UNIT.search(text):
            raise ValueError  # pandas would take 12 for nanoseconds
        result: int = round(pd.Timedelta(text).total_seconds())
        return result
    except (ValueError, TypeError) as error:
        raise InputError(f"{where}: expected a duration such as 1D or 12h, not {text!r}") from error


def modal_step(seconds: Array) -> int:
    """The commonest distance of neighbouring stamps, in seconds; 0 for fewer than two."""
    return commonest(np.diff(seconds))


def commonest(steps: Array) -> int:
    """The value that occurs most often, the smallest of several; 0 where there is none."""
    values, counts = np.unique(steps, return_counts=True)
    return int(values[np.argmax(counts)]) if len(values) else 0


def segments(seconds: Array, step: int | None = None) -> Array:
    """(n,) int64 number of the gapless piece each stamp belongs to.

    `step`, in seconds, is what neighbouring stamps are apart; None takes the commonest distance.
    Steps of a month or a year are those of the calendar, whatever its lengths.
    """
    if len(seconds) == 0:
        return np.zeros(0, np.int64)
    shortest, longest = _equal_steps(modal_step(seconds) if step is None else step)
    steps = np.diff(seconds)
    breaks = (steps < shortest) | (steps > longest)
    return np.concatenate([[0], np.cumsum(breaks)]).astype(np.int64)


def _equal_steps(step: int) -> tuple[int, int]:
    """The shortest and longest step, in seconds, that count as the given one."""
    for days in CALENDAR_STEPS:
        if days[0] * DAY <= step <= days[1] * DAY:
            return days[0] * DAY, days[1] * DAY
    return step, step


def harmonics(times: Array | Stamps) -> Array:
    """(n, 4) float32: sine and cosine of the hour of the day, then of the day of the year."""
    stamps = times if isinstance(times, Stamps) else Stamps.of(times)
    day = (stamps.seconds % DAY) / DAY
    year = share_of_year(stamps)
    angles = 2 * np.pi * np.stack([day, day, year, year], axis=-1)
    waves = np.where([True, False, True, False], np.sin(angles), np.cos(angles))
    return waves.astype(np.float32)


def time_features(times: Array | Stamps) -> Array:
    """(n, 8) float32: `harmonics`, then 1 in the channel of the season DJF, MAM, JJA or SON."""
    stamps = times if isinstance(times, Stamps) else Stamps.of(times)
    _, months = stamps.fields()
    seasons = months[:, None] % 12 // 3 == np.arange(4)
    return np.concatenate([harmonics(stamps), seasons.astype(np.float32)], axis=-1)


def share_of_year(stamps: Stamps) -> Array:
    """How much of its own year has passed at each stamp, from 0 to 1."""
    years, _ = stamps.fields()
    known, where = np.unique(years, return_inverse=True)
    starts = np.array([_start_of_year(stamps.calendar, int(year)) for year in known])
    ends = np.array([_start_of_year(stamps.calendar, int(year) + 1) for year in known])
    lengths = ends - starts
    result: Array = (stamps.seconds - starts[where]) / np.maximum(lengths[where], 1)
    return result


@cache
def _start_of_year(calendar: str, year: int) -> int:
    """In seconds; kept, as every batch asks for those of all its years."""
    return _seconds(calendar, year)


def _seconds(calendar: str, year: int, month: int = 1, day: int = 1, time: int = 0) -> int:
    date = cftime.datetime(year, month, day, calendar=calendar)
    return int(np.round(cftime.date2num(date, ENCODING_UNITS, calendar))) + time


def period(text: object, calendar: str, where: str) -> tuple[int, int]:
    """First second of an ISO stamp's period and the first after it.

    "1997" is that year, "1997-12" that month, "1997-12-24" that day, "1997-12-24T06" that hour;
    days past a month's end count as its last day in calendars that have no such day.
    """
    date, _, clock = str(text).strip().replace(" ", "T").partition("T")
    try:
        numbers = [int(part) for part in date.split("-")]
        times = [int(part) for part in clock.split(":")] if clock else []
        if not 1 <= len(numbers) <= 3 or len(times) > 3 or (times and len(numbers) < 3):
            raise ValueError
        return _period(numbers, times, calendar)
    except ValueError as error:
        raise InputError(
            f"{where}: expected an ISO time such as 1997-12 or 1997-12-24T06 "
            f"of the {calendar} calendar, not {text!r}"
        ) from error


def _period(numbers: Sequence[int], times: Sequence[int], calendar: str) -> tuple[int, int]:
    year = numbers[0]
    month = numbers[1] if len(numbers) > 1 else 1
    start = _seconds(calendar, year, month)
    if len(numbers) == 1:
        return start, _seconds(calendar, year + 1)
    after = _seconds(calendar, year + month // 12, month % 12 + 1)
    if len(numbers) == 2:
        return start, after
    day = numbers[2]
    days = (after - start) // DAY
    gregorian = calendar in (STANDARD, PROLEPTIC)
    if not 1 <= day <= 31 or (day > days and gregorian and start >= GREGORIAN_START):
        raise ValueError
    start = (
        _seconds(calendar, year, month, day) if gregorian else start + (min(day, days) - 1) * DAY
    )
    if not times:
        return start, start + DAY
    limits, units = (24, 60, 60), (3600, 60, 1)
    if any(not 0 <= value < limit for value, limit in zip(times, limits, strict=False)):
        raise ValueError
    start += sum(value * unit for value, unit in zip(times, units, strict=False))
    return start, start + units[len(times) - 1]


# What --time_features adds to the inputs, as channels of the batch's "time": sine and cosine of
# the hour of the day, then of the day of the year, then 1 in the season's channel.
TIME_FEATURES = {"hour": (0, 1), "day_of_year": (2, 3), "season": (4, 5, 6, 7)}


def time_channels(features: Sequence[str]) -> tuple[int, ...]:
    """Which channels of "time" the named features take."""
    return tuple(channel for name in features for channel in TIME_FEATURES[name])
