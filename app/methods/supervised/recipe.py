"""What suits which data in supervised training, found on temperature, rain and wind."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

from app.baselines.interpolation import find_twins
from app.baselines.regression import affordable
from app.methods.recipe import Recipe
from app.methods.spatial.recipe import choose_constraint, choose_times
from app.options import AMOUNT_LOSS

if TYPE_CHECKING:
    from app.data.shards import Shards
    from app.options import Experiment

Size = dict[str, int]

PASSES = 60_000  # samples that training reads in all
CELL_PASSES = 1.5e8  # fine cells that it reads in all: some minutes on two threads
FEW, MOST = 5, 150  # epochs
USUAL: Size = {"n_filters": 16, "n_blocks": 3}
SMALL: Size = {"n_filters": 8, "n_blocks": 2}
LARGE: Size = {"n_filters": 32, "n_blocks": 4}
TOO_SHORT = 90.0  # seconds in which there is no time to time anything
SMALL_BELOW, LARGE_ABOVE = 8_000, 300_000  # samples that there is time for


def recipe(experiment: Experiment, shards: Shards) -> Recipe:
    """The flags that suit these data and what the user has asked for."""
    found = Recipe()
    _first_guess(found, experiment, shards)
    choose_times(found, shards)
    _constraint(found, experiment, shards)
    _training(found, shards)
    return found


def sized(seconds: float, timed: Callable[[], float]) -> Recipe:
    """The network for a time budget; `timed` gives samples/s of the recipe's own."""
    found = Recipe()
    if seconds <= TOO_SHORT:
        found.choose(f"{seconds:g} s are short", **SMALL)
        return found
    rate = timed()
    passes = rate * seconds
    told = f"{rate:.0f} samples/s of the usual network on this machine"
    if passes < SMALL_BELOW:
        found.choose(f"{told} are few", **SMALL)
    elif passes > LARGE_ABOVE:
        found.choose(f"{told} leave time for a larger one", **LARGE)
    return found


def _first_guess(found: Recipe, experiment: Experiment, shards: Shards) -> None:
    """What the network corrects, where it may correct anything."""
    model, training = experiment.model, experiment.training
    if training.loss == AMOUNT_LOSS or model.output_activation or experiment.transfer.init_from:
        return
    whole = experiment.sampling.patch_size is None and not model.one_grid
    whole = whole and affordable(shards.geometry, shards.variables, own=shards.coarse_predictand)
    guess = model.first_guess if "first_guess" in (experiment.given or ()) else ""
    if not guess and whole:
        guess = "regression"
        found.choose(
            "the network corrects the best of interpolation and regression", first_guess=guess
        )
    elif not guess and None not in find_twins(shards):
        guess = "bicubic"
        found.choose(
            "in parts, or too large for a regression: the network corrects the interpolation",
            first_guess=guess,
        )
    if guess not in ("", "none") and not training.predicted_quantiles:
        found.choose(
            "the validation period decides how much of the correction counts",
            scaled_correction=True,
        )


def _constraint(found: Recipe, experiment: Experiment, shards: Shards) -> None:
    training = experiment.training
    if training.loss != AMOUNT_LOSS and not training.predicted_quantiles:
        choose_constraint(found, shards)


def _training(found: Recipe, shards: Shards) -> None:
    """A small network, trained for as long as the samples and some minutes allow."""
    samples = shards.size("train")
    cells = samples * math.prod(shards.geometry.fine_shape)
    batch = min(32, max(4, samples // 32))
    epochs = min(PASSES // samples, int(CELL_PASSES // cells), MOST)
    epochs = max(epochs, FEW)
    found.choose("edges of small domains", padding="edge")
    found.choose(
        f"there are {samples} samples of {cells // samples} cells",
        **USUAL,
        dropout_rate=0.1,
        batch_size=batch,
        epochs=epochs,
        early_stopping=True,
        patience=max(10, epochs // 4),
    )
    found.choose(
        "squared errors are what is scored; rates fall and weights are averaged",
        loss="mse",
        lr_schedule="cosine",
        weight_decay=1e-2,
        ema_decay=0.99,
    )
