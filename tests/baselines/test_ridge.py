"""The regression against SciPy, against data it must fit exactly, and its published layout."""

from dataclasses import replace

import numpy as np
import pytest
import scipy.linalg
from memory_shards import perfect_prog

from app.baselines import ridge as ridge_module
from app.baselines.features import design, n_features, neighbourhood
from app.baselines.normal_equations import NormalEquations, ridge
from app.baselines.ridge import Linear, fit_ridge, from_offsets, to_offsets
from app.data.description import Variable

NO_PARTIAL = np.zeros((0, 2), dtype=np.int64)


def weather(n=120, rows=6, columns=8, channels=1, seed=0):
    rng = np.random.default_rng(seed)
    return 280 + rng.normal(size=(n, rows, columns, channels))


def test_neighbourhood_order_and_edges():
    field = np.arange(6.0).reshape(1, 2, 3, 1)
    near = neighbourhood(field, 1, slice(0, 2))
    np.testing.assert_array_equal(near[0, 0, 1], [0, 1, 2, 0, 1, 2, 3, 4, 5])
    np.testing.assert_array_equal(near[0, 1, 2], [1, 2, 2, 4, 5, 5, 4, 5, 5])
    np.testing.assert_array_equal(neighbourhood(field, 1, slice(1, 2)), near[:, 1:])


def test_design_columns():
    inputs = np.stack([np.full((2, 3), 5.0), np.full((2, 3), 7.0)], axis=-1)[None]
    x = design(inputs, np.array([[0.1, 0.2, 0.3, 0.4]]), 1, 0, slice(0, 2))
    assert x.shape == (1, 2, 3, n_features(1, 1, 0))
    np.testing.assert_allclose(x[0, 0, 0], [5] * 9 + [7] + [0.1, 0.2, 0.3, 0.4, 1])


def test_ridge_matches_augmented_least_squares():
    rng = np.random.default_rng(1)
    x = np.hstack([rng.normal(size=(40, 5)), np.ones((40, 1))])
    y, penalty = rng.normal(size=(40, 1)), 0.3
    # minimising |y - Xβ|² / n + λ|β|² is least squares with rows sqrt(nλ)·I added
    extra = np.sqrt(40 * penalty) * np.eye(6)[:5]
    expected = scipy.linalg.lstsq(np.vstack([x, extra]), np.vstack([y, np.zeros((5, 1))]))[0]
    got = ridge((x.T @ x)[None], (x.T @ y)[None], np.array([penalty]))[0]
    np.testing.assert_allclose(got, expected, rtol=1e-9)


def test_squared_error_from_sums():
    rng = np.random.default_rng(2)
    x, y = rng.normal(size=(2, 30, 4)), rng.normal(size=(2, 30, 3))
    y[1, :10, 2] = np.nan
    sums = NormalEquations(2, 4, 3, np.array([[1, 2]]))
    for block in np.array_split(np.arange(30), 4):
        sums.add(x[:, block], y[:, block])
    coefficients = rng.normal(size=(2, 4, 3))
    expected = np.nansum((y - x @ coefficients) ** 2, axis=1)
    np.testing.assert_allclose(sums.squared_error(coefficients), expected)


def test_cells_with_gaps_are_fitted_on_their_own_samples():
    rng = np.random.default_rng(3)
    x = np.concatenate([rng.normal(size=(1, 50, 3)), np.ones((1, 50, 1))], axis=-1)
    y = rng.normal(size=(1, 50, 2))
    y[0, 20:, 1] = np.nan
    sums = NormalEquations(1, 4, 2, np.array([[0, 1]]))
    sums.add(x, y)
    alone = NormalEquations(1, 4, 1, NO_PARTIAL)
    alone.add(x[:, :20], y[:, :20, 1:])
    got = sums.solve(np.full(2, 0.1))
    np.testing.assert_allclose(got[..., 1:], alone.solve(np.full(1, 0.1)))


@pytest.mark.parametrize("halo", [0, 1])
def test_offsets_there_and_back(halo):
    shards = perfect_prog(weather(3, 7, 9, 2), halo=halo)
    fields = weather(3, 7, 9, 2)
    blocks = to_offsets(fields, shards.geometry)
    s, c = 2, 2
    # offset index sy·s·C + sx·C + c: cell (3, 5) is sy = 1, sx = 1 of coarse cell (1, 2)
    assert blocks[1 + halo, 2 + halo, 0, 1 * s * c + 1 * c + 0] == fields[0, 3, 5, 0]
    np.testing.assert_array_equal(from_offsets(blocks, shards.geometry), fields)


def low_resolution(shards):
    """Of all splits, one behind the other."""
    parts = [shards.read("lr", split, range(shards.size(split))) for split in shards.splits]
    return np.concatenate(parts)


def test_a_linear_truth_is_found():
    drawn = perfect_prog(weather(200, 6, 8))
    low = low_resolution(drawn)
    wave = np.concatenate([drawn.harmonics(split)[:, 3] for split in drawn.splits])
    east = np.pad(low, ((0, 0), (0, 0), (0, 1), (0, 0)), mode="edge")[:, :, 1:]
    truth = 3 + 1.5 * low - 0.5 * east + 2 * wave[:, None, None, None]
    hr = truth.repeat(2, axis=1).repeat(2, axis=2)
    shards = perfect_prog(hr, lr=low)
    linear = Linear(shards)
    test = np.arange(shards.size("test"))
    np.testing.assert_allclose(linear.predict(test, "test"), hr[160:], atol=2e-3)
    assert linear.fit.penalty == (ridge_module.PENALTIES[0],)
    inner = linear.fit.coefficients[1, 1, :, 0]
    np.testing.assert_allclose(inner[[4, 5, 12]], [1.5, -0.5, 2.0], atol=2e-3)


def test_predictors_enter_after_the_low_resolution_channels():
    hr = weather(200, 6, 8)
    predictors = np.random.default_rng(5).normal(size=(200, 3, 4, 2)) * [1.0, 1e5]
    hr[..., 0] = np.kron(1e-5 * predictors[..., 1], np.ones((1, 2, 2)))
    shards = perfect_prog(hr, predictors=predictors, lr=weather(200, 3, 4, seed=8))
    fit = fit_ridge(shards)
    assert fit.coefficients.shape == (3, 4, 9 + 2 + 4 + 1, 4)
    np.testing.assert_allclose(fit.coefficients[1, 1, 10], 1e-5, rtol=1e-2)
    wide = fit_ridge(shards, predictor_radius=1)
    assert wide.coefficients.shape == (3, 4, 9 + 18 + 4 + 1, 4)
    np.testing.assert_allclose(wide.coefficients[1, 1, 9 + 9 + 4], 1e-5, rtol=1e-2)


def test_cells_never_valid_are_zero_and_missing():
    hr = weather()
    hr[:, 1, 2] = np.nan
    hr[5:9, 4, 4] = np.nan
    shards = perfect_prog(hr, halo=1)
    linear = Linear(shards)
    assert linear.fit.coefficients.shape[:2] == shards.geometry.coarse_shape
    assert not linear.fit.coefficients[0].any()  # the halo
    offset = 1 * 2 + 0  # cell (1, 2): sy = 1, sx = 0 of coarse cell (0, 1), halo added
    assert not linear.fit.coefficients[1, 2, :, offset].any()
    fields = linear.predict(np.arange(4), "test")
    assert np.isnan(fields[:, 1, 2]).all()
    assert np.isfinite(fields).sum() == 4 * 47


def test_missing_inputs_take_the_training_mean():
    hr = weather()
    low, last = low_resolution(perfect_prog(hr)), np.array([23])
    low[-1] = np.nan
    linear = Linear(perfect_prog(hr, lr=low))
    filled = linear.predict(last, "test")
    low[-1] = linear.fit.fill
    given = Linear(perfect_prog(hr, lr=low)).predict(last, "test")
    np.testing.assert_array_equal(filled, given)
    np.testing.assert_allclose(linear.fit.fill, low[:72].mean(axis=0), rtol=1e-6)


def test_noise_takes_a_strong_penalty_and_range_is_kept():
    rain = (Variable("pr", "pr", units="mm", valid_min=0.0),)
    hr = np.random.default_rng(6).gamma(0.3, size=(60, 6, 8, 1))
    low = np.random.default_rng(7).normal(size=(60, 3, 4, 1))
    linear = Linear(perfect_prog(hr, variables=rain, lr=low))
    assert linear.fit.penalty[0] >= 1.0
    assert linear.predict(np.arange(12), "test").min() >= 0


def test_bands_and_blocks_do_not_change_the_fit(monkeypatch):
    hr = weather(100, 8, 8, 2)
    hr[3:7, 2, 2] = np.nan
    shards = perfect_prog(hr)
    whole = fit_ridge(shards)
    monkeypatch.setattr(ridge_module, "BAND_BYTES", 1)
    monkeypatch.setattr("app.baselines.base.BLOCK_BYTES", 8 * 16 * 40 * 9)
    pieces = fit_ridge(shards)
    assert pieces.penalty == whole.penalty
    np.testing.assert_allclose(pieces.coefficients, whole.coefficients, rtol=1e-4, atol=1e-4)


def test_without_validation_the_default_penalty_is_taken():
    shards = replace(perfect_prog(weather()), splits=("train", "test"))
    assert fit_ridge(shards).penalty == (ridge_module.DEFAULT_PENALTY,)
