"""Bicubic interpolation corrected for the height that the coarse grid does not see."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from app.arrays import Array
from app.baselines.base import clip_fields, fine_values, time_blocks
from app.baselines.interpolation import Interpolation, blocks_of, to_fine
from app.baselines.lowess import Lowess
from app.data.moments import RunningMoments

if TYPE_CHECKING:
    from app.data.contract import PreparedData

OROGRAPHY = ("orography", "elevation", "topography", "height", "altitude", "zsurf", "orog", "z")


def height_field(shards: PreparedData) -> Array | None:
    """The static field (y, x) that tells the height, by its name; None where there is none."""
    names = [variable.name.lower() for variable in shards.variables.get("static", ())]
    found = [names.index(name) for name in OROGRAPHY if name in names]
    return shards.static[..., found[0]].astype(np.float64) if found else None


def hidden_height(shards: PreparedData) -> Array | None:
    """Height (y, x) above the bicubic interpolation of its coarse means; None without any."""
    height = height_field(shards)
    if height is None:
        return None
    plain = blocks_of(shards.geometry)
    smooth = to_fine(plain.coarse, plain.fine, "bicubic")
    result: Array | None = height - smooth(plain.coarsen(height[None]))[0]
    return result


class OrographyCorrected:
    """Bicubic plus a curve of the hidden height; ratio variables stay as bicubic gives them.

    The curve, a LOWESS of the mean error of each cell over the training period, is the lapse rate
    where it is straight. Cells of unknown height, and those never valid in training, teach it
    nothing; the former are not corrected.
    Reference: the baseline of DeepR (ECMWF Code for Earth 2023).
    """

    name = "bicubic_orography"

    def __init__(self, shards: PreparedData) -> None:
        self._variables = shards.predictands
        self._bicubic = Interpolation("bicubic", shards)
        hidden = hidden_height(shards)
        shape = (*shards.geometry.fine_shape, len(self._variables))
        self.correction = np.zeros(shape)
        if hidden is None:
            return
        error = RunningMoments()
        for indices in time_blocks(shards.size("train"), fine_values(shards)):
            guess = self._bicubic.predict(indices, "train").astype(np.float64)
            error.add(shards.read("hr", "train", indices) - guess)
        known = np.isfinite(hidden)
        for c, variable in enumerate(self._variables):
            told = known & np.isfinite(error.mean[..., c])
            if variable.kind == "interval" and told.any():
                curve = Lowess.fit(hidden[told], error.mean[..., c][told])
                self.correction[known, c] = curve(hidden[known])

    def predict(self, indices: Array, split: str) -> Array:
        """Corrected fields (n, y, x, C), float32, held to the valid range."""
        return clip_fields(self._bicubic.predict(indices, split) + self.correction, self._variables)
