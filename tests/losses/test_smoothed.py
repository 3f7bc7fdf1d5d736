"""The loss of three scales against SciPy and by hand."""

import numpy as np
import pytest
from scipy.ndimage import correlate1d

from app.losses import build_loss

RANGE = np.ones(1)


def loss(truth, predicted):
    return np.asarray(build_loss("mae_smoothed", data_range=RANGE)(truth, predicted))


def test_a_constant_error_counts_three_times():
    truth = np.zeros((2, 11, 13, 1), "float32")
    error = np.array([0.5, -2.0], "float32").reshape(2, 1, 1, 1)
    np.testing.assert_allclose(loss(truth, truth + error), [1.5, 6.0], rtol=1e-5)


def test_against_scipy():
    draw = np.random.default_rng(0)
    truth, predicted = draw.normal(size=(2, 1, 12, 10, 1)).astype("float32")
    error = (predicted - truth)[0, :, :, 0].astype(float)
    means = error[:10].reshape(2, 5, 2, 5).mean(axis=(1, 3))
    taps = np.exp(-0.5 * np.arange(-2, 3) ** 2)
    blurred = correlate1d(correlate1d(error, taps / taps.sum(), 0), taps / taps.sum(), 1)
    expected = sum(np.abs(part).mean() for part in (error, means, blurred[2:-2, 2:-2]))
    assert loss(truth, predicted)[0] == pytest.approx(expected, rel=1e-5)


def test_missing_truth_counts_nowhere():
    truth = np.ones((1, 10, 10, 1), "float32")
    truth[0, :7, 3:] = np.nan
    wild = np.where(np.isnan(truth), 1e3, truth + 0.25).astype("float32")
    assert loss(truth, wild)[0] == pytest.approx(0.75, rel=1e-5)


def test_grids_smaller_than_the_kernels():
    truth = np.zeros((1, 3, 4, 1), "float32")
    predicted = truth.copy()
    predicted[0, 1, 1] = 1.0
    taps = np.exp(-0.5 * np.arange(-1, 2) ** 2)
    taps = taps / taps.sum()
    # One 3×3 mean, and two blurs in which the cell lies at the middle and at the middle of a side.
    expected = 1 / 12 + 1 / 9 + (taps[1] * taps[1] + taps[1] * taps[0]) / 2
    assert loss(truth, predicted)[0] == pytest.approx(expected, rel=1e-5)
