"""Other ways through the whole path: patches, halo, several variables, explicit pairs, pin."""

import csv
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
import yaml

from app.grids import Geometry, Grid
from app.main import main
from tests.system.conftest import QUICK, awkward_pair, fields, scores

CGAN = ["--trainer=CGANTrainer", "--n_disc_filters=4", "--n_disc_blocks=1"]
VARIANTS = {
    "patches": ["--patch_size=8", "--tile_size=12", "--tile_overlap=4"],
    "halo": ["--halo=1"],
    "coordinates": ["--coordinate_channels"],
    "unet": ["--backbone=unet", "--upsampling=pin", "--interpolation=bicubic"],
    "localized": ["--localcon_layer", "--time_features=hour,season", "--upsampling=rc"],
    "adversarial": [*CGAN, "--patch_size=8", "--upsampling=pin", "--time_features=day_of_year"],
    "linear guess": ["--first_guess=linear", "--upsampling=dc", "--attention"],
    "regression": ["--first_guess=regression", "--scaled_correction", "--time_features=hour"],
    "constraint": ["--constraint=additive", "--halo=1", "--precision=bfloat16"],
    "constraint on patches": ["--constraint=additive", "--patch_size=8"],
}
LARGEST_VIOLATION = 1e-4  # of the coarse field's standard deviation


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Two variables on an odd, not square grid with a hole, and a coarse twin elsewhere."""
    awkward_pair(tmp_path, fields(n=48, y=13, x=18))
    return tmp_path


def violation(predicted: xr.DataArray, truth: xr.DataArray) -> float:
    """Largest deviation of block means from the coarsened truth, in its standard deviations."""
    predicted, truth = predicted.sortby("lat"), truth.sortby("lat")  # as blocks are counted
    grid = Geometry.build(Grid(lat=truth.lat.values, lon=truth.lon.values), 4)
    coarse = grid.coarsen(truth.sel(time=predicted.time).values)
    return float(np.nanmax(np.abs(grid.coarsen(predicted.values) - coarse)) / np.nanstd(coarse))


def run_all(data: Path, *argv: str) -> dict[str, float]:
    code = main(
        [
            *("train", "test", "metrics", "--scale=4", "--epochs=2", "--noverbose"),
            *(f"--cache_dir={data / 'cache'}", f"--save_path={data / 'out'}", "--notensorboard"),
            *QUICK,
            *argv,
        ]
    )
    assert code == 0
    return scores(data / "out")


@pytest.mark.parametrize("name", VARIANTS)
def test_two_variables_on_an_awkward_grid(name: str, data: Path) -> None:
    file = data / "fine.nc"
    found = run_all(
        data,
        f"--data={file}",
        "--variable=t2m,dew",
        f"--static={file}:orography",
        *VARIANTS[name],
    )
    assert 0 < found["rmse[t2m]"] < 30
    assert 0 < found["rmse[dew]"] < 30
    with xr.open_dataset(data / "out" / "y_hat.nc") as predicted:
        hole = (predicted.lat > 58) & (predicted.lon > 4)
        assert predicted.t2m.where(hole).isnull().all()  # never seen, hence never predicted
        assert predicted.t2m.where(~hole, 0).notnull().all()
        assert predicted.dew.notnull().all()
        with xr.open_dataset(file) as truth:
            found = {v: violation(predicted[v], truth[v]) for v in ("t2m", "dew")}
    held = [value < LARGEST_VIOLATION for value in found.values()]
    assert held == 2 * ["--constraint=additive" in VARIANTS[name]]


QUANTILES = {
    "patches and tiles": ["--patch_size=8", "--tile_size=12", "--tile_overlap=4"],
    "first guess and halo": ["--first_guess=bilinear", "--halo=1", "--upsampling=pin"],
}


@pytest.mark.slow
@pytest.mark.parametrize("name", QUANTILES)
def test_quantiles_of_two_variables_on_an_awkward_grid(name: str, data: Path) -> None:
    """In order wherever there is truth, CF, and scored by hand."""
    file = data / "fine.nc"
    found = run_all(
        data,
        *(f"--data={file}", "--variable=t2m,dew", f"--static={file}:orography"),
        *("--loss=quantile", "--quantiles=0.1,0.45,0.9", *QUANTILES[name]),
    )
    with xr.open_dataset(data / "out" / "y_hat.nc") as predicted, xr.open_dataset(file) as truth:
        np.testing.assert_array_equal(predicted["quantile"], [0.1, 0.45, 0.9])
        assert predicted["quantile"].attrs["units"] == "1"
        assert predicted.t2m.dims == ("quantile", "time", "lat", "lon")
        hole = (predicted.lat > 58) & (predicted.lon > 4)
        assert predicted.t2m.where(hole).isnull().all()
        assert predicted.dew.notnull().all()
        assert (predicted.dew.diff("quantile") >= 0).all()
        true = truth.sel(time=predicted.time).reindex_like(predicted, "nearest", tolerance=1e-4)
        area = np.cos(np.radians(predicted.lat))
        error = (predicted.dew.isel(quantile=1) - true.dew).weighted(area).mean()
        assert found["bias[dew]"] == pytest.approx(float(error), rel=1e-3)
        below = (true.dew <= predicted.dew.sel(quantile=0.9)).weighted(area).mean()
        assert found["coverage_0.9[dew]"] == pytest.approx(float(below), abs=1e-4)
        miss = true.t2m - predicted.t2m.sel(quantile=0.1)
        loss = np.maximum(0.1 * miss, -0.9 * miss).weighted(area).mean()
        assert found["pinball_0.1[t2m]"] == pytest.approx(float(loss), rel=1e-3)


def test_quantiles_have_neither_members_nor_ensembles(
    data: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    flags = flags_of(data, "--loss=quantile", f"--save_path={data / 'one'}")
    assert main(["train", *flags]) == 0
    for wrong in ("--members=2", f"--ensemble={data / 'one'},{data / 'one'}"):
        assert main(["test", *flags, wrong]) == 2
        assert "predicts quantiles, which have no members" in capfd.readouterr().err


RAIN = {
    "multiplicative": ["--constraint=multiplicative"],
    "softmax": ["--constraint=softmax"],
    "softplus": ["--output_activation=softplus"],
    "quantiles": ["--output_activation=softplus", "--loss=quantile"],
}


@pytest.mark.parametrize("name", RAIN)
def test_rain_stays_rain(name: str, data: Path) -> None:
    """Never negative and, under a constraint, as much as the coarse field has of it."""
    file = data / "fine.nc"
    with xr.open_dataset(file) as fine:
        rain = (fine.dew - 281).clip(min=0).assign_attrs(units="mm").to_dataset(name="rain")
    rain.to_netcdf(data / "rain.nc")
    variable = {"kind": "ratio", "valid_min": 0, "transform": "sqrt"}
    description = {"predictand": {"files": "rain.nc", "variables": {"rain": variable}}}
    (data / "data.yml").write_text(yaml.safe_dump(description))
    run_all(data, f"--data_config={data / 'data.yml'}", *RAIN[name])
    with xr.open_dataset(data / "out" / "y_hat.nc") as predicted:
        assert predicted.rain.min() >= 0
        if "quantile" in predicted.dims:
            assert (predicted.rain.diff("quantile") >= 0).all()
            return
        held = violation(predicted.rain, rain.rain) < LARGEST_VIOLATION
    assert held == (name != "softplus")


@pytest.mark.parametrize("argv", [[], ["--constraint=additive"]])
def test_explicit_pairs_with_predictors(
    argv: list[str], data: Path, caplog: pytest.LogCaptureFixture
) -> None:
    description = {
        "predictand": {"files": "fine.nc", "variables": ["t2m"]},
        "low_resolution": {"files": "coarse.nc", "variables": ["t2m"]},
        "predictors": [{"files": "coarse.nc", "variables": ["dew"], "lags": [0, 1]}],
        "static": [{"files": "fine.nc", "variables": ["orography"]}],
    }
    (data / "data.yml").write_text(yaml.safe_dump(description))
    found = run_all(
        data,
        f"--data_config={data / 'data.yml'}",
        "--paired_samples=explicit",
        "--first_guess=linear",
        "--verbose",
        *argv,
    )
    assert 0 < found["rmse"] < 5
    assert ("its bias included" in caplog.text) == bool(argv)


def flags_of(data: Path, *argv: str) -> list[str]:
    file = data / "fine.nc"
    return [
        *(f"--data={file}", "--variable=t2m", "--scale=4", "--epochs=1", "--noverbose"),
        *(f"--cache_dir={data / 'cache'}", "--notensorboard"),
        *QUICK,
        *argv,
    ]


def test_members_of_dropout_and_of_several_runs(data: Path) -> None:
    """Mean and spread by hand from the members; a deep ensemble joins the runs' members."""
    for name, seed in (("one", 1), ("two", 2)):
        flags = ["--dropout_variant=mcdrop", "--dropout_rate=0.4", f"--seed={seed}"]
        assert main(["train", *flags_of(data, *flags, f"--save_path={data / name}")]) == 0
    drawn = [f"--save_path={data / 'drawn'}", f"--model={data / 'one'}", "--members=4"]
    assert main(["test", *flags_of(data, *drawn)]) == 0
    with xr.open_dataset(data / "drawn" / "y_hat.nc") as fields:
        assert fields.t2m.dims == ("member", "time", "lat", "lon")
        assert fields.sizes["member"] == 4
        np.testing.assert_allclose(fields.t2m_mean, fields.t2m.mean("member"), rtol=1e-5)
        np.testing.assert_allclose(fields.t2m_spread, fields.t2m.std("member", ddof=1), atol=1e-3)
        assert float(fields.t2m_spread.mean()) > 0.01
        drawn_members = fields.t2m.values
    again = [f"--save_path={data / 'again'}", f"--model={data / 'one'}", "--members=4"]
    assert main(["test", *flags_of(data, *again, "--batch_size=7")]) == 0
    with xr.open_dataset(data / "again" / "y_hat.nc") as fields:
        np.testing.assert_array_equal(fields.t2m.values, drawn_members)
    both = f"--ensemble={data / 'one'},{data / 'two'}"
    joined = [f"--save_path={data / 'joined'}", both, "--members=4"]
    assert main(["test", "metrics", *flags_of(data, *joined)]) == 0
    with xr.open_dataset(data / "joined" / "y_hat.nc") as fields:
        assert fields.sizes["member"] == 8
        np.testing.assert_array_equal(fields.t2m.values[:4], drawn_members)
    summary = [f"--save_path={data / 'summary'}", both, "--nowrite_members"]
    assert main(["test", *flags_of(data, *summary)]) == 0
    with xr.open_dataset(data / "summary" / "y_hat.nc") as fields:
        assert fields.t2m.dims == ("time", "lat", "lon")
        assert set(fields.data_vars) == {"t2m", "t2m_spread"}


def test_members_of_a_model_that_draws_nothing_are_refused(
    data: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    flags = flags_of(data, f"--save_path={data / 'plain'}")
    assert main(["train", *flags]) == 0
    assert main(["test", *flags, "--members=2"]) == 2
    assert "all members are equal" in capfd.readouterr().err


@pytest.mark.parametrize("constraint", ["none", "additive"])
def test_base_is_what_a_network_that_has_learnt_nothing_gives(constraint: str, data: Path) -> None:
    argv = [f"--data={data / 'fine.nc'}", "--variable=t2m", f"--constraint={constraint}"]
    run_all(data, *argv, "--first_guess=regression", "--learning_rate=1e-12")
    with open(data / "out" / "metrics" / "summary.csv", encoding="utf-8", newline="") as lines:
        row = next(row for row in csv.DictReader(lines) if row["metric"] == "rmse")
    assert float(row["base"]) == pytest.approx(float(row["model"]), rel=1e-4)
    assert float(row["base"]) < float(row["bicubic"])
