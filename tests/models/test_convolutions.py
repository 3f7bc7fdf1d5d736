"""What convolutions see beyond the edge of a field."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from unittest import mock

import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy.ndimage import correlate

from app.models.build import build_network
from app.models.diffusion.unet import UNetOptions, build_denoiser
from app.models.discriminator import build_discriminator
from app.models.layers import ConvBlock, ConvLSTM, ConvNextBlock, ResidualBlock
from app.models.layers.convolutions import (
    EDGE,
    PADDINGS,
    ZERO,
    convolution,
    depthwise,
    transposed,
)
from app.models.layers.resize import reached
from app.models.layers.upsampling import upsampling_layer
from app.models.stack import build_stages, join_stages
from app.models.temporal import TemporalNetwork
from app.options import ModelConfig, StackConfig
from app.options.network import DENSE, SPATIAL_ONLY
from app.registry import REGISTRY

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


@pytest.mark.parametrize("size", [1, 2, 3, 4, 9])
@pytest.mark.parametrize("cells", [1, 2, 3, 5])
def test_gradients_are_those_of_the_edge_repeated(size: int, cells: int) -> None:
    """The slope of a weighted sum: each edge cell takes the weights of its copies."""
    before = (size - 1) // 2
    weights = RNG.normal(size=(2, cells + size - 1, 4 + size - 1, 3)).astype("float32")
    x = tf.Variable(RNG.normal(size=(2, cells, 4, 3)).astype("float32"))
    with tf.GradientTape() as tape:
        total = tf.reduce_sum(weights * reached(x, size))
    rows = np.clip(np.arange(cells + size - 1) - before, 0, cells - 1)
    columns = np.clip(np.arange(4 + size - 1) - before, 0, 3)
    wanted = np.zeros(x.shape)
    np.add.at(wanted, (slice(None), rows[:, None], columns[None]), weights)
    np.testing.assert_allclose(tape.gradient(total, x), wanted, rtol=1e-5, atol=1e-5)


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


FLAGS = {"n_filters": 4, "n_blocks": 2, "dropout_rate": 0.0, "activation": "elu"}  # no dead units
BACKBONES = [name for name in REGISTRY.names("backbone") if name != DENSE]
UPSAMPLINGS = REGISTRY.names("upsampling")
RECURRENT = [name for name in BACKBONES if name not in SPATIAL_ONLY]
NETWORKS: dict[str, dict[str, Any]] = {
    **{f"{name}, pin": {"backbone": name, "upsampling": "pin"} for name in BACKBONES},
    **{f"resnet, {kind}": {"upsampling": kind} for kind in UPSAMPLINGS},
    **{
        f"unet, grown by {kind}": {
            "backbone": "unet",
            "upsampling": "pin",
            "decoder_upsampling": kind,
        }
        for kind in UPSAMPLINGS
    },
    **{f"{name} in windows": {"backbone": name, "time_window": 2} for name in RECURRENT},
    "normalised, attending": {"normalization": "ln", "attention": True},
}


def spread_evenly(network: keras.Model) -> None:
    """Give transposed convolutions triangular kernels: of equal cells they make equal cells."""
    for layer in network._flatten_layers():
        if isinstance(layer, keras.layers.Conv2DTranspose):
            size, stride = layer.kernel_size[0], layer.strides[0]
            away = np.abs(np.arange(size) - (size - 1) / 2)
            weights = np.maximum(1 - away / stride, 0)
            mixed = RNG.normal(size=layer.kernel.shape[2:])
            layer.kernel.assign(np.multiply.outer(np.outer(weights, weights), mixed))


def unevenness(field: np.ndarray, block: int) -> float:
    """How far fields (…, H, W, C) are from one block repeated, in units of their size."""
    *_, height, width, _ = field.shape
    first = field[..., :block, :block, :]
    lead = (1,) * (field.ndim - 3)
    tiled = np.tile(first, (*lead, height // block, width // block, 1))
    return float(np.abs(field - tiled).max() / np.abs(field).max())


@pytest.mark.parametrize("name", NETWORKS)
def test_no_network_knows_where_the_edge_is(name: str) -> None:
    """Equal cells stay equal where every convolution repeats the edge, and not where one does
    not, as with zeros."""
    flags = {**FLAGS, **NETWORKS[name]}
    step = 4 if flags.get("backbone") == "unet" else 2
    cells = 16 if flags.get("upsampling") == "pin" else 8
    frames = (flags["time_window"],) if "time_window" in flags else ()
    field = np.full((1, *frames, cells, cells, 1), 0.7, "float32")
    found = []
    for padding in PADDINGS:
        keras.utils.set_random_seed(1)
        config = ModelConfig(padding=padding, **flags)
        network = build_network(config, n_inputs=1, n_static=0, n_outputs=1, scale=2)
        spread_evenly(network)
        answer = np.asarray(network({"coarse": field}))
        assert answer.shape == (1, *frames, 16, 16, 1)
        found.append(unevenness(answer, step))
    assert found[PADDINGS.index(EDGE)] < 1e-4
    assert found[PADDINGS.index(ZERO)] > 0.01


@pytest.mark.parametrize("network", ["srcnn", "backbone"])
def test_nor_does_a_stack(network: str) -> None:
    found = []
    for padding in PADDINGS:
        keras.utils.set_random_seed(1)
        config = ModelConfig(padding=padding, **FLAGS)
        stack = StackConfig(sr_factors=(2, 2), sr_network=network)
        stages = build_stages(stack, config, n_inputs=1, n_static=0, n_outputs=1, twins=[0])
        whole = join_stages(stages, (2, 2), n_inputs=1, n_static=0, lower_bounds=[-np.inf])
        answer = np.asarray(whole({"coarse": np.full((1, 8, 8, 1), 0.7, "float32")}))
        found.append(unevenness(answer, 4))
    assert found[PADDINGS.index(EDGE)] < 1e-4
    assert found[PADDINGS.index(ZERO)] > 0.01


def test_nor_does_the_denoiser() -> None:
    """Kernels that start at zero get numbers."""
    options = UNetOptions(4, (1, 2), (False, True), 1, 0.0)
    field = np.full((1, 8, 8, 1), 0.7, "float32")
    found = []
    for padding in PADDINGS:
        network = build_denoiser(replace(options, padding=padding), n_fields=1, n_condition=1)
        rng = np.random.default_rng(5)
        for weight in network.trainable_variables:
            if "kernel" in weight.name:
                weight.assign(rng.normal(scale=0.3, size=weight.shape))
        spread_evenly(network)
        answer = np.asarray(network({"noisy": field, "condition": field, "level": np.ones(1)}))
        found.append(unevenness(answer, 1))
    assert found[PADDINGS.index(EDGE)] < 1e-4
    assert found[PADDINGS.index(ZERO)] > 0.01


def test_nor_does_the_discriminator() -> None:
    """What it says of equal cells does not depend on their number."""
    found = []
    for padding in PADDINGS:
        keras.utils.set_random_seed(1)
        critic = build_discriminator(
            n_condition=1, n_fields=1, scale=4, n_filters=8, padding=padding
        )
        told = []
        for n in (4, 12):
            fields = {"condition": (1, n, n, 1), "field": (1, 4 * n, 4 * n, 1)}
            inputs = {name: np.full(shape, 0.7, "float32") for name, shape in fields.items()}
            told.append(np.asarray(critic(inputs)).item())
        found.append(abs(told[1] / told[0] - 1))
    assert found[PADDINGS.index(EDGE)] < 1e-4
    assert found[PADDINGS.index(ZERO)] > 0.01


@pytest.mark.parametrize("flow_filters", [(), (4, 8)])
def test_nor_do_the_networks_in_time(flow_filters: tuple[int, ...]) -> None:
    """They are told the place in the domain, here the same everywhere. Where there are flows these
    are looked at, since what has moved out of the domain is told too."""
    frames = np.broadcast_to(np.float32([0.2, 0.5, 0.9, 1.2])[:, None, None, None], (1, 4, 8, 8, 1))
    inputs = {
        "frames": np.array(frames),
        "there": np.ones((1, 2), "float32"),
        "theta": np.full(1, 0.4, "float32"),
        "length": np.ones(1, "float32"),
    }
    place = np.zeros((1, 8, 8, 2), "float32")
    found = []
    for padding in PADDINGS:
        network = TemporalNetwork(
            n_outputs=1, flow_filters=flow_filters, n_filters=4, activation="elu", padding=padding
        )
        rng = np.random.default_rng(5)
        for weight in network.trainable_variables:
            weight.assign(rng.normal(scale=0.3, size=weight.shape))
        spread_evenly(network)
        with mock.patch.object(network, "_beside", return_value=place):
            answer = network.flows(inputs)[0] if flow_filters else network(inputs)["field"]
        found.append(unevenness(np.asarray(answer), 1))
    assert found[PADDINGS.index(EDGE)] < 1e-4
    assert found[PADDINGS.index(ZERO)] > 0.01
