"""Units and calendars of times in the spellings of people, and times in single precision."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from app.data.times import Stamps

START = 978307200  # 2001-01-01T00:00 in seconds since 1970
HOUR, DAY = 3600, 86400


@pytest.mark.parametrize(
    ("units", "ahead"),
    [
        ("Hours Since 2001-01-01", 0),
        ("HOURS SINCE 2001-01-01T00:00:00.000Z", 0),
        ("hours since 20010101", 0),
        ("hours since 20010101T000000Z", 0),
        ("hours since 2001/01/01 00:00 GMT", 0),
        ("hours since 2001-1-1 0:0:0.0", 0),
        ("hours since 2001-01", 0),
        ("hours since 2001", 0),
        ("hours after 2001-01-01", 0),
        ("hours since 2001-01-01 00:00:00 +02:00", 2),
        ("hours since 2001-01-01 00:00:00 +2", 2),
        ("hours since 2001-01-01 00:00:00 -0530", -5.5),
        ("hours since 2001-01-01 00:00:00.0 1:00", 1),
    ],
)
def test_spellings_and_zones(units, ahead):
    stamps = Stamps.of_numbers(np.array([0.0, 6.0]), units)
    expected = START + HOUR * (np.array([0, 6]) - ahead)
    np.testing.assert_array_equal(stamps.seconds, expected)


@pytest.mark.parametrize(
    "units",
    [
        "hours since 2001-01-01 00:00:00 CET",
        "hours since 2001-01-01 24:00:00",
        "hours since 2001-02-30",
        "hours since 01-JAN-2001",
        "hours since 0000-00-00",
        "hours since 2001-01-01 00:00 +1900",
    ],
)
def test_dates_that_are_none_are_refused(units):
    with pytest.raises(ValueError, match=r"cannot be read|is no date of the standard calendar"):
        Stamps.of_numbers(np.array([0.0]), units)


@pytest.mark.parametrize(
    ("spelling", "calendar"),
    [
        ("NOLEAP", "noleap"),
        ("no_leap", "noleap"),
        ("365_days", "noleap"),
        ("360 day", "360_day"),
        ("ALL_LEAP", "all_leap"),
        ("Proleptic-Gregorian", "standard"),  # the same after 1582
        ("", "standard"),
    ],
)
def test_calendars(spelling, calendar):
    assert Stamps.of_numbers(np.array([0]), "days since 2001-01-01", spelling).calendar == calendar


def test_year_zero_counts_in_silence_where_the_calendar_has_it():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        stamps = Stamps.of_numbers(np.array([365 * 2001]), "days since 0000-01-01", "noleap")
    assert stamps.text(0) == "2001-01-01T00:00"


def test_months_of_360_days_keep_their_zone():
    stamps = Stamps.of_numbers(np.arange(3.0), "Months since 1970-01-01 00:00 +01:00", "360_day")
    np.testing.assert_array_equal(stamps.seconds, 30 * DAY * np.arange(3) - HOUR)


def test_hours_in_single_precision_days_are_hours():
    """Single precision of 36,890 days errs by up to 2.8 minutes."""
    days = (36890 + np.arange(48) / 24).astype("f4")
    exact = Stamps.of_numbers(days.astype("f8"), "days since 1900-01-01")
    assert (exact.seconds % HOUR).any()
    stamps = Stamps.of_numbers(days, "days since 1900-01-01")
    np.testing.assert_array_equal(stamps.seconds, START + HOUR * np.arange(48))


def test_odd_times_in_single_precision_stay_as_they_are():
    days = (np.arange(40) * 0.037).astype("f4")
    stamps = Stamps.of_numbers(days, "days since 2001-01-01")
    np.testing.assert_array_equal(stamps.seconds, START + np.round(days.astype("f8") * DAY))


@pytest.mark.parametrize("value", [1e30, -9e36, np.inf, 10**17])
def test_numbers_beyond_all_dates_are_refused(value):
    with pytest.raises(ValueError, match="at position 2, is no date"):
        Stamps.of_numbers(np.array([0, value]), "days since 2001-01-01")
