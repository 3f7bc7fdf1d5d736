"""One step of supervised training: what counts, what does not, and in which precision."""

from collections.abc import Iterator
from functools import partial
from typing import Any

import keras
import numpy as np
import pairs
import pytest
from pairs import SCALE, arrays, spec, trainer_of

from app.distributed import Communicator
from app.methods.supervised.trainer import SupervisedTrainer
from app.models import InterpolationGuess, PhysicalModel, build_network
from app.options import ModelConfig
from app.ranks import Ranks
from app.training.state import capture, restore

CELLS = (6, 4)


@pytest.fixture(autouse=True)
def _float32_afterwards() -> Iterator[None]:
    yield
    keras.config.set_dtype_policy("float32")


def trainer(
    loss: str = "mse", ranks: Ranks | None = None, noise: float = 0.0, **options: Any
) -> SupervisedTrainer:
    keras.utils.set_random_seed(3)
    config = ModelConfig(n_filters=8, n_blocks=1, dropout_rate=0)
    network = build_network(config, n_inputs=1, n_static=0, n_outputs=1, scale=SCALE)
    model = PhysicalModel(spec(input_noise=noise), arrays(CELLS), network)
    options = {"loss": loss, "learning_rate": (1e-2,), **options}
    return trainer_of(SupervisedTrainer, model, ranks, **options)


batch = partial(pairs.batch, CELLS)


def weights(trained: SupervisedTrainer) -> list[np.ndarray]:
    return [np.asarray(w.numpy()) for w in trained.model.trainable_variables]


@pytest.mark.parametrize("loss", ["mse", "dssim_mae"])
def test_zero_weight_samples_do_not_count(loss: str) -> None:
    padded = {name: np.concatenate([a, a[:2] + 7]) for name, a in batch().items()}
    padded["weight"][4:] = 0
    alone, beside = trainer(loss), trainer(loss)
    alone.train_step(batch())
    beside.train_step(padded)
    for a, b in zip(weights(alone), weights(beside), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-4)  # Adam's first step is 1e-2 for all
    assert alone.epoch_losses()["loss"] == pytest.approx(beside.epoch_losses()["loss"], rel=1e-6)


def test_missing_targets_are_masked_and_weigh_their_sample_less() -> None:
    """Loss by hand: the mean of squared errors over all valid cells of the batch."""
    holes = batch()
    holes["hr"][0, :9] = np.nan
    holes["hr"][1, 2:5, 3] = np.nan
    trained = trainer()
    predicted = np.asarray(trained.model.encoded(holes))
    error = predicted - (holes["hr"] - 280) / 5
    trained.train_step(holes)
    assert trained.epoch_losses()["loss"] == pytest.approx(np.nanmean(error**2), rel=1e-5)
    assert all(np.isfinite(w).all() for w in weights(trained))


def test_batch_without_any_target_changes_nothing_to_nan() -> None:
    empty = batch()
    empty["hr"][:] = np.nan
    trained = trainer()
    trained.train_step(empty)
    assert all(np.isfinite(w).all() for w in weights(trained))


@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16", "mixed_float16"])
def test_loss_falls_in_each_precision(policy: str) -> None:
    keras.config.set_dtype_policy(policy)
    trained = trainer(weight_decay=1e-4)
    losses = []
    for _ in range(30):
        trained.start_epoch()
        trained.train_step(batch())
        losses.append(trained.epoch_losses()["loss"])
    assert losses[-1] < 0.5 * losses[0]
    assert all(w.dtype == np.float32 for w in weights(trained))


def test_validation_is_the_weighted_mean_over_batches() -> None:
    trained = trainer()
    both, first, second = batch(6), batch(6), batch(6)
    first = {name: a[:4] for name, a in first.items()}
    second = {name: a[4:] for name, a in second.items()}
    split = trained.validate(iter([first, second]))
    assert split == pytest.approx(trained.validate(iter([both])), rel=1e-6)


class OtherRank(Communicator):
    """One more rank, whose validation has brought a loss of 3 on samples of weight 2."""

    def sum(self, tensors: Any) -> list[Any]:
        return [tensor + np.array([6.0, 2.0]) for tensor in tensors]


def test_validation_loss_is_that_of_all_ranks() -> None:
    """Else ranks would stop early at different epochs, and those that go on wait for ever."""
    alone, together = trainer(), trainer()
    together.communicator = OtherRank(Ranks(0, 2))
    one = batch()
    weight = float(np.sum(one["weight"]))
    expected = (alone.validate(iter([one])) * weight + 6) / (weight + 2)
    assert together.validate(iter([one])) == pytest.approx(expected, rel=1e-6)


def test_averaged_weights_are_the_exponential_mean_and_are_put_back() -> None:
    decay, trained = 0.5, trainer(ema_decay=0.5)
    mean: list[np.ndarray] = []
    for _ in range(3):
        trained.train_step(batch())
        now = weights(trained)
        before = mean or now
        mean = [decay * m + (1 - decay) * w for m, w in zip(before, now, strict=True)]
    with trained.averaged():
        for ours, by_hand in zip(weights(trained), mean, strict=True):
            np.testing.assert_allclose(ours, by_hand, atol=1e-6)
    for before, after in zip(now, weights(trained), strict=True):
        np.testing.assert_array_equal(before, after)


def test_input_noise_differs_between_ranks_and_goes_on_from_a_captured_state() -> None:
    first, second = (trainer(noise=0.2, ranks=Ranks(rank, 2)) for rank in (0, 1))
    (one,), (two,) = ([np.array(s.value) for s in t.seeds()] for t in (first, second))
    np.testing.assert_array_equal(two - one, [1, 0])  # the network itself draws nothing here
    trained, resumed = trainer(noise=0.2), trainer(noise=0.2)
    trained.train_step(batch())
    restore(resumed, capture(trained, trained.communicator), Ranks())
    for each in (trained, resumed):
        each.train_step(batch())
    for a, b in zip(weights(trained), weights(resumed), strict=True):
        np.testing.assert_array_equal(a, b)
    assert trained.epoch_losses()["loss"] == resumed.epoch_losses()["loss"] > 0


def test_huber_delta_reaches_the_loss() -> None:
    """Below both deltas the loss is e² / 2; a tiny delta makes it δ |e|, to a relative δ / e."""
    sample = batch()
    wide, narrow = (trainer("huber", huber_delta=delta) for delta in (1e3, 1e-4))
    error = np.asarray(wide.model.encoded(sample)) - (sample["hr"] - 280) / 5
    assert wide.validate(iter([sample])) == pytest.approx((error**2).mean() / 2, rel=1e-5)
    by_hand = 1e-4 * np.abs(error).mean()
    assert narrow.validate(iter([sample])) == pytest.approx(by_hand, rel=1e-3)


def test_correction_is_scaled_by_what_the_validation_supports() -> None:
    """By hand: Σ correction · (truth - guess) / Σ correction², held to 0 and 1."""
    keras.utils.set_random_seed(3)
    config = ModelConfig(n_filters=4, n_blocks=1, dropout_rate=0)
    network = build_network(config, n_inputs=1, n_static=0, n_outputs=1, scale=SCALE)
    guess = InterpolationGuess("bilinear", SCALE, [0])
    model = PhysicalModel(spec(scaled_correction=True), arrays(CELLS), network, guess)
    trained = trainer_of(SupervisedTrainer, model, loss="mse")
    data = batch()
    start = np.asarray(model.guess(data["coarse"], None))
    correction = np.asarray(model.encoded(data)) - start
    for share in (0.4, 7.0, -1.0):
        wanted = start + share * correction
        data["hr"] = np.asarray(model.output_codec.decode(wanted)) if share != 0.4 else data["hr"]
        left = np.asarray(model.encode_targets(data["hr"])) - start
        known = np.isfinite(left) & (data["weight"] > 0)[:, None, None, None]
        expected = (correction * left)[known].sum() / np.square(correction)[known].sum()
        trained.calibrate(lambda: iter([data]))
        found = float(np.asarray(model.share)[0])
        assert found == pytest.approx(np.clip(expected, 0, 1), abs=1e-4)
        scaled = np.asarray(model.encoded(data)) - start
        np.testing.assert_allclose(scaled, found * correction, atol=1e-5)
        whole = np.asarray(model.encoded(data, training=True)) - start
        np.testing.assert_allclose(whole, correction, atol=1e-5)
        model.share.assign([1.0])
    trained.calibrate(lambda: iter([data]))
    assert any(v is model.share for v in trained.variables().values())
