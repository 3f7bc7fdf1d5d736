"""Times of one calendar as the same dates of another, and what lies between them."""

from __future__ import annotations

from collections.abc import Iterable

import cftime
import numpy as np

from app.arrays import Array
from app.data.times import DAY, ENCODING_UNITS, Stamps, modal_step, segments


def same_dates(stamps: Stamps, calendar: str) -> tuple[Stamps, Array]:
    """The dates (year, month, day and time of day) that the other calendar has too.

    Returns their stamps (m,) in that calendar, and the rows (m,) that they had. 29 February of a
    leap year is no date of "noleap"; the 31st of a month is none of "360_day", whose 29 and 30
    February most years of "standard" lack.
    """
    if calendar == stamps.calendar:
        return stamps, np.arange(len(stamps))
    days, which = np.unique(stamps.seconds // DAY, return_inverse=True)
    dates = cftime.num2date(days * DAY, ENCODING_UNITS, stamps.calendar)
    there = np.zeros(len(days), bool)
    begins = np.zeros(len(days), np.int64)
    for number, date in enumerate(dates):
        try:
            same = cftime.datetime(date.year, date.month, date.day, calendar=calendar)
        except ValueError:
            continue
        there[number] = True
        begins[number] = round(cftime.date2num(same, ENCODING_UNITS, calendar))
    rows = np.flatnonzero(there[which])
    seconds = begins[which[rows]] + stamps.seconds[rows] % DAY
    return Stamps(seconds, calendar), rows


def pieces(stamps: Stamps, step: int, origins: Iterable[str] = ()) -> Array:
    """(n,) number of the gapless piece that each time belongs to, a `step` (s) apart.

    `origins`: calendars in which the data were before: times that were no neighbours there, as
    28 February and 1 March of a leap year, are none here.
    """
    found = segments(stamps.seconds, step)
    breaks = np.diff(found) > 0
    for calendar in origins:
        before, rows = same_dates(stamps, calendar)
        if len(rows) == len(stamps):
            breaks |= np.diff(segments(before.seconds, step)) > 0
    result: Array = np.concatenate([found[:1], np.cumsum(breaks)]).astype(np.int64)
    return result


def hidden_gap(stamps: Stamps, origins: Iterable[str] = ()) -> int | None:
    """Row before the first gap of the data that the calendar of the stamps does not show."""
    step = modal_step(stamps.seconds)
    more = np.diff(pieces(stamps, step, origins)) > np.diff(segments(stamps.seconds, step))
    return int(np.argmax(more)) if more.any() else None
