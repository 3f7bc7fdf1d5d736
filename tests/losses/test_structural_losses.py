"""Structural losses against scikit-image, TensorFlow and a loop over windows."""

import numpy as np
import pytest
import tensorflow as tf
from skimage.metrics import structural_similarity

from app.losses.structural import dssim, msdssim, scale_powers

RANGE = 5.0


def fields(shape, seed=0):
    """A smooth truth and a noisy guess of it."""
    rng = np.random.default_rng(seed)
    truth = rng.normal(size=shape).cumsum(axis=1).cumsum(axis=2) / 10
    return truth.astype("float32"), (truth + rng.normal(size=shape) / 2).astype("float32")


def test_dssim_agrees_with_scikit_image_inside_the_grid():
    truth, guess = fields((2, 30, 25, 2))
    expected = []
    for b in range(2):
        inner = []
        for c in range(2):
            _, similarity = structural_similarity(
                truth[b, ..., c].astype("float64"),
                guess[b, ..., c].astype("float64"),
                gaussian_weights=True,
                sigma=1.5,
                use_sample_covariance=False,
                data_range=RANGE * (c + 1),
                full=True,
            )
            inner.append(similarity[5:-5, 5:-5].mean())
        expected.append((1 - np.mean(inner)) / 2)
    ranges = np.array([RANGE, 2 * RANGE])
    np.testing.assert_allclose(dssim(truth, guess, ranges), expected, rtol=1e-3)


def test_gaps_renormalise_windows_and_drop_the_emptiest():
    truth, guess = fields((1, 14, 16, 1))
    truth[0, 2:9, 9:16] = np.nan
    np.testing.assert_allclose(
        dssim(truth, guess, np.array([RANGE])), (1 - looped(truth, guess)) / 2, rtol=1e-3
    )


def looped(truth, guess):
    """Mean SSIM window by window, moments by numpy.average over known cells."""
    taps = np.exp(-0.5 * (np.arange(-5, 6) / 1.5) ** 2)
    window = np.outer(taps, taps) / taps.sum() ** 2
    values = []
    for y in range(truth.shape[1] - 10):
        for x in range(truth.shape[2] - 10):
            a = truth[0, y : y + 11, x : x + 11, 0].astype("float64")
            b = guess[0, y : y + 11, x : x + 11, 0].astype("float64")
            known = np.isfinite(a)
            if window[known].sum() < 0.5:
                continue
            w, a, b = window[known], a[known], b[known]
            ma, mb = np.average(a, weights=w), np.average(b, weights=w)
            va, vb = np.average((a - ma) ** 2, weights=w), np.average((b - mb) ** 2, weights=w)
            cov = np.average((a - ma) * (b - mb), weights=w)
            c1, c2 = (0.01 * RANGE) ** 2, (0.03 * RANGE) ** 2
            part = (2 * ma * mb + c1) * (2 * cov + c2)
            values.append(part / ((ma**2 + mb**2 + c1) * (va + vb + c2)))
    assert 0 < len(values) < (truth.shape[1] - 10) * (truth.shape[2] - 10)
    return np.mean(values)


@pytest.mark.parametrize("shape", [(2, 6, 8, 1), (2, 1, 4, 1), (2, 11, 5, 1)])
def test_windows_shrink_on_small_grids(shape):
    truth, guess = fields(shape)
    loss = np.asarray(dssim(truth, guess, np.array([RANGE])))
    assert np.isfinite(loss).all()
    assert (loss > 0).all()
    np.testing.assert_allclose(dssim(truth, truth, np.array([RANGE])), 0, atol=1e-5)


def test_msdssim_agrees_with_tensorflow_on_large_grids():
    truth, guess = fields((2, 96, 104, 1))
    similarity = tf.image.ssim_multiscale(
        truth, guess, RANGE, power_factors=(0.0448, 0.2856, 0.3001, 0.2363)
    )
    loss = msdssim(truth, guess, np.array([RANGE]))
    np.testing.assert_allclose(loss, (1 - np.asarray(similarity)) / 2, rtol=2e-3)


@pytest.mark.parametrize(
    ("size", "count"),
    [((88, 88), 4), ((87, 88), 3), ((64, 64), 3), ((32, 64), 2), ((16, 16), 1), ((None, 99), 4)],
)
def test_small_grids_have_fewer_scales(size, count):
    """88 / 2³ = 11, the window; the powers keep their sum."""
    powers = scale_powers(size)
    assert len(powers) == count
    assert sum(powers) == pytest.approx(0.8668)


def test_offset_is_seen_by_luminance_alone():
    """For b = a + d in a flat field SSIM is (2 a b + c1) / (a² + b² + c1)."""
    truth = np.full((1, 12, 12, 1), 2.0, "float32")
    c1 = (0.01 * RANGE) ** 2
    similarity = (2 * 2 * 3 + c1) / (4 + 9 + c1)
    loss = float(dssim(truth, truth + 1, np.array([RANGE]))[0])
    assert loss == pytest.approx((1 - similarity) / 2, rel=1e-3)
