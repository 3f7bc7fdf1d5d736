import cftime
import numpy as np
import pytest

from app.data.description import Splits
from app.data.shards.splits import assign
from app.data.times import Stamps, duration, harmonics, modal_step, period, segments, time_features
from app.errors import InputError

HOURLY = Stamps.of(np.arange("2019-03-01", "2019-04-01", dtype="datetime64[h]"))
DAILY = Stamps.of(np.arange("1997-01-01", "2001-01-01", dtype="datetime64[D]"))


def noleap_days(n: int) -> np.ndarray:
    return cftime.num2date(np.arange(n), "days since 2095-01-01", "noleap")


@pytest.mark.parametrize("calendar", ["noleap", "360_day", "julian"])
def test_cftime_survives_the_round_trip(calendar):
    dates = cftime.num2date([0, 58.5, 59, 300], "days since 2000-01-01", calendar)
    stamps = Stamps.of(dates)
    assert stamps.calendar == calendar
    assert list(stamps.decode()) == list(dates)


def test_years_beyond_nanoseconds_decode_to_cftime():
    stamps = Stamps.of(np.array(["3000-02-01"], "datetime64[s]"))
    assert stamps.decode()[0] == cftime.DatetimeGregorian(3000, 2, 1)
    assert HOURLY.decode().dtype == "datetime64[ns]"


def test_harmonics_by_hand():
    waves = harmonics(np.array(["2001-01-01T06", "2001-07-02T12"], "datetime64[ns]"))
    np.testing.assert_allclose(waves[0, :2], [1, 0], atol=1e-6)  # a quarter of the day
    np.testing.assert_allclose(waves[1, :2], [0, -1], atol=1e-6)
    np.testing.assert_allclose(waves[1, 2:], [0, -1], atol=1e-6)  # day 182.5 of 365
    assert waves.dtype == np.float32


def test_harmonics_know_the_length_of_a_360_day_year():
    dates = cftime.num2date([90], "days since 2000-01-01", "360_day")
    np.testing.assert_allclose(harmonics(dates)[0], [0, 1, 1, 0], atol=1e-6)


def test_seasons_follow_the_calendar_month():
    """The last and first days of the four seasons' neighbours, behind the four harmonics."""
    days = ["11-30", "12-01", "02-28", "03-01", "05-31", "06-01", "08-31", "09-01"]
    stamps = np.array([f"2001-{day}T23" for day in days], "datetime64[ns]")
    features = time_features(stamps)
    assert features[:, 4:].argmax(axis=1).tolist() == [3, 0, 0, 1, 1, 2, 2, 3]
    assert set(features[:, 4:].ravel()) == {0.0, 1.0}
    np.testing.assert_array_equal(features[:, 4:].sum(axis=1), 1)
    np.testing.assert_array_equal(features[:, :4], harmonics(stamps))
    assert features.dtype == np.float32


@pytest.mark.parametrize("calendar", ["360_day", "noleap", "all_leap"])
def test_seasons_of_other_calendars(calendar):
    months = [(1, 30), (2, 28), (3, 1), (6, 30), (9, 1), (11, 30), (12, 30)]
    dates = np.array([cftime.datetime(2001, m, d, calendar=calendar) for m, d in months])
    seasons = time_features(dates)[:, 4:].argmax(axis=1)
    assert seasons.tolist() == [0, 0, 1, 2, 3, 3, 0]


def test_segments_change_at_every_gap():
    seconds = np.array([0, 60, 120, 300, 360, 1000])
    assert modal_step(seconds) == 60
    assert segments(seconds).tolist() == [0, 0, 0, 1, 1, 2]
    assert segments(np.array([5])).tolist() == [0]


@pytest.mark.parametrize(
    ("text", "start", "end"),
    [
        ("1997", "1997-01-01", "1998-01-01"),
        ("1997-12", "1997-12-01", "1998-01-01"),
        ("1997-12-24", "1997-12-24", "1997-12-25"),
        ("1997-12-24T06", "1997-12-24T06", "1997-12-24T07"),
        ("1997-12-24 06:30", "1997-12-24T06:30", "1997-12-24T06:31"),
    ],
)
def test_period_covers_what_it_names(text, start, end):
    expected = np.array([start, end], "datetime64[s]").astype(np.int64)
    assert period(text, "standard", "") == tuple(expected)


def test_period_of_a_day_that_the_calendar_lacks():
    assert period("2000-01-31", "360_day", "") == period("2000-01-30", "360_day", "")


@pytest.mark.parametrize("text", ["", "1997-13", "1997-02-30", "yesterday", "1997-01-01T25"])
def test_period_refuses(text):
    with pytest.raises(InputError, match=r"splits\.train: expected an ISO time"):
        period(text, "standard", "splits.train")


def test_duration():
    assert [duration(t, "") for t in ("1D", "12h", "-30min")] == [86400, 43200, -1800]
    with pytest.raises(InputError, match="gap: expected a duration"):
        duration("soon", "gap")


def test_dates_include_both_ends(caplog):
    caplog.set_level("INFO", logger="absl")
    splits = Splits("dates", (("1997", "1998-06"),), (("1998-07", "1998"),), (("1999-12-31",) * 2,))
    rows = assign(DAILY, splits)
    assert [len(rows[name]) for name in ("train", "validation", "test")] == [365 + 181, 184, 1]
    assert DAILY.text(rows["test"][0]).startswith("1999-12-31")
    unused = "splits: 730 of 1461 times are in none, the first 1999-01-01T00:00"
    assert [record.getMessage() for record in caplog.records] == [unused]


def test_dates_in_a_noleap_calendar():
    stamps = Stamps.of(noleap_days(365))
    splits = Splits("dates", (("2095-01", "2095-02"),), (("2095-03", "2095-03"),))
    assert [len(rows) for rows in assign(stamps, splits).values()] == [59, 31]


def test_gap_is_left_out_on_the_training_side():
    splits = Splits(fractions=(0.5, 0.25, 0.25), gap="1D")
    rows = assign(HOURLY, splits)
    assert rows["train"][-1] == 372 - 24 - 1  # the day before the first validation hour is gone
    assert rows["validation"][[0, -1]].tolist() == [372, 558 - 24 - 1]
    assert rows["test"][[0, -1]].tolist() == [558, 743]


@pytest.mark.parametrize(
    "splits",
    [
        Splits(),
        Splits("blocks", block="3D"),
        Splits("folds", folds=4, fold=0),
        Splits("seasons", ("DJF", "MAM"), ("JJA",), ("son",)),
        Splits("years", (1997, 1998), (1999,), (2000,)),
    ],
    ids=lambda splits: splits.kind,
)
def test_every_kind_deals_out_all_times_once(splits):
    rows = np.concatenate(list(assign(DAILY, splits).values()))
    assert sorted(rows) == list(range(len(DAILY)))


def test_blocks_stay_whole_and_keep_the_shares():
    rows = assign(HOURLY, Splits("blocks", block="1D", fractions=(0.5, 0.25, 0.25)))
    days = [set(part // 24) for part in rows.values()]
    assert not days[0] & days[1]
    assert not days[0] & days[2]
    assert [len(part) for part in days] == [15, 8, 8]


@pytest.mark.parametrize(
    ("splits", "message"),
    [
        (
            Splits("dates", (("1997", "1998"),), (("2005", "2006"),), (("1999", "2000"),)),
            r"no time in validation \(2005 to 2006\); the data have 1997-01-01.* to 2000-12-31",
        ),
        (Splits("dates", (("1997", "1999"),), (("1999", "2000"),)), "share 365 times"),
        (Splits("dates", (("1998", "1997"),)), "1997 lies before 1998"),
        (Splits("dates", (), (("1997", "1998"),)), "expected a training period"),
        (Splits(fractions=(0.9, 0.9, 0.1)), "add up to 1"),
        (Splits("seasons", ("winter",)), "unknown season 'winter'"),
        (Splits("years", ("a",)), "expected years"),
        (Splits("blocks"), "splits.block: expected a duration"),
        (Splits("blocks", block="0D"), "positive duration"),
        (Splits("folds", folds=2), "expected folds ≥ 3"),
        (Splits(gap="900D"), "leaves nothing of validation"),
        (Splits(gap="-1D"), "positive duration"),
    ],
)
def test_impossible_splits_are_refused(splits, message):
    with pytest.raises(InputError, match=message):
        assign(DAILY, splits)


def test_a_whole_record_may_be_a_test_period():
    (part,) = assign(DAILY, Splits(fractions=(0.0, 0.0, 1.0))).items()
    assert part[0] == "test"
    np.testing.assert_array_equal(part[1], np.arange(len(DAILY)))
