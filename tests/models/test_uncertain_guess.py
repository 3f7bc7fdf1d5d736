"""Draws of a linear first guess: what the fits differ by, and no more."""

import numpy as np
from contract import random_inputs

from app.methods.diffusion.cross_fitting import CrossFitted
from app.models.diffusion.uncertain import UncertainGuess
from app.models.first_guess import LinearGuess

H, W, SCALE, K = 3, 4, 2, 5
RNG = np.random.default_rng(0)
INPUTS = random_inputs({"coarse": (2, H, W, 1), "time": (2, 8)})


def fitted():
    coefficients = RNG.normal(size=(H, W, 9 + 2 + 1, SCALE**2)).astype("float32")
    fill = np.zeros((H, W, 1), "float32")
    return LinearGuess.from_arrays(
        coefficients,
        fill,
        n_lr=1,
        scale=SCALE,
        lr_radius=1,
        predictor_radius=0,
        time_channels=(0, 1),
    )


def test_draws_have_the_covariance_of_the_jackknife():
    """Each of the K normal numbers moves the field by √((K - 1)/K) of what one fit differs by."""
    own, fits = fitted(), [fitted() for _ in range(K)]
    guess = UncertainGuess.from_fits(own, fits)
    centre = np.asarray(own(INPUTS))
    np.testing.assert_allclose(guess(INPUTS), centre, atol=1e-5)
    np.testing.assert_allclose(guess.drawn(INPUTS, np.zeros(K)), centre, atol=1e-5)
    fields = np.stack([np.asarray(fit(INPUTS)) for fit in fits])
    apart = np.sqrt((K - 1) / K) * (fields - fields.mean(axis=0))
    for k in range(K):
        drawn = np.asarray(guess.drawn(INPUTS, 2.0 * np.eye(K)[k]))
        np.testing.assert_allclose(drawn - centre, 2.0 * apart[k], atol=1e-4)


def test_a_restored_guess_draws_alike():
    guess = UncertainGuess.from_fits(fitted(), [fitted() for _ in range(K)])
    again = UncertainGuess.from_config(guess.get_config())
    again.set_weights(guess.get_weights())
    normal = RNG.normal(size=K)
    np.testing.assert_array_equal(again.drawn(INPUTS, normal), guess.drawn(INPUTS, normal))


def test_half_way_residuals_have_the_variance_of_the_noise():
    """A mean over n values: left out one by one residuals are 1/(1 - 1/n) of the own ones."""
    n, draws = 12, 4000
    values = np.random.default_rng(1).normal(size=(draws, n))
    means = values.mean(axis=1, keepdims=True)
    without = (means * n - values) / (n - 1)
    folds = [lambda batch, k=k: without[batch["draw"]][:, k] for k in range(n)]
    cross = CrossFitted(folds, n, lambda batch: means[batch["draw"], 0])
    batch = {"index": np.tile(np.arange(n), draws), "draw": np.repeat(np.arange(draws), n)}
    residuals = values[batch["draw"], batch["index"]] - cross.guess(batch)
    assert abs(np.square(residuals).mean() - 1) < 0.02
    assert np.square(values - means).mean() < 0.95
    assert np.square(values - without).mean() > 1.05
