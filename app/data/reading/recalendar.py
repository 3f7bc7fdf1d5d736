"""Series and files whose times are given as the same dates of another calendar."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from absl import logging

from app.arrays import Array
from app.data.calendars import same_dates
from app.data.reading.parts import Part
from app.data.reading.series import Series
from app.data.times import Stamps, common_calendar
from app.errors import InputError


def joined_calendars(parts: Sequence[Part], calendar: str | None) -> list[Part]:
    """The files of a variable in one calendar, where they are in several and one is asked for.

    Files of one calendar stay in it: what is gathered over time is gathered in it.
    """
    stamps = [part.stamps for part in parts if part.stamps is not None]
    if calendar is None or len(stamps) < len(parts) or common_calendar(stamps) is not None:
        return list(parts)
    joined = []
    for part, own in zip(parts, stamps, strict=True):
        there, rows = same_dates(own, calendar)
        where = f"{part.path}: {part.variable.source_name}"
        _say_what_is_lost(own, rows, calendar, where)
        joined.append(replace(part, stamps=there, kept=rows))
    return joined


class InCalendar:
    """The rows of a series whose dates the wanted calendar has; the others are left out, and said.

    InputError where it has none of them.
    """

    def __init__(self, series: Series, calendar: str, where: str) -> None:
        own = Stamps(series.seconds, series.calendar)
        stamps, self._rows = same_dates(own, calendar)
        _say_what_is_lost(own, self._rows, calendar, where)
        self._series, self.weight = series, series.weight
        self.seconds, self.calendar = stamps.seconds, calendar

    def read(self, rows: Array) -> Array:
        return self._series.read(self._rows[rows])


def _say_what_is_lost(own: Stamps, kept: Array, calendar: str, where: str) -> None:
    """One line on times without a date in the calendar; InputError where none has one."""
    if len(own) and not len(kept):
        raise InputError(
            f"{where}: the {calendar} calendar has none of its times ({own.span()} of the "
            f"{own.calendar} calendar)"
        )
    lost = np.setdiff1d(np.arange(len(own)), kept)
    if len(lost):
        logging.warning(
            "%s: %d of %d times left out: the %s calendar has no such dates, the first %s",
            where,
            len(lost),
            len(own),
            calendar,
            own.text(int(lost[0])),
        )
