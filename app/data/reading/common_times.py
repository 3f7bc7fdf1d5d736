"""Times that several records have in common, whatever their calendars."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from absl import logging

from app.arrays import Array
from app.data.calendars import same_dates
from app.data.times import DAY, Stamps, common_calendar
from app.errors import InputError

Named = tuple[str, Stamps]  # what messages call a record, and its times


def common_times(records: Sequence[Named], match: str = "exact") -> tuple[Stamps, list[Array]]:
    """Times that all records have, as the first one tells them, and their rows in each record.

    match: "exact", or "day" where a stamp stands for its day. Calendars may differ where all dates
    of all records are dates of one of them. Times that are left out are counted in the log.
    Raises InputError, in one line, where calendars do not convert or no time is left.
    """
    stamps = _in_one_calendar(records)
    unit = DAY if match == "day" else 1
    keys = [one.seconds // unit for one in stamps]
    for (name, _), own, days in zip(records, stamps, keys, strict=True):
        twice = np.flatnonzero(np.diff(days) == 0)
        if len(twice):
            raise InputError(
                f"{name}: several times on one day, the first {own.text(int(twice[0]))}; "
                "--match_times=day needs daily data"
            )
    shared = keys[0]
    for other in keys[1:]:
        shared = np.intersect1d(shared, other)
    if not len(shared):
        raise InputError(_nothing(records, stamps, unit))
    for (name, _), days in zip(records, keys, strict=True):
        if len(shared) < len(days):
            logging.warning(
                "%s: %d of %d times left out, not in all files",
                name,
                len(days) - len(shared),
                len(days),
            )
    rows = [np.searchsorted(days, shared) for days in keys]
    return stamps[0].take(rows[0]), rows


def _in_one_calendar(records: Sequence[Named]) -> list[Stamps]:
    """The times as dates of one calendar that has all of them."""
    stamps = [one for _, one in records]
    if common_calendar(stamps) is not None:
        return stamps
    lacking = []
    for calendar in dict.fromkeys(one.calendar for one in stamps):
        found = [same_dates(one, calendar) for one in stamps]
        lost = [
            (name, own, np.setdiff1d(np.arange(len(own)), rows))
            for (name, own), (_, rows) in zip(records, found, strict=True)
            if len(rows) < len(own)
        ]
        if not lost:
            logging.warning(
                "calendars differ (%s): times of the same date in the %s calendar are compared",
                ", ".join(f"{name} {own.calendar}" for name, own in records),
                calendar,
            )
            return [one for one, _ in found]
        name, own, rows = lost[0]
        lacking.append(f"{calendar} lacks {own.text(int(rows[0]))} of {name}")
    names = ", ".join(f"{name}: {own.calendar}" for name, own in records)
    raise InputError(
        f"calendars differ ({names}) and do not convert exactly: {'; '.join(lacking)}; expected "
        "files of one calendar"
    )


def _nothing(records: Sequence[Named], stamps: Sequence[Stamps], unit: int) -> str:
    spans = "; ".join(f"{n} {one.span()}" for (n, _), one in zip(records, stamps, strict=True))
    days = stamps[0].seconds // DAY
    for one in stamps[1:]:
        days = np.intersect1d(days, one.seconds // DAY)
    hint = (
        "" if unit == DAY or not len(days) else " (the same days at other hours: --match_times=day)"
    )
    return f"no time in common: {spans}{hint}"
