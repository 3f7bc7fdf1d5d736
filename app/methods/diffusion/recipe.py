"""What suits which data for a calibrated ensemble, found on temperature, rain and wind."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from app.baselines.features import n_features
from app.baselines.interpolation import find_twins
from app.baselines.regression import affordable
from app.errors import InputError
from app.methods.recipe import Recipe
from app.methods.spatial.recipe import all_rain, choose_constraint, choose_roots, choose_times
from app.options.network import FITTED_GUESSES

if TYPE_CHECKING:
    from app.data.shards import Shards
    from app.options import Experiment

LEAST_SAMPLES = 14  # two for each fold
MOST_FOLDS, FOLDS = 7, 5  # of few samples, and of many
RADIUS = 2  # coarse cells around its own that a ridge regression sees
SAMPLES_A_FEATURE = 15  # with fewer, cross-validation chooses what is fitted
LEAST_PASSES, MOST_PASSES = 10_000, 24_000  # samples that training reads in all
EPOCHS = 12  # between these bounds
FEW, MOST = 4, 150  # epochs
FEW_SAMPLES = 1000  # below which more is dropped, and the regression is uncertain
WARMUP = 100  # steps
LONG = 1000  # steps, over which weights are averaged for longer
LOOKED_AT = 8  # samples, for missing cells
SMALL_SIDE = 16  # fine cells of a side that is halved once alone
MEMBERS, STEPS = 16, 16


class Size(NamedTuple):
    """Channels of a U-Net, and the fine cells that training reads in six minutes on two threads."""

    channels: int
    blocks: int
    cell_passes: float


LARGE = Size(32, 2, 2.5e7)
SIZES = (Size(16, 1, 6e7), Size(8, 1, 1.4e8))


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
    choose_roots(found, shards)
    fitted = _first_guess(found, experiment, shards)
    choose_times(found, shards)
    choose_constraint(found, shards)
    _noise(found, all_rain(shards), fitted)
    _network(found, shards)
    found.choose(
        "rates fall and weights are averaged",
        learning_rate=(1e-3,),
        lr_schedule="cosine",
        weight_decay=1e-2,
        gradient_clip=1.0,
    )
    found.choose(
        "two evaluations a member and level are not needed",
        members=MEMBERS,
        sampler="dpmpp_2m",
        sampling_steps=STEPS,
    )
    return found


def _first_guess(found: Recipe, experiment: Experiment, shards: Shards) -> bool:
    """What members depart from; whether it is fitted, cell by cell."""
    model, diffusion = experiment.model, experiment.diffusion
    if diffusion.regression_from:
        return False
    guess = model.first_guess if "first_guess" in (experiment.given or ()) else ""
    few, whole = shards.size("train") < FEW_SAMPLES, experiment.sampling.patch_size is None
    folds = MOST_FOLDS if few else FOLDS
    own = shards.coarse_predictand
    if not guess and whole and affordable(shards.geometry, shards.variables, folds + 1, own):
        guess = "linear" if _many(shards) else "regression"
        if guess == "linear":
            found.choose(
                "members depart from a wide ridge regression, which there are samples for",
                first_guess=guess,
                first_guess_radius=RADIUS,
            )
        else:
            found.choose(
                "members depart from the regression that few samples carry", first_guess=guess
            )
    elif not guess and None not in find_twins(shards):
        guess = "bicubic"
        found.choose(
            "in parts, or too large for regressions: members depart from the interpolation",
            first_guess=guess,
        )
    if guess not in FITTED_GUESSES:
        return False
    if "regression_folds" not in (experiment.given or ()) or diffusion.regression_folds:
        found.choose(
            "errors are those of regressions on times that they have not seen",
            regression_folds=folds,
        )
        if few:
            found.choose("few samples leave the regression uncertain", regression_draws=True)
    return True


def _many(shards: Shards) -> bool:
    """Whether there are samples enough for a ridge regression of each cell on a wide square."""
    n_lr, n_predictors = len(shards.variables["lr"]), len(shards.variables["predictors"])
    features = n_features(n_lr, n_predictors, RADIUS - 1, RADIUS)
    return shards.size("train") >= SAMPLES_A_FEATURE * features


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
    sizes = (LARGE, *SIZES) if _many(shards) else SIZES
    size = next((size for size in sizes if wanted * cells <= size.cell_passes), SIZES[-1])
    passes = min(wanted, size.cell_passes / cells)
    epochs = min(max(round(passes / samples), FEW), MOST)
    batch = 16 if samples >= 256 else 8
    steps = epochs * math.ceil(samples / batch)
    levels = 2 if min(shards.geometry.fine_shape) < SMALL_SIDE else 3
    if np.isnan(shards.read("hr", "train", np.arange(min(LOOKED_AT, samples)))).any():
        found.choose("missing cells take the values of near ones", padding="edge")
    found.choose(
        f"there are {samples} samples of {cells} cells",
        interpolation="bilinear",
        n_channels=size.channels,
        unet_blocks=size.blocks,
        channel_multipliers=",".join(["1", *["2"] * (levels - 1)]),
        attention_levels=",".join("F" * levels),
        dropout_rate=0.3 if samples < FEW_SAMPLES else 0.1,
        batch_size=batch,
        epochs=epochs,
        early_stopping=True,
        patience=max(10, epochs // 4),
        warmup_steps=min(WARMUP, steps // 6),
        ema_decay=0.995 if steps >= LONG else 0.99,
    )
