"""Scores of one predictand against numbers from other places, and the original's defects."""

import numpy as np
import pytest
import scores.continuous
import xarray as xr
from scipy.stats import pearsonr, spearmanr
from skimage.metrics import peak_signal_noise_ratio
from subjects import NAMES, fed, subject_of

from app.metrics.catalogue import metrics_of
from app.metrics.confidence import confidence_of
from app.metrics.deterministic.correlation import Correlation


def score(truth, *fields, area=None, blocks=1, kind="interval"):
    """Rows by metric (model's mean and std), the maps, and the metrics, errors first."""
    subject = subject_of(truth, NAMES[: len(fields)], area=area, kind=kind)
    metrics = metrics_of(subject)
    parts = np.array_split(np.arange(len(truth)), blocks)
    fed(metrics, truth, np.stack(fields), parts=parts)
    errors = metrics[0]
    rows = [row for metric in metrics for row in metric.rows(errors)]
    rows = confidence_of(rows, subject).rows
    maps = {own.name: own.values for metric in metrics for own in metric.maps(errors)}
    return {row.metric: row.values.get("model") for row in rows}, maps, metrics


@pytest.fixture
def fields():
    rng = np.random.default_rng(7)
    truth = 280 + 5 * rng.normal(size=(12, 15, 13))
    return truth, truth + 0.3 + rng.normal(size=truth.shape)


def test_errors_on_paper():
    # two samples of two cells, the second cell three times the first's area
    truth = np.array([[[1.0, 2.0]], [[3.0, 6.0]]])
    model = np.array([[[2.0, 2.0]], [[3.0, 8.0]]])  # errors 1, 0; 0, 2
    area = np.array([[0.5, 1.5]])
    rows, maps, (errors, *_) = score(truth, model, area=area, kind="ratio")
    assert rows["mae"][0] == pytest.approx((0.5 * 1 + 1.5 * 2) / 4)
    assert rows["rmse"][0] == pytest.approx(np.sqrt((0.5 * 1 + 1.5 * 4) / 4))
    per_sample = np.sqrt([0.5 / 2, 6 / 2])
    np.testing.assert_allclose(errors.sample_rmse[0], per_sample)
    assert rows["rmse"][1] == pytest.approx(np.abs(np.diff(per_sample))[0] / 2)
    assert rows["bias"][0] == pytest.approx(3.5 / 4)
    # weighted mean of the truth (0.5 + 3 + 1.5 + 9) / 4 = 3.5, variance (3.125 + 3.375 + 0.125
    # + 9.375) / 4 = 4
    assert rows["nrmse"][0] == pytest.approx(np.sqrt(6.5 / 4) / 2)
    assert rows["relative_bias"][0] == pytest.approx(100 * (3.5 / 4) / 3.5)
    np.testing.assert_allclose(maps["rmse"][0], [[np.sqrt(0.5), np.sqrt(2)]])
    np.testing.assert_allclose(maps["nrmse"][0], [[np.sqrt(0.5) / 1, np.sqrt(2) / 2]])


def test_rmse_map_is_not_the_mean_square_error():
    truth = np.zeros((4, 2, 2))
    truth[0] = 1.0
    _, maps, _ = score(truth, truth + 3.0)
    np.testing.assert_allclose(maps["rmse"][0], 3.0)


def test_percentages_are_percentages():
    truth = np.full((4, 3, 3), 10.0)
    truth[::2] = 30.0
    rows, _, _ = score(truth, 1.1 * truth, kind="ratio")
    assert rows["relative_bias"][0] == pytest.approx(10.0)
    # root mean square error 0.1 · sqrt((10² + 30²)/2), standard deviation 10
    assert rows["nrmse"][0] == pytest.approx(np.sqrt(5.0) / 10)


def test_a_dry_first_step_loses_no_grid_point():
    rng = np.random.default_rng(8)
    truth = rng.gamma(1.0, size=(6, 4, 4))
    truth[0] = 0.0
    _, maps, _ = score(truth, truth + 0.5, kind="ratio")
    for name, values in maps.items():
        assert np.isfinite(values).all(), name
    np.testing.assert_allclose(maps["bias"], 0.5)


def test_relative_bias_is_refused_for_interval_variables(fields):
    rows, _, _ = score(*fields)
    assert "relative_bias" not in rows


def test_matches_the_scores_package(fields):
    truth, model = fields
    truth[3, 2:5, 4] = np.nan
    weights = np.linspace(0.5, 1.5, 15)[:, None] * np.ones(13)
    weights /= weights.mean()
    rows, maps, _ = score(truth, model, area=weights)
    a, b = (xr.DataArray(v, dims=("time", "lat", "lon")) for v in (model, truth))
    w = xr.DataArray(weights, dims=("lat", "lon"))
    everything = scores.continuous
    assert rows["rmse"][0] == pytest.approx(float(everything.rmse(a, b, weights=w)))
    assert rows["mae"][0] == pytest.approx(float(everything.mae(a, b, weights=w)))
    assert rows["bias"][0] == pytest.approx(float(everything.additive_bias(a, b, weights=w)))
    np.testing.assert_allclose(maps["rmse"][0], everything.rmse(a, b, preserve_dims=("lat", "lon")))


def test_correlations_match_scipy(fields):
    truth, model = fields
    rows, maps, _ = score(truth, model)
    pairs = [(t.ravel(), m.ravel()) for t, m in zip(truth, model, strict=True)]
    pearson = [pearsonr(*pair).statistic for pair in pairs]
    spearman = [spearmanr(*pair).statistic for pair in pairs]
    assert rows["pearson"] == pytest.approx((np.mean(pearson), np.std(pearson)))
    assert rows["spearman"] == pytest.approx((np.mean(spearman), np.std(spearman)))
    here = truth[:, 3, 4], model[:, 3, 4]
    assert maps["pearson"][0, 3, 4] == pytest.approx(pearsonr(*here).statistic)
    assert maps["spearman"][0, 3, 4] == pytest.approx(spearmanr(*here).statistic)
    assert rows["pearson_time"][0] == pytest.approx(maps["pearson"][0].mean())


def test_psnr_matches_scikit_image(fields):
    truth, model = fields
    rows, _, _ = score(truth, model)
    width = truth.max() - truth.min()
    expected = [
        peak_signal_noise_ratio(t, m, data_range=width) for t, m in zip(truth, model, strict=True)
    ]
    assert rows["psnr"] == pytest.approx((np.mean(expected), np.std(expected)))


def test_blocks_do_not_change_the_scores(fields):
    truth, model = fields
    truth[2, 5] = np.nan
    once, maps, _ = score(truth, model)
    again, again_maps, _ = score(truth, model, blocks=5)
    for metric, value in once.items():
        assert again[metric] == pytest.approx(value, nan_ok=True), metric
    for name, values in maps.items():
        np.testing.assert_allclose(again_maps[name], values, rtol=1e-10)


def test_skill_over_the_references(fields):
    truth, model = fields
    rows, _, _ = score(truth, model, truth + 2 * (model - truth), model)
    assert rows["skill_vs_bicubic"][0] == pytest.approx(0.5)
    assert rows["skill_vs_linear"][0] == 0
    short = rows["skill_vs_bicubic_low"][0]
    assert np.isnan(short)  # 12 days hold no three weeks


def test_all_candidates_are_scored_on_the_same_values(fields):
    truth, model = fields
    partial = model.copy()
    partial[:, :4] = np.nan
    _, maps, (errors, *_) = score(truth, model, partial)
    assert np.isnan(maps["rmse"][0, :4]).all()
    assert errors.missing.tolist() == [0, 12 * 4 * 13]


def test_a_constant_series_has_no_correlation():
    truth = np.full((5, 12, 12), 280.1, dtype=np.float32)
    truth[:, 0, 0] += np.arange(5, dtype=np.float32)
    truth[:, :, 1] += np.arange(5, dtype=np.float32)[:, None]
    _, maps, metrics = score(truth, np.full_like(truth, 279.3))
    assert np.isnan(maps["pearson"]).all()
    assert np.isnan(maps["spearman"]).all()
    correlation = next(m for m in metrics if isinstance(m, Correlation))
    assert np.isnan(correlation.sample["pearson"]).all()
    assert np.isnan(maps["nrmse"][0, 5, 5])
