"""The whole evaluation on shards in memory: files, alignment, refusals."""

import csv

import numpy as np
import pytest
import xarray as xr
from memory_shards import fine_grid, perfect_prog

from app.data.description import Variable
from app.errors import InputError
from app.grids import Grid
from app.metrics.evaluate import evaluate
from app.metrics.prediction import DatasetPrediction
from app.options.scoring import ScoringConfig

ROWS, COLUMNS, SAMPLES = 16, 18, 120


def truth_fields(channels=1, seed=0):
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:ROWS, :COLUMNS] / 4
    wave = rng.normal(size=(SAMPLES, 1, 1, channels))
    pattern = np.sin(y)[..., None] + np.cos(x)[..., None] * wave
    return 280 + pattern + 0.2 * rng.normal(size=(SAMPLES, ROWS, COLUMNS, channels))


def y_hat(shards, error=0.1, names=("v0",), southward=False, extra=0):
    """The truth plus an error as a user's file holds it."""
    test = np.arange(shards.size("test"))
    fields = shards.read("hr", "test", test) + np.float32(error)
    lat, lon = shards.geometry.fine.lat, shards.geometry.fine.lon
    if southward:
        lat, fields = lat[::-1], fields[:, ::-1]
    times = shards.times("test")
    if extra:
        times, fields = times[extra:], fields[extra:]
    data = {name: (("time", "lat", "lon"), fields[..., c]) for c, name in enumerate(names)}
    coordinates = {
        "time": times,
        "lat": ("lat", lat, {"units": "degrees_north"}),
        "lon": ("lon", lon, {"units": "degrees_east"}),
    }
    return xr.Dataset(data, coordinates)


@pytest.fixture
def shards():
    return perfect_prog(truth_fields())


def read_csv(folder):
    with (folder / "summary.csv").open() as file:
        return {row["metric"]: row for row in csv.DictReader(file)}


def test_files_and_columns(shards, tmp_path):
    evaluation = evaluate(shards, y_hat(shards), tmp_path)
    table = read_csv(tmp_path)
    names = ["model", "nearest", "bilinear", "bicubic", "climatology", "bias_corrected", "linear"]
    expected = ["metric", *(column for name in names for column in (name, f"{name}_std"))]
    assert list(table["rmse"]) == expected
    assert float(table["rmse"]["model"]) == pytest.approx(0.1, rel=1e-3)
    assert float(table["bias"]["model"]) == pytest.approx(0.1, rel=1e-3)
    skill = 1 - float(table["rmse"]["model"]) / float(table["rmse"]["linear"])
    assert float(table["skill_vs_linear"]["model"]) == pytest.approx(skill, rel=1e-5)
    low, high = (float(table[f"skill_vs_linear_{end}"]["model"]) for end in ("low", "high"))
    assert low < skill < high
    assert evaluation.table.value("rmse") == pytest.approx(0.1, rel=1e-3)
    text = (tmp_path / "summary.txt").read_text()
    assert text == str(evaluation)
    samples = xr.load_dataset(tmp_path / "samples.nc")
    np.testing.assert_array_equal(samples["time"], shards.times("test"))
    for name in ("model", "linear"):
        own = samples.sel(candidate=name)
        total = float(samples["weight"].sum())
        mse, mae = (float(own[key].sum()) / total for key in ("squares", "absolute"))
        assert np.sqrt(mse) == pytest.approx(float(table["rmse"][name]), rel=1e-6)
        assert mae == pytest.approx(float(table["mae"][name]), rel=1e-6)
        pooled = float(own["crps_2x2"].sum() / samples["weight_2x2"].sum())
        assert pooled == pytest.approx(float(table["mae_2x2"][name]), rel=1e-6)
        np.testing.assert_array_equal(own["crps"], own["absolute"])
        assert float(own["ssim"].mean()) == pytest.approx(float(table["ssim"][name]), rel=1e-6)
    assert "test: 24 samples" in text
    assert {path.name for path in tmp_path.iterdir()} == {
        "summary.csv",
        "summary.md",
        "summary.tex",
        "summary.txt",
        "definitions.csv",
        "comparisons.csv",
        "comparisons.json",
        "verdict.json",
        "gridpoint.nc",
        "samples.nc",
        "bins.csv",
        "quantiles.csv",
        "spectra.csv",
        "bins.nc",
    }


def test_every_variable_says_what_it_is(shards, tmp_path):
    scoring = ScoringConfig(scores=("all",))
    evaluate(shards, y_hat(shards), tmp_path, scoring=scoring, candidates=("bicubic",))
    told = ("long_name", "units", "estimator", "weighting", "order_of_reduction", "n")
    for path in tmp_path.glob("*.nc"):
        with xr.open_dataset(path, decode_timedelta=False) as found:
            for name in set(found.data_vars) - {"seconds"}:
                if len(found[name].dims):
                    assert set(told) <= set(found[name].attrs), f"{path.name}: {name}"
    tables = {path.name for path in tmp_path.glob("*.csv")}
    assert {"reliability.csv", "qq.csv", "strata.csv", "cycles.csv"} <= tables
    with (tmp_path / "definitions.csv").open() as file:
        lines = list(csv.DictReader(file))
    assert all(line["long_name"] and line["formula"] and int(line["n"]) > 0 for line in lines)


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"change_periods": ((1990, 1999), (2081, 2100))}, r"--change_periods: 1990-1999: 0 of"),
        ({"regions": "nowhere.nc:area"}, r"--regions=nowhere.nc:area: nowhere.nc cannot be opened"),
    ],
)
def test_scores_that_cannot_be_are_refused_before_baselines_are_fitted(
    shards, tmp_path, monkeypatch, asked, said
):
    monkeypatch.setattr("app.metrics.evaluate.fitted_together", lambda *_: pytest.fail("fitted"))
    with pytest.raises(InputError, match=said):
        evaluate(shards, y_hat(shards), tmp_path, scoring=ScoringConfig(**asked))


def test_gridpoint_file(shards, tmp_path):
    evaluate(shards, y_hat(shards, error=0.25), tmp_path, candidates=("bilinear",))
    with xr.open_dataset(tmp_path / "gridpoint.nc") as maps:
        assert list(maps.candidate.values) == ["model", "bilinear"]
        assert maps.rmse.dims == ("candidate", "lat", "lon")
        np.testing.assert_allclose(maps.rmse.sel(candidate="model"), 0.25, rtol=1e-3)
        np.testing.assert_allclose(maps.spearman.sel(candidate="model"), 1.0)
        np.testing.assert_allclose(maps.pearson.sel(candidate="model"), 1.0, rtol=1e-5)
        assert maps.rmse.attrs["units"] == "K"
        np.testing.assert_array_equal(maps.lat, shards.geometry.fine.lat)


def map_of(evaluation, name):
    """Scores of every grid point (k, y, x), as gridpoint.nc has them but not turned."""
    result = evaluation.variables[0]
    maps = [own for metric in result.metrics for own in metric.maps(result.errors)]
    return next(own.values for own in maps if own.name == name)


def test_southward_files_are_turned_and_come_out_southward(tmp_path):
    grid = fine_grid(ROWS, COLUMNS)
    southward = Grid(lat=grid.lat, lon=grid.lon, flipped=True)
    shards = perfect_prog(truth_fields(), grid=southward)
    prediction = y_hat(shards, southward=True)
    prediction["v0"][:, 0] += 1.0  # the northern row is worst
    evaluation = evaluate(shards, prediction, tmp_path, candidates=())
    assert map_of(evaluation, "rmse")[0].argmax() // COLUMNS == ROWS - 1
    with xr.open_dataset(tmp_path / "gridpoint.nc") as maps:
        assert maps.lat[0] > maps.lat[-1]
        np.testing.assert_allclose(maps.rmse[0, 0], 1.1, rtol=1e-3)


def test_mask_lies_as_the_users_file(tmp_path):
    grid = fine_grid(ROWS, COLUMNS)
    southward = Grid(lat=grid.lat, lon=grid.lon, flipped=True)
    shards = perfect_prog(truth_fields(), grid=southward)
    mask = np.ones((ROWS, COLUMNS))
    mask[0] = 0  # the northern row
    mask[1] = np.nan
    evaluation = evaluate(shards, y_hat(shards), tmp_path, mask=mask, candidates=())
    left_out = np.isnan(map_of(evaluation, "mae")[0])
    assert left_out[-2:].all()
    assert not left_out[:-2].any()
    with pytest.raises(InputError, match="mask: shape"):
        evaluate(shards, y_hat(shards), tmp_path, mask=np.ones((3, 3)), candidates=())


def test_several_predictands_have_rows_of_their_own(tmp_path):
    variables = (
        Variable("tas", "tas", units="K"),
        Variable("pr", "pr", units="mm day-1", kind="ratio"),
    )
    shards = perfect_prog(truth_fields(2), variables=variables)
    evaluate(shards, y_hat(shards, names=("tas", "pr")), tmp_path, candidates=("bicubic",))
    table = read_csv(tmp_path)
    assert {"rmse[tas]", "rmse[pr]", "relative_bias[pr]", "skill_vs_bicubic[pr]"} <= set(table)
    assert "relative_bias[tas]" not in table
    with xr.open_dataset(tmp_path / "gridpoint.nc") as maps:
        assert maps.rmse_pr.attrs["units"] == "mm day-1"


def test_predictands_without_low_resolution_twin_have_empty_columns(tmp_path):
    variables = (Variable("tas", "tas", units="K"), Variable("pr", "pr", units="mm day-1"))
    shards = perfect_prog(truth_fields(2), variables=variables)
    shards.variables["lr"] = (variables[0], Variable("psl", "psl", units="Pa"))
    evaluate(shards, y_hat(shards, names=("tas", "pr")), tmp_path)
    table = read_csv(tmp_path)
    assert table["rmse[pr]"]["bilinear"] == ""
    assert table["rmse[tas]"]["bilinear"] != ""
    assert table["rmse[pr]"]["linear"] != ""


def test_undo_is_applied_to_the_baselines_alone(tmp_path):
    shards = perfect_prog(truth_fields())
    prediction = y_hat(shards)
    plain = evaluate(shards, prediction, tmp_path, candidates=("bilinear",))
    # what was trained on is scaled, the truth of the test period is not
    low = [shards.read("lr", split, range(shards.size(split))) for split in shards.splits]
    scaled = perfect_prog(truth_fields(), lr=(np.concatenate(low) - 280) / 2)
    again = evaluate(
        scaled, prediction, tmp_path, candidates=("bilinear",), undo=lambda fields: fields * 2 + 280
    )
    for name in ("model", "bilinear"):
        assert again.table.value("rmse", name) == pytest.approx(
            plain.table.value("rmse", name), rel=1e-4
        )


def test_members_are_averaged_and_order_of_times_does_not_matter(shards, tmp_path):
    low, high = y_hat(shards, error=-0.3), y_hat(shards, error=0.5)
    both = xr.concat([low, high], dim="member").isel(time=slice(None, None, -1))
    evaluation = evaluate(shards, both, tmp_path, candidates=())
    assert evaluation.table.value("bias") == pytest.approx(0.1, rel=1e-3)
    assert "mean of 2 members" in str(evaluation)


def test_blocks_and_bands_do_not_change_the_scores(shards, tmp_path, monkeypatch):
    whole = evaluate(shards, y_hat(shards), tmp_path, candidates=("linear",))
    monkeypatch.setattr("app.baselines.base.BLOCK_BYTES", 8 * ROWS * COLUMNS * 2 * 5)
    monkeypatch.setattr("app.metrics.contest.BLOCK_BYTES", 8 * 24 * COLUMNS * 2 * 3)
    pieces = evaluate(shards, y_hat(shards), tmp_path, candidates=("linear",))
    for name in ("mae", "rmse", "bias", "nrmse", "pearson", "spearman"):
        np.testing.assert_allclose(map_of(pieces, name), map_of(whole, name), rtol=1e-6)
    for metric in ("rmse", "pearson", "spearman_time", "ssim", "skill_vs_linear_low"):
        expected = whole.table.value(metric)
        assert pieces.table.value(metric) == pytest.approx(expected, rel=1e-6)


def test_example_is_the_sample_of_median_error(shards, tmp_path):
    prediction = y_hat(shards, error=0.0)
    order = np.random.default_rng(1).permutation(24)
    prediction["v0"] += xr.DataArray(order / 10, dims="time")
    evaluation = evaluate(shards, prediction, tmp_path, candidates=())
    median = int(np.flatnonzero(order == 11)[0])
    example = evaluation.variables[0].example
    assert str(shards.times("test")[median])[:10] == example.time[:10]
    error = example.fields["model"] - example.fields["truth"]
    np.testing.assert_allclose(error, 1.1, rtol=1e-3)


def test_a_file_is_read_and_closed(shards, tmp_path):
    path = tmp_path / "y_hat.nc"
    y_hat(shards).to_netcdf(path)
    assert evaluate(shards, path, tmp_path / "metrics", candidates=()).table.value(
        "mae"
    ) == pytest.approx(0.1, rel=1e-3)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda d: d.isel(time=slice(2, None)),
            "2 of 24 times of the truth are missing, the first",
        ),
        (lambda d: d.rename(v0="t"), "no variable 'v0', found t"),
        (lambda d: d.isel(lat=slice(1, None)), "another grid"),
        (lambda d: d.assign_coords(lon=d.lon + 0.25), "another grid"),
        (lambda d: d * np.nan, "v0: no value left to score, model is missing"),
    ],
)
def test_predictions_that_do_not_fit_are_refused(shards, tmp_path, change, message):
    with xr.set_options(keep_attrs=True):
        wrong = change(y_hat(shards))
    with pytest.raises(InputError, match=message):
        evaluate(shards, wrong, tmp_path, candidates=())


def test_missing_files_are_refused(shards, tmp_path):
    with pytest.raises(InputError, match="no such prediction"):
        evaluate(shards, tmp_path / "nothing.nc", tmp_path)
    (tmp_path / "text.nc").write_text("not NetCDF")
    with pytest.raises(InputError, match="cannot be read"):
        evaluate(shards, tmp_path / "text.nc", tmp_path)


def test_longitudes_may_turn_by_a_full_circle(shards):
    prediction = y_hat(shards)
    turned = prediction.assign_coords(
        lon=("lon", prediction.lon.values + 360, prediction.lon.attrs)
    )
    grid, times = shards.geometry.fine, shards.times("test")
    fields = DatasetPrediction(turned, shards.variables["hr"], grid, times).read(np.arange(3))
    np.testing.assert_allclose(fields[..., 0], prediction.v0[:3], rtol=1e-6)
