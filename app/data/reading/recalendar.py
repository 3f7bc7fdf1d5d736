"""A series whose times are given as the same dates of another calendar."""

from __future__ import annotations

import numpy as np
from absl import logging

from app.data.calendars import same_dates
from app.data.reading.series import Series
from app.data.times import Stamps
from app.errors import InputError


class InCalendar:
    """The rows of a series whose dates the wanted calendar has; the others are left out, and said.

    InputError where it has none of them.
    """

    def __init__(self, series: Series, calendar: str, where: str) -> None:
        own = Stamps(series.seconds, series.calendar)
        stamps, self._rows = same_dates(own, calendar)
        lost = np.setdiff1d(np.arange(len(own)), self._rows)
        if not len(stamps):
            raise InputError(
                f"{where}: the {calendar} calendar has none of its times ({own.span()} of the "
                f"{own.calendar} calendar)"
            )
        if len(lost):
            logging.warning(
                "%s: %d of %d times left out: the %s calendar has no such dates, the first %s",
                where,
                len(lost),
                len(own),
                calendar,
                own.text(int(lost[0])),
            )
        self._series, self.weight = series, series.weight
        self.seconds, self.calendar = stamps.seconds, calendar

    def read(self, rows: np.ndarray) -> np.ndarray:
        return self._series.read(self._rows[rows])
