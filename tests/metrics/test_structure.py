"""SSIM against scikit-image, and on fields with holes."""

import numpy as np
import pytest
from scipy.ndimage import correlate1d
from skimage.metrics import structural_similarity

from app.metrics.deterministic.ssim import Structure, smooth, window


def compute(truth, candidate, valid=None):
    valid = np.ones(truth.shape, bool) if valid is None else valid
    return Structure.of(truth, valid, float(truth[valid].mean()), 4.0).similarity(candidate)


def test_matches_scikit_image_on_interior_windows():
    rng = np.random.default_rng(0)
    truth = 280 + rng.normal(size=(1, 30, 34))
    candidate = truth + 0.5 * rng.normal(size=truth.shape)
    _, expected = structural_similarity(
        truth[0],
        candidate[0],
        data_range=4.0,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
        full=True,
    )
    structure = Structure.of(truth, np.ones(truth.shape, bool), 280.0, 4.0)
    # beyond five cells from the border both see the same, whole windows
    inside = np.zeros(truth.shape, bool)
    inside[:, 5:-5, 5:-5] = True
    whole = Structure(**{**vars(structure), "centres": inside})
    np.testing.assert_allclose(whole.similarity(candidate), expected[5:-5, 5:-5].mean(), rtol=1e-9)


def test_identical_fields_score_one_whatever_the_gaps():
    rng = np.random.default_rng(1)
    truth = rng.normal(size=(3, 20, 20))
    valid = rng.random(truth.shape) > 0.3
    np.testing.assert_allclose(compute(truth, truth, valid), 1.0)


def test_missing_cells_have_no_say():
    rng = np.random.default_rng(2)
    truth, candidate = rng.normal(size=(2, 2, 20, 20))
    valid = np.ones(truth.shape, bool)
    valid[:, :, 8:11] = False
    spoiled = np.where(valid, candidate, 1e6)
    np.testing.assert_allclose(compute(truth, candidate, valid), compute(truth, spoiled, valid))


def test_centres_need_half_the_weight():
    valid = np.zeros((1, 40, 40), bool)
    valid[:, :, :20] = True
    structure = Structure.of(np.ones(valid.shape), valid, 1.0, 1.0)
    # Column 19 sees its own and one side's weight, column 20 less than half; in the corner
    # cells of the field less than half of each direction's weight is left over both.
    assert structure.centres[0, 20, 19]
    assert not structure.centres[0, 20, 20]
    assert not structure.centres[0, 0, 0]


def test_window_sums_to_one():
    assert smooth(np.ones((1, 21, 21)))[0, 10, 10] == pytest.approx(1.0)


def test_no_valid_centre_gives_nan():
    valid = np.zeros((1, 12, 12), bool)
    valid[0, 0, 0] = True
    truth = np.zeros(valid.shape)
    assert np.isnan(compute(truth, truth, valid)).all()


def test_windows_are_those_of_scipy_whatever_the_grid_and_the_order_in_memory():
    """Of more cells than a tile, along both axes, and of fields that run backwards."""
    fields = np.random.default_rng(3).normal(size=(2, 150, 70))
    expected = correlate1d(
        correlate1d(fields, window(), 1, mode="constant"), window(), 2, mode="constant"
    )
    np.testing.assert_allclose(smooth(fields), expected, atol=1e-14)
    turned = np.asfortranarray(fields)[:, ::-1]
    np.testing.assert_allclose(smooth(turned)[:, ::-1], expected, atol=1e-14)
