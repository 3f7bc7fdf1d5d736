"""Attention in windows: parameters by hand, what a cell sees, and a window worked out in NumPy."""

import numpy as np
import pytest
from contract import random_inputs, run_layer_test
from scipy.special import erf, expit, softmax

from app.models import build_network
from app.models.layers.swin import SwinBlock, head_count, log_distances
from app.options import ModelConfig


def seen_by(block, shape, cell):
    """Which cells of a field change the block's attention at one cell."""
    block(np.zeros((1, *shape, 8), "float32"))
    x = random_inputs((1, *shape, 8))
    reference = np.asarray(block._attended(x))[0, *cell]
    found = np.zeros(shape, bool)
    for row, column in np.ndindex(shape):
        other = x.copy()
        other[0, row, column] += 3.0
        found[row, column] = np.abs(np.asarray(block._attended(other))[0, *cell] - reference).any()
    return found


def test_a_cell_sees_its_window_and_nothing_of_the_filling():
    found = seen_by(SwinBlock(window=4), (5, 6), (4, 1))
    expected = np.zeros((5, 6), bool)
    expected[4:, :4] = True
    np.testing.assert_array_equal(found, expected)


def test_shifted_windows_do_not_reach_around_the_edge():
    """Shifted by two, rows 0 and 1 share a window with the last ones, but are not seen there."""
    np.testing.assert_array_equal(
        seen_by(SwinBlock(shift=True, window=4), (8, 4), (0, 0)),
        np.pad(np.ones((2, 2), bool), ((0, 6), (0, 2))),
    )
    np.testing.assert_array_equal(
        seen_by(SwinBlock(shift=True, window=4), (8, 4), (3, 2)),
        np.pad(np.ones((4, 2), bool), ((2, 2), (2, 0))),
    )


def test_one_window_by_hand():
    block = SwinBlock(window=2)
    x = random_inputs((1, 2, 2, 8))
    block(x)
    draw = np.random.default_rng(3)
    for weight in block.trainable_weights:
        weight.assign(weight + draw.normal(scale=0.1, size=weight.shape))

    def weights(layer):
        return [np.asarray(w, float) for w in layer.weights]

    def dense(layer, values):
        kernel, *bias = weights(layer)
        return values @ kernel + (bias[0] if bias else 0.0)

    def norm(layer, values):
        gamma, beta = weights(layer)
        centred = values - values.mean(-1, keepdims=True)
        return centred / np.sqrt(values.var(-1, keepdims=True) + 1e-5) * gamma + beta

    cells = x.reshape(4, 8).astype(float)
    question, key = (dense(layer, cells) for layer in (block.question, block.key))
    question, key = (q / np.linalg.norm(q, axis=-1, keepdims=True) for q in (question, key))
    apart = np.array([[0, 0], [0, 1], [1, 0], [1, 1]])
    apart = apart[:, None] - apart[None]
    told = np.maximum(dense(block.places[0], np.sign(apart) * np.log2(1 + np.abs(apart))), 0)
    bias = 16 * expit(dense(block.places[1], told))[..., 0]
    sharp = np.exp(float(block.sharpness[0]))
    mixed = softmax(sharp * question @ key.T + bias, axis=-1) @ dense(block.content, cells)
    y = cells + norm(block.norms[0], dense(block.joined, mixed))
    hidden = dense(block.hidden[0], y)
    hidden = dense(block.hidden[-1], hidden * (1 + erf(hidden / np.sqrt(2))) / 2)
    expected = y + norm(block.norms[1], hidden)
    np.testing.assert_allclose(np.asarray(block(x)).reshape(4, 8), expected, atol=1e-4)


def test_parameters_of_swin2sr_by_hand():
    """Adapter 5×5; two blocks of four dense C → C (one without bias), two norms, two dense
    layers C ↔ 2C, a sharpness and a position network 2 → 32 → 1 for each of the heads; two 3×3;
    upsampling, transition and the head as for resnet.
    """
    c, heads = 16, 2
    block = 4 * c * c + 3 * c + 4 * c + (2 * c * c + 2 * c) + (2 * c * c + c)
    block += heads + (2 * 32 + 32) + 32 * heads
    conv = 9 * c * c + c
    total = 25 * c + c + 2 * block + 2 * conv
    total += 2 * (9 * c * 4 * c + 4 * c) + c * c + c + 2 * conv + (9 * c + 1) + 10
    config = ModelConfig(backbone="swin2sr", n_filters=c, n_blocks=1, dropout_rate=0.0)
    network = build_network(config, n_inputs=1, n_static=0, n_outputs=1, scale=4)
    assert head_count(c) == heads
    assert network.count_params() == total


def test_distances_are_logarithmic():
    found = log_distances(8)
    np.testing.assert_allclose(found[0, 7], [0.0, -1.0], atol=1e-6)
    np.testing.assert_allclose(found[8 * 3 + 1, 0], [2 / 3, 1 / 3], atol=1e-6)


@pytest.mark.parametrize("shift", [False, True])
def test_block_contract(shift, tmp_path):
    shape = (2, 5, 3, 8)
    run_layer_test(lambda: SwinBlock(shift, window=4), shape, shape, tmp_path, ("float32",))
