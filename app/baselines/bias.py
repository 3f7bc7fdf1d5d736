"""Bilinear interpolation less its mean error: what a constant correction per cell achieves."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from app.arrays import Array
from app.baselines.base import clip_fields, fine_values, time_blocks
from app.baselines.interpolation import Interpolation
from app.data.moments import RunningMoments

if TYPE_CHECKING:
    from app.data.contract import PreparedData


class BiasCorrected:
    """Bilinear interpolation minus its mean error per cell over the training period.

    NaN in cells without a single training value.
    """

    name = "bias_corrected"

    def __init__(self, shards: PreparedData) -> None:
        self._variables = shards.predictands
        self._interpolation = Interpolation("bilinear", shards)
        error = RunningMoments()
        for indices in time_blocks(shards.size("train"), fine_values(shards)):
            guess = self._interpolation.predict(indices, "train").astype(np.float64)
            error.add(guess - shards.read("hr", "train", indices))
        self._error = error.mean

    def predict(self, indices: Array, split: str) -> Array:
        """Corrected fields (n, y, x, C), float32, held to the valid range."""
        return clip_fields(
            self._interpolation.predict(indices, split) - self._error, self._variables
        )
