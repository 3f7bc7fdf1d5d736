"""`check` tells what a user needs before training, refuses what `train` would, writes no run."""

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
import yaml

from app.main import main
from tests.system.conftest import fields

DATES = {
    "train": ["2020-01-01", "2020-01-20"],
    "validation": ["2020-01-21", "2020-01-25"],
    "test": ["2020-02-05", "2020-02-10"],
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with a temperature and hourly rain, that of a third day missing."""
    monkeypatch.chdir(tmp_path)
    fields(n=180, y=24, x=24).to_netcdf("good.nc")
    return tmp_path


def rain(units: str = "mm", **attributes: str) -> xr.Dataset:
    """Hourly rain of 40 days, of which packing has made a few values negative."""
    rng = np.random.default_rng(0)
    values = np.maximum(rng.normal(0, 1, (960, 8, 8)), 0)
    values[::100, 0, 0] = -1e-6
    coords = fields(n=960, y=8, x=8).coords
    hours = np.datetime64("2020-01-01") + np.arange(960) * np.timedelta64(1, "h")
    data = xr.DataArray(values.astype("float32"), coords, ("time", "lat", "lon"), "tp")
    return data.assign_coords(time=hours).assign_attrs(units=units, **attributes).to_dataset()


def described(**keys: object) -> str:
    """A YAML data description of the temperature."""
    content = {"predictand": {"files": "good.nc", "variables": ["t2m"]}, "splits": DATES, **keys}
    Path("data.yml").write_text(yaml.safe_dump(content))
    return "--data_config=data.yml"


def check(capfd: pytest.CaptureFixture[str], *argv: str, code: int = 0) -> str:
    """What `check` prints, or its one line of refusal."""
    assert main(["check", *argv, "--cache_dir=cache", "--noverbose"]) == code
    out, err = capfd.readouterr()
    if code:
        assert len(err.splitlines()) == 1
        return err
    beside_paths = re.sub(r"\S*/\S+", "", out)  # which are kept whole, however long
    assert max(len(line) for line in beside_paths.splitlines()) <= 100
    return " ".join(out.split())


def test_what_is_needed_before_training(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    data = xr.open_dataset("good.nc")
    data.isel(time=np.r_[0:20, 32:180]).assign(flat=data.orography * 0 + 1).to_netcdf("gap.nc")
    static = [{"files": "gap.nc", "variables": ["flat"]}]
    keys = {"predictand": {"files": "gap.nc", "variables": ["t2m"]}, "static": static}
    before = {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}
    text = check(capfd, described(**keys), "--scale=8")
    assert "time calendar standard, a step of 6h" in text
    assert "1 gap, the longest 3.25D after 2020-01-05T18:00" in text
    assert "independent samples, n (1 - r) / (1 + r)" in text
    assert "MiB of shards in" in text
    assert "MiB a rank in training, with --batch_size=" in text
    assert "note: a coarse grid of 3×3 cells is small" in text
    assert "note: static flat is 1 everywhere" in text
    assert "note: the test period has 24 times" in text
    assert "note: the test period has months that training lacks: February" in text
    after = {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}
    assert set(after) - set(before) == {"cache", "data.yml"}
    assert all(after[name] == before[name] for name in before)


def test_irregular_steps_are_no_gaps(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    data = xr.open_dataset("good.nc")
    minutes = np.where(np.arange(180) % 30 == 7, 60, 0).astype("timedelta64[m]")
    data.assign_coords(time=data.time + minutes).to_netcdf("late.nc")
    keys = {"predictand": {"files": "late.nc", "variables": ["t2m"]}}
    text = check(capfd, described(**keys), "--scale=4")
    gap = "3 gaps, the longest 7h after 2020-01-02T12:00"
    assert f"{gap}, 3 shorter steps, the shortest 5h after 2020-01-02T19:00" in text


@pytest.mark.filterwarnings("error::RuntimeWarning")
def test_an_input_meant_to_be_of_earlier_times_has_no_shifted_stamps(
    folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    data = xr.open_dataset("good.nc")
    data.assign(flat=data.t2m * 0 + 1).to_netcdf("flat.nc")
    late = data.assign_coords(time=data.time + np.timedelta64(12, "h"))
    late.to_netcdf("late.nc")
    sources = [
        {"files": "flat.nc", "variables": ["flat"]},
        {"files": "good.nc", "variables": {"t": {"source_name": "t2m"}}, "lags": [0, 2]},
        {"files": "late.nc", "variables": {"late": {"source_name": "t2m"}}},
    ]
    text = check(capfd, described(predictors=sources), "--scale=4")
    assert "flat – – – – – " in text
    assert text.count("shifted stamps?") == 1
    rows = text.split("correlation in time")[1]
    assert "shifted stamps?" in rows.split(" late ")[1]


def test_a_temperature_of_zero_kelvin_is_pointed_out(
    folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    data = xr.open_dataset("good.nc")
    data["t2m"][:, :8, :8] = 0.0
    data.to_netcdf("zero.nc")
    keys = {"predictand": {"files": "zero.nc", "variables": ["t2m"]}}
    said = "t2m (K) goes down to 0, which no temperature is"
    assert said in check(capfd, described(**keys), "--scale=4")
    keys["predictand"]["variables"] = {"t2m": {"missing": 0}}
    assert said not in check(capfd, described(**keys), "--scale=4")


def test_kelvin_that_are_called_celsius_are_pointed_out(
    folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    data = xr.open_dataset("good.nc").load()
    data.t2m.attrs["units"] = "degC"
    data.to_netcdf("warm.nc")
    text = check(capfd, "--data=warm.nc", "--variable=t2m", "--scale=4")
    low, high = float(data.t2m.min()), float(data.t2m.max())
    assert f"note: t2m lies between {low:.4g} and {high:.4g} degC, as temperatures in K do" in text
    in_celsius = ["--data=good.nc", "--variable=t2m", "--scale=4", "--units=degC"]
    assert "as temperatures in K do" not in check(capfd, *in_celsius)


def test_rain_is_known_for_what_it_is(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    rain(GRIB_stepType="accum").to_netcdf("rain.nc")
    flags = ["--data=rain.nc", "--variable=tp", "--scale=2"]
    text = check(capfd, *flags)
    reason = "(units mm, GRIB_stepType accum)"
    assert f"amount tp: an amount gathered in the time before its stamp {reason}" in text
    assert "over what time an amount has gathered" not in text  # over a step
    assert "note: tp: 10 values below 0, the least -1e-06" in text
    assert "accumulated since" not in text
    variables = {"tp": {"kind": "ratio", "valid_min": 0}}
    rainy = {"kind": "fractions", "fractions": [0.6, 0.2, 0.2]}
    quiet = described(predictand={"files": "rain.nc", "variables": variables}, splits=rainy)
    text = check(capfd, quiet, "--scale=2", "--batch_size=600")
    assert "note: tp" not in text
    assert "note: --batch_size=600 is more than the 576 training samples" in text


def test_amounts_of_more_than_a_day_may_have_gathered_over_any_time(
    folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    data = rain(GRIB_stepType="accum")
    days = data.time.values[0] + 2 * np.arange(data.sizes["time"]) * np.timedelta64(1, "D")
    data.assign_coords(time=days).to_netcdf("days.nc")
    text = check(capfd, "--data=days.nc", "--variable=tp", "--scale=2")
    assert "so that wet days cannot be told; accumulation: 2D, if it is the step" in text


def test_what_fills_in_time_is_told_from_means(
    folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    good = xr.open_dataset("good.nc")
    good.t2m.attrs["cell_methods"] = "time: mean"
    good.to_netcdf("mean.nc")
    flags = ["--scale=1", "--trainer=TemDeepTrainer", "--input_step=6h", "--target_step=3h"]
    text = check(capfd, "--data=mean.nc", "--variable=t2m", *flags)
    assert "t2m: a mean over some time (cell_methods time: mean), taken as of the instant" in text
    assert "note: the record has no frames between the known ones of the test period" in text


def test_twins_in_two_units_are_pointed_out(
    folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    low = {"files": "good.nc", "variables": {"t2m": {"units": "degC"}}}
    text = check(capfd, described(low_resolution=low), "--paired_samples=explicit", "--scale=2")
    assert "note: t2m is in degC in the low resolution and in K in the predictand" in text


def test_anomalies_are_no_rain(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    data = rain()
    data.tp.values[:] -= 1
    data.to_netcdf("anomalies.nc")
    text = check(capfd, "--data=anomalies.nc", "--variable=tp", "--scale=2")
    assert "lie below 0, the least -1: are these anomalies, or" in text


def test_accumulated_rain_is_pointed_out(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    data = rain(units="m", GRIB_stepType="accum")
    days = data.tp.clip(0).values.reshape(40, 24, 8, 8)
    data.tp.values[:] = days.cumsum(axis=1).reshape(960, 8, 8)
    data.to_netcdf("rain.nc")
    text = check(capfd, "--data=rain.nc", "--variable=tp", "--scale=2")
    assert "note: tp looks accumulated since the start of a forecast" in text


def test_a_free_running_model_is_pointed_out(
    folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    rng = np.random.default_rng(1)
    good = xr.open_dataset("good.nc")[["t2m"]]
    noise = rng.normal(285, 8, (180, 24, 24)).astype("float32")
    observed = good.assign(t2m=good.t2m.copy(data=noise))
    observed.to_netcdf("observed.nc")
    model = observed.coarsen(lat=2, lon=2).mean()
    free = np.roll(model.t2m.values[::-1], 3, axis=2)
    model.assign(t2m=model.t2m.copy(data=free)).to_netcdf("free.nc")
    model.to_netcdf("driven.nc")
    found = {}
    for name in ("free", "driven"):
        low = {"files": f"{name}.nc", "variables": ["t2m"]}
        fine = {"files": "observed.nc", "variables": ["t2m"]}
        thirds = {"kind": "fractions", "fractions": [0.8, 0.1, 0.1]}
        pair = described(predictand=fine, low_resolution=low, splits=thirds)
        found[name] = check(capfd, pair, "--paired_samples=explicit", "--scale=2")
    line = "note: no correspondence from day to day between the low resolution and the predictand"
    assert line in found["free"]
    assert line not in found["driven"]


REFUSED: dict[str, tuple[Callable[[], list[str]], str]] = {
    "patch larger than the grid": (lambda: ["--patch_size=64"], "--patch_size=64"),
    "window longer than any stretch": (
        lambda: ["--time_window=24", described(splits={**DATES, "validation": ["2020-01-21"] * 2})],
        "--time_window=24: longer than any stretch without gaps in the split validation",
    ),
    "constraint that needs amounts": (
        lambda: ["--constraint=softmax"],
        "--constraint=softmax: t2m (K) has kind interval",
    ),
    "softplus without a bound": (
        lambda: ["--output_activation=softplus"],
        "--output_activation=softplus: t2m has kind interval and no lower bound",
    ),
    "patches on land without land": (
        lambda: ["--patch_size=8", "--min_land_fraction=0.5"],
        "--min_land_fraction=0.5: no static 'lsm'",
    ),
    "distribution without a wet threshold": (
        lambda: ["--loss=bernoulli_gamma"],
        "--loss=bernoulli_gamma: t2m (K, kind interval) has no wet threshold",
    ),
    "more folds than samples": (
        lambda: ["--trainer=DiffusionTrainer", "--first_guess=linear", "--regression_folds=500"],
        "--regression_folds=500: expected no more than the 80 training samples",
    ),
    "start from nowhere": (lambda: ["--init_from=nowhere"], "--init_from=nowhere"),
    "stations from nowhere": (lambda: ["--observations=no.nc"], "--observations=no.nc"),
    "two known frames": (
        lambda: [
            *("--scale=1", "--trainer=TemDeepTrainer", "--input_step=48h", "--target_step=24h"),
            described(splits={**DATES, "validation": ["2020-01-21", "2020-01-24"]}),
        ],
        "splits: validation (2020-01-21T00:00 to 2020-01-23T00:00) has no three known frames",
    ),
    "no validation period": (
        lambda: [described(splits={k: v for k, v in DATES.items() if k != "validation"})],
        "the data have no split validation",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_train_refuses(name: str, folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    argv, expected = REFUSED[name]
    given = argv()
    data = [] if any(flag.startswith("--data_config") for flag in given) else [described()]
    scale = [] if any(flag.startswith("--scale") for flag in given) else ["--scale=2"]
    assert expected in check(capfd, *given, *data, *scale, code=2)
    assert not (folder / "dl4ds_results").exists()


def test_nothing_is_written_beside_a_data_module(
    folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """No compiled copy of the module, or of what it imports."""
    Path("made.py").write_text("import numpy as np\nwaves = np.random.default_rng(0).normal\n")
    Path("data.py").write_text(
        "from made import waves\n"
        "data_train, data_val, data_test = (waves(size=(40, 16, 16, 1)) for _ in range(3))\n"
    )
    check(capfd, "--data_module=data.py", "--scale=2")
    assert {path.name for path in folder.iterdir()} == {"good.nc", "made.py", "data.py", "cache"}
