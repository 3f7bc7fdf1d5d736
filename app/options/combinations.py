"""Which flags of different parts exclude one another, whatever the method of training."""

from __future__ import annotations

from collections.abc import Callable

from app.options.experiment import Experiment
from app.options.network import FITTED_GUESSES
from app.options.readers import path
from app.options.rules import Rule
from app.options.training import AMOUNT_LOSS

Broken = Callable[[Experiment], object]


def _tied(names: str, broken: Broken) -> Rule[Experiment]:
    """Weights of grid points, with patches."""
    return Rule(
        lambda e: e.sampling.patch_size is not None and broken(e),
        f"{names} with --patch_size={{patch_size}}: weights that belong to grid points need the "
        "whole domain; leave --patch_size out",
    )


def _amounts(name: str, broken: Broken) -> Rule[Experiment]:
    """What the parameters of a distribution cannot be combined with."""
    return Rule(
        lambda e: e.training.loss == AMOUNT_LOSS and broken(e),
        f"{name} with --loss={AMOUNT_LOSS}: the network's output are a probability, a shape and a "
        "scale; leave one of them out",
    )


def _corrects(e: Experiment) -> bool:
    return e.model.first_guess in FITTED_GUESSES


COMBINATIONS: tuple[Rule[Experiment], ...] = (
    _tied(
        "--localcon_layer and --first_guess={first_guess}",
        lambda e: e.model.localcon_layer and _corrects(e),
    ),
    _tied("--localcon_layer", lambda e: e.model.localcon_layer),
    _tied("--backbone={backbone}", lambda e: e.model.one_grid),
    _tied("--first_guess={first_guess}", _corrects),
    Rule(
        lambda e: (
            e.transfer.init_from is not None
            and path(e.transfer.init_from).resolve().is_relative_to(e.save_path.resolve())
        ),
        "--init_from={init_from}: lies in --save_path={save_path}; expected a run folder of its "
        "own for the new run",
    ),
    _amounts("--trainer={trainer}", lambda e: not e.method.abilities.amounts),
    _amounts("--first_guess={first_guess}", lambda e: e.model.first_guess != "none"),
    _amounts("--constraint={constraint}", lambda e: e.model.constraint != "none"),
    _amounts(
        "--output_activation={output_activation}", lambda e: e.model.output_activation is not None
    ),
    _amounts(
        "--dropout_variant={dropout_variant}", lambda e: e.model.dropout_variant.startswith("mc")
    ),
    Rule(
        lambda e: e.training.predicted_quantiles and e.model.scaled_correction,
        "--scaled_correction with --loss=quantile: quantiles spread around the first guess; leave "
        "one of them out",
    ),
    Rule(
        lambda e: e.training.predicted_quantiles and e.model.constraint != "none",
        "--loss=quantile with --constraint={constraint}: block means of quantiles are no coarse "
        "values; leave one of them out",
    ),
    Rule(
        lambda e: (
            e.training.predicted_quantiles and e.inference.members > 1 and "train" in e.stages
        ),
        "--loss=quantile with --members={members}: quantiles have no members; expected 1",
    ),
    Rule(
        lambda e: e.inference.target_times and "metrics" in e.stages,
        "metrics with --target_times={target_times}: scores are of every --target_step; leave one "
        "of them out",
    ),
    Rule(
        lambda e: e.inference.input and "metrics" in e.stages,
        "metrics with --input: data without truth cannot be scored",
    ),
)
