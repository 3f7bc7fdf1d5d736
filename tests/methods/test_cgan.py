"""Adversarial training: both losses by hand, what counts, and going on from a checkpoint."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pairs
import pytest
from pairs import (
    MEAN,
    SCALE,
    SPREAD,
    arrays,
    assert_goes_on_bit_for_bit,
    assert_refused_in_one_line,
    spec,
    trainer_of,
)

from app.methods.cgan.trainer import CGANTrainer
from app.models import (
    PhysicalModel,
    build_network,
)
from app.options import ModelConfig

CELLS = (5, 3)


@pytest.fixture(autouse=True)
def _float32_afterwards() -> Iterator[None]:
    yield
    keras.config.set_dtype_policy("float32")


def physical(statics: tuple[str, ...], model: ModelConfig) -> PhysicalModel:
    pin = "bilinear" if model.upsampling == "pin" else None
    network = build_network(model, n_inputs=1, n_static=len(statics), n_outputs=1, scale=SCALE)
    known = arrays(CELLS, static=bool(statics))
    return PhysicalModel(spec(statics=statics, interpolation=pin), known, network)


def trainer(
    seed: int = 3,
    statics: tuple[str, ...] = (),
    upsampling: str = "spc",
    dropout: float = 0.0,
    **options: Any,
) -> CGANTrainer:
    keras.utils.set_random_seed(seed)
    model = ModelConfig(n_filters=8, n_blocks=1, dropout_rate=dropout, upsampling=upsampling)
    common = {"loss": "mse", "n_disc_filters": 4, "n_disc_blocks": 1, "disc_dropout_rate": dropout}
    options = {**common, "learning_rate": (1e-2,), **options}
    return trainer_of(CGANTrainer, physical(statics, model), **options)


batch = partial(pairs.batch, CELLS, noise=1.0)


def weights(trained: CGANTrainer) -> list[list[np.ndarray]]:
    """Of the generator and of the discriminator."""
    return [[np.asarray(w.numpy()) for w in learner.weights] for learner in trained.learners]


def gradients(trained: CGANTrainer) -> list[list[np.ndarray]]:
    """Of the first step, up to a factor: after it they are Adam's first moments."""
    moments = [
        [v for v in learner.optimizer.variables if "momentum" in v.path]
        for learner in trained.learners
    ]
    return [[np.asarray(moment.numpy()) for moment in part] for part in moments]


def logits(trained: CGANTrainer, data: dict[str, np.ndarray], field: np.ndarray) -> np.ndarray:
    """The discriminator's word on a physical field, gaps at the mean, that is at 0."""
    encoded = np.nan_to_num((field - MEAN) / SPREAD).astype("float32")
    condition = (data["coarse"] - MEAN) / SPREAD
    return np.asarray(trained.discriminator({"condition": condition, "field": encoded}))[:, 0]


def cross_entropy(target: int, values: np.ndarray) -> np.ndarray:
    p = 1 / (1 + np.exp(-values.astype("float64")))
    return -np.log(p) if target else -np.log(1 - p)


def losses_by_hand(trained: CGANTrainer, data: dict[str, np.ndarray], factor: float):
    """Losses of each sample, from logits and errors, as the method is described."""
    missing = np.isnan(data["hr"])
    encoded = np.asarray(trained.model.encoded(data))
    predicted = np.where(missing, np.nan, MEAN + SPREAD * encoded)
    pixel = np.nanmean(((predicted - data["hr"]) / SPREAD) ** 2, axis=(1, 2, 3))
    true, false = (logits(trained, data, field) for field in (data["hr"], predicted))
    adversarial = cross_entropy(1, false)
    disc = cross_entropy(1, true) + cross_entropy(0, false)
    return {
        "loss": adversarial + factor * pixel,
        "disc_loss": disc,
        "adversarial_loss": adversarial,
    }


def test_losses_of_a_step_by_hand() -> None:
    trained, data = trainer(pixel_loss_weight=0.5), batch()
    expected = losses_by_hand(trained, data, 0.5)
    trained.train_step(data)
    found = trained.epoch_losses()
    assert list(found) == ["loss", "disc_loss", "adversarial_loss"]
    for name, values in expected.items():
        assert found[name] == pytest.approx(values.mean(), rel=1e-5), name


def test_samples_weigh_by_their_valid_cells_in_all_losses() -> None:
    trained, data = trainer(), batch()
    data["hr"][0, :7] = np.nan
    data["hr"][1, 2:5, 3] = np.nan
    valid = np.isfinite(data["hr"]).mean(axis=(1, 2, 3))
    expected = losses_by_hand(trained, data, 100.0)
    trained.train_step(data)
    for name, found in trained.epoch_losses().items():
        assert found == pytest.approx(np.average(expected[name], weights=valid), rel=1e-5), name


def test_gaps_say_nothing_to_the_discriminator() -> None:
    """A prediction right in all known cells is not told from the truth, whatever the gaps."""
    trained, data = trainer(), batch()
    truth = ((data["hr"] - MEAN) / SPREAD).astype("float32")
    truth[0, :7] = np.nan
    truth[2, 1, 1:4] = np.nan
    predicted = np.where(np.isnan(truth), 9, truth).astype("float32")
    true, false = trained._logits(data, truth, predicted)
    np.testing.assert_array_equal(true, false)


def test_both_networks_step_in_every_batch_at_their_own_rates() -> None:
    """Adam's first step moves every weight by its rate, sign aside."""
    trained = trainer(disc_learning_rate=(1e-3,))
    before = weights(trained)
    trained.train_step(batch())
    for rate, old, new in zip((1e-2, 1e-3), before, weights(trained), strict=True):
        largest = [np.abs(a - b).max() for a, b in zip(old, new, strict=True)]
        np.testing.assert_allclose(largest, rate, rtol=0.05)
    assert trained.rate() == pytest.approx(1e-2)
    assert [float(learner.optimizer.beta_1) for learner in trained.learners] == [0.5, 0.5]


def test_discriminator_gradient_is_that_of_its_loss_alone() -> None:
    """With the generator held still the discriminator learns to tell the two apart."""
    trained, data = trainer(learning_rate=(1e-9,), disc_learning_rate=(1e-2,)), batch()
    losses = []
    for _ in range(60):
        trained.start_epoch()
        trained.train_step(data)
        losses.append(trained.epoch_losses()["disc_loss"])
    assert losses[-1] < 0.5 * losses[0]


def test_generator_learns_to_convince() -> None:
    trained, data = (
        trainer(learning_rate=(1e-2,), disc_learning_rate=(1e-9,), pixel_loss_weight=0.0),
        batch(),
    )
    losses = []
    for _ in range(30):
        trained.start_epoch()
        trained.train_step(data)
        losses.append(trained.epoch_losses()["adversarial_loss"])
    assert losses[-1] < losses[0] - 0.005


def test_zero_weight_samples_do_not_count() -> None:
    padded = {name: np.concatenate([a, a[:2] + 7]) for name, a in batch().items()}
    padded["weight"][4:] = 0
    alone, beside = trainer(), trainer()
    alone.train_step(batch())
    beside.train_step(padded)
    for ours, theirs in zip(gradients(alone), gradients(beside), strict=True):
        for a, b in zip(ours, theirs, strict=True):
            np.testing.assert_allclose(a, b, atol=1e-5 * np.abs(a).max())
            assert np.abs(a).max() > 0
    assert alone.epoch_losses() == pytest.approx(beside.epoch_losses(), rel=1e-6)


def test_batch_without_any_target_changes_nothing_to_nan() -> None:
    empty, trained = batch(), trainer()
    empty["hr"][:] = np.nan
    trained.train_step(empty)
    assert all(np.isfinite(w).all() for part in weights(trained) for w in part)


@pytest.mark.parametrize(
    ("statics", "upsampling"), [((), "spc"), (("height",), "spc"), (("height",), "pin")]
)
def test_trains_with_and_without_statics_and_with_pin(
    statics: tuple[str, ...], upsampling: str
) -> None:
    trained = trainer(statics=statics, upsampling=upsampling)
    condition = np.asarray(trained.model.condition(batch()))
    assert condition.shape == (4, *CELLS, 1 + len(statics))
    np.testing.assert_allclose(condition[..., 0], (batch()["coarse"][..., 0] - MEAN) / SPREAD)
    if statics:
        static = np.asarray(trained.model.static)[..., 0]
        blocks = static.reshape(CELLS[0], SCALE, CELLS[1], SCALE).mean(axis=(1, 3))
        np.testing.assert_allclose(condition[2, ..., 1], blocks, atol=1e-6)
    first = trained.validate(iter([batch()]))
    for _ in range(30):
        trained.train_step(batch())
    assert trained.validate(iter([batch()])) < 0.8 * first


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_trains_in_mixed_precision(policy: str) -> None:
    keras.config.set_dtype_policy(policy)
    trained = trainer(weight_decay=1e-4)
    before, first = weights(trained), trained.validate(iter([batch()]))
    for _ in range(40):
        trained.train_step(batch())
    assert trained.validate(iter([batch()])) < 0.6 * first
    for old, new in zip(before, weights(trained), strict=True):
        assert all((a != b).any() and np.isfinite(b).all() for a, b in zip(old, new, strict=True))


def test_validation_is_the_pixel_loss() -> None:
    trained, data = trainer(), batch()
    error = np.asarray(trained.model.encoded(data)) - (data["hr"] - MEAN) / SPREAD
    assert trained.validate(iter([data])) == pytest.approx(np.mean(error**2), rel=1e-5)


def test_restored_trainer_goes_on_bit_for_bit() -> None:
    """Both networks, both optimisers, averaged weights, sums and dropout's random states."""
    options: dict[str, Any] = {"dropout": 0.3, "ema_decay": 0.9}
    whole, resumed = trainer(**options), trainer(seed=4, **options)
    before, after = assert_goes_on_bit_for_bit(whole, resumed, batch())
    assert {name.split("/")[0] for name in after} == {
        *("model", "optimizer", "disc_model", "disc_optimizer", "sums", "seeds"),
    }
    changed = [name for name, values in after.items() if (values != before[name]).any()]
    assert {"disc_model", "disc_optimizer"} <= {name.split("/")[0] for name in changed}


def test_saved_model_is_the_generator_alone(tmp_path: Path) -> None:
    trained, data = trainer(statics=("height",)), batch()
    trained.train_step(data)
    trained.save(tmp_path / "model.keras")
    loaded = PhysicalModel.load(tmp_path / "model.keras")
    assert loaded.network.count_params() == trained.model.network.count_params()
    assert not [w.path for w in loaded.weights if "condition" in w.path]
    np.testing.assert_array_equal(
        loaded.predict_fields(data)[0], trained.model.predict_fields(data)[0]
    )


experiment = partial(pairs.experiment, "CGANTrainer")


def test_flags_reach_the_trainer() -> None:
    training = experiment(
        "--disc_learning_rate=1e-4", "--pixel_loss_weight=7", "--n_disc_filters=3"
    ).training
    assert training.disc_learning_rate == (1e-4,)
    assert (training.pixel_loss_weight, training.n_disc_filters) == (7.0, 3)
    assert experiment().training.disc_learning_rate is None


@pytest.mark.parametrize(
    "flag",
    [
        *("--disc_learning_rate=0", "--disc_learning_rate=1,2,3", "--pixel_loss_weight=-1"),
        *("--n_disc_filters=0", "--n_disc_blocks=0", "--disc_dropout_rate=1"),
    ],
)
def test_impossible_options_are_refused_in_one_line(flag: str) -> None:
    assert_refused_in_one_line("CGANTrainer", flag)
