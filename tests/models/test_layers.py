"""Layers: the common contract, and what each of them promises beyond it."""

import keras
import numpy as np
import pytest
from contract import run_layer_test

from app.models import layers as L
from app.models.layers.common import normalization_layers
from app.models.layers.dropout import VARIANTS, dropout_layers

BLOCKS = [L.ConvBlock, L.ResidualBlock, L.DenseBlock, L.ConvNextBlock]
SIMPLE = [
    (lambda: L.CReLU(), (2, 5, 6, 3), (2, 5, 6, 6)),
    (lambda: L.TransitionBlock(4, "crelu"), (2, 5, 6, 3), (2, 5, 6, 8)),
    (lambda: L.ChannelAttention(), (2, 5, 6, 8), (2, 5, 6, 8)),
    (lambda: L.ChannelAttention(), (2, 3, 5, 6, 2), (2, 3, 5, 6, 2)),
    (lambda: L.LocallyConnected1x1(3), (2, 5, 6, 2), (2, 5, 6, 3)),
    (lambda: L.LocalizedConvBlock(), (2, 5, 6, 3), (2, 5, 6, 5)),
    (lambda: L.DepthToSpace(3), (2, 5, 6, 18), (2, 15, 18, 2)),
    (lambda: L.SubpixelUpsampling(6, 2), (2, 4, 3, 3), (2, 24, 18, 2)),
    (lambda: L.ResizeUpsampling(5, 2), (2, 4, 3, 3), (2, 20, 15, 2)),
    (lambda: L.TransposedUpsampling(4, 2), (2, 4, 3, 3), (2, 16, 12, 2)),
    (lambda: L.Resize("bicubic", scale=3), (2, 4, 3, 3), (2, 12, 9, 3)),
    (lambda: L.Resize("inter_area", size=(2, 5)), (2, 4, 3, 3), (2, 2, 5, 3)),
    (lambda: L.ConvBlock(2, zero_output=True), (2, 5, 6, 3), (2, 5, 6, 2)),
]
OPTIONS = [
    {},
    {"normalization": "bn", "attention": True, "activation": "gelu"},
    {"normalization": "ln", "dropout_rate": 0.3, "dropout_variant": "spatial"},
    {"activation": "crelu", "normalization": "ln", "attention": True},
    {"activation": None, "dropout_rate": 0.2},
]


@pytest.mark.parametrize(("make", "shape", "expected"), SIMPLE)
def test_layer_contract(make, shape, expected, tmp_path):
    run_layer_test(make, shape, expected, tmp_path)


@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize("block", BLOCKS)
def test_block_contract(block, options, tmp_path):
    width = 16 if options.get("attention") else 4  # one squeezed unit may well be off
    doubled = 2 * width if options.get("activation") == "crelu" else width
    channels = {L.DenseBlock: 3 + width, L.ConvNextBlock: width}.get(block, doubled)
    policies = ("float32", "mixed_float16") if not options else ("float32",)
    run_layer_test(
        lambda: block(width, **options), (2, 6, 5, 3), (2, 6, 5, channels), tmp_path, policies
    )


def test_block_parameters_by_hand():
    """ConvBlock(4) on 3 channels: 3·9·4 + 4 and 4·9·4 + 4; the shortcut 3·4 + 4; and so on."""
    for block, expected in [
        (L.ConvBlock(4), 112 + 148),
        (L.ResidualBlock(4), 112 + 148 + 16),
        (L.DenseBlock(4), (3 * 16 + 16) + (16 * 9 * 4 + 4)),
        (L.ConvNextBlock(4), (3 * 49 + 3) + (3 * 16 + 16) + (16 * 4 + 4) + 16),
        (L.ChannelAttention(), (3 * 1 + 1) + (1 * 3 + 3)),
        (L.LocalizedConvBlock(), (3 * 2 + 2) + 6 * 5 * (2 * 2 + 2)),
    ]:
        block(np.zeros((1, 6, 5, 3), "float32"))
        assert block.count_params() == expected, block.name


def test_dense_block_normalises_before_both_convolutions():
    block = L.DenseBlock(4, normalization="bn", dropout_rate=0.1)
    block(np.zeros((1, 6, 5, 3), "float32"))
    kinds = [type(layer).__name__ for layer in block.chain]
    assert kinds == ["BatchNormalization", "Activation", "Dropout", "Conv2D"] * 2


@pytest.mark.parametrize("channels", [1, 2, 3, 8])
def test_layer_normalisation_keeps_a_field_on_few_channels(channels):
    (layer,) = normalization_layers("ln", channels, "float32")
    x = np.random.default_rng(0).normal(size=(1, 6, 5, channels)).astype("float32")
    y = np.asarray(layer(x))
    assert np.unique(y.round(3)).size > y.size / 2
    if channels < 8:
        np.testing.assert_allclose(y, (x - x.mean()) / x.std(), atol=1e-3)


def test_attention_weighs_channels_by_their_spatial_mean():
    x = np.random.default_rng(0).normal(size=(2, 5, 6, 8)).astype("float32")
    layer = L.ChannelAttention()
    y = np.asarray(layer(x))
    w1, b1, w2, b2 = (np.asarray(weight) for weight in layer.get_weights())
    assert w1.shape == (8, 2)
    hidden = np.maximum(x.mean(axis=(1, 2)) @ w1 + b1, 0)
    gate = 1 / (1 + np.exp(-(hidden @ w2 + b2)))
    np.testing.assert_allclose(y, x * gate[:, None, None], rtol=1e-5)


def test_locally_connected_layer_is_one_matrix_per_cell():
    x = np.random.default_rng(0).normal(size=(2, 4, 3, 2)).astype("float32")
    layer = L.LocallyConnected1x1(3)
    layer(x)
    layer.bias.assign(np.random.default_rng(1).normal(size=(4, 3, 3)))
    kernel, bias = layer.get_weights()
    expected = np.einsum("bhwi,hwio->bhwo", x, kernel) + bias
    np.testing.assert_allclose(layer(x), expected, rtol=1e-5, atol=1e-6)


def test_crelu_splits_the_signs():
    x = np.array([[-2.0, 3.0]], "float32")
    np.testing.assert_array_equal(L.CReLU()(x), [[0, 3, 2, 0]])


@pytest.mark.parametrize("variant", VARIANTS)
def test_only_the_monte_carlo_variants_draw_at_inference(variant):
    (layer,) = dropout_layers(variant, 0.5, "float32")
    x = np.ones((1, 8, 8, 16), "float32")
    y = np.asarray(layer(x, training=False))
    assert (y != x).any() == variant.startswith("mc")
    if variant == "mcspatialdrop":
        assert (y == y[:, :1, :1]).all()
        assert set(np.unique(y)) == {0, 2}


def test_no_dropout_at_rate_zero():
    assert dropout_layers("mcdrop", 0.0, "float32") == []


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: L.Resize("cubic", scale=2), "method"),
        (lambda: L.Resize("nearest"), "scale or size"),
        (lambda: normalization_layers("gn", 3, "float32"), "normalization"),
        (lambda: L.LocallyConnected1x1(1)(keras.Input((None, None, 1))), "known size"),
    ],
)
def test_refusals_say_what_was_expected(make, words):
    with pytest.raises(ValueError, match=words):
        make()
