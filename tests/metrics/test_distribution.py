"""Members, scales and wet cells through the whole evaluation."""

import csv

import numpy as np
import pytest
import scores.probability
import xarray as xr
from memory_shards import perfect_prog

from app.data.description import Variable
from app.errors import InputError
from app.metrics.evaluate import evaluate
from app.metrics.prediction import DatasetPrediction
from app.metrics.probabilistic.ensemble import Ensemble
from app.metrics.spatial.spectra import Spectrum

ROWS, COLUMNS, SAMPLES = 16, 18, 200
RAIN = (Variable("pr", "pr", units="mm day-1", kind="ratio"),)
DAY = 86400


def rain(rng, *shape):
    """Half of it dry, the rest exponential."""
    return np.maximum(rng.gumbel(0.5, 2.0, size=(*shape, ROWS, COLUMNS)), 0).astype(np.float32)


def rain_shards(variables=RAIN):
    return perfect_prog(rain(np.random.default_rng(0), SAMPLES)[..., None], variables=variables)


def dataset(shards, fields, dims=("member", "time")):
    grid, name = shards.geometry.fine, shards.variables["hr"][0].name
    coordinates = {"time": shards.times("test"), **grid.coords()}
    return xr.Dataset({name: ((*dims, *grid.dims), fields)}, coordinates)


def truth_of(shards):
    return shards.read("hr", "test", np.arange(shards.size("test")))[..., 0]


def member_data(members, seed=1):
    shards = rain_shards()
    fields = rain(np.random.default_rng(seed), members, shards.size("test"))
    return shards, fields


def read_csv(folder):
    with (folder / "summary.csv").open() as file:
        return {row["metric"]: row for row in csv.DictReader(file)}


@pytest.mark.parametrize("members", [2, 8])
def test_a_reliable_ensemble(tmp_path, members):
    shards, fields = member_data(members)
    table = evaluate(shards, dataset(shards, fields), tmp_path, candidates=("bilinear",)).table
    assert table.value("spread_skill") == pytest.approx(1.0, rel=0.03)
    assert table.value("reliability_index") < 5
    assert table.value("log_spectral_distance") < 0.6
    assert table.value("power_ratio_high") == pytest.approx(0, abs=0.4)
    assert table.value("p99_bias") == pytest.approx(0, abs=0.15)
    assert table.value("wet_frequency") == pytest.approx((truth_of(shards) >= 1).mean(), abs=0.02)
    weights = xr.DataArray(shards.geometry.fine.cell_areas(), dims=("y", "x"))
    expected = scores.probability.crps_for_ensemble(
        xr.DataArray(fields, dims=("member", "t", "y", "x")),
        xr.DataArray(truth_of(shards), dims=("t", "y", "x")),
        "member",
        method="fair",
        weights=weights,
    )
    assert table.value("crps") == pytest.approx(float(expected), rel=1e-5)
    assert table.value("crps", "bilinear") == table.value("mae", "bilinear")
    assert np.isnan(table.value("spread_skill", "bilinear"))
    assert np.isnan(table.value("reliability_index", "bilinear"))


def test_extremes_are_compared_member_by_member(tmp_path):
    shards, fields = member_data(3)
    table = evaluate(shards, dataset(shards, fields), tmp_path, candidates=()).table
    extreme = np.quantile(fields, 0.99, axis=1).mean(axis=0)
    error = extreme - np.quantile(truth_of(shards), 0.99, axis=0)
    area = shards.geometry.fine.cell_areas()
    assert table.value("p99_bias") == pytest.approx(np.average(error, weights=area), rel=1e-5)


def test_the_mean_of_members_is_smoother_than_they_are(tmp_path):
    shards, fields = member_data(8)
    members = evaluate(shards, dataset(shards, fields), tmp_path, candidates=()).table
    mean = dataset(shards, fields.mean(axis=0), dims=("time",))
    single = evaluate(shards, mean, tmp_path, candidates=()).table
    assert single.value("rmse") == pytest.approx(members.value("rmse"), rel=1e-5)
    assert single.value("power_ratio_high") == pytest.approx(-10 * np.log10(8), abs=0.5)
    assert single.value("wet_frequency") > 0.8
    assert single.value("p99_bias") < -2


def test_rows_stand_in_order_and_only_where_they_apply(tmp_path):
    shards, fields = member_data(2)
    evaluate(shards, dataset(shards, fields), tmp_path, candidates=("bicubic",))
    names = list(read_csv(tmp_path))
    wanted = ["rmse", "relative_bias", "crps", "spread_skill", "reliability_index", "pearson"]
    wanted += ["ssim", "log_spectral_distance", "power_ratio_high", "wet_frequency", "p99_bias"]
    positions = [names.index(name) for name in [*wanted, "skill_vs_bicubic"]]
    assert positions == sorted(positions)
    evaluate(shards, dataset(shards, fields[0], ("time",)), tmp_path, candidates=())
    assert not {"crps", "spread_skill", "reliability_index"} & set(read_csv(tmp_path))


def test_blocks_and_bands_do_not_change_the_scores(tmp_path, monkeypatch):
    shards, fields = member_data(5)
    whole = evaluate(shards, dataset(shards, fields), tmp_path, candidates=("linear",))
    monkeypatch.setattr("app.baselines.base.BLOCK_BYTES", 8 * ROWS * COLUMNS * 7 * 3)
    monkeypatch.setattr("app.metrics.contest.BLOCK_BYTES", 8 * 40 * COLUMNS * 7 * 3)
    pieces = evaluate(shards, dataset(shards, fields), tmp_path, candidates=("linear",))
    for row in whole.table.rows:
        for name, pair in row.values.items():
            again = next(r for r in pieces.table.rows if r.metric == row.metric).values[name]
            assert again == pytest.approx(pair, rel=1e-6, abs=1e-9, nan_ok=True), row.metric
    np.testing.assert_allclose(
        pieces.variables[0].metric(Ensemble).sums.shares,
        whole.variables[0].metric(Ensemble).sums.shares,
    )


def test_a_value_that_one_member_lacks_is_not_scored(tmp_path):
    shards, fields = member_data(3)
    spoiled = fields.copy()
    spoiled[1, 4, 2, 2] = np.nan
    spoiled[:, 7] = np.nan
    evaluation = evaluate(shards, dataset(shards, spoiled), tmp_path, candidates=("bilinear",))
    count = 40 * ROWS * COLUMNS
    assert f"{count - 1 - ROWS * COLUMNS} of {count} valid truth values scored" in str(evaluation)
    assert "spectra of 38 of 40 samples that are complete and 1 with few" in str(evaluation)
    for metric in ("crps", "spread_skill", "wet_frequency", "p99_bias", "log_spectral_distance"):
        assert np.isfinite(evaluation.table.value(metric)), metric


def test_gaps_leave_the_spectra_blank(tmp_path):
    shards, fields = member_data(2)
    mask = np.ones((ROWS, COLUMNS))
    mask[: ROWS // 2] = 0
    evaluation = evaluate(shards, dataset(shards, fields), tmp_path, candidates=(), mask=mask)
    assert read_csv(tmp_path)["log_spectral_distance"]["model"] == ""
    assert "no spectra, every sample lacks more than" in str(evaluation)
    assert evaluation.variables[0].metric(Spectrum).result() is None


def test_an_all_dry_period_has_no_scores_that_need_rain(tmp_path):
    shards = perfect_prog(np.zeros((SAMPLES, ROWS, COLUMNS, 1)), variables=RAIN)
    dry = np.zeros((3, 40, ROWS, COLUMNS), dtype=np.float32)
    table = evaluate(shards, dataset(shards, dry), tmp_path, candidates=("bilinear",)).table
    assert table.value("crps") == table.value("wet_frequency") == table.value("p99_bias") == 0
    for metric in ("spread_skill", "log_spectral_distance", "power_ratio_high"):
        assert np.isnan(table.value(metric)), metric
    assert table.value("reliability_index") < 5


def test_a_dry_sample_among_others(tmp_path):
    shards, fields = member_data(3)
    truth = rain(np.random.default_rng(0), SAMPLES)[..., None]
    truth[SAMPLES - shards.size("test") + 5] = 0
    shards = perfect_prog(truth, variables=RAIN)
    fields[:, 5] = 0
    table = evaluate(shards, dataset(shards, fields), tmp_path, candidates=()).table
    for metric in ("crps", "spread_skill", "log_spectral_distance", "wet_frequency"):
        assert np.isfinite(table.value(metric)), metric


def test_amounts_are_wet_only_over_a_known_period(tmp_path):
    shards = rain_shards((Variable("rr", "rr", units="mm", kind="ratio"),))
    fields = rain(np.random.default_rng(3), shards.size("test"))
    prediction = dataset(shards, fields, ("time",))
    unknown = evaluate(shards, prediction, tmp_path, candidates=())
    assert read_csv(tmp_path)["wet_frequency"]["model"] == ""
    assert "no wet_frequency, the period that its amounts in mm" in " ".join(str(unknown).split())
    known = evaluate(shards, prediction, tmp_path, candidates=(), accumulation=DAY)
    assert known.table.value("wet_frequency") == pytest.approx((fields >= 1).mean(), abs=0.01)
    assert "wet from 1 mm in 24 h" in str(known)


def test_temperatures_are_never_wet(tmp_path):
    shards = rain_shards((Variable("tas", "tas", units="K"),))
    fields = rain(np.random.default_rng(3), shards.size("test"))
    evaluation = evaluate(shards, dataset(shards, fields, ("time",)), tmp_path, candidates=())
    assert "wet" not in str(evaluation)
    assert np.isfinite(evaluation.table.value("p99_bias"))


def test_members_are_read_lazily_in_any_order_of_dimensions(tmp_path):
    shards, fields = member_data(3)
    path = tmp_path / "y_hat.nc"
    turned = dataset(shards, fields).transpose("time", "lat", "member", "lon")
    turned.isel(time=slice(None, None, -1)).to_netcdf(path)
    opened = DatasetPrediction(path, RAIN, shards.geometry.fine, shards.times("test"))
    assert opened.members == 3
    indices = np.array([4, 9])
    np.testing.assert_array_equal(opened.read_layers(indices)[..., 0], fields[:, indices])
    np.testing.assert_allclose(
        opened.read(indices)[..., 0], fields[:, indices].mean(axis=0), rtol=1e-6
    )
    opened.close()


def test_predictands_must_have_the_same_members(tmp_path):
    variables = (Variable("tas", "tas", units="K"), *RAIN)
    hr = np.random.default_rng(0).normal(size=(SAMPLES, ROWS, COLUMNS, 2))
    shards = perfect_prog(hr, variables=variables)
    both = dataset(shards, rain(np.random.default_rng(1), 2, 40))
    both["pr"] = both["tas"].isel(member=0)
    with pytest.raises(InputError, match="as many members of every predictand, found tas 2, pr 1"):
        evaluate(shards, both, tmp_path, candidates=())
