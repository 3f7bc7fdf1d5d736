"""What suits which data for a calibrated ensemble, found on temperature, rain and wind."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

from app.baselines.interpolation import find_twins
from app.baselines.regression import affordable
from app.data.shards.advice import meaning_of
from app.errors import InputError
from app.methods.recipe import Recipe
from app.methods.spatial.recipe import choose_constraint, choose_times
from app.options.network import FITTED_GUESSES

if TYPE_CHECKING:
    from app.data.shards import Shards
    from app.options import Experiment

LEAST_SAMPLES = 14  # two for each fold
FOLDS = 7
LEAST_PASSES, MOST_PASSES = 10_000, 24_000  # samples that training reads in all
EPOCHS = 12  # between these bounds
FEW, MOST = 4, 150  # epochs
FEW_SAMPLES = 1000  # below which more is dropped
WARMUP = 100  # steps
SMALL_SIDE = 16  # fine cells of a side that is halved once alone
MEMBERS, STEPS = 16, 16


class Size(NamedTuple):
    """Channels of a U-Net, and the fine cells that training reads in six minutes on two threads."""

    channels: int
    cell_passes: float


SIZES = (Size(16, 6e7), Size(8, 1.4e8))


def recipe(experiment: Experiment, shards: Shards) -> Recipe:
    """The flags that suit these data and what the user has asked for.

    Raises InputError where there are too few samples for the spread to be learnt from.
    """
    samples, trainer = shards.size("train"), experiment.training.trainer
    if samples < LEAST_SAMPLES:
        raise InputError(
            f"--recipe={experiment.flags['recipe']} with --trainer={trainer}: {samples} training "
            f"samples cannot tell how far members are to spread; expected {LEAST_SAMPLES} or more, "
            "or a single field by --recipe=auto --trainer=SupervisedTrainer"
        )
    found = Recipe()
    found.choose("members are drawn by taking noise off", trainer=trainer)
    amounts = _amounts(found, experiment, shards)
    fitted = _first_guess(found, experiment, shards)
    choose_times(found, shards)
    choose_constraint(found, shards, amounts=amounts)
    _noise(found, amounts or _rain(shards), fitted)
    _network(found, shards)
    found.choose(
        "rates fall and weights are averaged",
        learning_rate=(1e-3,),
        lr_schedule="cosine",
        weight_decay=1e-2,
        gradient_clip=1.0,
        ema_decay=0.99,
    )
    found.choose(
        "two evaluations a member and level are not needed",
        members=MEMBERS,
        sampler="dpmpp_2m",
        sampling_steps=STEPS,
    )
    return found


def _rain(shards: Shards) -> bool:
    """Whether all predictands are rain or snow, and no anomalies of such."""
    return all(
        meaning_of(shards, v.name).precipitation and v.valid_min is not None and v.valid_min >= 0
        for v in shards.predictands
    )


def _amounts(found: Recipe, experiment: Experiment, shards: Shards) -> bool:
    """Rain is taken as amounts; whether one variable becomes such by the recipe."""
    given, variables = experiment.given or frozenset(), shards.variables["hr"]
    if not _rain(shards):
        return False
    if all(variable.transform == "none" for variable in variables):
        found.choose("roots of rain are less skewed", transform="sqrt")
    if len(variables) > 1 or variables[0].kind == "ratio" or "kind" in given:
        return False
    found.choose("rain is never negative", kind="ratio", valid_min=0.0)
    return True


def _first_guess(found: Recipe, experiment: Experiment, shards: Shards) -> bool:
    """What members depart from; whether it is fitted, cell by cell."""
    model, diffusion = experiment.model, experiment.diffusion
    if diffusion.regression_from:
        return False
    guess = model.first_guess if "first_guess" in (experiment.given or ()) else ""
    whole = experiment.sampling.patch_size is None
    if not guess and whole and affordable(shards.geometry, shards.variables, FOLDS + 1):
        guess = "regression"
        found.choose("members depart from the best regression", first_guess=guess)
    elif not guess and None not in find_twins(shards):
        guess = "bicubic"
        found.choose(
            "in parts, or too large for regressions: members depart from the interpolation",
            first_guess=guess,
        )
    if guess not in FITTED_GUESSES:
        return False
    seen = "regression_folds" in (experiment.given or ()) and not diffusion.regression_folds
    if not seen:
        found.choose(
            "errors are those of regressions on times that they have not seen",
            regression_folds=FOLDS,
            regression_draws=True,
        )
    return True


def _noise(found: Recipe, rain: bool, fitted: bool) -> None:
    """How targets are scaled, and the levels of noise that go with it."""
    found.choose(
        "amounts have long tails" if rain else "of standardised errors",
        noise_log_mean=0.0,
        sigma_min=0.01,
        sigma_max=40.0 if rain else 20.0,
    )
    if fitted and not rain:
        found.choose("each cell has errors of its own size", target_scaling="pixel")


def _network(found: Recipe, shards: Shards) -> None:
    """As large a network as can be trained in some minutes, for as long as the samples carry."""
    samples, cells = shards.size("train"), math.prod(shards.geometry.padded_shape)
    wanted = max(FEW * samples, min(max(EPOCHS * samples, LEAST_PASSES), MOST_PASSES))
    fitting = [size for size in SIZES if wanted * cells <= size.cell_passes]
    size = fitting[0] if fitting else SIZES[-1]
    passes = min(wanted, size.cell_passes / cells)
    epochs = min(max(int(passes / samples), FEW), MOST)
    batch = min(16, max(8, samples // 32))
    levels = 2 if min(shards.geometry.fine_shape) < SMALL_SIDE else 3
    found.choose("edges of small domains", padding="edge", interpolation="bilinear")
    found.choose(
        f"there are {samples} samples of {cells} cells",
        n_channels=size.channels,
        unet_blocks=1,
        channel_multipliers=",".join(["1", *["2"] * (levels - 1)]),
        attention_levels=",".join("F" * levels),
        dropout_rate=0.2 if samples < FEW_SAMPLES else 0.1,
        batch_size=batch,
        epochs=epochs,
        early_stopping=True,
        patience=max(10, epochs // 4),
        warmup_steps=min(WARMUP, epochs * math.ceil(samples / batch) // 10),
    )
