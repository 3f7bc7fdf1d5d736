"""First guesses against loops over cells in NumPy."""

import numpy as np
import pytest
from contract import random_inputs

from app.models.first_guess import InterpolationGuess, LinearGuess

H, W, SCALE = 4, 5, 3


def expected_linear(coarse, time, coefficients, fill, n_lr, radius):
    """The regression cell by cell, feature by feature, as the layout is written down."""
    coarse = np.where(np.isnan(coarse), fill, coarse)
    n, outputs = len(coarse), coefficients.shape[-1] // SCALE**2
    fine = np.zeros((n, H * SCALE, W * SCALE, outputs))
    for b in range(n):
        for y in range(H):
            for x in range(W):
                features = []
                for c in range(coarse.shape[-1]):
                    reach = 1 if c < n_lr else radius
                    for dy in range(-reach, reach + 1):
                        for dx in range(-reach, reach + 1):
                            row, column = np.clip(y + dy, 0, H - 1), np.clip(x + dx, 0, W - 1)
                            features.append(coarse[b, row, column, c])
                features += [*time[b], 1.0]
                values = np.array(features) @ coefficients[y, x]
                block = values.reshape(SCALE, SCALE, outputs)
                fine[b, y * SCALE : (y + 1) * SCALE, x * SCALE : (x + 1) * SCALE] = block
    return fine


@pytest.mark.parametrize("radius", [0, 1])
@pytest.mark.parametrize(("n_lr", "predictors", "outputs"), [(1, 0, 1), (2, 3, 2)])
def test_linear_guess_is_a_regression_per_cell(n_lr, predictors, outputs, radius):
    rng = np.random.default_rng(0)
    features = 9 * n_lr + predictors * (2 * radius + 1) ** 2 + 5
    coefficients = rng.normal(size=(H, W, features, SCALE**2 * outputs)).astype("float32")
    fill = rng.normal(size=(H, W, n_lr + predictors)).astype("float32")
    inputs = random_inputs({"coarse": (3, H, W, n_lr + predictors), "time": (3, 4)})
    inputs["coarse"][0, 2, 1, 0] = np.nan
    guess = LinearGuess.from_arrays(
        coefficients,
        fill,
        n_lr=n_lr,
        scale=SCALE,
        lr_radius=1,
        predictor_radius=radius,
        time_channels=(0, 1, 2, 3),
    )
    expected = expected_linear(inputs["coarse"], inputs["time"], coefficients, fill, n_lr, radius)
    np.testing.assert_allclose(guess(inputs), expected, rtol=1e-4, atol=1e-4)
    assert guess.n_features == features
    assert not guess.trainable_weights


def test_interpolation_guess_picks_the_predictands_channels():
    inputs = random_inputs({"coarse": (2, H, W, 3)})
    guess = np.asarray(InterpolationGuess("nearest", SCALE, [2, 0])(inputs))
    expected = inputs["coarse"][..., [2, 0]].repeat(SCALE, axis=1).repeat(SCALE, axis=2)
    np.testing.assert_array_equal(guess, expected)


@pytest.mark.parametrize("method", ["bilinear", "bicubic", "lanczos"])
def test_gaps_do_not_spread(method):
    """A constant stays itself around a gap; far from it nothing changes; alone it is NaN."""
    coarse = np.full((1, 8, 9, 1), 7.0, "float32")
    coarse[0, 0, 0] = np.nan
    guess = np.asarray(InterpolationGuess(method, SCALE, [0])({"coarse": coarse}))
    assert np.isnan(guess[0, :2, :2]).all()
    np.testing.assert_allclose(guess[np.isfinite(guess)], 7, rtol=1e-5)
    assert np.isfinite(guess[0, SCALE:]).all()
    assert np.isnan(InterpolationGuess(method, 2, [0])({"coarse": coarse * np.nan})).all()
