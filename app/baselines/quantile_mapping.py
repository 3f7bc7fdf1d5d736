"""Quantile mapping, and bias correction with spatial disaggregation (BCSD)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from app.arrays import Array
from app.baselines.base import BLOCK_BYTES, clip_fields, fine_values, time_blocks
from app.baselines.interpolation import Interpolation, blocks_of, find_twins, to_fine
from app.data.quantile_mapping import LEVELS, mapped, quantiles
from app.running.disk_space import scratch

if TYPE_CHECKING:
    from app.data.contract import PreparedData

LEAST_MEAN = 1e-6  # of the largest climatological mean, below which no factor is formed
Read = Callable[[Array], Array]


def training_quantiles(read: Read, samples: int, shape: tuple[int, ...]) -> Array:
    """Quantiles (Q, y, x, C) over the training period of what `read` gives block by block.

    The fields pass through a temporary file, so that memory is bounded by a band of rows.
    """
    y, x, c = shape
    found = np.empty((len(LEVELS), *shape))
    with scratch(None, (samples, *shape)) as stored:
        for indices in time_blocks(samples, y * x * c):
            stored[indices[0] : indices[-1] + 1] = read(indices)
        step = max(1, BLOCK_BYTES // (8 * samples * x * c))
        for start in range(0, y, step):
            found[:, start : start + step] = quantiles(stored[:, start : start + step])
    return found


class QuantileMapping:
    """Bilinear interpolation whose values take those of the truth at the same rank, per cell.

    Both distributions are those of the training period. NaN in cells without training values.
    """

    name = "quantile_mapping"

    def __init__(self, shards: PreparedData) -> None:
        self._variables = shards.predictands
        self._interpolation = Interpolation("bilinear", shards)
        n, shape = shards.size("train"), (*shards.geometry.fine_shape, len(self._variables))
        self._own = training_quantiles(self._guess("train"), n, shape)
        self._wanted = training_quantiles(lambda i: shards.read("hr", "train", i), n, shape)

    def _guess(self, split: str) -> Read:
        return lambda indices: self._interpolation.predict(indices, split)

    def predict(self, indices: Array, split: str) -> Array:
        """Mapped fields (n, y, x, C), float32, held to the valid range."""
        guess = self._guess(split)(indices)
        fields = [
            mapped(guess[..., c], self._own[..., c], self._wanted[..., c], v.kind == "ratio")
            for c, v in enumerate(self._variables)
        ]
        return clip_fields(np.stack(fields, axis=-1), self._variables)


class Bcsd:
    """Bias correction on the coarse grid, then spatial disaggregation (Wood et al. 2004).

    The low resolution takes the distribution of the coarsened truth, cell by cell; with
    coarsened pairs it has it already. Its anomaly from the coarse climatology, a factor of ratio
    variables and else a difference, is interpolated bilinearly and put on the fine climatology.
    All is fitted on the training period. Predictands without low resolution of their own are NaN.
    Reference: doi:10.1023/B:CLIM.0000013685.99609.9e.
    """

    name = "bcsd"

    def __init__(self, shards: PreparedData) -> None:
        self._shards = shards
        self._variables = shards.predictands
        self._twins = find_twins(shards)
        self._geometry = blocks_of(shards.geometry)
        self._regrid = to_fine(self._geometry.coarse, self._geometry.fine, "bilinear")
        n = shards.size("train")
        shape = (*self._geometry.coarse_shape, len(self._variables))
        self._maps: tuple[Array, Array] | None = None
        if shards.explicit:
            own = training_quantiles(lambda i: self._low(i, "train"), n, shape)
            wanted = training_quantiles(self._coarse_truth, n, shape)
            self._maps = own, wanted
        self._fine_mean = self._mean()
        coarse = self._geometry.coarsen(np.moveaxis(self._fine_mean, -1, 0))
        self._coarse_mean = np.moveaxis(coarse, 0, -1)

    def _low(self, indices: Array, split: str) -> Array:
        """Low resolution (n, h, w, C) of the predictands without halo, NaN without a twin."""
        halo = self._shards.geometry.halo
        low = self._shards.read("lr", split, indices)
        low = low[:, halo : low.shape[1] - halo, halo : low.shape[2] - halo]
        out = np.full((*low.shape[:3], len(self._twins)), np.nan, np.float32)
        for c, twin in enumerate(self._twins):
            if twin is not None:
                out[..., c] = low[..., twin]
        return out

    def _coarse_truth(self, indices: Array) -> Array:
        truth = np.moveaxis(self._shards.read("hr", "train", indices), -1, 1)
        return np.moveaxis(self._geometry.coarsen(truth), 1, -1)

    def _mean(self) -> Array:
        """Training mean (y, x, C) of the truth."""
        shape = (*self._shards.geometry.fine_shape, len(self._variables))
        total, count = np.zeros(shape), np.zeros(shape)
        for indices in time_blocks(self._shards.size("train"), fine_values(self._shards)):
            truth = self._shards.read("hr", "train", indices).astype(np.float64)
            total += np.nansum(truth, axis=0)
            count += np.isfinite(truth).sum(axis=0)
        return np.where(count > 0, total / np.maximum(count, 1), np.nan)

    def predict(self, indices: Array, split: str) -> Array:
        """Disaggregated fields (n, y, x, C), float32, held to the valid range."""
        low = self._low(indices, split)
        fields = [
            self._disaggregated(low[..., c], c, v.kind == "ratio")
            for c, v in enumerate(self._variables)
        ]
        return clip_fields(np.stack(fields, axis=-1), self._variables)

    def _corrected(self, low: Array, c: int, ratio: bool) -> Array:
        if self._maps is None:
            return low
        own, wanted = self._maps
        return mapped(low, own[..., c], wanted[..., c], ratio)

    def _disaggregated(self, low: Array, c: int, ratio: bool) -> Array:
        low = self._corrected(low, c, ratio)
        coarse, fine = self._coarse_mean[..., c], self._fine_mean[..., c]
        if not ratio:
            return fine + self._regrid(low - coarse)
        enough = coarse > LEAST_MEAN * np.nan_to_num(coarse).max()  # never in a dry record
        factor = np.where(enough, low / np.where(enough, coarse, 1.0), 0.0)
        factor = np.where(np.isnan(low), np.nan, factor)
        return fine * self._regrid(factor.astype(np.float32))
