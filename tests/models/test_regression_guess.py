"""A trained model as first guess: its fields, unchanged, and in one file with what follows."""

from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pytest

from app.errors import InputError
from app.methods.diffusion.model import trained_guess
from app.models import (
    Channel,
    DiffusionModel,
    ModelArrays,
    ModelGuess,
    ModelSpec,
    PhysicalModel,
    build_network,
)
from app.models.diffusion.model import DiffusionSettings
from app.models.diffusion.samplers import SamplingOptions
from app.models.diffusion.unet import UNetOptions, build_denoiser
from app.options import ModelConfig

SCALE, CELLS = 2, (4, 3)
FINE = (CELLS[0] * SCALE, CELLS[1] * SCALE)
SPEC = ModelSpec(
    (Channel("t2m", "K"),), (Channel("t2m", "K"),), 1, {"scale": SCALE, "pad": [0, 0, 0, 0]}
)


def arrays() -> ModelArrays:
    one = np.ones(1)
    return ModelArrays(280 * one, 5 * one, 280 * one, 5 * one, np.ones((*FINE, 1), bool))


def regression() -> PhysicalModel:
    keras.utils.set_random_seed(2)
    config = ModelConfig(n_filters=4, n_blocks=1, dropout_rate=0, normalization="bn")
    network = build_network(config, n_inputs=1, n_static=0, n_outputs=1, scale=SCALE)
    return PhysicalModel(SPEC, arrays(), network)


def diffusion(guess: ModelGuess) -> DiffusionModel:
    network = build_denoiser(UNetOptions(4, (1,), (False,), 1, 0.0), n_fields=1, n_condition=2)
    model = DiffusionModel(
        replace(SPEC, interpolation="bilinear"),
        arrays(),
        network,
        guess,
        settings=DiffusionSettings(sampling=SamplingOptions(steps=2)),
        target_shape=(1,),
    )
    model.fit_target(np.zeros(1), np.full(1, 1e-6))
    return model


def batch() -> dict[str, np.ndarray]:
    coarse = np.random.default_rng(0).normal(280, 5, (2, *CELLS, 1)).astype("float32")
    return {"coarse": coarse, "time": np.zeros((2, 8), "float32"), "seconds": np.arange(2)}


def test_members_lie_about_the_trained_model_and_it_travels_with_them(tmp_path: Path) -> None:
    first = regression()
    model = diffusion(ModelGuess(first))
    assert not model.first_guess.trainable_variables
    members = model.predict_fields(batch(), 0, 2)
    expected = first.predict_fields(batch())
    np.testing.assert_allclose(members[0], expected[0], atol=2e-3)
    assert (members[0] != members[1]).any()
    model.save(tmp_path / "model.keras")
    loaded = PhysicalModel.load(tmp_path / "model.keras")
    np.testing.assert_array_equal(loaded.predict_fields(batch(), 0, 2), members)


def test_a_run_on_other_data_is_refused(tmp_path: Path) -> None:
    regression().save(tmp_path / "model.keras")
    flag = "--regression_from"
    assert isinstance(trained_guess(str(tmp_path), SPEC, flag), ModelGuess)
    assert trained_guess(None, SPEC, flag) is None
    other = replace(SPEC, inputs=(Channel("tas", "K"),))
    with pytest.raises(InputError, match="other inputs"):
        trained_guess(str(tmp_path), other, flag)
    with pytest.raises(InputError, match="no trained model"):
        trained_guess(str(tmp_path / "none"), SPEC, flag)
