"""Combinations of flags that exclude one another."""

from __future__ import annotations

from app.errors import InputError
from app.options.experiment import Experiment
from app.options.training import AMOUNT_LOSS
from app.options.values import path


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
    experiment.method.refuse(experiment)
    _check_source(experiment)
    _check_amounts(experiment)
    _check_quantiles(experiment)
    if experiment.inference.target_times and "metrics" in experiment.stages:
        raise InputError(
            f"metrics with --target_times={experiment.flags['target_times']}: scores are of every "
            "--target_step; leave one of them out"
        )
    if experiment.inference.input and "metrics" in experiment.stages:
        raise InputError("metrics with --input: data without truth cannot be scored")


def _check_amounts(experiment: Experiment) -> None:
    """What the parameters of a distribution cannot be combined with."""
    model, training = experiment.model, experiment.training
    if training.loss != AMOUNT_LOSS:
        return
    for name, used in (
        (f"--trainer={training.trainer}", not experiment.method.abilities.amounts),
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


def _check_source(experiment: Experiment) -> None:
    """The model to start from must outlive the run folder, which --overwrite clears."""
    given, folder = experiment.transfer.init_from, experiment.save_path.resolve()
    if given is not None and path(given).resolve().is_relative_to(folder):
        raise InputError(
            f"--init_from={given}: lies in --save_path={experiment.save_path}; expected a run "
            "folder of its own for the new run"
        )
