"""Training on windows: every frame enters the loss, and each for itself."""

from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from app.distributed import Communicator
from app.losses import build_loss
from app.methods.cgan.trainer import CGANTrainer
from app.methods.supervised.trainer import SupervisedTrainer
from app.models import Channel, ModelArrays, ModelSpec, PhysicalModel, build_network
from app.options import ModelConfig, TrainingConfig, TransferConfig
from app.ranks import Ranks
from app.training.transfer import initialise

SCALE, CELLS, T, B = 2, (6, 4), 3, 4
FINE = (CELLS[0] * SCALE, CELLS[1] * SCALE)
RANGE = np.array([6.0])


@pytest.fixture(autouse=True)
def _eager() -> Iterator[None]:
    """A few steps do not repay compiling; whole runs compile."""
    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


def physical(frames: int = T, **options: Any) -> PhysicalModel:
    keras.utils.set_random_seed(3)
    channel = Channel("t2m", "K")
    geometry = {"scale": SCALE, "pad": [0, 0, 0, 0]}
    spec = ModelSpec((channel,), (channel,), 1, geometry, statics=("z",), time_window=frames)
    one = np.ones(1)
    static = np.random.default_rng(1).normal(size=(*FINE, 1))
    arrays = ModelArrays(280 * one, 5 * one, 280 * one, 5 * one, np.ones((*FINE, 1), bool), static)
    config = ModelConfig(
        **{"n_filters": 4, "n_blocks": 1, "dropout_rate": 0, "time_window": frames, **options}
    )
    network = build_network(config, n_inputs=1, n_static=1, n_outputs=1, scale=SCALE)
    return PhysicalModel(spec, arrays, network)


def trainer(kind: Any = SupervisedTrainer, loss: str = "mse", **options: Any) -> Any:
    return kind(
        physical(),
        TrainingConfig(
            loss=loss, learning_rate=(1e-2,), n_disc_filters=4, n_disc_blocks=1, **options
        ),
        Communicator(Ranks()),
        steps_per_epoch=10,
        data_range=RANGE,
    )


def batch(n: int = B) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    coarse = rng.normal(280, 5, (n, T, *CELLS, 1)).astype("float32")
    fine = coarse.repeat(SCALE, axis=2).repeat(SCALE, axis=3)
    time = np.zeros((n, T, 8), "float32")
    return {"coarse": coarse, "time": time, "hr": fine, "weight": np.ones(n, "float32")}


def test_loss_is_the_mean_over_all_frames_by_hand() -> None:
    """Defect: one frame of a window alone. Frames weigh by their valid cells."""
    data, trained = batch(), trainer()
    data["hr"][0, 1, :9] = np.nan
    data["hr"][1, 2] = np.nan
    data["weight"][3] = 0
    error = np.asarray(trained.model.encoded(data)) - (data["hr"] - 280) / 5
    trained.train_step(data)
    assert trained.epoch_losses()["loss"] == pytest.approx(np.nanmean(error[:3] ** 2), rel=1e-5)
    weights = trained.model.network.trainable_variables
    assert all(np.isfinite(weight).all() for weight in weights)


@pytest.mark.parametrize("loss", ["dssim", "huber"])
def test_structural_losses_look_at_each_frame_alone(loss: str) -> None:
    data, trained = batch(), trainer(loss=loss)
    y_true = ((data["hr"] - 280) / 5).astype("float32")
    y_pred = np.asarray(trained.model.encoded(data))
    by_frame = build_loss(loss, data_range=RANGE)
    values = [by_frame(y_true[:, t], y_pred[:, t]) for t in range(T)]
    assert trained.validate(iter([data])) == pytest.approx(np.mean(values), rel=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("kind", [SupervisedTrainer, CGANTrainer])
def test_loss_falls(kind: Any) -> None:
    tf.config.run_functions_eagerly(False)
    trained, data = trainer(kind), batch()
    first = trained.validate(iter([data]))
    for _ in range(25):
        trained.train_step(data)
    assert trained.validate(iter([data])) < 0.7 * first
    assert all(np.isfinite(value) for value in trained.epoch_losses().values())


def test_discriminator_judges_frames_and_forgets_padding_samples() -> None:
    """Adam's first moments of a batch with two windows of weight 0 are those without them."""
    padded = {name: np.concatenate([a, a[:2] + 7]) for name, a in batch().items()}
    padded["weight"][B:] = 0
    alone, beside = (trainer(CGANTrainer, disc_dropout_rate=0.0) for _ in "ab")
    alone.train_step(batch())
    beside.train_step(padded)
    assert alone.epoch_losses() == pytest.approx(beside.epoch_losses(), rel=1e-5)
    logits = alone._logits(batch(), *alone._predicted(batch(), training=False)[:2])
    assert [tuple(part.shape) for part in logits] == [(B * T,), (B * T,)]


def test_weights_pass_to_windows_of_another_length(tmp_path) -> None:
    source, target = physical(), physical(5)
    for weight in source.network.weights:
        weight.assign(weight + 0.1)
    source.save(tmp_path / "model.keras")
    initialise(target, TransferConfig(init_from=str(tmp_path / "model.keras")))
    for ours, theirs in zip(target.network.weights, source.network.weights, strict=True):
        np.testing.assert_array_equal(ours, theirs)
