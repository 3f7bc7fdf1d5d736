"""Interpolation against SciPy, Keras' own resizing and closed forms."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import ops
from scipy import ndimage

from app.models.layers.resize import Resize, interpolation_matrix

METHODS = ["inter_area", "nearest", "bilinear", "bicubic", "lanczos"]
SCALES = [2, 3, 4, 5]


@pytest.fixture
def field():
    return np.random.default_rng(0).normal(size=(2, 7, 9, 3)).astype("float32")


@pytest.mark.parametrize("scale", SCALES)
def test_bilinear_agrees_with_scipy(field, scale):
    zoom = (1, scale, scale, 1)
    expected = ndimage.zoom(field, zoom, order=1, mode="nearest", grid_mode=True)
    np.testing.assert_allclose(Resize("bilinear", scale=scale)(field), expected, atol=1e-5)


@pytest.mark.parametrize("method", ["nearest", "inter_area"])
@pytest.mark.parametrize("scale", SCALES)
def test_nearest_repeats_cells(field, scale, method):
    expected = field.repeat(scale, axis=1).repeat(scale, axis=2)
    np.testing.assert_array_equal(Resize(method, scale=scale)(field), expected)


@pytest.mark.parametrize("scale", SCALES)
def test_bicubic_is_the_catmull_rom_spline(scale):
    """Keys' kernel with a = -0.5 is Hermite interpolation with central-difference slopes."""
    row = np.random.default_rng(1).normal(size=9)
    x = np.tile(row[None, None, :, None], (1, 2, 1, 1)).astype("float32")
    padded = np.pad(row, 3, mode="edge")
    expected = []
    for target in range(9 * scale):
        position = (target + 0.5) / scale - 0.5 + 3
        i, t = int(np.floor(position)), position - np.floor(position)
        p, m = padded, (np.roll(padded, -1) - np.roll(padded, 1)) / 2
        expected.append(
            (2 * t**3 - 3 * t**2 + 1) * p[i]
            + (t**3 - 2 * t**2 + t) * m[i]
            + (3 * t**2 - 2 * t**3) * p[i + 1]
            + (t**3 - t**2) * m[i + 1]
        )
    y = np.asarray(Resize("bicubic", scale=scale)(x))
    np.testing.assert_allclose(y[0, 0, :, 0], expected, atol=1e-5)


@pytest.mark.parametrize("scale", SCALES)
def test_lanczos_agrees_with_keras_away_from_the_edges(scale):
    """Keras renormalises at the edges instead of clamping; three cells in, there is no edge."""
    field = np.random.default_rng(0).normal(size=(2, 10, 11, 3)).astype("float32")
    size = (10 * scale, 11 * scale)
    expected = np.asarray(ops.image.resize(field, size, interpolation="lanczos3"))
    inner = (slice(None), slice(3 * scale, -3 * scale), slice(3 * scale, -3 * scale))
    y = np.asarray(Resize("lanczos", scale=scale)(field))
    np.testing.assert_allclose(y[inner], expected[inner], atol=1e-4)


@pytest.mark.parametrize("method", METHODS)
def test_known_and_unknown_sizes_agree(field, method):
    layer = Resize(method, scale=3)
    any_size = tf.function(layer, input_signature=[tf.TensorSpec((None, None, None, 3))])
    np.testing.assert_allclose(any_size(field), layer(field), atol=1e-5)
    assert layer(keras.Input((None, None, 3))).shape == (None, None, None, 3)


@pytest.mark.parametrize("method", METHODS)
def test_size_and_scale_agree(field, method):
    by_size = Resize(method, size=(21, 27))(field)
    np.testing.assert_allclose(by_size, Resize(method, scale=3)(field), atol=1e-5)


@pytest.mark.parametrize("method", METHODS)
def test_constants_stay_constant(method):
    ones = np.ones((1, 3, 2, 1), "float32")
    np.testing.assert_allclose(Resize(method, scale=4)(ones), 1, atol=1e-6)
    np.testing.assert_allclose(Resize(method, size=(5, 1))(ones), 1, atol=1e-6)


def test_area_shrinking_is_the_mean_of_overlaps():
    x = np.arange(6, dtype="float32")[None, :, None, None]
    np.testing.assert_allclose(Resize("inter_area", size=(2, 1))(x)[0, :, 0, 0], [1, 4])
    y = Resize("inter_area", size=(4, 1))(x)[0, :, 0, 0]
    np.testing.assert_allclose(y, [1 / 3, 5 / 3, 10 / 3, 14 / 3], rtol=1e-6)


def test_matrix_rows_sum_to_one():
    for method in METHODS:
        np.testing.assert_allclose(interpolation_matrix(5, 13, method).sum(axis=1), 1)
