"""Diffusion training: the loss by hand, noise that belongs to samples, averages, going on."""

from collections.abc import Iterator
from functools import partial
from typing import Any

import keras
import numpy as np
import pairs
import pytest
import tensorflow as tf
from pairs import (
    SCALE,
    SPREAD,
    arrays,
    assert_goes_on_bit_for_bit,
    assert_refused_in_one_line,
    spec,
    trainer_of,
)

from app.methods.diffusion.cross_fitting import CrossFitted
from app.methods.diffusion.trainer import DiffusionTrainer
from app.models import DiffusionModel, InterpolationGuess
from app.models.diffusion.model import DiffusionSettings
from app.models.diffusion.process import Process
from app.models.diffusion.unet import UNetOptions, build_denoiser

CELLS = (4, 3)


@pytest.fixture(autouse=True)
def _eager(request: pytest.FixtureRequest) -> Iterator[None]:
    """Few steps do not repay compiling."""
    tf.config.run_functions_eagerly("learns" not in request.node.name)
    yield
    tf.config.run_functions_eagerly(False)


def trainer(
    seed: int = 3,
    dropout: float = 0.0,
    formulation: str = "edm",
    min_snr: float = 0.0,
    **options: Any,
) -> DiffusionTrainer:
    keras.utils.set_random_seed(seed)
    network = build_denoiser(UNetOptions(8, (1,), (False,), 1, dropout), n_fields=1, n_condition=2)
    model = DiffusionModel(
        spec(interpolation="bilinear"),
        arrays(CELLS),
        network,
        InterpolationGuess("bilinear", SCALE, [0]),
        settings=DiffusionSettings(process=Process(formulation, min_snr=min_snr)),
        target_shape=(1,),
    )
    model.fit_target(np.zeros(1), np.full(1, 0.2))
    return trainer_of(DiffusionTrainer, model, **{"learning_rate": (3e-3,), **options})


def batch(n: int = 4) -> dict[str, np.ndarray]:
    return {**pairs.batch(CELLS, n, noise=1.0), "index": np.arange(n)}


def weights(trained: DiffusionTrainer) -> list[np.ndarray]:
    return [np.asarray(w.numpy()) for w in trained.learners[0].weights]


def z_of(trained: DiffusionTrainer, data: dict[str, np.ndarray]) -> np.ndarray:
    guess = np.asarray(trained.model.first_guess({"coarse": data["coarse"]}))
    return (data["hr"] - guess) / SPREAD / 0.2


@pytest.mark.parametrize("formulation", ["edm", "epsilon", "x0", "v"])
def test_loss_of_an_untrained_network_by_hand(formulation: str) -> None:
    """F = 0: the mean square of what each formulation wants; with γ min(1/σ², γ)·(D - z)²."""
    data = batch()
    for gamma in (0.0, 2.0):
        trained = trainer(formulation=formulation, min_snr=gamma, learning_rate=(1e-9,))
        noisy = trained._with_noise(data, 0, 0)
        z, noise = z_of(trained, data), noisy["noise"]
        sigma = noisy["sigma"][:, None, None, None].astype("float64")
        kept = 1 / (1 + sigma**2)
        velocity = np.sqrt(kept) * noise - np.sqrt(1 - kept) * z
        wanted = {"epsilon": noise, "x0": z, "v": velocity, "edm": velocity}[formulation]
        squares = np.mean(wanted**2, axis=(1, 2, 3))
        if gamma:
            skip = {"epsilon": 1.0, "x0": 0.0}.get(formulation, kept)
            error = np.mean((skip * (z + sigma * noise) - z) ** 2, axis=(1, 2, 3))
            squares = np.minimum(sigma.ravel() ** -2, gamma) * error
        trained.train_step(data)
        assert trained.epoch_losses()["loss"] == pytest.approx(squares.mean(), rel=1e-3)


def test_missing_truth_counts_neither_in_the_loss_nor_as_input() -> None:
    data, trained = batch(), trainer()
    before = trained.validate(iter([data]))
    hidden = {**data, "hr": data["hr"].copy()}
    hidden["hr"][0] = np.nan
    rest = {name: values[1:] for name, values in data.items()}
    alone = trained.validate(iter([rest]))
    assert trained.validate(iter([hidden])) == pytest.approx(alone, rel=1e-5)
    assert alone != pytest.approx(before, rel=1e-5)
    trained.train_step({**data, "hr": np.full_like(data["hr"], np.nan)})
    assert all(np.isfinite(w).all() for w in weights(trained))


def test_noise_belongs_to_seed_step_and_sample() -> None:
    """Another company, order or number of ranks makes no difference; another step does."""
    trained, data = trainer(), batch()
    whole = trained._with_noise(data, 0, 7)
    turned = {name: values[[2, 0]] for name, values in data.items()}
    part = trained._with_noise(turned, 0, 7)
    np.testing.assert_array_equal(part["noise"], whole["noise"][[2, 0]])
    np.testing.assert_array_equal(part["sigma"], whole["sigma"][[2, 0]])
    assert len(set(whole["sigma"])) == 4
    for other in (trained._with_noise(data, 0, 8), trained._with_noise(data, 1, 7)):
        assert not (other["noise"] == whole["noise"]).any()


def test_validation_is_the_same_between_epochs_and_training_is_not() -> None:
    trained, data = trainer(dropout=0.2, learning_rate=(1e-12,)), batch()
    losses = []
    for _ in range(3):
        trained.start_epoch()
        trained.train_step(data)
        losses.append(trained.epoch_losses()["loss"])
    assert len(set(losses)) == 3
    first = trained.validate(iter([data]))
    assert trained.validate(iter([data])) == first


@pytest.mark.parametrize("formulation", ["edm", "x0"])
def test_it_learns(formulation: str) -> None:
    """The residual of repeated cells is not noise: what is left falls well below 1."""
    trained, data = trainer(formulation=formulation, ema_decay=0.9), batch()
    data["hr"] = data["coarse"].repeat(SCALE, axis=1).repeat(SCALE, axis=2)
    first = trained.validate(iter([data]))
    for _ in range(60):
        trained.train_step(data)
    with trained.averaged():
        assert trained.validate(iter([data])) < 0.6 * first


def test_averaged_weights_are_exact() -> None:
    """a ← decay·a + (1 - decay)·w after every step, from the first step's weights on."""
    trained, data = trainer(ema_decay=0.7), batch()
    average: list[np.ndarray] | None = None
    for _ in range(4):
        trained.train_step(data)
        now = weights(trained)
        average = (
            now
            if average is None
            else [0.7 * a + 0.3 * w for a, w in zip(average, now, strict=True)]
        )
    assert average is not None
    with trained.averaged():
        for found, expected in zip(weights(trained), average, strict=True):
            np.testing.assert_allclose(found, expected, atol=1e-6)
    for found, expected in zip(weights(trained), now, strict=True):
        np.testing.assert_array_equal(found, expected)


def test_gradients_are_clipped_to_a_norm() -> None:
    """Adam's first moments after one step are (1 - β₁) times the clipped gradient."""
    norms = []
    for clip in (0.0, 1e-3):
        trained = trainer(gradient_clip=clip)
        trained.train_step(batch())
        moments = [v for v in trained.learners[0].optimizer.variables if "momentum" in v.path]
        norms.append(np.sqrt(sum(np.sum(np.square(v.numpy())) for v in moments)) / 0.1)
    assert norms[0] > 1e-2
    assert norms[1] == pytest.approx(1e-3, rel=1e-4)


def test_restored_trainer_goes_on_bit_for_bit() -> None:
    options: dict[str, Any] = {"dropout": 0.3, "ema_decay": 0.9}
    whole, resumed = trainer(**options), trainer(seed=4, **options)
    assert_goes_on_bit_for_bit(whole, resumed, batch())


def test_each_sample_gets_the_guess_of_the_fit_without_it() -> None:
    def constant(k: int) -> Any:
        return lambda data: np.full((len(data["index"]), 2, 2, 1), k)

    crossed = CrossFitted([constant(k) for k in range(3)], samples=10)
    found = crossed.guess({"index": np.array([9, 0, 3, 5, 6])})
    np.testing.assert_array_equal(found[:, 0, 0, 0], [2, 0, 1, 1, 2])


def test_training_sees_cross_fitted_guesses_and_validation_does_not() -> None:
    trained, data = trainer(learning_rate=(1e-9,)), batch()
    plain = trained.validate(iter([data]))
    shift = np.float32(3.0)
    guess = np.asarray(trained.model.guess(data["coarse"], data["time"]))
    trained.train_step(data)
    before = trained.epoch_losses()["loss"]
    trained.cross_fitted = CrossFitted([lambda data: guess + shift], samples=4)
    trained.start_epoch()
    trained.train_step(data)
    assert trained.epoch_losses()["loss"] > 3 * before
    assert trained.validate(iter([data])) == pytest.approx(plain, rel=1e-3)


experiment = partial(pairs.experiment, "DiffusionTrainer")


def test_flags_reach_their_parts() -> None:
    found = experiment(
        *(
            "--channel_multipliers=1,3",
            "--attention_levels=F,T",
            "--sampler=ddim",
            "--ddim_eta=0.5",
        ),
        *("--write_quantiles=0.05,0.95", "--sampling_steps=7", "--formulation=v"),
    )
    assert found.diffusion.channel_multipliers == (1, 3)
    assert found.diffusion.attention_levels == (False, True)
    assert found.diffusion.formulation == "v"
    assert (found.inference.sampler, found.inference.sampling_steps) == ("ddim", 7)
    assert found.inference.write_quantiles == (0.05, 0.95)
    assert found.inference.ddim_eta == 0.5


@pytest.mark.parametrize(
    "flags",
    [
        ["--attention_levels=T"],
        ["--attention_levels=1,2,3,4"],
        ["--channel_multipliers=1,x"],
        ["--channel_multipliers=1,0,2,2"],
        ["--n_channels=0"],
        ["--unet_blocks=0"],
        ["--sigma_min=1", "--sigma_max=0.5"],
        ["--noise_log_std=0"],
        ["--min_snr=-1"],
        ["--regression_folds=1"],
        ["--regression_draws"],
        ["--regression_folds=5", "--first_guess=bicubic"],
        ["--regression_from=run", "--first_guess=linear"],
        ["--regression_from=run", "--patch_size=8"],
        ["--fold_regressions=a,b"],
        ["--left_out_fold=3/2"],
        ["--left_out_fold=1/1"],
        ["--instance_norm"],
        ["--target_scaling=pixel", "--patch_size=8"],
        ["--output_activation=relu"],
        ["--gradient_clip=-1"],
        ["--sampling_steps=0"],
        ["--ddim_eta=2"],
        ["--noise_lag1_correlation=1"],
        ["--write_quantiles=0.5,1.2"],
    ],
)
def test_impossible_options_are_refused_in_one_line(flags: list[str]) -> None:
    assert_refused_in_one_line("DiffusionTrainer", *flags)
