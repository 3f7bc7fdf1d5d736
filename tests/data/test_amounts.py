"""Amounts, means and instantaneous values are told apart by what files say of them."""

import numpy as np
import pytest
from absl import logging
from shard_helpers import field, source, write

from app.data.amounts import is_precipitation, time_meaning
from app.data.description import DataDescription, Splits, TimeSteps
from app.data.reading.sources import open_source
from app.data.shards.time_plan import plan_in_time

ERA5_LONG = {"long_name": "Total precipitation", "standard_name": "unknown"}


@pytest.mark.parametrize(
    ("name", "units", "attributes", "method"),
    [
        ("tp", "m", {"GRIB_stepType": "accum"}, "sum"),
        ("tp", "m", ERA5_LONG, "sum"),
        ("ssrd", "J m**-2", {"GRIB_stepType": "accum"}, "sum"),
        ("ssrd", "J m**-2", {"standard_name": "surface_downwelling_shortwave_flux_in_air"}, "sum"),
        ("pr", "mm", {}, "sum"),
        ("rr", "mm", {"long_name": "rainfall"}, "sum"),
        ("precip", "kg m-2", {}, "sum"),
        ("x", "kg m-2", {"standard_name": "precipitation_amount"}, "sum"),
        ("x", "m", {"standard_name": "lwe_thickness_of_precipitation_amount"}, "sum"),
        ("x", "J m-2", {"standard_name": "integral_wrt_time_of_surface_net_flux"}, "sum"),
        ("e", "m of water equivalent", {"long_name": "Evaporation"}, "sum"),
        ("any", "K", {"cell_methods": "area: mean time: sum (interval: 1 h)"}, "sum"),
        ("pr", "mm/day", {}, "mean"),
        ("pr", "kg m-2 s-1", {"cell_methods": "area: time: mean"}, "mean"),
        ("rsds", "W m-2", {"GRIB_stepType": "avg"}, "mean"),
        ("pr", "mm", {"cell_methods": "time: sum within days time: mean over days"}, "mean"),
        ("t2m", "K", {"cell_methods": "time: mean"}, "mean"),
        ("t2m", "K", {"GRIB_stepType": "instant"}, "point"),
        ("t2m", "K", {}, "point"),
        ("u10", "m s-1", {"long_name": "10 metre U wind component"}, "point"),
        ("orography", "m", {"long_name": "Terrain height"}, "point"),
        ("sd", "m of water equivalent", {"long_name": "Snow depth water equivalent"}, "point"),
        ("tcrw", "kg m-2", {"long_name": "Total column rain water"}, "point"),
        ("pwat", "kg m-2", {"long_name": "Precipitable water"}, "point"),
        ("ohc", "J m-2", {"long_name": "Ocean heat content"}, "point"),
        ("snw", "kg m-2", {"standard_name": "surface_snow_amount"}, "point"),
        ("sp", "Pa", {"long_name": "Surface pressure"}, "point"),
        ("pr", None, {}, "point"),
    ],
)
def test_method(name, units, attributes, method):
    assert time_meaning([name], units, attributes).method == method


def test_a_rate_is_no_amount_whatever_is_said_of_it():
    found = time_meaning(["pr"], "mm day-1", {"cell_methods": "time: sum"})
    assert found.method == "mean"
    assert found.reason == "units mm day-1 are a rate, cell_methods time: sum notwithstanding"


def test_what_the_user_says_wins():
    tagged = {"GRIB_stepType": "accum"}
    assert time_meaning(["tp"], "m", tagged, "point").method == "point"
    assert time_meaning(["t"], "K", {}, "sum").method == "sum"


def test_the_reason_is_said():
    found = time_meaning(["tp"], "m", {"GRIB_stepType": "accum"})
    assert found.describe("tp") == (
        "tp: an amount gathered in the time before its stamp (units m, GRIB_stepType accum)"
    )
    assert time_meaning(["rr"], "mm").reason == "units mm, precipitation"


def test_a_name_given_in_the_description_counts_too():
    assert time_meaning(["var228", "pr"], "m").method == "sum"


@pytest.mark.parametrize(
    ("name", "units", "expected"),
    [
        ("tp", "m", True),
        ("pr", "kg m-2 s-1", True),
        ("rr", "mm", True),
        ("snowfall", "mm/day", True),
        ("tcrw", "kg m-2", False),
        ("terrain", "m", False),
        ("pressure", "Pa", False),
        ("spread", "mm", False),
        ("hail_diameter", "mm", False),
        ("pr", "K", False),
        ("sprint_wind", "m s-1", False),
    ],
)
def test_precipitation(name, units, expected):
    assert is_precipitation([name], units) is expected


def rain(hours: int, **attributes):
    """Hourly amounts, each stamped at the end of its hour: that of hour h is h mm everywhere."""
    data = field(hours, name="tp")
    data.values[:] = np.arange(hours)[:, None, None]
    return data.assign_attrs(units="mm", **attributes)


def test_a_day_s_sum_ends_with_the_amount_stamped_at_midnight(tmp_path):
    file = write(tmp_path / "a.nc", rain(49, GRIB_stepType="accum"))
    daily = open_source(source(file, names=("tp",), aggregate="1D:sum"))
    # stamps 0 to 48: the first is the evening before; 1 to 24 and 25 to 48 are two days
    values = daily.read(np.arange(len(daily.stamps)))[0, :, 0, 0]
    assert values.tolist() == [sum(range(1, 25)), sum(range(25, 49))]
    assert [daily.stamps.text(row)[:10] for row in (0, 1)] == ["2001-01-01", "2001-01-02"]


@pytest.mark.parametrize(
    ("early", "first", "words"),
    [(0, 1, "before"), (1, 0, "after"), (0.5, 0, "around")],
)
def test_time_bounds_tell_where_an_amount_has_its_stamp(tmp_path, early, first, words):
    """Bounds that begin at the stamp leave hours 0 to 23 in their own day, as do those around."""
    data = rain(49, cell_methods="time: sum").to_dataset(name="tp")
    hours = np.arange(49.0)
    data["time"] = ("time", hours, {"units": "hours since 2001-01-01", "bounds": "time_bnds"})
    data["time_bnds"] = (("time", "nv"), np.stack([hours - 1, hours], axis=1) + early)
    path = tmp_path / "a.nc"
    data.to_netcdf(path)
    daily = open_source(source(str(path), names=("tp",), aggregate="1D:sum"))
    assert daily.read(np.array([0]))[0, 0, 0, 0] == sum(range(first, first + 24))
    assert f"in the time {words} its stamp" in daily.meanings[0].describe("tp")


def test_a_shift_that_the_user_asks_for_is_the_only_one(tmp_path):
    file = write(tmp_path / "a.nc", rain(49, GRIB_stepType="accum"))
    shifted = source(file, names=("tp",), aggregate="1D:sum", time_shift="-1h")
    daily = open_source(shifted)
    assert daily.read(np.array([0]))[0, 0, 0, 0] == sum(range(1, 25))
    assert len(daily.stamps) == 2


def test_values_of_an_instant_keep_their_day(tmp_path):
    data = field(48)
    daily = open_source(source(write(tmp_path / "a.nc", data), aggregate="1D:max"))
    np.testing.assert_array_equal(daily.read(np.array([1]))[0, 0], data.values[24:].max(axis=0))


@pytest.mark.parametrize(
    ("units", "aggregate", "hint"),
    [
        ("mm", "1D:mean", "1D:sum is that of the whole"),
        ("mm day-1", "1D:sum", "1D:mean is the rate of the whole"),
        ("mm", "1D:sum", None),
        ("mm day-1", "1D:mean", None),
    ],
)
def test_gathering_that_is_odd_is_pointed_out(tmp_path, monkeypatch, units, aggregate, hint):
    said = []
    monkeypatch.setattr(logging, "warning", lambda text, *values: said.append(text % values))
    file = write(tmp_path / "a.nc", rain(49).assign_attrs(units=units))
    open_source(source(file, names=("tp",), aggregate=aggregate))
    assert len(said) == (hint is not None)
    assert all(hint in line for line in said)


def test_files_that_disagree_are_named(tmp_path, monkeypatch):
    said = []
    monkeypatch.setattr(logging, "warning", lambda text, *values: said.append(text % values))
    whole = rain(48)
    first = whole[:24].assign_attrs(cell_methods="time: sum")
    second = whole[24:].assign_attrs(cell_methods="time: mean")
    files = [write(tmp_path / f"{n}.nc", part) for n, part in enumerate((first, second))]
    open_source(source(*files, names=("tp",)))
    assert len(said) == 1
    assert files[0] in said[0]
    assert said[0].endswith(f"in {files[1]}; expected files of one kind, or time_method")


def test_amounts_are_summed_up_in_time_without_cell_methods(tmp_path):
    """ERA5's total precipitation: every known frame is the sum of the hours before it."""
    file = write(tmp_path / "a.nc", rain(97, GRIB_stepType="accum"))
    description = DataDescription(
        source(file, names=("tp",)), splits=Splits(fractions=(0.5, 0.25, 0.25))
    )
    plan = plan_in_time(description, TimeSteps(3 * 3600, 3600))
    first = plan.splits["train"].read(np.array([0, 1]))["hr"][0, :, 0, 0]
    assert first.tolist() == [0 + 1 + 2, 3 + 4 + 5]
    assert plan.variables["hr"][0].time_method == "sum"
    assert plan.meanings["hr"]["tp"].reason == "units mm, GRIB_stepType accum"
