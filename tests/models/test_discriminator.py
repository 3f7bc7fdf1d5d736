"""The discriminator: contract at each scale, parameters by hand, grids of any size."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from contract import random_inputs, run_layer_test

from app.models.discriminator import build_discriminator

TINY: dict[str, Any] = {"n_filters": 4, "n_blocks": 1}


def conv(kernel: int, n_in: int, n_out: int) -> int:
    """Weights and biases of a convolution."""
    return kernel**2 * n_in * n_out + n_out


@pytest.mark.parametrize(
    ("scale", "n_condition", "n_fields"),
    [(2, 1, 1), (3, 2, 1), (4, 3, 2), (5, 1, 1), (6, 2, 3)],
)
def test_discriminator_contract(scale: int, n_condition: int, n_fields: int, tmp_path: Path):
    """On an odd grid that is not square: one logit a sample, a gradient to every weight."""
    h, w = 5, 3
    shapes = {"condition": (2, h, w, n_condition), "field": (2, h * scale, w * scale, n_fields)}
    run_layer_test(
        lambda: build_discriminator(
            n_condition=n_condition, n_fields=n_fields, scale=scale, **TINY
        ),
        shapes,
        (2, 1),
        tmp_path,
    )


@pytest.mark.parametrize(("scale", "kernels"), [(6, [3, 3]), (10, [3, 5])])
def test_parameters_by_hand(scale: int, kernels: list[int]):
    """Two stems, three blocks in each branch, a kernel for each prime factor, the joined part."""
    f, blocks = 8, 3
    network = build_discriminator(
        n_condition=2, n_fields=1, scale=scale, n_filters=f, n_blocks=blocks
    )
    expected = conv(3, 2, f) + conv(3, 1, f) + 2 * blocks * 2 * conv(3, f, f)
    expected += sum(conv(kernel, f, f) for kernel in kernels)
    expected += conv(3, 2 * f, f) + conv(3, f, f) + conv(1, 2 * f, f)
    assert network.count_params() == expected + (f * 32 + 32) + (32 + 1)


def test_default_size_is_that_of_the_flags():
    network = build_discriminator(n_condition=1, n_fields=1, scale=2)
    names = [layer.name for layer in network.layers if "block" in layer.name]
    assert len(names) == 2 * 4
    assert network.get_layer("field_stem").filters == 32
    assert network.get_layer("dropout").rate == 0.4


@pytest.mark.parametrize("scale", [2, 3, 5])
def test_every_fine_cell_is_looked_at(scale: int):
    keras.utils.set_random_seed(0)
    network = build_discriminator(n_condition=1, n_fields=1, scale=scale, **TINY)
    h, w = 3, 2
    x = random_inputs({"condition": (1, h, w, 1), "field": (1, h * scale, w * scale, 1)})
    before = float(network(x)[0, 0])
    for cell in np.ndindex(h * scale, w * scale):
        moved = []
        for change in (3, -3):  # a relu may be off in one direction
            field = x["field"].copy()
            field[0, *cell, 0] += change
            moved.append(float(network({**x, "field": field})[0, 0]) != before)
        assert any(moved), cell


def test_one_network_serves_any_size():
    network = build_discriminator(n_condition=1, n_fields=1, scale=4, **TINY)
    for h, w in [(3, 5), (4, 4)]:
        x = random_inputs({"condition": (2, h, w, 1), "field": (2, 4 * h, 4 * w, 1)})
        assert tuple(network(x).shape) == (2, 1)
