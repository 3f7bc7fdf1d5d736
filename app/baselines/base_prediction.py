"""What a run's network corrects, as a row of the score table. Imports no TensorFlow."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from app.arrays import Array
from app.baselines.base import clip_fields
from app.baselines.interpolation import find_twins
from app.baselines.regression import fit_regression
from app.baselines.ridge import Encoded, evaluate, from_offsets, to_offsets
from app.data.transforms import inverse

if TYPE_CHECKING:
    from app.data.contract import PreparedData


class BasePrediction:
    """What a run's network corrects: its first guess, held to the coarse means where the run is.

    time_channels: features of the time that the first guess knows. constraint: of the run.
    """

    name = "base"

    def __init__(
        self, shards: PreparedData, time_channels: tuple[int, ...], constraint: str
    ) -> None:
        self._shards, self._constraint = shards, constraint
        self._fields = Encoded(shards, time_channels)
        self._twins = find_twins(shards)
        self.fit, self.choice = fit_regression(self._fields, self._twins)

    def predict(self, indices: Array, split: str) -> Array:
        """Fields (n, y, x, C), float32, held to the valid range; NaN in cells never trained."""
        shards, variables = self._shards, self._shards.predictands
        encoded = evaluate(self.fit, self._fields, indices, split)
        decoded = shards.scaling["hr"].decode(encoded)
        physical = [inverse(decoded[..., c], variable) for c, variable in enumerate(variables)]
        fields = clip_fields(np.stack(physical, axis=-1), variables)
        if self._constraint != "none":
            fields = self._held(fields, indices, split)
        return fields

    def _held(self, fields: Array, indices: Array, split: str) -> Array:
        """Fields whose block means equal the coarse ones, by addition or multiplication."""
        geometry = self._shards.geometry
        coarse = self._shards.read("lr", split, indices)
        areas = to_offsets(geometry.fine.cell_areas()[None, ..., None], geometry)
        for field, twin in enumerate(self._twins):
            if twin is None:
                continue
            blocks = to_offsets(fields[..., field : field + 1].astype(float), geometry)
            weight = np.where(np.isfinite(blocks), areas, 0.0)
            total = weight.sum(axis=-1, keepdims=True)
            mean = np.nansum(np.nan_to_num(blocks) * weight, axis=-1, keepdims=True)
            mean = mean / np.where(total > 0, total, 1.0)
            wanted = np.moveaxis(coarse[..., twin], 0, 2)[..., None]
            if self._constraint == "additive":
                held = blocks + (wanted - mean)
            else:
                held = np.where(mean > 0, blocks * wanted / np.where(mean > 0, mean, 1.0), wanted)
            held = np.where(np.isfinite(wanted) & (total > 0), held, blocks)
            fields[..., field] = from_offsets(held, geometry)[..., 0]
        return fields
