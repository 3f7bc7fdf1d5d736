"""The difference of two groups of runs, paired by samples, with an interval."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import xarray as xr

from app.arrays import Array
from app.errors import InputError
from app.metrics.arithmetic import divide
from app.metrics.bootstrap import (
    SEED,
    block_length,
    interval,
    over_drawn_seeds,
    resampled_sums,
)
from app.metrics.confidence import concluded, holm, two_sided
from app.metrics.table import MODEL

SUMS_OF = {
    "mae": ("absolute", "weight"),
    "rmse": ("squares", "weight"),
    "crps": ("crps", "weight"),
    "crps_2x2": ("crps_2x2", "weight_2x2"),
}  # score: its sums and their weights in samples.nc


@dataclass(frozen=True)
class Difference:
    """A score of two groups, each the mean over its seeds, and the first less the second.

    label: "" or "[predictand]". low, high: 95 % interval over moving blocks of samples, the same
    for all runs, and over seeds drawn with replacement; NaN where the period is too short. p: of no
    difference, by the standard error of the same resamples; p_holm: adjusted for several pairs.
    """

    score: str
    label: str
    means: tuple[float, float]
    low: float
    high: float
    seeds: tuple[int, int]
    p: float = np.nan
    p_holm: float = np.nan

    @property
    def conclusion(self) -> str:
        """Of the first group, whose score is the better the lower it is."""
        return concluded(self.p_holm, -self.value)

    @property
    def value(self) -> float:
        return self.means[0] - self.means[1]


def paired_differences(
    first: Sequence[Path], second: Sequence[Path], scores: Sequence[str] = ("rmse",)
) -> list[Difference]:
    """Differences of every predictand and score between runs scored on the same samples.

    `first`, `second`: files samples.nc of a group's runs. Raises InputError where their samples
    are not the same.
    """
    files = [_open(path) for path in (*first, *second)]
    times = files[0]["time"].values
    for path, file in zip((*first, *second), files, strict=True):
        if not np.array_equal(file["time"].values, times):
            raise InputError(f"{path}: scored on other samples than {first[0]}; nothing to compare")
        held = {str(name).partition("[")[0] for name in file}
        if missing := [score for score in scores if not held.issuperset(SUMS_OF[score])]:
            raise InputError(f"{path}: without {missing[0]} by sample; run the stage metrics again")
    names = [str(name) for name in files[0]]
    labels = [name.removeprefix("squares") for name in names if name.startswith("squares")]
    length = block_length(times)
    return [
        _difference(files, len(first), score, label, length) for label in labels for score in scores
    ]


def adjusted(found: Sequence[Difference]) -> list[Difference]:
    """The same, with p adjusted for all pairs of groups that are compared by a score (Holm)."""
    result = list(found)
    for name in {one.score + one.label for one in found}:
        own = [i for i, one in enumerate(found) if one.score + one.label == name]
        for i, p in zip(own, holm([found[i].p for i in own]), strict=True):
            result[i] = replace(found[i], p_holm=float(p))
    return result


def _open(path: Path) -> xr.Dataset:
    try:
        return xr.load_dataset(path)
    except OSError as error:
        raise InputError(f"{path}: no scores by sample; run the stage metrics again") from error


def _difference(
    files: Sequence[xr.Dataset], first: int, score: str, label: str, length: int
) -> Difference:
    sums_name, weight_name = (name + label for name in SUMS_OF[score])
    sums = np.stack([f[sums_name].sel(candidate=MODEL).values for f in files], axis=-1)
    weights = np.stack([f[weight_name].values for f in files], axis=-1)

    def of(sums: Array, weights: Array) -> Array:
        mean = divide(sums, weights)
        return np.sqrt(mean) if score == "rmse" else mean

    values = of(np.nansum(sums, axis=0), weights.sum(axis=0))
    means = float(values[:first].mean()), float(values[first:].mean())
    seeds = first, len(files) - first
    drawn = resampled_sums(np.nan_to_num(np.hstack([sums, weights])), length)
    if drawn is None:
        return Difference(score, label, means, np.nan, np.nan, seeds)
    again = of(drawn[:, : len(files)], drawn[:, len(files) :])
    generator = np.random.default_rng(SEED)
    differences = over_drawn_seeds(again[:, :first], generator) - over_drawn_seeds(
        again[:, first:], generator
    )
    p = float(two_sided(np.array(means[0] - means[1]), np.nanstd(differences)))
    return Difference(score, label, means, *interval(differences), seeds, p, p)
