"""A baseline: the fine climatology plus the coarse anomaly, the delta method of impact studies."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

import app
from app.baselines.base import clip_fields, time_blocks
from app.baselines.interpolation import Interpolation

if TYPE_CHECKING:
    from app.data.shards import Shards


@app.register("baseline", "delta", "climatology plus the interpolated coarse anomaly")
class Delta:
    """The mean fine field of the training period, and what the coarse one departs from its own."""

    name = "delta"

    def __init__(self, shards: Shards) -> None:
        self._variables = shards.variables["hr"]
        self._coarse = Interpolation("bilinear", shards)
        samples = shards.size("train")
        total = np.zeros((*shards.geometry.fine_shape, len(self._variables)))
        cells = total.size
        for indices in time_blocks(samples, cells):
            fine = shards.read("hr", "train", indices).astype(np.float64)
            total += (fine - self._coarse.predict(indices, "train")).sum(axis=0)
        self._shift = total / samples

    def predict(self, indices: np.ndarray, split: str) -> np.ndarray:
        """Fields (n, y, x, C), float32, held to the valid range."""
        return clip_fields(self._coarse.predict(indices, split) + self._shift, self._variables)
