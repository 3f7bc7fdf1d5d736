"""What convolutions see beyond the edge of a field."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
from scipy.ndimage import correlate

from app.models.build import build_network
from app.models.diffusion.unet import UNetOptions, build_denoiser
from app.models.layers import ConvBlock, ConvLSTM, ConvNextBlock, ResidualBlock
from app.models.layers.convolutions import EDGE, convolution, depthwise, transposed
from app.models.layers.upsampling import upsampling_layer
from app.options import ModelConfig

RNG = np.random.default_rng(3)
FIELD = RNG.normal(size=(1, 5, 7, 2)).astype("float32")


def kernel_of(layer: keras.layers.Layer, shape: tuple[int, ...]) -> np.ndarray:
    """The layer's kernel, after random numbers have been put in its place."""
    layer.build(shape)
    kernel = RNG.normal(size=layer.kernel.shape)
    layer.kernel.assign(kernel)
    return kernel


@pytest.mark.parametrize("size", [2, 3, 5, 9])
@pytest.mark.parametrize("strides", [1, 2])
def test_convolution_sees_the_edge_repeated(size: int, strides: int) -> None:
    """Scipy's correlation with mode "nearest"; an even kernel starts half a cell before."""
    layer = convolution(1, size, padding=EDGE, strides=strides)
    kernel = kernel_of(layer, FIELD.shape)
    wanted = sum(
        correlate(FIELD[0, ..., c], kernel[..., c, 0], mode="nearest", origin=-1 * (size % 2 == 0))
        for c in range(2)
    )
    found = np.asarray(layer(FIELD))[0, ..., 0]
    np.testing.assert_allclose(found, wanted[::strides, ::strides], atol=1e-5)
    assert layer.compute_output_shape(FIELD.shape) == (1, *found.shape, 1)


def test_depthwise_convolution_likewise() -> None:
    layer = depthwise(7, padding=EDGE)
    kernel = kernel_of(layer, FIELD.shape)
    wanted = [correlate(FIELD[0, ..., c], kernel[..., c, 0], mode="nearest") for c in range(2)]
    np.testing.assert_allclose(layer(FIELD)[0], np.stack(wanted, axis=-1), atol=1e-5)


@pytest.mark.parametrize(("size", "strides"), [(4, 2), (9, 4), (9, 2), (12, 12)])
def test_transposed_convolution_of_a_longer_field(size: int, strides: int) -> None:
    """The middle of what Keras makes of the field with ten cells of its edge around it."""
    layer = transposed(3, size, strides, padding=EDGE)
    layer.build(FIELD.shape)
    far = np.pad(FIELD, ((0, 0), (10, 10), (10, 10), (0, 0)), mode="edge")
    plain = keras.layers.Conv2DTranspose(3, size, strides=strides, padding="same")
    plain.build(FIELD.shape)
    plain.set_weights(layer.get_weights())
    cut = 10 * strides
    np.testing.assert_allclose(layer(FIELD), plain(far)[:, cut:-cut, cut:-cut], atol=1e-5)


MAKERS: dict[str, Any] = {
    "ConvBlock": lambda: ConvBlock(4, padding=EDGE),
    "ResidualBlock": lambda: ResidualBlock(4, padding=EDGE),
    "ConvNextBlock": lambda: ConvNextBlock(4, padding=EDGE),
    "ConvLSTM": lambda: ConvLSTM(4, 5, padding=EDGE, bidirectional=True),
    **{
        kind: lambda kind=kind: upsampling_layer(kind, 4, 3, "bilinear", EDGE)
        for kind in ("spc", "rc", "dc")
    },
}


@pytest.mark.parametrize("name", MAKERS)
@pytest.mark.parametrize("cells", [1, 2, 6])
def test_a_constant_field_has_no_edge(name: str, cells: int) -> None:
    """Where every cell is equal, no cell of the answer knows where it lies, on the smallest grids
    too; upsampling repeats one block."""
    field = np.full((1, cells, cells, 2), 1.7, "float32")
    field = np.stack([field, 2 * field], axis=1) if name == "ConvLSTM" else field
    layer = MAKERS[name]()
    answer = np.asarray(layer(field))
    block = 4 if name in ("spc", "rc", "dc") else 1
    first = answer[..., :block, :block, :]
    repeated = np.tile(first, (1,) * (answer.ndim - 3) + (cells, cells, 1))
    np.testing.assert_allclose(answer, repeated, atol=1e-5)
    again = type(layer).from_config(layer.get_config())
    again(field)
    again.set_weights(layer.get_weights())
    np.testing.assert_array_equal(again(field), answer)


NETWORKS = [
    *[("resnet", kind) for kind in ("spc", "rc", "pin")],
    *[(name, "spc") for name in ("convnet", "densenet", "convnext", "swin2sr", "conv_baseline")],
    ("unet", "pin"),
]


@pytest.mark.parametrize(("backbone", "upsampling"), NETWORKS)
def test_no_network_knows_where_the_edge_is(backbone: str, upsampling: str) -> None:
    """Every convolution of a network repeats the edge, else equal cells would not stay equal."""
    config = ModelConfig(
        backbone=backbone,
        upsampling=upsampling,
        n_filters=4,
        n_blocks=2,
        dropout_rate=0.0,
        padding=EDGE,
    )
    network = build_network(config, n_inputs=1, n_static=0, n_outputs=1, scale=2)
    cells = 16 if upsampling == "pin" else 8
    answer = np.asarray(network({"coarse": np.full((1, cells, cells, 1), 0.7, "float32")}))
    assert answer.shape == (1, 16, 16, 1)
    step = 4 if backbone == "unet" else 2
    block = answer[:, :step, :step]
    np.testing.assert_allclose(answer, np.tile(block, (1, 16 // step, 16 // step, 1)), atol=1e-5)


def test_nor_does_the_denoiser() -> None:
    """Its transposed convolutions are made to give equal subpixels."""
    options = UNetOptions(4, (1, 2), (False, False), 1, 0.0, padding=EDGE)
    network = build_denoiser(options, n_fields=1, n_condition=1)
    for name in ("output", "up_1"):  # the first is zero before training
        kernel = network.get_layer(name).kernel
        kernel.assign(np.broadcast_to(RNG.normal(size=kernel.shape[2:]), kernel.shape))
    field = np.full((1, 8, 8, 1), 0.7, "float32")
    answer = np.asarray(network({"noisy": field, "condition": field, "level": np.ones(1)}))
    np.testing.assert_allclose(answer, np.full_like(answer, answer[0, 0, 0, 0]), rtol=1e-4)
