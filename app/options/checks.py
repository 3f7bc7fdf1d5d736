"""Combinations of flags that exclude one another."""

from __future__ import annotations

import math

from app.errors import InputError
from app.options.experiment import Experiment
from app.options.model import JOIN
from app.options.table import FLAGS_BY_NAME
from app.options.training import AMOUNT_LOSS, DIFFUSION, IN_TIME, STACK_TRAINER, TRAINERS_OF_WINDOWS
from app.options.values import joined, path

SPACE_ALONE = (
    *("patch_size", "constraint", "first_guess", "init_from", "halo", "input_noise"),
    *("localcon_layer", "normalization", "attention", "members", "tile_size", "ensemble"),
    *("output_activation", "data_module", "trained_epochs", "coordinate_channels", "time_window"),
    *("dense_alpha", "left_out_fold"),
)  # flags without a meaning for downscaling in time


def check_pairs(experiment: Experiment) -> None:
    """Combinations of parts that exclude one another."""
    model, sampling = experiment.model, experiment.sampling
    tied = [
        name
        for name, used in (
            ("--localcon_layer", model.localcon_layer),
            ("--first_guess=linear", model.first_guess == "linear"),
        )
        if used
    ]
    if sampling.patch_size is not None and tied:
        raise InputError(
            f"{' and '.join(tied)} with --patch_size={sampling.patch_size}: weights that belong "
            "to grid points need the whole domain; leave --patch_size out"
        )
    trainer = experiment.training.trainer
    if sampling.time_window is not None and trainer not in TRAINERS_OF_WINDOWS:
        raise InputError(
            f"--trainer={trainer} with --time_window={sampling.time_window}: this trainer takes "
            f"spatial samples only; expected one of {', '.join(TRAINERS_OF_WINDOWS)}"
        )
    if model.observations is not None:
        _check_observations(experiment)
    _check_source(experiment)
    _check_amounts(experiment)
    if experiment.training.trainer == STACK_TRAINER:
        _check_stack(experiment)
    _check_quantiles(experiment)
    if experiment.training.trainer == DIFFUSION:
        _check_diffusion(experiment)
    _check_time(experiment)
    if experiment.inference.input and "metrics" in experiment.stages:
        raise InputError("metrics with --input: data without truth cannot be scored")


def _check_observations(experiment: Experiment) -> None:
    """Which trainers and samples point observations go with."""
    trainer, frames = experiment.training.trainer, experiment.sampling.time_window
    if trainer in (STACK_TRAINER, IN_TIME) or frames is not None:
        other = f"--trainer={trainer}" if frames is None else f"--time_window={frames}"
        raise InputError(
            f"--observations with {other}: not made for stations; expected spatial samples and "
            "SupervisedTrainer, CGANTrainer or DiffusionTrainer"
        )


def _check_amounts(experiment: Experiment) -> None:
    """What the parameters of a distribution cannot be combined with."""
    model, training = experiment.model, experiment.training
    if training.loss != AMOUNT_LOSS:
        return
    for name, used in (
        (f"--trainer={training.trainer}", training.trainer != "SupervisedTrainer"),
        (f"--first_guess={model.first_guess}", model.first_guess != "none"),
        (f"--constraint={model.constraint}", model.constraint != "none"),
        (f"--output_activation={model.output_activation}", model.output_activation is not None),
        (f"--dropout_variant={model.dropout_variant}", model.dropout_variant.startswith("mc")),
    ):
        if used:
            raise InputError(
                f"{name} with --loss={AMOUNT_LOSS}: the network's output are a probability, a "
                "shape and a scale; leave one of them out"
            )


def _check_stack(experiment: Experiment) -> None:
    """What a stack of stages cannot be combined with."""
    stack, model = experiment.stack, experiment.model
    if math.prod(stack.factors) != experiment.sampling.scale:
        raise InputError(
            f"--sr_factors={joined(stack.factors)} with --scale={experiment.sampling.scale}: "
            f"expected factors whose product is the scale, here it is {math.prod(stack.factors)}"
        )
    for name, used in (
        (f"--first_guess={model.first_guess}", model.first_guess != "none"),
        (f"--output_activation={model.output_activation}", model.output_activation is not None),
        ("--localcon_layer", model.localcon_layer),
        (f"--init_from={experiment.transfer.init_from}", experiment.transfer.init_from is not None),
        ("--nosave", not experiment.training.save),
    ):
        if used:
            raise InputError(
                f"{name} with --trainer={STACK_TRAINER}: the stages are trained on their own and "
                "joined; leave it out"
            )
    others = [stage for stage in experiment.stages if stage in ("test", "metrics")]
    if stack.sr_stage not in (None, JOIN) and "train" in experiment.stages and others:
        raise InputError(
            f"--sr_stage={stack.sr_stage} with the stage {others[0]}: one stage of a stack "
            "predicts nothing yet; expected the stage train alone"
        )


def _check_quantiles(experiment: Experiment) -> None:
    if not experiment.training.predicted_quantiles:
        return
    if experiment.model.constraint != "none":
        raise InputError(
            f"--loss=quantile with --constraint={experiment.model.constraint}: block means of "
            "quantiles are no coarse values; leave one of them out"
        )
    if experiment.inference.members > 1 and "train" in experiment.stages:
        raise InputError(
            f"--loss=quantile with --members={experiment.inference.members}: quantiles have no "
            "members; expected 1"
        )


def _check_diffusion(experiment: Experiment) -> None:
    model, diffusion = experiment.model, experiment.diffusion
    if model.output_activation is not None:
        raise InputError(
            f"--output_activation={model.output_activation} with --trainer={DIFFUSION}: members "
            "are drawn with both signs in encoded space; leave it out"
        )
    regression = diffusion.regression_from
    if regression is not None and model.first_guess != "none":
        raise InputError(
            f"--regression_from={regression} with --first_guess={model.first_guess}: expected one "
            "of them"
        )
    if regression is not None and experiment.sampling.patch_size is not None:
        raise InputError(
            f"--regression_from={regression} with --patch_size={experiment.sampling.patch_size}: "
            "the trained model sees the whole domain; leave one of them out"
        )
    if diffusion.instance_norm and model.first_guess == "none" and regression is None:
        raise InputError(
            "--instance_norm with --first_guess=none: there is no field to take the mean and "
            "standard deviation of; expected --first_guess=bilinear, bicubic or linear"
        )
    if diffusion.regression_folds and model.first_guess != "linear":
        raise InputError(
            f"--regression_folds={diffusion.regression_folds} with --first_guess="
            f"{model.first_guess}: nothing is fitted; expected --first_guess=linear"
        )
    if diffusion.target_scaling == "pixel" and experiment.sampling.patch_size is not None:
        raise InputError(
            f"--target_scaling=pixel with --patch_size={experiment.sampling.patch_size}: scaling "
            "that belongs to grid points needs the whole domain; use domain"
        )


def _check_time(experiment: Experiment) -> None:
    """What goes with downscaling in time, and what only with it."""
    values, scale = experiment.flags, experiment.sampling.scale
    if experiment.inference.target_times and "metrics" in experiment.stages:
        raise InputError(
            f"metrics with --target_times={values['target_times']}: scores are of every "
            "--target_step; leave one of them out"
        )
    if not experiment.in_time:
        if scale < 2:
            raise InputError(f"--scale={scale}: expected 2 or more, or --trainer={IN_TIME}")
        if values["target_step"] and "train" in experiment.stages:
            raise InputError(
                f"--target_step={values['target_step']} with --trainer={values['trainer']}: it "
                f"trains in space alone; expected --trainer={IN_TIME}"
            )
        if experiment.inference.temporal_model and "metrics" in experiment.stages:
            raise InputError(
                "metrics with --temporal_model: the chain's new times have no scores; run the "
                "stage test alone, and metrics for each of both models"
            )
        return
    if scale != 1:
        raise InputError(
            f"--scale={scale} with --trainer={IN_TIME}: it trains in time alone; train a model in "
            "space too and join them by test --model=SPACE_RUN --temporal_model=TIME_RUN"
        )
    if experiment.training.predicted_quantiles:
        raise InputError(
            f"--loss=quantile with --trainer={IN_TIME}: expected a loss of fields, such as mae"
        )
    defaults = {name: flag.default for name, flag in FLAGS_BY_NAME.items()}
    spatial = [name for name in SPACE_ALONE if values[name] != defaults[name]]
    if spatial:
        raise InputError(
            f"--{spatial[0]}={values[spatial[0]]} with --trainer={IN_TIME}: not made for "
            "downscaling in time; leave it out"
        )


def _check_source(experiment: Experiment) -> None:
    """The model to start from must outlive the run folder, which --overwrite clears."""
    given, folder = experiment.transfer.init_from, experiment.save_path.resolve()
    if given is not None and path(given).resolve().is_relative_to(folder):
        raise InputError(
            f"--init_from={given}: lies in --save_path={experiment.save_path}; expected a run "
            "folder of its own for the new run"
        )
