"""The Bernoulli-gamma likelihood against scipy's distributions."""

import numpy as np
import pytest
import tensorflow as tf
from scipy import special, stats

from app.losses import build_loss
from app.losses.bernoulli_gamma import log_gamma
from app.models.bernoulli_gamma import BernoulliGammaOutput

RNG = np.random.default_rng(0)
THRESHOLD = 0.1


def loss(truth, parameters):
    function = build_loss("bernoulli_gamma", data_range=np.ones(1), thresholds=(THRESHOLD,))
    return function(truth, parameters)


def parameters(n=3, size=6):
    logit = RNG.normal(0, 2, (n, size, size, 1))
    shape, scale = RNG.uniform(0.2, 4, (2, n, size, size, 1))
    return np.stack([logit, shape, scale], axis=1).astype("float32")


def test_log_gamma_is_scipys():
    x = np.geomspace(1e-2, 1e3, 200).astype("float32")
    np.testing.assert_allclose(log_gamma(x), special.gammaln(x), rtol=2e-5, atol=2e-5)


def test_likelihood_is_that_of_scipys_distributions():
    given = parameters()
    truth = np.where(RNG.random((3, 6, 6, 1)) < 0.5, 0.0, RNG.gamma(1.5, 2.0, (3, 6, 6, 1)))
    truth[0, 0, 0, 0] = np.nan
    truth = truth.astype("float32")
    logit, shape, scale = (given[:, i].astype("float64") for i in range(3))
    wet = special.expit(logit)
    expected = np.where(
        truth >= THRESHOLD,
        -np.log(wet) - stats.gamma.logpdf(np.maximum(truth, 1e-9), shape, scale=scale),
        -np.log1p(-wet),
    )
    by_sample = np.nanmean(np.where(np.isnan(truth), np.nan, expected), axis=(1, 2, 3))
    np.testing.assert_allclose(loss(truth, given), by_sample, rtol=1e-4)


def test_gradients_are_finite_where_it_is_dry_and_where_nothing_is_known():
    truth = np.array([[[[0.0], [np.nan]]], [[[0.1], [50.0]]]], "float32")
    given = tf.Variable(np.zeros((2, 3, 1, 2, 1), "float32") + 0.5)
    with tf.GradientTape() as tape:
        total = tf.reduce_sum(loss(truth, given))
    gradient = tape.gradient(total, given).numpy()
    assert np.isfinite(gradient).all()
    assert (gradient[0, :, 0, 1] == 0).all()


def test_output_gives_positive_shape_and_scale_and_the_mean_in_its_own_unit():
    output = BernoulliGammaOutput((2.0,), (THRESHOLD,))
    raw = RNG.normal(0, 5, (2, 4, 4, 3)).astype("float32")
    given = np.asarray(output.combine(raw, None))
    np.testing.assert_array_equal(given[:, 0, ..., 0], raw[..., 0])
    assert (given[:, 1:] > 0).all()

    class Plain:
        def clip(self, x):
            return x

    mean = np.asarray(output.decode(given, Plain()))
    expected = special.expit(given[:, 0]) * given[:, 1] * given[:, 2] * 2.0
    np.testing.assert_allclose(mean, expected, rtol=1e-5)


@pytest.mark.parametrize("level", [0.05, 0.5, 0.9, 0.999])
def test_quantiles_are_those_of_the_mixture(level):
    given = parameters()
    found = BernoulliGammaOutput((2.0,), (THRESHOLD,)).quantiles(given, level) / 2.0
    logit, shape, scale = (given[:, i].astype("float64") for i in range(3))
    wet = special.expit(logit)
    below = (1 - wet) + wet * stats.gamma.cdf(found, shape, scale=scale)
    dry = level <= 1 - wet
    np.testing.assert_array_equal(found[dry], 0)
    np.testing.assert_allclose(below[~dry], level, atol=2e-4)


def test_samples_have_the_wet_share_and_the_mean_of_the_distribution():
    n = 40_000
    given = np.zeros((n, 3, 1, 1, 1), "float32")
    given[:, 0], given[:, 1], given[:, 2] = special.logit(0.3), 0.7, 1.9
    samples = BernoulliGammaOutput((1.5,), (THRESHOLD,)).quantiles(given, RNG.random((n, 1, 1, 1)))
    assert (samples > 0).mean() == pytest.approx(0.3, abs=0.01)
    assert samples.mean() == pytest.approx(0.3 * 0.7 * 1.9 * 1.5, rel=0.04)
