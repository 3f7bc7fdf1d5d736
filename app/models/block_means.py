"""Means over blocks of fine cells, in the graph: weighted by area, or of features as they are."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from keras import ops

from app.arrays import Array, Tensor


class BlockMeans:
    """Area-weighted means of physical fields over blocks, in the graph, as the shards' own.

    `areas` (H, W) of the padded fine grid, 0 in the padding. NaN where fewer than
    `min_valid_fraction` of a block's cells within the grid are known.
    """

    def __init__(self, areas: Array, min_valid_fraction: float) -> None:
        self._areas = areas.astype("float32")
        self._least = min_valid_fraction

    def __call__(self, batch: Mapping[str, Tensor], factor: int, scale: int) -> Tensor:
        """The batch's "hr" `(B, H, W, C)` to `(B, H / factor, W / factor, C)`."""
        fields = batch["hr"]
        if factor == 1:
            return fields
        areas = self._areas_of(batch, scale)[..., None]
        known = ops.cast(ops.logical_not(ops.isnan(fields)), "float32")
        total = _block_sum(areas * known, factor)
        sums = _block_sum(ops.where(known > 0, fields, 0.0) * areas, factor)
        present = _block_sum(ops.cast(areas > 0, "float32"), factor)
        enough = _block_sum(known, factor) >= self._least * present
        enough = ops.logical_and(enough, total > 0)
        return ops.where(enough, sums / ops.where(enough, total, 1.0), np.nan)

    def areas(self, factor: int) -> Array:
        """Area `(H / factor, W / factor)` of the blocks within the grid, in units of `areas`."""
        height, width = (n // factor for n in self._areas.shape)
        result: Array = self._areas.reshape(height, factor, width, factor).sum(axis=(1, 3))
        return result

    def _areas_of(self, batch: Mapping[str, Tensor], scale: int) -> Tensor:
        """Areas `(1, H, W)` of whole fields, `(B, patch, patch)` of patches."""
        if "origin" not in batch:
            return ops.convert_to_tensor(self._areas[None])
        origin = ops.cast(batch["origin"], "int32") * scale
        rows, columns = (ops.arange(n, dtype="int32") for n in ops.shape(batch["hr"])[1:3])
        rows, columns = origin[:, 0, None] + rows, origin[:, 1, None] + columns
        cells = rows[:, :, None] * self._areas.shape[1] + columns[:, None, :]
        return ops.take(ops.convert_to_tensor(self._areas.ravel()), cells, axis=0)


def block_mean(fields: Tensor, scale: int) -> Tensor:
    """Mean of the known cells in each scale×scale block: `(B, H, W, S)` to `(B, h, w, S)`.

    NaN where a block knows none. Statics are features, so that cells of a block weigh the same;
    patches then see exactly what the whole field sees.
    """
    known = ops.logical_not(ops.isnan(fields))
    total = _block_sum(ops.where(known, fields, 0.0), scale)
    count = _block_sum(ops.cast(known, "float32"), scale)
    return ops.where(count > 0, total / ops.maximum(count, 1.0), np.nan)


def _block_sum(fields: Tensor, factor: int) -> Tensor:
    batch, height, width, channels = ops.shape(fields)
    shape = (batch, height // factor, factor, width // factor, factor, channels)
    return ops.sum(ops.reshape(fields, shape), axis=(2, 4))
