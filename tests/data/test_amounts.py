"""Amounts, means and instantaneous values are told apart by what files say of them."""

import pytest

from app.data.amounts import is_precipitation, time_meaning

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
        ("pr", "K", False),
        ("sprint_wind", "m s-1", False),
    ],
)
def test_precipitation(name, units, expected):
    assert is_precipitation([name], units) is expected
