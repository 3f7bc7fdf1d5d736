"""What the data tell any method that makes fields finer."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from app.baselines.interpolation import find_twins
from app.data.shards.advice import meaning_of

if TYPE_CHECKING:
    from app.data.shards import Shards
    from app.methods.recipe import Recipe

DAY = 86_400  # seconds
LOOKED_AT = 24  # samples
RARELY = 0.01  # share of the values that are missing in cells which have others
DAYS_OF_A_CYCLE = 180  # in which training has samples, for the day of the year to be told


def choose_times(found: Recipe, shards: Shards) -> None:
    """Which features of the time there is enough of in the training period."""
    if not shards.has_times or shards.size("train") < 2:
        return
    features = ["hour"] if 0 < shards.step("train") < DAY else []
    days = {seconds // DAY % 365 for seconds in shards.stamps("train").seconds.tolist()}
    if len(days) >= DAYS_OF_A_CYCLE:
        features.append("day_of_year")
    if features:
        told = f"training has a step of {shards.step('train') / 3600:g} h and {len(days)} days"
        found.choose(f"{told} of the year", time_features=tuple(features))


def _missing_at_times(shards: Shards) -> float:
    """Share of the predictands' values that are missing where other times have some."""
    rows = np.unique(np.linspace(0, shards.size("train") - 1, LOOKED_AT).astype(int))
    missing = np.isnan(shards.read("hr", "train", rows))
    return float((missing & ~missing.all(axis=0)).mean())


def all_rain(shards: Shards) -> bool:
    """Whether all predictands are rain or snow, and no anomalies of such."""
    return all(
        meaning_of(shards, v.name).precipitation and v.valid_min is not None and v.valid_min >= 0
        for v in shards.predictands
    )


def choose_roots(found: Recipe, shards: Shards) -> None:
    """Rain is transformed where nothing else is said."""
    if all_rain(shards) and all(v.transform == "none" for v in shards.predictands):
        found.choose("roots of rain are less skewed", transform="sqrt")


def choose_constraint(found: Recipe, shards: Shards) -> None:
    """Coarse means are kept where the input is the coarse mean itself.

    It is not where cells are missing now and then, as under clouds: the mean is then of the cells
    that were seen, and holds for no others.
    """
    if shards.explicit or None in find_twins(shards) or _missing_at_times(shards) > RARELY:
        return
    free = all(v.valid_min is None and v.valid_max is None for v in shards.predictands)
    if all(v.kind == "ratio" and v.valid_min == 0 for v in shards.predictands):
        found.choose("the input is the block mean of amounts", constraint="multiplicative")
    elif free:
        found.choose("the input is the block mean of the target", constraint="additive")
