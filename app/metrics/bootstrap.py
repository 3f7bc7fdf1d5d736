"""Confidence intervals that respect the dependence of neighbouring samples."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array

from app.arrays import Array
from app.data.times import DAY, Stamps, modal_step
from app.metrics.quantiles import last_axis_quantiles
from app.metrics.table import Row

RESAMPLES = 1000
SEED = 20190326
LEVELS = (2.5, 97.5)  # percentiles of a 95 % interval
PERCENT = 100.0
WEEK = 7 * DAY  # seconds: the memory of weather in daily means
MIN_BLOCKS = 3
DRAWN = 8 * 2**20  # bytes of numbers of blocks that are added at once


def block_length(times: Array) -> int:
    """Samples in a block: 24 h of sub-daily data, a week of daily data, else one sample."""
    step = modal_step(Stamps.of(times).seconds)
    span = DAY if step < DAY else WEEK
    return max(1, span // step) if step > 0 else 1


@dataclass(frozen=True, eq=False)
class TimeBlocks:
    """Blocks of consecutive samples (n,) whose sums are kept, where those of all would be too many.

    place (n,): number of each sample's block, rising. span: samples in a block.
    """

    place: Array
    span: int

    @classmethod
    def of(cls, times: Array, groups: Array | None = None) -> TimeBlocks:
        """As long as intervals have them; a new one also begins where groups (n,) change."""
        span = block_length(times)
        place = np.arange(len(times)) // span
        if groups is not None:
            new = (np.diff(place) != 0) | (np.diff(groups) != 0)
            place = np.concatenate([[0], np.cumsum(new)])
        return cls(place, span)

    @classmethod
    def of_groups(cls, groups: Array) -> TimeBlocks:
        """Of samples of one group (n,), such as a year, that follow each other."""
        place = np.concatenate([[0], np.cumsum(np.diff(groups) != 0)])
        return cls(place, max(1, len(groups) // (int(place[-1]) + 1)))

    @property
    def count(self) -> int:
        return int(self.place[-1]) + 1

    def moved(self, influence: Array) -> Array:
        """Influences of samples (…, n), of mean 0, as those of blocks (…, b)."""
        found = np.zeros((*influence.shape[:-1], self.count))
        self.add(found, np.arange(len(self.place)), influence)
        return found * self.count / len(self.place)

    def add(self, sums: Array, indices: Array, values: Array) -> None:
        """Add values (…, m) of some samples to sums of the blocks (…, b)."""
        np.add.at(np.moveaxis(sums, -1, 0), self.place[indices], np.moveaxis(values, -1, 0))


def resampled_sums(sums: Array, length: int) -> Array | None:
    """Sums over moving-block resamples of per-sample sums (n, k): (RESAMPLES, k).

    Blocks of consecutive samples are drawn with replacement, the same for every column and every
    call, so that ratios of columns are paired. The last sample is followed by the first one, so
    that all are drawn as often, and a resample's mean is the period's on average (Politis and
    Romano 1992, A circular block-resampling procedure for stationary data). None where fewer than
    three blocks fit.
    """
    n = len(sums)
    if n < MIN_BLOCKS * length:
        return None
    wrapped = np.concatenate([np.zeros((1, sums.shape[1])), sums, sums[: length - 1]])
    running = np.cumsum(wrapped, axis=0)
    blocks = running[length:] - running[:-length]
    generator = np.random.default_rng(SEED)
    drawn = generator.integers(0, n, size=(RESAMPLES, -(-n // length)))
    result = np.empty((RESAMPLES, sums.shape[1]))
    step = max(1, DRAWN // (8 * drawn.shape[1]))
    for start in range(0, RESAMPLES, step):
        own = drawn[start : start + step]
        ends = own.shape[1] * np.arange(len(own) + 1)
        choice = csr_array((np.ones(own.size), own.ravel(), ends), (len(own), n))
        result[start : start + step] = choice @ blocks
    return result


def over_drawn_seeds(values: Array, generator: np.random.Generator) -> Array:
    """Means (R,) over as many columns of (R, n), drawn with replacement, as there are."""
    drawn = generator.integers(0, values.shape[1], size=values.shape)
    result: Array = np.take_along_axis(values, drawn, axis=1).mean(axis=1)
    return result


def interval(values: Array) -> tuple[float, float]:
    """Ends of the 95 % interval of resampled values; NaN where none is known."""
    low, high = intervals(values[:, None])
    return float(low[0]), float(high[0])


def intervals(values: Array) -> Array:
    """Likewise of every column (2, k) of resampled values (R, k)."""
    known = np.where(np.isfinite(values).any(axis=0), values, np.nan)
    return last_axis_quantiles(known.T, [level / PERCENT for level in LEVELS])


def interval_rows(
    metric: str,
    unit: str,
    candidates: Sequence[str],
    values: Array,
    resampled: Array | None,
) -> list[Row]:
    """Rows of a score (k,) and of the ends of its 95 % interval, from resamples (R, k) if any."""
    ends = np.full((2, len(values)), np.nan)
    if resampled is not None:
        ends = intervals(resampled)
    names = (metric, f"{metric}_low", f"{metric}_high")
    return [
        Row(name, unit, {c: (float(v), np.nan) for c, v in zip(candidates, own, strict=True)})
        for name, own in zip(names, (values, *ends), strict=True)
    ]
