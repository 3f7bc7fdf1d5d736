"""Files that no run has made, scored against others: what is aligned, and what is refused."""

import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import cftime
import numpy as np
import pytest
import xarray as xr

from app import options
from app.errors import InputError
from app.main import main
from app.metrics.evaluate import evaluate_files

LAT, LON, TIMES = np.linspace(40.0, 44.0, 5), np.linspace(-3.0, 4.0, 8), 40
START = np.datetime64("2001-02-01", "ns")
HOURS = START + np.arange(TIMES) * np.timedelta64(6, "h")


def field(values, times=HOURS, lat=LAT, lon=LON, units="K", name="t2m", **leading):
    """Values (time, …, lat, lon) as a CF dataset."""
    dims = ("time", *leading, "lat", "lon")
    coordinates = {
        "time": times,
        "lat": ("lat", lat, {"units": "degrees_north"}),
        "lon": ("lon", lon, {"units": "degrees_east"}),
        **leading,
    }
    return xr.Dataset({name: (dims, values.astype("f4"), {"units": units})}, coordinates)


def drawn(seed=0, shape=(TIMES, 5, 8)):
    return 280 + np.random.default_rng(seed).normal(size=shape)


def given(folder: Path, **flags):
    values = {"save_path": folder / "out", "variable": "t2m", **flags}
    arguments = [f"--{name}={value}" for name, value in values.items()]
    return options.build(("metrics",), options.parse(arguments)[1])


def scored(folder: Path, truth: xr.Dataset, prediction: xr.Dataset, **flags):
    """The table of two datasets that are written to files."""
    for name, data in (("truth", truth), ("prediction", prediction)):
        data.to_netcdf(folder / f"{name}.nc")
        flags.setdefault(name, folder / f"{name}.nc")
    return evaluate_files(given(folder, **flags).scored, folder / "scores").table


def weighted_rmse(error: np.ndarray) -> float:
    """By hand: areas of the cells between the midpoints of latitudes."""
    areas = np.sin(np.radians(LAT + 0.5)) - np.sin(np.radians(LAT - 0.5))
    return float(
        np.sqrt(np.average(error**2, weights=np.broadcast_to(areas[:, None], error.shape)))
    )


def test_the_command_line_needs_no_framework_and_no_run(tmp_path: Path) -> None:
    truth, guess = drawn(0), drawn(1)
    for part, rows in (("a", slice(0, 25)), ("b", slice(25, None))):
        field(truth[rows], HOURS[rows]).to_netcdf(tmp_path / f"truth_{part}.nc")
    field(guess).to_zarr(tmp_path / "prediction.zarr")
    code = (
        "import sys; from app.main import main; code = main(sys.argv[1:]); "
        "assert not {'tensorflow', 'keras'} & set(sys.modules); sys.exit(code)"
    )
    flags = (
        f"--truth={tmp_path}/truth_*.nc",
        f"--prediction={tmp_path}/prediction.zarr",
        f"--save_path={tmp_path}/out",
    )
    command = [sys.executable, "-c", code, "metrics", *flags, "--variable=t2m"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    names = {path.name for path in (tmp_path / "out" / "metrics").iterdir()}
    assert {"summary.csv", "summary.txt", "verdict.json", "maps.png", "samples.nc"} <= names
    lines = (tmp_path / "out" / "metrics" / "summary.csv").read_text().splitlines()
    rmse = next(line for line in lines if line.startswith("rmse,")).split(",")[1]
    assert float(rmse) == pytest.approx(weighted_rmse(guess - truth), rel=1e-5)
    assert lines[0] == "metric,model,model_std"


def test_units_orders_longitudes_and_times_are_aligned(tmp_path: Path) -> None:
    truth, guess = drawn(0), drawn(1)
    other = field(guess[3:] - 273.15, HOURS[3:], units="degC", name="tas")
    other = other.isel(lat=slice(None, None, -1), time=slice(None, None, -1))
    other = other.assign_coords(lon=other.lon % 360).sortby("lon")
    names = {"prediction_variables": "t2m:tas"}
    table = scored(tmp_path, field(truth), other, **names)
    assert table.value("rmse") == pytest.approx(weighted_rmse((guess - truth)[3:]), rel=1e-4)
    assert "37 times" in table.title


def test_members_and_quantiles_are_found_by_their_dimension(tmp_path: Path) -> None:
    truth = drawn(0)
    offsets = np.array([-0.5, 0.25, 1.0])
    layers = truth[:, None] + offsets[:, None, None]
    members = scored(tmp_path, field(truth), field(layers, realization=[1, 2, 3]))
    # fair CRPS by hand: mean |x| less the mean distance of pairs, halved
    pairs = np.abs(offsets[:, None] - offsets).sum() / (3 * 2)
    assert members.value("crps") == pytest.approx(np.abs(offsets).mean() - pairs / 2, rel=1e-4)
    levels = scored(tmp_path, field(truth), field(layers, quantile=[0.1, 0.5, 0.9]))
    assert levels.value("bias") == pytest.approx(0.25, rel=1e-4)  # of the median
    assert levels.value("coverage_0.1") == pytest.approx(0.0)
    assert levels.value("coverage_0.9") == pytest.approx(1.0)


def test_a_larger_grid_that_has_the_cells_will_do(tmp_path: Path) -> None:
    truth = drawn(0)
    around = np.pad(truth + 1.0, ((0, 0), (1, 2), (2, 1)), constant_values=900.0)
    lat, lon = np.linspace(39, 46, 8), np.linspace(-5, 5, 11)
    table = scored(tmp_path, field(truth), field(around, lat=lat, lon=lon))
    assert table.value("bias") == pytest.approx(1.0, rel=1e-4)


def test_rotated_global_grids_are_one(tmp_path: Path) -> None:
    lon = np.arange(0.0, 360.0, 45.0)
    truth, guess = drawn(0), drawn(1)
    east = field(truth, lon=lon)
    west = field(guess, lon=lon).roll(lon=4, roll_coords=True)
    west = west.assign_coords(lon=(west.lon + 180) % 360 - 180)
    table = scored(tmp_path, east, west)
    assert table.value("rmse") == pytest.approx(weighted_rmse(guess - truth), rel=1e-4)


def days(calendar: str, count: int) -> xr.CFTimeIndex:
    return xr.date_range("2000-02-25", periods=count, calendar=calendar, use_cftime=True)


def test_calendars_are_brought_together_where_every_date_is_there(tmp_path: Path) -> None:
    """1 March is the 6th day of the one, and the 5th of the other."""
    truth = drawn(0, (40, 5, 8))
    leap = field(truth, days("standard", 40))
    guess = field(np.delete(truth, 4, axis=0)[:30] + 2.0, days("noleap", 30))
    table = scored(tmp_path, leap, guess)
    assert table.value("bias") == pytest.approx(2.0, rel=1e-4)
    assert table.value("rmse") == pytest.approx(2.0, rel=1e-4)
    assert "30 times" in table.title


def test_days_match_at_other_hours_where_that_is_said(tmp_path: Path) -> None:
    truth, noon = drawn(0), START + np.arange(TIMES) * np.timedelta64(24, "h")
    midnight = field(truth + 1.0, noon + np.timedelta64(12, "h"))
    with pytest.raises(InputError, match=r"no time in common.*--match_times=day"):
        scored(tmp_path, field(truth, noon), midnight)
    table = scored(tmp_path, field(truth, noon), midnight, match_times="day")
    assert table.value("bias") == pytest.approx(1.0, rel=1e-4)


def test_rain_is_converted_and_what_is_daily_is_not_gathered_again(tmp_path: Path) -> None:
    """Hourly mm of the truth, daily means of a flux in the prediction."""
    rain = np.random.default_rng(4).gamma(1.0, size=(96, 5, 8))
    hours = START + np.arange(96) * np.timedelta64(1, "h")
    flux = rain.reshape(4, 24, 5, 8).sum(axis=1) / 86400
    daily = field(flux * 1.5, hours[::24], units="kg m-2 s-1", name="t2m")
    table = scored(
        tmp_path,
        field(rain, hours, units="mm h-1"),
        daily,
        aggregate="1D:mean",
        units="mm day-1",
        kind="ratio",
    )
    assert table.value("relative_bias") == pytest.approx(50.0, rel=1e-4)
    assert table.value("wet_frequency") == pytest.approx(1.0)
    assert "4 times" in table.title


def test_climatology_and_coarse_field_make_baselines(tmp_path: Path) -> None:
    truth, guess, past = drawn(0), drawn(1), drawn(2, (400, 5, 8))
    earlier = np.datetime64("1990-02-01", "ns") + np.arange(400) * np.timedelta64(6, "h")
    field(past, earlier).to_netcdf(tmp_path / "past.nc")
    coarse = drawn(3, (TIMES, 3, 4))
    lat, lon = np.array([40.0, 42.0, 44.0]), np.array([-3.0, -1.0, 1.0, 3.0])
    field(coarse, lat=lat, lon=lon).to_netcdf(tmp_path / "coarse.nc")
    table = scored(
        tmp_path,
        field(truth),
        field(guess),
        climatology_from=tmp_path / "past.nc",
        coarse_from=tmp_path / "coarse.nc",
    )
    assert table.candidates == ("model", "nearest", "bilinear", "bicubic", "climatology")
    month, hour = earlier.astype("datetime64[M]"), np.arange(400) % 4
    february = np.stack(
        [past[(month == month[0]) & (hour == h)].astype("f4").mean(axis=0) for h in range(4)]
    )
    error = february[np.arange(TIMES) % 4] - truth
    assert table.value("rmse", "climatology") == pytest.approx(weighted_rmse(error), rel=1e-4)
    between = coarse[:, :, :].repeat(2, axis=1)[:, :5]  # rows of the coarse grid, and midway
    between[:, 1::2] = (coarse[:, :-1] + coarse[:, 1:]) / 2
    columns = np.stack([np.interp(LON, lon, row) for row in between.reshape(-1, 4)])
    bilinear = columns.reshape(TIMES, 5, 8)
    inside = (bilinear - truth)[:, :, :7]  # the last column lies beyond the last centre
    with xr.open_dataset(tmp_path / "scores" / "gridpoint.nc") as maps:
        own = maps.rmse.sel(candidate="bilinear").values[:, :7]
    np.testing.assert_allclose(own, np.sqrt((inside**2).mean(axis=0)), rtol=1e-4)


def of_360_days() -> list[cftime.datetime]:
    """From 29 February on, which is followed by the 30th."""
    start = cftime.datetime(2000, 2, 29, calendar="360_day")
    return [start + timedelta(days=day) for day in range(TIMES)]


@pytest.mark.parametrize(
    ("truth", "prediction", "message"),
    [
        (
            lambda v: field(v, days("standard", TIMES)),
            lambda v: field(v, of_360_days()),
            r"do not convert exactly: standard lacks 2000-02-30",
        ),
        (
            field,
            lambda v: field(v, lat=LAT + 0.5),
            r"latitudes up to 0\.5° apart \(40\.5, not 40\)",
        ),
        (field, lambda v: field(v[:, 1:], lat=LAT[1:]), r"4×8 cells, not 5×8"),
        (field, lambda v: field(v, HOURS + np.timedelta64(900, "D")), "no time in common"),
        (field, lambda v: field(v, units="Pa"), "cannot convert"),
        (field, lambda v: field(v, name="tas"), "no variable 't2m'"),
        (
            field,
            lambda v: field(np.stack([v, v, v], axis=1), quantile=[10, 50, 90]),
            "expected levels between 0 and 1",
        ),
        (
            field,
            lambda v: field(np.stack([v, v], axis=1), lead=[6, 12]),
            "dimension lead has 2 entries",
        ),
    ],
    ids=["calendar", "latitudes", "cells", "times", "unit", "name", "levels", "lead"],
)
def test_what_does_not_fit_is_refused_with_the_reason(
    tmp_path: Path, truth, prediction, message
) -> None:
    with pytest.raises(InputError, match=message) as refused:
        scored(tmp_path, truth(drawn(0)), prediction(drawn(1)))
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ({"truth": "a.nc"}, "expected both, or neither"),
        ({"truth": "a.nc", "prediction": "b.nc", "variable": ""}, "expected --variable=NAME"),
        ({"truth": "a.nc", "prediction": "b.nc", "data": "c.nc"}, "with --data: expected one"),
        ({"climatology_from": "c.nc", "data": "c.nc"}, "go with --truth"),
        (
            {"truth": "a.nc", "prediction": "b.nc", "prediction_variables": "q:huss"},
            "q is none of --variable=t2m",
        ),
    ],
    ids=["alone", "variable", "data", "companions", "unknown"],
)
def test_flags_that_do_not_go_together(tmp_path: Path, flags, message) -> None:
    with pytest.raises(InputError, match=message):
        given(tmp_path, **flags)


def rain(values, times, units, **attributes):
    """Precipitation of a name that tells what it is."""
    found = field(values, times, units=units, name="pr")
    found["pr"].attrs |= attributes
    return found


DAYS_ON = START + np.arange(TIMES) * np.timedelta64(1, "D")


@pytest.mark.parametrize(
    ("times", "units", "attributes", "limit"),
    [
        (DAYS_ON, "mm day-1", {}, 1.0),  # a rate, whatever the step
        (HOURS, "mm day-1", {}, 1.0),
        (HOURS, "kg m-2 s-1", {"standard_name": "precipitation_flux"}, 1 / 86400),
        (DAYS_ON, "mm", {"cell_methods": "time: sum"}, 1.0),  # amounts of a day
        (HOURS, "mm", {"standard_name": "lwe_thickness_of_precipitation_amount"}, 0.25),  # of 6 h
    ],
    ids=["daily-rate", "six-hourly-rate", "flux", "daily-amount", "six-hourly-amount"],
)
def test_rain_is_known_by_its_file(tmp_path: Path, times, units, attributes, limit) -> None:
    """What counts as wet is 1 mm a day, whatever the unit and the step."""
    rng = np.random.default_rng(4)
    truth, guess = limit * rng.gamma(0.6, 2.0, (2, TIMES, 5, 8))
    truth, guess = truth.astype("f4"), guess.astype("f4")
    parts = [rain(own, times, units, **attributes) for own in (truth, guess)]
    table = scored(tmp_path, *parts, variable="pr")
    area = np.sin(np.radians(LAT + 0.5)) - np.sin(np.radians(LAT - 0.5))

    def wet(values):
        share = (values >= np.float32(limit)).mean(axis=(0, 2))
        return np.average(share, weights=area)

    assert table.value("wet_frequency") == pytest.approx(wet(guess), rel=1e-6)
    assert table.value("wet_frequency_ratio") == pytest.approx(wet(guess) / wet(truth), rel=1e-6)
    assert any(row.metric == "relative_bias" for row in table.rows)


def test_sums_over_longer_steps_are_amounts_of_these(tmp_path: Path) -> None:
    amounts = np.random.default_rng(4).gamma(0.6, 2.0, (TIMES, 5, 8)).astype("f4")
    parts = [rain(own, HOURS, "mm", cell_methods="time: sum") for own in (amounts, amounts * 2)]
    days = scored(tmp_path, *parts, variable="pr", aggregate="1D:sum")
    assert any("in 24 h" in note for note in days.notes)
    means = scored(tmp_path, *parts, variable="pr", aggregate="1D:mean")
    assert any(
        "period that its amounts in mm are summed over is not known" in n for n in means.notes
    )


def test_what_is_no_rain_is_not_taken_for_it(tmp_path: Path) -> None:
    values = np.random.default_rng(4).gamma(0.6, 2.0, (TIMES, 5, 8))
    for own, units, flags in (
        (values - values.mean(), "mm day-1", {}),  # anomalies
        (values, "mm day-1", {"kind": "interval"}),  # as the user says
        (values, "m s-1", {}),  # a wind, by its unit
    ):
        found = rain(own, DAYS_ON, units)
        if units == "m s-1":
            found = found.rename(pr="sfcWind")
            flags = {"variable": "sfcWind"}
        table = scored(tmp_path, found, found + 1.0, **{"variable": "pr", **flags})
        assert not any(row.metric.startswith(("wet_", "relative")) for row in table.rows)


def rained(times: np.ndarray, bounds: tuple[int, int] | None) -> xr.Dataset:
    """Amounts, with bounds so many hours before and after each stamp, if any."""
    data = field(np.abs(drawn(shape=(len(times), 5, 8))), times, units="mm", name="pr")
    data.pr.attrs["cell_methods"] = "time: sum"
    if bounds is not None:
        early, late = (np.timedelta64(hours, "h") for hours in bounds)
        data["time_bnds"] = (("time", "nv"), np.stack([times - early, times + late], axis=1))
        data.time.attrs["bounds"] = "time_bnds"
        for name in ("time", "time_bnds"):
            data[name].encoding["units"] = "hours since 2001-01-01"
    return data


DAYS = START + np.arange(20) * np.timedelta64(1, "D")


def test_amounts_of_other_lengths_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"a step of 1D, --prediction of 6h.*--aggregate=1D"):
        scored(tmp_path, rained(DAYS, None), rained(HOURS, None), variable="pr")


@pytest.mark.parametrize(("bounds", "refused"), [((24, 0), False), ((0, 24), True), (None, False)])
def test_stamps_at_the_end_and_at_the_start_are_of_other_days(
    bounds: tuple[int, int] | None, refused: bool, tmp_path: Path
) -> None:
    truth, guess = rained(DAYS, (24, 0)), rained(DAYS, bounds)
    if refused:
        with pytest.raises(InputError, match=r"at the end of the time .* prediction at its start"):
            scored(tmp_path, truth, guess, variable="pr")
    else:
        assert scored(tmp_path, truth, guess, variable="pr").value("rmse", "model") == 0


def test_amounts_are_gathered_by_the_days_that_their_bounds_tell(tmp_path: Path) -> None:
    """Four of six hours each, stamped at their ends, are the day that is stamped at its end."""
    parts = rained(HOURS + np.timedelta64(6, "h"), (6, 0))
    whole = rained(START + np.arange(1, 11) * np.timedelta64(1, "D"), (24, 0))
    whole.pr.values[:] = parts.pr.values.reshape(10, 4, 5, 8).sum(axis=1)
    table = scored(tmp_path, whole, parts, variable="pr", aggregate="1D:sum")
    assert table.value("rmse", "model") == pytest.approx(0, abs=1e-3)


def test_steps_that_differ_are_pointed_out(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    scored(tmp_path, field(drawn(shape=(20, 5, 8)), DAYS), field(drawn()))
    assert "--truth has a step of 1D, --prediction of 6h; if values are means" in caplog.text


def test_a_field_far_from_the_median_is_pointed_out(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    levels = field(drawn(shape=(TIMES, 2, 5, 8)), quantile=[0.1, 0.9])
    scored(tmp_path, field(drawn()), levels)
    assert "no quantile near the median: that of 0.1 is scored" in caplog.text


def test_files_of_other_scores_go(tmp_path: Path) -> None:
    """Those that the program has written; a user's own stays."""
    field(drawn()).to_netcdf(tmp_path / "truth.nc")
    field(drawn(1)).to_netcdf(tmp_path / "prediction.nc")
    words = [f"--truth={tmp_path}/truth.nc", f"--prediction={tmp_path}/prediction.nc"]
    words += ["--variable=t2m", f"--save_path={tmp_path}/out"]
    assert main(["metrics", *words, "--scores=core,cycles,strata"]) == 0
    out = tmp_path / "out" / "metrics"
    assert {"cycles.csv", "strata.csv"} <= {path.name for path in out.iterdir()}
    (out / "notes.txt").write_text("mine")
    assert main(["metrics", *words]) == 0
    names = {path.name for path in out.iterdir()}
    assert not {"cycles.csv", "strata.csv"} & names
    assert {"summary.csv", "notes.txt"} <= names


def test_periods_of_a_change_have_no_year_in_common() -> None:
    words = ["metrics", "--data=synthetic", "--variable=t2m"]
    with pytest.raises(InputError, match="no year in common"):
        options.build(*options.parse([*words, "--change_periods=1980-1990,1990-2000"]))
