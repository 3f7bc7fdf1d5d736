"""The denoising U-Net: contract, parameters by hand, any grid, and what it is told."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from contract import random_inputs, run_layer_test

from app.models.diffusion.layers import GroupNorm, NoiseEmbedding, SelfAttention, group_count
from app.models.diffusion.unet import UNetOptions, build_denoiser


def tiny(**options: Any) -> UNetOptions:
    common = {"channels": 8, "multipliers": (1, 2), "attention": (False, True)}
    return UNetOptions(**{**common, "blocks": 1, "dropout_rate": 0.0, **options})


def shapes(size: tuple[int, int], n: int = 2, fields: int = 1) -> dict[str, tuple[int, ...]]:
    return {"noisy": (n, *size, fields), "condition": (n, *size, 3), "level": (n,)}


def moved(network: keras.Model) -> keras.Model:
    """With weights off zero, so that the output is not."""
    draw = np.random.default_rng(1)
    for weight in network.trainable_weights:
        weight.assign(weight + draw.normal(scale=0.1, size=weight.shape))
    return network


@pytest.mark.parametrize(
    ("options", "size"),
    [
        (tiny(), (5, 7)),
        (tiny(multipliers=(1, 3, 2), attention=(False, False, False)), (4, 9)),
        (tiny(embedding="fourier", channels=4, multipliers=(3,), attention=(False,)), (3, 3)),
    ],
)
def test_contract_on_odd_grids(options: UNetOptions, size: tuple[int, int], tmp_path: Path) -> None:
    run_layer_test(
        lambda: build_denoiser(options, n_fields=1, n_condition=3),
        shapes(size),
        (2, *size, 1),
        tmp_path,
    )


@pytest.mark.parametrize("layer", [GroupNorm, SelfAttention])
def test_layer_contract(layer: Any, tmp_path: Path) -> None:
    run_layer_test(layer, (2, 5, 6, 8), (2, 5, 6, 8), tmp_path)


@pytest.mark.parametrize("kind", ["positional", "fourier"])
def test_embedding_contract(kind: str, tmp_path: Path) -> None:
    run_layer_test(lambda: NoiseEmbedding(6, kind), (4,), (4, 6), tmp_path)


def test_parameters_by_hand() -> None:
    """Two levels of 8 and 16 channels, one block each, attention below, no shortcuts but 1×1."""

    def conv(kernel: int, n_in: int, n_out: int) -> int:
        return kernel**2 * n_in * n_out + n_out

    def block(n_in: int, n_out: int, e: int = 32) -> int:
        own = 2 * n_in + conv(3, n_in, n_out) + e * n_out + n_out + 2 * n_out
        return own + conv(3, n_out, n_out) + (conv(1, n_in, n_out) if n_in != n_out else 0)

    attention = 2 * 16 + 4 * 16 * 16 + 3 * 16
    embedding = (32 * 32 + 32) * 2
    encoder = conv(3, 4, 8) + block(8, 8) + conv(3, 8, 16) + block(16, 16) + attention
    middle = 2 * block(16, 16) + attention
    lower = 2 * (block(32, 16) + attention) + conv(4, 16, 16)
    upper = block(16 + 8, 8) + block(8 + 8, 8)
    last = 2 * 8 + conv(3, 8, 1)
    network = build_denoiser(tiny(), n_fields=1, n_condition=3)
    assert network.count_params() == embedding + encoder + middle + lower + upper + last


def test_answers_nothing_before_training() -> None:
    network = build_denoiser(tiny(), n_fields=2, n_condition=3)
    outputs = np.asarray(network(random_inputs(shapes((6, 5), fields=2))))
    assert outputs.shape == (2, 6, 5, 2)
    assert not outputs.any()


def test_attention_only_where_it_is_set() -> None:
    def attending(flags: tuple[bool, ...]) -> list[str]:
        options = tiny(multipliers=(1, 1, 2), attention=flags)
        network = build_denoiser(options, n_fields=1, n_condition=3)
        layers = [layer for layer in network.layers if isinstance(layer, SelfAttention)]
        return sorted(layer.name.removesuffix("_attention") for layer in layers)

    assert attending((False, False, False)) == []
    assert attending((False, True, False)) == [
        *("decoder_1_0", "decoder_1_1", "encoder_1_0", "middle"),
    ]


def test_multiples_are_neither_padded_nor_cropped_away() -> None:
    """An interior far from the edges does not depend on how far the grid goes on."""
    options = tiny(attention=(False, False))
    keras.utils.set_random_seed(0)
    network = moved(build_denoiser(options, n_fields=1, n_condition=3))
    inputs = random_inputs(shapes((41, 43), n=1))
    outputs = np.asarray(network(inputs))
    assert outputs.shape == (1, 41, 43, 1)
    even = {
        name: np.pad(part, ((0, 0), (0, 1), (0, 1), (0, 0)), mode="edge")
        if part.ndim == 4
        else part
        for name, part in inputs.items()
    }
    np.testing.assert_allclose(np.asarray(network(even))[:, :41, :43], outputs, atol=1e-4)


def test_noise_level_and_time_classes_are_heard() -> None:
    network = moved(
        build_denoiser(tiny(), n_fields=1, n_condition=3, classes=("hour", "day_of_year"))
    )
    inputs = random_inputs(shapes((6, 6)))
    inputs["classes"] = np.array([[0, 0], [0, 0]], "int32")
    first = np.asarray(network(inputs))
    for changed in (
        {"level": inputs["level"] + 0.3},
        {"classes": np.array([[5, 0], [0, 0]], "int32")},
        {"classes": np.array([[0, 11], [0, 0]], "int32")},
    ):
        other = np.asarray(network({**inputs, **changed}))
        assert np.abs(other[0] - first[0]).max() > 1e-3
        if "classes" in changed:
            np.testing.assert_allclose(other[1], first[1], atol=1e-5)


@pytest.mark.parametrize(
    ("channels", "groups"), [(1, 1), (6, 1), (8, 2), (16, 4), (24, 6), (30, 6), (64, 8), (13, 1)]
)
def test_groups_follow_the_width(channels: int, groups: int) -> None:
    assert group_count(channels) == groups


def test_group_norm_is_that_of_keras() -> None:
    x = random_inputs((3, 5, 4, 16)) * 3 + 100
    ours, theirs = GroupNorm(), keras.layers.GroupNormalization(groups=4, epsilon=1e-5)
    np.testing.assert_allclose(ours(x), theirs(x), atol=1e-4)
    assert float(np.std(np.asarray(ours(x)))) == pytest.approx(1, abs=1e-3)


def test_positional_embedding_by_hand() -> None:
    """Angles 1000·level / 10000^(k/3): sines first, then cosines."""
    angles = 0.25 * 1000 / 10000 ** (np.arange(3) / 3)
    found = np.asarray(NoiseEmbedding(6)(np.array([0.25], "float32")))[0]
    np.testing.assert_allclose(found, [*np.sin(angles), *np.cos(angles)], atol=1e-4)
