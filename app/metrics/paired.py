"""The difference of two groups of runs, paired by samples, with an interval."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import xarray as xr

from app.errors import InputError
from app.metrics.arithmetic import divide
from app.metrics.bootstrap import RESAMPLES, SEED, block_length, interval, resampled_sums
from app.metrics.evaluate import MODEL


@dataclass(frozen=True)
class Difference:
    """RMSE of two groups, each the mean over its seeds, and the first less the second.

    low, high: 95 % interval over moving blocks of samples, the same for all runs, and over
    seeds drawn with replacement; NaN where the period is too short.
    """

    label: str
    rmse: tuple[float, float]
    low: float
    high: float
    seeds: tuple[int, int]

    @property
    def value(self) -> float:
        return self.rmse[0] - self.rmse[1]


def rmse_differences(first: Sequence[Path], second: Sequence[Path]) -> list[Difference]:
    """Differences of every predictand between runs scored on the same samples.

    `first`, `second`: files samples.nc of a group's runs. Raises InputError where their samples
    are not the same.
    """
    files = [_open(path) for path in (*first, *second)]
    times = files[0]["time"].values
    for path, file in zip((*first, *second), files, strict=True):
        if not np.array_equal(file["time"].values, times):
            raise InputError(f"{path}: scored on other samples than {first[0]}; nothing to compare")
    labels = [str(name).removeprefix("weight") for name in files[0] if str(name)[:6] == "weight"]
    return [_difference(files, len(first), label, block_length(times)) for label in labels]


def _open(path: Path) -> xr.Dataset:
    try:
        return xr.load_dataset(path)
    except OSError as error:
        raise InputError(f"{path}: no scores by sample; run the stage metrics again") from error


def _difference(files: Sequence[xr.Dataset], first: int, label: str, length: int) -> Difference:
    squares = np.stack([f[f"squares{label}"].sel(candidate=MODEL).values for f in files], axis=-1)
    weights = np.stack([f[f"weight{label}"].values for f in files], axis=-1)
    rmse = np.sqrt(divide(np.nansum(squares, axis=0), weights.sum(axis=0)))
    means = float(rmse[:first].mean()), float(rmse[first:].mean())
    seeds = first, len(files) - first
    drawn = resampled_sums(np.nan_to_num(np.hstack([squares, weights])), length)
    if drawn is None:
        return Difference(label, means, np.nan, np.nan, seeds)
    again = np.sqrt(divide(drawn[:, : len(files)], drawn[:, len(files) :]))
    generator = np.random.default_rng(SEED)
    low, high = interval(
        _over_drawn_seeds(again[:, :first], generator)
        - _over_drawn_seeds(again[:, first:], generator)
    )
    return Difference(label, means, low, high, seeds)


def _over_drawn_seeds(values: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Means (R,) over as many columns of (R, n), drawn with replacement, as there are."""
    n = values.shape[1]
    drawn = generator.integers(0, n, size=(RESAMPLES, n))
    return np.take_along_axis(values, drawn, axis=1).mean(axis=1)
