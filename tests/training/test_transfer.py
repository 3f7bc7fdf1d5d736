"""Weights taken over from a trained model: which, where to, and what is refused."""

import json
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from app.distributed import Communicator
from app.errors import InputError
from app.methods.supervised.trainer import SupervisedTrainer
from app.models import (
    Channel,
    InterpolationGuess,
    ModelArrays,
    ModelSpec,
    PhysicalModel,
    build_network,
)
from app.models.skeleton import backbone_layers
from app.options import ModelConfig, TrainingConfig, TransferConfig
from app.options.network import DENSE, PLAIN_BLOCKS
from app.ranks import Ranks
from app.registry import REGISTRY
from app.training.transfer import freeze, initialise, weights

SCALE, CELLS = 2, (8, 6)
HEADS = ("upsampling", "localized", "auxiliary", "transition", "refine", "output")

# deepesd has weights of its own for every cell
ON_ANY_GRID = [name for name in REGISTRY.names("backbone") if name != DENSE]


def make_model(
    *, seed: int = 0, west: float = 0.0, statics: int = 1, cells: Any = CELLS, **options: Any
) -> PhysicalModel:
    """One variable on a grid that begins at the longitude `west`."""
    keras.utils.set_random_seed(seed)
    config = ModelConfig(**{"n_filters": 4, "n_blocks": 2, "dropout_rate": 0.0, **options})
    fine = tuple(SCALE * n for n in cells)
    channel = Channel("t2m", "K")
    geometry = {"scale": SCALE, "pad": [0, 0, 0, 0], "fine": {"lon": [west, west + 1]}}
    pin = "bilinear" if config.upsampling == "pin" else None
    spec = ModelSpec((channel,), (channel,), 1, geometry, ("z",) * statics, pin)
    at = np.full(1, 280.0 + west)
    static = np.random.default_rng(seed).normal(size=(*fine, statics))
    arrays = ModelArrays(at, at / 50, at, at / 50, np.ones((*fine, 1)), static)
    network = build_network(
        config, n_inputs=1, n_static=statics, n_outputs=1, scale=SCALE, coarse_shape=cells
    )
    guess = None if config.first_guess == "none" else InterpolationGuess("bilinear", SCALE, [0])
    return PhysicalModel(spec, arrays, network, guess)


def values(model: PhysicalModel) -> dict[str, np.ndarray]:
    return {name: np.array(w.value.value) for name, w in weights(model.network).items()}


def take(tmp_path: Path, source: PhysicalModel, model: PhysicalModel, **options: str) -> list[str]:
    """Names of the weights that the model has taken over from the saved source."""
    keras.utils.set_random_seed(99)
    for weight in source.network.weights:  # zeros and ones would look taken over by chance
        weight.assign(weight + np.random.default_rng(weight.shape[-1]).normal(size=weight.shape))
    source.save(tmp_path / "source.keras")
    before, theirs = values(model), values(source)
    initialise(model, TransferConfig(str(tmp_path / "source.keras"), **options))
    taken = []
    for name, value in values(model).items():
        if np.array_equal(value, before[name]):
            continue
        np.testing.assert_array_equal(value, theirs[name])
        taken.append(name)
    return taken


def test_names_do_not_depend_on_what_was_built_before() -> None:
    first, second = (weights(make_model(normalization="bn").network) for _ in "ab")
    assert list(first) == list(second)
    assert len(first) == len(make_model(normalization="bn").network.weights)
    assert {"stem/kernel", "block_1/conv2d.1/kernel"} <= set(first)
    assert "block_2/batch_normalization.0/moving_mean" in first


@pytest.mark.parametrize("backbone", ON_ANY_GRID)
def test_all_weights_go_to_another_region(backbone: str, tmp_path: Path) -> None:
    options: dict[str, Any] = {"backbone": backbone, "upsampling": "spc"}
    if backbone == "unet":
        options["upsampling"] = "pin"
    if backbone not in PLAIN_BLOCKS:
        options |= {"normalization": "bn", "attention": True}
    source = make_model(**options)
    other = make_model(**options, seed=1, west=9.0, cells=(9, 7))
    own = {name: np.array(getattr(other, name).value) for name in ("static", "mask")}
    taken = take(tmp_path, source, other)
    assert sorted(taken) == sorted(values(other))
    for name, value in own.items():
        np.testing.assert_array_equal(getattr(other, name), value)
    np.testing.assert_allclose(other.output_codec.decode(np.zeros((1, 1, 1, 1))), 289)


@pytest.mark.parametrize("backbone", ON_ANY_GRID)
def test_backbone_is_what_lies_before_upsampling_and_head(backbone: str) -> None:
    upsampling = "pin" if backbone == "unet" else "rc"
    model = make_model(backbone=backbone, upsampling=upsampling, localcon_layer=True)
    named = {weight.layer for weight in weights(model.network).values()}
    inside = named & {layer.name for layer in backbone_layers(model.network)}
    assert inside == {name for name in named if name not in HEADS}
    assert {"encoder_1", "bottleneck", "decoder_1"} if backbone == "unet" else {"stem"} <= inside


def test_backbone_alone_serves_another_head(tmp_path: Path, caplog: Any) -> None:
    """Stem 1, blocks 2 + 3 (the second has a shortcut) and trunk 1: seven kernels and biases."""
    source, model = make_model(), make_model(seed=1, upsampling="dc", localcon_layer=True)
    with caplog.at_level("INFO"):
        taken = take(tmp_path, source, model, init_parts="backbone")
    assert {name.split("/")[0] for name in taken} == {"stem", "block_1", "block_2", "trunk"}
    assert len(taken) == 14
    assert "14 of 14 weights taken over" in caplog.text


def test_backbone_takes_what_fits_and_names_the_rest(tmp_path: Path, caplog: Any) -> None:
    with caplog.at_level("INFO"):
        taken = take(tmp_path, make_model(), make_model(statics=2), init_parts="backbone")
    assert "13 of 14 weights taken over" in caplog.text
    assert "not taken over: stem/kernel" in caplog.text
    assert len(taken) == 13


@pytest.mark.parametrize("west", [0.0, 9.0])
def test_localized_layers_stay_on_their_grid(west: float, tmp_path: Path, caplog: Any) -> None:
    """The shapes agree on both grids; only the place differs."""
    source = make_model(localcon_layer=True)
    model = make_model(seed=1, west=west, localcon_layer=True)
    with caplog.at_level("INFO"):
        taken = take(tmp_path, source, model)
    local = {name for name in values(model) if name.startswith("localized")}
    assert len(local) == 4
    assert set(values(model)) - set(taken) == (local if west else set())
    assert ("another grid: localized" in caplog.text) == bool(west)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"n_filters": 6}, "its stem/kernel has the shape (3, 3, 2, 4), here (3, 3, 2, 6)"),
        ({"n_blocks": 1}, "its trunk/kernel has the shape (3, 3, 8, 4), here (3, 3, 4, 4)"),
        ({"n_blocks": 3}, "another network; it has no block_3/conv2d.0/kernel"),
        ({"activation": "gelu"}, "its block_1 is ResidualBlock(activation=relu), here Residual"),
        ({"backbone": "convnet"}, "its block_1 is ResidualBlock(activation=relu), here ConvBlock"),
        ({"normalization": "bn"}, "it has no block_1/batch_normalization.0/gamma"),
        ({"statics": 2}, "its stem/kernel has the shape (3, 3, 2, 4), here (3, 3, 3, 4)"),
        ({"first_guess": "bilinear"}, "it has no first guess"),
    ],
)
def test_another_network_is_refused_in_one_line(
    options: dict[str, Any], expected: str, tmp_path: Path
) -> None:
    model = make_model(**options)
    before = values(model)
    with pytest.raises(InputError) as refusal:
        take(tmp_path, make_model(seed=1), model)
    assert expected in str(refusal.value)
    assert "--init_from=" in str(refusal.value)
    assert "\n" not in str(refusal.value)
    for name, value in values(model).items():
        np.testing.assert_array_equal(value, before[name])


def test_what_only_the_source_has_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"here is no block_1/batch_normalization\.0/gamma"):
        take(tmp_path, make_model(normalization="bn"), make_model())


def test_nothing_that_fits_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="none of its weights fits this network; its stem/kernel"):
        take(tmp_path, make_model(), make_model(n_filters=6), init_parts="backbone")


def test_a_backbone_that_does_not_fit_is_not_frozen(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="would stay random; its stem/kernel has the shape"):
        take(
            tmp_path, make_model(), make_model(statics=2), init_parts="backbone", freeze="backbone"
        )


def test_a_source_that_is_not_there_is_refused(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    for path in (tmp_path / "run", tmp_path / "none.keras"):
        with pytest.raises(InputError, match=r"--init_from=.*: no trained model at"):
            initialise(make_model(), TransferConfig(str(path)))


def test_frozen_weights_keep_their_bits_and_the_others_change() -> None:
    """Batch normalisation, weight decay and averaging over three ranks would all change them."""
    model = make_model(normalization="bn", dropout_rate=0.2)
    freeze(model, "backbone")
    trainer = SupervisedTrainer(
        model,
        TrainingConfig(learning_rate=(1e-2,), weight_decay=0.1, ema_decay=0.9),
        Tripled(Ranks(0, 3)),
        steps_per_epoch=5,
        data_range=np.array([6.0]),
    )
    before = values(model)
    rng = np.random.default_rng(0)
    batch = {
        "coarse": rng.normal(280, 5, (4, *CELLS, 1)).astype("float32"),
        "hr": rng.normal(280, 5, (4, 2 * CELLS[0], 2 * CELLS[1], 1)).astype("float32"),
        "weight": np.ones(4, "float32"),
    }
    for _ in range(3):
        trainer.train_step(batch)
    trainer.synchronise()
    frozen = {layer.name for layer in backbone_layers(model.network)}
    for name, value in values(model).items():
        same = np.array_equal(value, before[name])
        assert same == (name.split("/")[0] in frozen), name


class Tripled(Communicator):
    """Three ranks that all have the same."""

    def sum(self, tensors: Any) -> list[Any]:
        return [3 * tensor for tensor in tensors]


def test_frozen_model_is_saved_and_serves_as_a_source(tmp_path: Path) -> None:
    source = make_model(normalization="bn")
    freeze(source, "backbone")
    model = make_model(seed=1, normalization="bn")
    assert sorted(take(tmp_path, source, model)) == sorted(values(model))
    assert len(model.network.trainable_variables) > len(source.network.trainable_variables)
    assert json.dumps(model.spec.to_dict()) == json.dumps(source.spec.to_dict())
