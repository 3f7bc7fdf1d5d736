"""From an experiment and its shards to a diffusion model that is ready to be trained."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path

import keras
import numpy as np
from absl import logging
from numpy.typing import NDArray

from app.arrays import Tensor
from app.baselines.base import coarse_inputs, fine_values, time_blocks
from app.baselines.interpolation import find_twins
from app.baselines.regression import Choice, choose_regression
from app.baselines.ridge import Encoded
from app.data.moments import RunningMoments
from app.data.shards import Shards
from app.data.times import modal_step
from app.errors import InputError
from app.methods.diffusion.cross_fitting import CrossFitted
from app.methods.spatial.model import (
    first_guess,
    fitted_guess,
    model_arrays,
    model_spec,
    warn_of_bias,
)
from app.models import LinearGuess, ModelSpec, PhysicalModel, time_channels
from app.models.diffusion.model import DiffusionModel, DiffusionSettings, classes_of
from app.models.diffusion.process import Process
from app.models.diffusion.regression import ModelGuess
from app.models.diffusion.samplers import SamplingOptions
from app.models.diffusion.uncertain import UncertainGuess
from app.models.diffusion.unet import UNetOptions, build_denoiser
from app.options import Experiment
from app.ranks import Ranks
from app.running.run_folder import model_file

LEAST_SHARE = 1e-2  # of the domain's spread, that a cell's is taken to have at least
BLOCK = 32  # samples evaluated at once


def build_diffusion(
    experiment: Experiment, shards: Shards, ranks: Ranks
) -> tuple[DiffusionModel, CrossFitted | None]:
    """The untrained model, and the first guesses of training samples where not its own.

    The targets' scaling comes from the first rank.
    """
    config = experiment.diffusion
    warn_of_bias(experiment.model.constraint, shards, ranks)
    spec, arrays = model_spec(experiment, shards, on_fine_grid=True), model_arrays(shards)
    guess = trained_guess(config.regression_from, spec, "--regression_from")
    choice = _choice(experiment, shards)
    guess = guess or first_guess(experiment, shards, ranks, choice)
    classes: tuple[str, ...] = ()
    if config.time_encoding == "classes":
        classes = classes_of(spec.time_features)
        others = tuple(name for name in spec.time_features if name not in classes)
        spec = replace(spec, time_features=others)
    network = _network(experiment, spec, classes, guessed=guess is not None)
    pixel = config.target_scaling == "pixel"
    fits = _fold_fits(experiment, shards, choice) if config.regression_folds else []
    uncertain: UncertainGuess | None = None
    if config.regression_draws:
        assert isinstance(guess, LinearGuess)  # what else has folds is refused
        guess = uncertain = UncertainGuess.from_fits(guess, fits)
    model = DiffusionModel(
        spec,
        arrays,
        network,
        guess,
        settings=_settings(experiment, shards, classes, guessed=guess is not None),
        target_shape=arrays.mask.shape if pixel else arrays.mask.shape[-1:],
    )
    cross_fitted: CrossFitted | None = None
    if config.fold_regressions:
        cross_fitted = _of_trained(config.fold_regressions, shards.size("train"), model)
    if fits:
        guesses = [partial(_encoded_guess, model, one) for one in fits]
        own = partial(_encoded_guess, model, uncertain) if uncertain else None
        cross_fitted = CrossFitted(guesses, shards.size("train"), own)
    if ranks.first:
        _fit_target(model, shards, pixel, cross_fitted)
    return model, cross_fitted


def _settings(
    experiment: Experiment, shards: Shards, classes: tuple[str, ...], guessed: bool
) -> DiffusionSettings:
    config = experiment.diffusion
    return DiffusionSettings(
        process=Process(
            formulation=config.formulation,
            schedule=config.noise_schedule,
            log_mean=config.noise_log_mean,
            log_std=config.noise_log_std,
            sigma_min=config.sigma_min,
            sigma_max=config.sigma_max,
            min_snr=config.min_snr,
        ),
        residual=config.learn_residuals and guessed,
        instance_norm=config.instance_norm,
        classes=classes,
        time_step=modal_step(shards.stamps("train").seconds) if shards.has_times else 0,
        sampling=SamplingOptions.of(experiment.inference),
    )


def _network(
    experiment: Experiment, spec: ModelSpec, classes: tuple[str, ...], guessed: bool
) -> keras.Model:
    config = experiment.diffusion
    network = build_denoiser(
        UNetOptions(
            channels=config.n_channels,
            multipliers=config.channel_multipliers,
            attention=config.attention_levels,
            blocks=config.unet_blocks,
            dropout_rate=experiment.model.dropout_rate,
            embedding=config.noise_embedding,
            padding=experiment.model.padding,
        ),
        n_fields=len(spec.outputs),
        n_condition=spec.n_condition + (len(spec.outputs) if guessed else 0),
        classes=classes,
    )
    logging.info("denoising network: %d weights", network.count_params())
    return network


def _choice(experiment: Experiment, shards: Shards) -> Choice | None:
    """The parts of a regression that the fits to all folds, and to all but one, share."""
    if experiment.model.first_guess != "regression" or not experiment.diffusion.regression_folds:
        return None
    seen = time_channels(experiment.model.time_features)
    choice = choose_regression(Encoded(shards, seen), find_twins(shards))
    logging.info("first guess: %s", choice)
    return choice


def _fold_fits(experiment: Experiment, shards: Shards, choice: Choice | None) -> list[LinearGuess]:
    """The linear first guess once for each fold, fitted on all the others."""
    folds, seen = (
        experiment.diffusion.regression_folds,
        time_channels(experiment.model.time_features),
    )
    parts = [shards.without_fold((number, folds)) for number in range(1, folds + 1)]
    return [fitted_guess(experiment, shards, Encoded(part, seen), choice) for part in parts]


def trained_guess(run: str | None, spec: ModelSpec, flag: str) -> ModelGuess | None:
    """The trained model of a run as first guess; None without a run.

    Raises InputError where it has other inputs, outputs or another grid.
    """
    if run is None:
        return None
    model = PhysicalModel.load(model_file(Path(run).expanduser(), f"{flag}={run}"))
    for part in ("inputs", "outputs", "geometry"):
        if getattr(model.spec, part) != getattr(spec, part):
            raise InputError(
                f"{flag}={run}: the model has other {part} than these data; expected one that was "
                "trained on them"
            )
    return ModelGuess(model)


def _of_trained(runs: tuple[str, ...], samples: int, model: DiffusionModel) -> CrossFitted:
    guesses = [trained_guess(run, model.spec, "--fold_regressions") for run in runs]
    return CrossFitted([partial(_encoded_fields, model, g) for g in guesses if g], samples)


def _encoded_fields(model: DiffusionModel, guess: ModelGuess, batch: dict[str, Tensor]) -> Tensor:
    fields = guess({"coarse": batch["coarse"], "time": batch["time"]})
    return model.encode_targets(fields)


def _encoded_guess(model: DiffusionModel, guess: LinearGuess, batch: dict[str, Tensor]) -> Tensor:
    encoded = model.input_codec.encode(batch["coarse"])
    return guess({"coarse": encoded, "time": batch["time"]})


def _fit_target(
    model: DiffusionModel, shards: Shards, pixel: bool, cross_fitted: CrossFitted | None
) -> None:
    """Mean, standard deviation and range of the targets over the training period."""
    moments = RunningMoments()
    for indices in time_blocks(shards.size("train"), fine_values(shards) * BLOCK):
        batch = {
            "coarse": coarse_inputs(shards, indices, "train"),
            "time": shards.time_features("train", indices),
            "index": indices,
        }
        if cross_fitted is not None:
            batch["guess"] = cross_fitted.guess(batch)
        fine = shards.geometry.pad_field(
            shards.read("hr", "train", indices), fill=np.nan, axes=(1, 2)
        )
        _, base, size = model.target_affine(batch)
        moments.add(np.asarray((model.encode_targets(fine) - base) / size))
    offset, scale = over_cells(moments)
    if not np.all(scale > 0):
        raise InputError(
            "--trainer=DiffusionTrainer: nothing is left to be learnt, the targets do not vary "
            "in the training period"
        )
    if pixel:
        seen = moments.count > 0
        offset = np.where(seen, np.nan_to_num(moments.mean), 0.0)
        own = np.where(seen, np.nan_to_num(moments.std), 1.0)
        scale = np.where(seen, np.maximum(own, LEAST_SHARE * scale), 1.0)
    ends = [(moments.state[end] - offset) / scale for end in ("minimum", "maximum")]
    bounds = np.stack([ends[0].min(axis=(0, 1)), ends[1].max(axis=(0, 1))])
    model.fit_target(*(values.astype(np.float32) for values in (offset, scale, bounds)))


def over_cells(moments: RunningMoments) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean and standard deviation (C,) over time and cells, from those per cell (H, W, C)."""
    count, mean = moments.count, np.nan_to_num(moments.mean)
    total = np.maximum(count.sum(axis=(0, 1)), 1)
    centre = (count * mean).sum(axis=(0, 1)) / total
    squares = moments.state["squares"] + count * np.square(mean - centre)
    return centre, np.sqrt(squares.sum(axis=(0, 1)) / total)
