"""Sources of different calendars are brought together by their dates; what has none is left out."""

from dataclasses import replace

import cftime
import numpy as np
import pytest
import xarray as xr
from absl import logging
from shard_helpers import field, perfect_prog, source, write

from app.data.calendars import pieces, same_dates
from app.data.description import Splits, TimeSteps
from app.data.shards import Shards
from app.data.shards.plan import plan_of
from app.data.shards.prepare import prepare
from app.data.shards.time_plan import plan_in_time
from app.data.streaming.windows import samples
from app.data.times import DAY, Stamps
from app.errors import InputError

HALVES = Splits(
    kind="dates",
    train=(("2000-02-20", "2000-03-20"),),
    validation=(("2000-03-21", "2000-03-25"),),
    test=(("2000-03-26", "2000-03-31"),),
)


def daily(first: str, last: str, calendar: str, step: str = "1D") -> xr.CFTimeIndex:
    return xr.date_range(first, last, freq=step, calendar=calendar, use_cftime=True)


def stamps(first: str, last: str, calendar: str) -> Stamps:
    return Stamps.of(np.asarray(daily(first, last, calendar)))


def dated(times: xr.CFTimeIndex, name: str = "t") -> xr.DataArray:
    """A field whose values are month + day / 100 everywhere."""
    data = field(np.asarray(times), name=name)
    data.values[:] = np.array([t.month + t.day / 100 for t in times])[:, None, None]
    return data


def said(monkeypatch) -> list[str]:
    lines: list[str] = []
    monkeypatch.setattr(logging, "warning", lambda text, *values: lines.append(text % values))
    return lines


@pytest.mark.parametrize(
    ("calendar", "other", "lost"),
    [
        ("standard", "noleap", ["2000-02-29", "2004-02-29"]),
        ("noleap", "standard", []),
        (
            "360_day",
            "standard",
            [f"{year}-02-{day}" for year in range(2000, 2005) for day in (29, 30)
             if day == 30 or year % 4],
        ),
        (
            "standard",
            "360_day",
            [f"{year}-{month:02}-31" for year in range(2000, 2005)
             for month in (1, 3, 5, 7, 8, 10, 12)],
        ),
    ],
)  # fmt: skip
def test_dates_are_kept_where_the_other_calendar_has_them(calendar, other, lost):
    own = stamps("2000-01-01", "2004-12-30", calendar)
    there, rows = same_dates(own, other)
    missing = np.setdiff1d(np.arange(len(own)), rows)
    expected = [day for day in lost if day <= "2004-12-30"]
    assert [own.text(row)[:10] for row in missing] == expected
    before = [date.timetuple()[:6] for date in _dates(own.take(rows))]
    assert [date.timetuple()[:6] for date in _dates(there)] == before


def _dates(given: Stamps):
    return cftime.num2date(given.seconds, "seconds since 1970-01-01", given.calendar)


def test_hours_move_with_their_day():
    own = Stamps.of(np.asarray(daily("2000-02-28T06", "2000-03-01T18", "standard", "6h")))
    there, rows = same_dates(own, "noleap")
    assert len(own) - len(rows) == 4
    expected = [*(f"2000-02-28T{h:02}:00" for h in (6, 12, 18))]
    assert [there.text(row) for row in range(3)] == expected
    assert there.text(3) == "2000-03-01T00:00"


def _pair(tmp_path, calendar="standard"):
    """Observations of a leap year beside a model that knows no leap years."""
    observed = write(tmp_path / "obs.nc", dated(daily("2000-02-20", "2000-03-31", "standard")))
    model = write(tmp_path / "model.nc", dated(daily("2000-02-01", "2000-04-30", "noleap")))
    low = replace(source(model), calendar=calendar, regrid="nearest")
    return perfect_prog(observed, low_resolution=low, splits=HALVES)


def test_a_noleap_model_trains_on_real_observations(tmp_path):
    description = _pair(tmp_path)
    folder = prepare(description, scale=2, cache_dir=tmp_path / "cache")
    shards = Shards.open(folder)
    texts = [shards.stamps("train").text(row)[:10] for row in range(shards.size("train"))]
    assert "2000-02-28" in texts
    assert "2000-03-01" in texts
    assert "2000-02-29" not in texts
    assert len(texts) == 10 + 20 - 1
    rows = np.arange(len(texts))
    fine = shards.read("hr", "train", rows)[:, 0, 0, 0]
    coarse = shards.read("lr", "train", rows)[:, 0, 0, 0]
    np.testing.assert_array_equal(fine, coarse)
    # the 29th is a gap: no window of two frames reaches over it
    starts = samples(shards, "train", 2)
    assert texts.index("2000-02-28") not in starts
    assert len(starts) == len(texts) - 2


def test_the_refusal_names_the_way_out(tmp_path):
    description = _pair(tmp_path, calendar=None)
    with pytest.raises(InputError, match=r"noleap.*predictand's is standard; calendar: standard"):
        plan_of(description, 2, 0)


def test_days_that_are_left_out_are_counted_and_no_window_crosses_them(tmp_path, monkeypatch):
    lines = said(monkeypatch)
    observed = write(tmp_path / "obs.nc", dated(daily("2000-02-20", "2000-03-31", "standard")))
    predictand = replace(source(observed), calendar="noleap")
    description = replace(perfect_prog(observed, splits=HALVES), predictand=predictand)
    shards = Shards.open(prepare(description, scale=2, cache_dir=tmp_path / "cache"))
    assert lines == [
        f"{observed}: 1 of 41 times left out: the noleap calendar has no such dates, the first "
        "2000-02-29T00:00"
    ]
    found = shards.stamps("train")
    assert found.calendar == "noleap"
    assert np.unique(np.diff(found.seconds)).tolist() == [DAY]  # neighbours in this calendar
    assert shards.segments("train").tolist() == [0] * 9 + [1] * 20
    with pytest.raises(InputError, match="hides the day that is left out after 2000-02-28"):
        plan_in_time(description, TimeSteps(2 * DAY, DAY))


def test_360_days_lose_30_february(tmp_path, monkeypatch):
    lines = said(monkeypatch)
    model = write(tmp_path / "model.nc", dated(daily("2001-01-01", "2001-12-30", "360_day")))
    given = replace(source(model), calendar="standard")
    plan = plan_of(replace(perfect_prog(model), predictand=given), 2, 0)
    assert sum(len(one.stamps) for one in plan.splits.values()) == 358
    assert "2 of 360 times left out" in lines[0]
    train = plan.splits["train"].stamps
    texts = [train.text(row)[:10] for row in range(len(train))]
    assert "2001-01-31" not in texts  # a gap, as the model has no such day
    whole = pieces(train, DAY)
    assert whole[texts.index("2001-02-01")] == whole[texts.index("2001-01-30")] + 1


def test_files_of_one_variable_in_two_calendars(tmp_path, monkeypatch):
    """A past of real dates, a future of a model that knows no leap years."""
    whole = daily("2000-02-20", "2000-03-31", "standard")
    past = write(tmp_path / "a.nc", dated(whole[:15]))
    future = write(tmp_path / "b.nc", dated(daily("2000-03-06", "2000-03-31", "noleap")))
    both = source(past, future)
    with pytest.raises(InputError, match=r"files with different calendars.*calendar: standard"):
        plan_of(replace(perfect_prog(past), predictand=both, splits=HALVES), 2, 0)
    lines = said(monkeypatch)
    for calendar, lost in (("standard", 0), ("noleap", 1)):
        joined = replace(perfect_prog(past), predictand=replace(both, calendar=calendar))
        plan = plan_of(replace(joined, splits=HALVES), 2, 0)
        train = plan.splits["train"]
        assert len(train.stamps) == 30 - lost
        values = train.read(np.arange(len(train.stamps)))["hr"][0, :, 0, 0]
        dates = _dates(train.stamps)
        np.testing.assert_allclose(values, [d.month + d.day / 100 for d in dates], rtol=1e-6)
        assert len(lines) == lost


def test_variables_of_different_calendars_in_one_source(tmp_path):
    write(tmp_path / "a.nc", dated(daily("2000-02-20", "2000-03-31", "standard"), "a"))
    write(tmp_path / "b.nc", dated(daily("2000-02-20", "2000-03-31", "noleap"), "b"))
    both = source(str(tmp_path / "a.nc"), str(tmp_path / "b.nc"), names=("a", "b"))
    with pytest.raises(InputError, match="calendar: standard, which makes it one"):
        plan_of(replace(perfect_prog("a"), predictand=both, splits=HALVES), 2, 0)
    joined = replace(both, calendar="standard")
    plan = plan_of(replace(perfect_prog("a"), predictand=joined, splits=HALVES), 2, 0)
    fields = plan.splits["train"].read(np.arange(29))["hr"][:, :, 0, 0]
    np.testing.assert_array_equal(fields[0], fields[1])
