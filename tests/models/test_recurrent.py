"""Recurrent layers and networks of windows: memory, direction, and what each frame may see."""

from itertools import product

import keras
import numpy as np
import pytest
from contract import POLICIES, random_inputs, run_layer_test

from app.models import build_network
from app.models.layers import ConvLSTM, RecurrentBlock
from app.models.layers.common import build_chain
from app.models.layers.frames import fold, unfold
from app.options import ModelConfig

T, GRID = 4, (5, 6)
TINY = {"n_filters": 4, "n_blocks": 1, "dropout_rate": 0.0, "activation": "elu"}
BACKBONES = ("convnet", "resnet", "densenet")
UPSAMPLINGS = ("spc", "rc", "dc", "pin")


def keras_twin(layer: ConvLSTM, direction: int, channels: int) -> keras.layers.Layer:
    """Keras' own layer, of a fixed grid, with the weights of one direction."""
    twin = keras.layers.ConvLSTM2D(
        layer.filters, layer.kernel, padding="same", return_sequences=True
    )
    twin.build((None, T, *GRID, channels))
    wide = slice(4 * layer.filters * direction, 4 * layer.filters * (direction + 1))
    kernel, bias = (np.array(w)[..., wide] for w in (layer.inward.kernel, layer.inward.bias))
    bias[layer.filters : 2 * layer.filters] += 1  # ours adds the forget bias when it runs
    twin.set_weights([kernel, np.array(layer.recurrent[direction].kernel), bias])
    return twin


@pytest.mark.parametrize(("kernel", "bidirectional"), product((3, 5), (False, True)))
def test_convlstm_is_that_of_keras(kernel: int, bidirectional: bool) -> None:
    layer = ConvLSTM(3, kernel, bidirectional=bidirectional)
    x = random_inputs((2, T, *GRID, 2))
    layer(x)
    for weight in layer.trainable_weights:
        draw = np.random.default_rng(len(weight.path))
        weight.assign(draw.normal(scale=0.3, size=weight.shape))
    expected = np.asarray(keras_twin(layer, 0, 2)(x))
    if bidirectional:
        expected = expected + np.asarray(keras_twin(layer, 1, 2)(x[:, ::-1]))[:, ::-1]
    np.testing.assert_allclose(layer(x), expected, atol=1e-5)


@pytest.mark.parametrize(
    ("make", "width"),
    [
        (lambda: ConvLSTM(3, 3), 3),
        (lambda: ConvLSTM(3, 5, bidirectional=True), 3),
        (lambda: RecurrentBlock(8, activation="elu", normalization="ln", attention=True), 8),
        (lambda: RecurrentBlock(4, activation="crelu", bidirectional=True), 8),
        (lambda: RecurrentBlock(4, activation="elu", dropout_rate=0.2, normalization="bn"), 4),
    ],
)
def test_layers_keep_the_contract(make, width, tmp_path) -> None:
    run_layer_test(make, (2, 2, *GRID, 2), (2, 2, *GRID, width), tmp_path)


def test_folding_is_undone_and_keeps_frames_together() -> None:
    x = np.arange(2 * T * 3 * 2 * 1).reshape(2, T, 3, 2, 1)
    np.testing.assert_array_equal(fold(x)[T + 1], x[1, 1])
    np.testing.assert_array_equal(unfold(fold(x), T), x)


def network(n_static: int = 0, frames: int = T, shape=(None, None), **options) -> keras.Model:
    keras.utils.set_random_seed(1)
    config = ModelConfig(time_window=frames, **{**TINY, **options})
    return build_network(
        config, n_inputs=1, n_static=n_static, n_outputs=1, scale=2, coarse_shape=shape
    )


def recurrent_block(n_in: int, filters: int, directions: int) -> int:
    """Weights: gates of input and memory, 5×5 and 3×3, a bias of the former."""
    first = directions * 4 * filters * (25 * (n_in + filters) + 1)
    return first + directions * 4 * filters * (9 * (filters + filters) + 1)


@pytest.mark.parametrize(("blocks", "bidirectional"), [(1, False), (3, False), (3, True)])
@pytest.mark.parametrize("upsampling", ["pin", "spc"])
def test_parameters_by_hand(blocks: int, bidirectional: bool, upsampling: str) -> None:
    """A stem block and n_blocks more, upsampling or not; spc ×2 is 3×3 to 4 F."""
    f, directions = 4, 1 + bidirectional
    expected = recurrent_block(1, f, directions) + blocks * recurrent_block(f, f, directions)
    if upsampling == "spc":
        expected += 9 * f * 4 * f + 4 * f
    expected += f * f + f + 2 * (9 * f * f + f) + 9 * f + 1 + 9 + 1
    found = network(n_blocks=blocks, bidirectional=bidirectional, upsampling=upsampling)
    assert found.count_params() == expected


@pytest.mark.parametrize(("backbone", "upsampling"), product(BACKBONES, UPSAMPLINGS))
def test_networks_serve_any_size_and_every_block_counts(backbone: str, upsampling: str) -> None:
    """Defect: post-upsampling networks that leave out all blocks but the stem."""
    net = network(1, frames=2, backbone=backbone, upsampling=upsampling, n_blocks=2)
    assert {"stem", "block_1", "block_2"} <= {layer.name for layer in net.layers}
    for h, w in [(3, 5), (4, 4)]:
        grid = (2 * h, 2 * w) if upsampling == "pin" else (h, w)
        x = random_inputs({"coarse": (1, 2, *grid, 1), "static": (1, 2 * h, 2 * w, 1)})
        before = np.asarray(net(x))
        assert before.shape == (1, 2, 2 * h, 2 * w, 1)
    for weight in net.get_layer("block_2").trainable_weights:
        weight.assign(weight * 3)
    assert np.abs(np.asarray(net(x)) - before).max() > 1e-5


def influence(net: keras.Model, upsampling: str = "spc") -> np.ndarray:
    """(T, T): whether output frame i changes with input frame j."""
    grid = tuple(2 * n for n in GRID) if upsampling == "pin" else GRID
    x = random_inputs((1, T, *grid, 1))
    before = np.asarray(net({"coarse": x}))
    found = np.zeros((T, T), bool)
    for j in range(T):
        changed = x.copy()
        changed[:, j] += random_inputs((1, *grid, 1))
        after = np.asarray(net({"coarse": changed}))
        found[:, j] = (after != before).any(axis=(0, 2, 3, 4))
    return found


OPTIONS = [
    {"backbone": "convnet", "upsampling": "rc", "attention": True},
    {"backbone": "resnet", "upsampling": "spc", "attention": True, "normalization": "ln"},
    {"backbone": "resnet", "upsampling": "pin", "normalization": "bn", "attention": True},
    {"backbone": "densenet", "upsampling": "dc", "attention": True, "activation": "crelu"},
]


@pytest.mark.parametrize("options", OPTIONS)
def test_frames_see_earlier_frames_only_unless_both_ways(options) -> None:
    """Nothing but the memories looks across frames: neither attention nor normalisation does.

    Defect: channel attention that averages over time lets every frame see the later ones.
    """
    for bidirectional, expected in (
        (False, np.tril(np.ones((T, T), bool))),
        (True, np.ones((T, T), bool)),
    ):
        net = network(bidirectional=bidirectional, **options)
        np.testing.assert_array_equal(influence(net, options["upsampling"]), expected)


def test_attention_of_a_frame_is_that_of_the_frame_alone() -> None:
    """The block's last part on a window and on each of its frames."""
    block = RecurrentBlock(8, attention=True)
    x = random_inputs((2, T, *GRID, 3))
    block(x)
    gate = block.chain[-1]
    gates = np.asarray(unfold(gate(fold(x @ np.ones((3, 8), "float32"))), T))
    for frame in range(T):
        alone = gate(x[:, frame] @ np.ones((3, 8), "float32"))
        np.testing.assert_allclose(gates[:, frame], alone, atol=1e-6)


def test_statics_reach_every_frame_of_every_sample() -> None:
    net = network(n_static=1)
    x = random_inputs({"coarse": (3, T, *GRID, 1), "static": (1, 10, 12, 1)})
    once = np.asarray(net(x))
    repeated = net({**x, "static": x["static"].repeat(3, axis=0)})
    np.testing.assert_allclose(once, repeated, atol=1e-6)
    own = x["static"].repeat(3, axis=0)
    own[1] += 1
    changed = np.abs(np.asarray(net({**x, "static": own})) - once).max(axis=(2, 3, 4)) > 1e-4
    np.testing.assert_array_equal(changed, np.array([[False], [True], [False]]).repeat(T, 1))


def test_localized_layer_is_the_same_in_every_frame() -> None:
    net = network(shape=GRID, localcon_layer=True)
    kernel = net.get_layer("localized").local.kernel
    assert tuple(kernel.shape[:2]) == (10, 12)
    assert tuple(net(random_inputs({"coarse": (2, T, *GRID, 1)})).shape) == (2, T, 10, 12, 1)


def test_memory_forgets_little_at_first() -> None:
    """With all weights 0 the gates are σ(0) and σ(1), so that the state keeps 0.731 a frame."""
    layer = ConvLSTM(1, 3)
    layer(np.zeros((1, 3, 2, 2, 1), "float32"))
    for weight in layer.trainable_weights:
        weight.assign(np.zeros(weight.shape))
    kernel = np.zeros((3, 3, 1, 4))
    kernel[1, 1, 0, 2] = 1  # the candidate is the input itself
    layer.inward.kernel.assign(kernel)
    x = np.zeros((1, 3, 2, 2, 1), "float32")
    x[:, 0] = 2.0
    state = 0.5 * np.tanh(2.0) * (1 / (1 + np.exp(-1))) ** np.arange(3)
    np.testing.assert_allclose(layer(x)[0, :, 0, 0, 0], 0.5 * np.tanh(state), rtol=1e-5)


def test_unknown_number_of_frames_is_an_error() -> None:
    with pytest.raises(ValueError, match="known number of frames"):
        build_chain([ConvLSTM(2, 3)], (None, None, 4, 4, 1))


@pytest.mark.slow
@pytest.mark.parametrize(("backbone", "upsampling"), product(BACKBONES, UPSAMPLINGS))
def test_network_contract_everywhere(backbone: str, upsampling: str, tmp_path) -> None:
    number = BACKBONES.index(backbone) + UPSAMPLINGS.index(upsampling)
    grid = tuple(2 * n for n in GRID) if upsampling == "pin" else GRID
    run_layer_test(
        lambda: network(
            1,
            frames=3,
            shape=GRID,
            backbone=backbone,
            upsampling=upsampling,
            normalization=[None, "bn", "ln"][number % 3],
            attention=number % 2 == 0,
            localcon_layer=number % 4 < 2,
            n_filters=8,
        ),
        {"coarse": (2, 3, *grid, 1), "static": (2, 10, 12, 1)},
        (2, 3, 10, 12, 1),
        tmp_path,
        POLICIES,
    )
