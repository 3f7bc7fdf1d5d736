"""Point observations in the physical model: what the network is told, and that it uses it."""

from dataclasses import replace

import numpy as np
import pytest

from app.distributed import Communicator
from app.methods.cgan.trainer import CGANTrainer
from app.methods.supervised.trainer import SupervisedTrainer
from app.models import Channel, ModelArrays, ModelSpec, PhysicalModel, build_network
from app.models.diffusion.model import DiffusionModel, DiffusionSettings
from app.models.diffusion.unet import UNetOptions, build_denoiser
from app.options import ModelConfig, TrainingConfig
from app.ranks import Ranks

SCALE, CELLS, FINE = 2, (3, 4), (6, 8)
MEAN, SPREAD = 280.0, 5.0
SPEC = ModelSpec(
    (Channel("t2m", "K"),),
    (Channel("t2m", "K"),),
    1,
    {"scale": SCALE, "pad": [0, 0, 0, 0]},
    statics=("height",),
    observed=True,
)
RNG = np.random.default_rng(0)
STATIC = RNG.normal(size=(*FINE, 1)).astype("float32")


def arrays():
    one = np.ones(1)
    mask = np.ones((*FINE, 1), bool)
    return ModelArrays(MEAN * one, SPREAD * one, MEAN * one, SPREAD * one, mask, static=STATIC)


def supervised(spec=SPEC, **options):
    config = ModelConfig(**{"n_filters": 8, "n_blocks": 1, "dropout_rate": 0.0, **options})
    network = build_network(
        config, n_inputs=1, n_static=spec.n_static, n_outputs=1, scale=SCALE, zero_output=False
    )
    return PhysicalModel(spec, arrays(), network)


def observed_batch(size=2):
    coarse = RNG.normal(MEAN, SPREAD, size=(size, *CELLS, 1)).astype("float32")
    observed = np.full((size, *FINE, 1), np.nan, "float32")
    observed[:, 2, 5] = 283.0
    observed[0, 3, 5] = 275.0
    return {"coarse": coarse, "observed": observed, "time": np.zeros((size, 8), "float32")}


def test_values_and_masks_stand_beside_the_statics():
    model, batch = supervised(), observed_batch()
    told = model.encode_inputs(batch["coarse"], observed=batch["observed"])
    fine = np.asarray(told["static"])
    assert fine.shape == (2, *FINE, 3)
    np.testing.assert_allclose(fine[..., 0], np.stack([STATIC[..., 0]] * 2), atol=1e-6)
    assert fine[0, 2, 5, 1:] == pytest.approx([0.6, 1.0])
    assert fine[0, 3, 5, 1:] == pytest.approx([-1.0, 1.0])
    assert np.count_nonzero(fine[..., 2]) == 3
    coarse = np.asarray(told["coarse"])
    assert coarse[0, 1, 2, 2:] == pytest.approx([(0.6 - 1.0) / 2, 0.5])
    assert coarse[1, 1, 2, 2:] == pytest.approx([0.6, 0.25])
    assert not coarse[:, 0, :, 2:].any()


def test_no_observations_are_as_good_as_missing_ones():
    model, batch = supervised(), observed_batch()
    missing = {**batch, "observed": np.full((2, *FINE, 1), np.nan, "float32")}
    without = {name: values for name, values in batch.items() if name != "observed"}
    np.testing.assert_allclose(
        model.predict_fields(without), model.predict_fields(missing), rtol=1e-6
    )
    told = model.predict_fields(batch) - model.predict_fields(without)
    assert np.abs(told).max() > 1e-3


def test_a_network_learns_to_trust_the_stations():
    """The truth is one number an hour, which the coarse field does not tell and a station does."""
    model = supervised(upsampling="spc", activation="gelu")
    config = TrainingConfig(loss="mse", learning_rate=(1e-2,))
    trainer = SupervisedTrainer(
        model, config, Communicator(Ranks()), steps_per_epoch=1, data_range=np.array([6.0])
    )
    level = np.random.default_rng(1).normal(MEAN, SPREAD, size=(16, 1, 1, 1)).astype("float32")
    batch = observed_batch(16)
    batch["coarse"][:] = MEAN
    batch["observed"] = np.full((16, *FINE, 1), np.nan, "float32")
    batch["observed"][:, 2:4, 3:5] = level
    batch |= {"hr": np.broadcast_to(level, (16, *FINE, 1)), "weight": np.ones(16, "float32")}
    for _ in range(60):
        trainer.start_epoch()
        trainer.train_step(batch)
    assert trainer.epoch_losses()["loss"] < 0.25 * np.var((level - MEAN) / SPREAD)


def test_a_discriminator_is_told_of_the_stations():
    model = supervised(upsampling="spc")
    config = TrainingConfig(loss="mse", n_disc_filters=4, n_disc_blocks=1)
    trainer = CGANTrainer(
        model, config, Communicator(Ranks()), steps_per_epoch=1, data_range=np.array([6.0])
    )
    batch = observed_batch()
    batch |= {"hr": np.full((2, *FINE, 1), MEAN, "float32"), "weight": np.ones(2, "float32")}
    trainer.train_step(batch)
    condition = trainer.discriminator.input["condition"]
    assert condition.shape[-1] == 4  # an input, a static, and the stations' value and mask
    assert np.isfinite(list(trainer.epoch_losses().values())).all()


def test_the_denoiser_is_told_them_on_the_fine_grid():
    spec = replace(SPEC, interpolation="bilinear")
    network = build_denoiser(
        UNetOptions(4, (1,), (False,), 1, 0.0), n_fields=1, n_condition=1 + spec.n_static
    )
    model = DiffusionModel(
        spec, arrays(), network, settings=DiffusionSettings(residual=False), target_shape=(1,)
    )
    condition = np.asarray(model.conditioning(observed_batch()).inputs["condition"])
    assert condition.shape == (2, *FINE, 4)
    assert condition[0, 2, 5, 2:] == pytest.approx([0.6, 1.0])
    assert condition[..., 3].sum() == 3
