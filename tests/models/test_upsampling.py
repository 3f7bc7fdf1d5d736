"""Upsampling by any whole factor, on grids of any size."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from app.models.layers.upsampling import (
    DepthToSpace,
    SubpixelUpsampling,
    depth_to_space,
    prime_factors,
    upsampling_layer,
)

KINDS = ["spc", "rc", "dc", "pin"]


@pytest.mark.parametrize("scale", [2, 3, 4, 5, 6, 7, 10, 12])
@pytest.mark.parametrize("kind", KINDS)
def test_grids_grow_by_exactly_the_scale(kind, scale):
    layer = upsampling_layer(kind, scale, 3, "bilinear")
    y = layer(np.ones((1, 3, 2, 3), "float32"))
    assert tuple(y.shape) == (1, 3 * scale, 2 * scale, 3)
    assert upsampling_layer(kind, scale, 3, "bilinear")(keras.Input((None, None, 3))).shape == (
        None,
        None,
        None,
        3,
    )


@pytest.mark.parametrize("kind", KINDS)
def test_unknown_sizes_give_the_same_values(kind):
    layer = upsampling_layer(kind, 4, 3, "bilinear")
    x = np.random.default_rng(0).normal(size=(2, 3, 5, 3)).astype("float32")
    expected = layer(x)
    any_size = tf.function(layer, input_signature=[tf.TensorSpec((None, None, None, 3))])
    np.testing.assert_allclose(any_size(x), expected, atol=1e-5)


@pytest.mark.parametrize(
    ("number", "factors"),
    [(2, [2]), (4, [2, 2]), (5, [5]), (6, [2, 3]), (10, [2, 5]), (49, [7, 7])],
)
def test_scales_are_factored(number, factors):
    assert prime_factors(number) == factors
    steps = [layer for layer in _built(number).chain if isinstance(layer, DepthToSpace)]
    assert [step.factor for step in steps] == factors


@pytest.mark.parametrize("factor", [2, 3])
def test_depth_to_space_agrees_with_tensorflow(factor):
    x = np.random.default_rng(0).normal(size=(2, 3, 4, 2 * factor**2)).astype("float32")
    np.testing.assert_array_equal(depth_to_space(x, factor), tf.nn.depth_to_space(x, factor))


def test_subpixels_of_a_cell_start_equal():
    x = np.random.default_rng(0).normal(size=(1, 4, 5, 2)).astype("float32")
    y = np.asarray(_built(3)(x))
    blocks = y.reshape(1, 4, 3, 5, 3, 2)
    np.testing.assert_allclose(blocks, np.broadcast_to(blocks[:, :, :1, :, :1], blocks.shape))


def test_transposed_convolution_reaches_every_cell_beyond_its_kernel():
    layer = upsampling_layer("dc", 12, 1, "bilinear")
    assert (np.asarray(layer(np.ones((1, 3, 3, 1), "float32"))) != 0).all()


def test_unknown_kind_is_refused():
    with pytest.raises(ValueError, match="spc, rc, dc or pin"):
        upsampling_layer("pixelshuffle", 2, 1, "bilinear")


@pytest.mark.parametrize("kind", ["spc", "dc"])
def test_layers_saved_before_heads_could_be_wide_are_read(kind):
    layer = upsampling_layer(kind, 4, 3, "bilinear")
    layer.build((None, None, None, 3))
    config = {n: v for n, v in layer.get_config().items() if n not in ("shared", "narrow")}
    read = type(layer).from_config(config)
    read.build((None, None, None, 3))
    assert [w.shape for w in read.weights] == [w.shape for w in layer.weights]


def _built(scale: int) -> SubpixelUpsampling:
    layer = SubpixelUpsampling(scale, 2)
    layer.build((None, None, None, 2))
    return layer
