"""The units and calendars of CF times, as files spell them."""

from __future__ import annotations

import re
import warnings
from dataclasses import dataclass

import cftime

SINCE = re.compile(r"^\s*(\S+)\s+(?:since|after|from|ref)\s+(\S.*?)\s*$", re.I)
DATE = re.compile(
    r"(?P<year>[+-]?\d{1,5})(?:[-/](?P<month>\d{1,2})(?:[-/](?P<day>\d{1,2}))?)?"
    r"(?:[T\s]\s*(?P<hour>\d{1,2})(?::?(?P<minute>\d{1,2})(?::?(?P<second>\d{1,2}(?:\.\d*)?))?)?)?"
    r"\s*(?P<zone>Z|UTC?|GMT|(?P<sign>[+-]?)(?P<east>\d{1,2})(?::?(?P<past>\d{2}))?)?",
    re.I,
)
COMPACT = re.compile(r"\d{8}(?!\d)")
LONGEST_OFFSET = 15 * 3600  # seconds that a time zone may be away from UTC
STANDARD = "standard"
CALENDAR_NAMES = ("360_day", "365_day", "366_day", "all_leap", "gregorian", "julian", "noleap",
                  "proleptic_gregorian", STANDARD)  # fmt: skip


@dataclass(frozen=True)
class TimeUnits:
    """A unit, in lower case, and the date and time that is counted from.

    `offset`: seconds by which the zone of that date is ahead of UTC.
    """

    unit: str
    reference: cftime.datetime
    offset: int


def counts_time(units: object) -> bool:
    """Whether a units attribute is that of times, such as "hours since 2000-01-01"."""
    return SINCE.match(str(units)) is not None


def time_units(units: str, calendar: str) -> TimeUnits:
    """Units such as "Hours since 2000-1-1 00:00 +02:00"; `calendar` as `calendar_name` gives it.

    ValueError, with a reason, for a date that cannot be read or that the calendar lacks.
    """
    found = SINCE.match(units)
    if found is None:
        raise ValueError("they do not say since when")
    unit, text = found[1].lower(), found[2]
    date = DATE.fullmatch(_separated(text))
    if date is None:
        raise ValueError(f"the date {text!r} cannot be read")
    second = float(date["second"] or 0)
    numbers = [int(date[part] or least) for part, least in
               (("year", 1), ("month", 1), ("day", 1), ("hour", 0), ("minute", 0))]  # fmt: skip
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", cftime.CFWarning)  # of the year 0
            reference = cftime.datetime(
                *numbers, int(second), round(second % 1 * 1e6), calendar=calendar
            )
    except ValueError as error:
        raise ValueError(f"{text!r} is no date of the {calendar} calendar") from error
    offset = int(date["east"] or 0) * 3600 + int(date["past"] or 0) * 60
    if offset > LONGEST_OFFSET:
        raise ValueError(f"the time zone of {text!r} cannot be read")
    return TimeUnits(unit, reference, -offset if date["sign"] == "-" else offset)


def _separated(text: str) -> str:
    """20010131 as 2001-01-31."""
    found = COMPACT.match(text)
    return f"{text[:4]}-{text[4:6]}-{text[6:]}" if found else text


def calendar_name(calendar: str | None) -> str:
    """CF's name of a calendar, whatever its case and separators; ValueError for unknown ones."""
    text = (calendar or "").strip() or STANDARD
    letters = _letters(text).removesuffix("s")
    for name in CALENDAR_NAMES:
        if letters == _letters(name):
            return name
    raise ValueError(f"calendar {calendar!r} is none of {', '.join(CALENDAR_NAMES)}")


def _letters(text: str) -> str:
    return re.sub(r"[\W_]", "", text.lower())
