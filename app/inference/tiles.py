"""Prediction in overlapping tiles, for domains whose activations do not fit into memory."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from app.arrays import Array, Json
from app.errors import InputError
from app.models import PhysicalModel
from app.models.fitted import PLAIN, Drawing


class TiledModel:
    """A physical model that sees its domain in windows and blends what it makes of them.

    A window reaches `overlap` fine cells beyond its share on every side. Its weight is 0 within
    half of that of an artificial edge and rises smoothly over the next `overlap` cells, so that
    with an overlap of the receptive field no cell whose context was cut counts: tiled and whole
    then agree, but for networks that look at the domain as a whole (channel attention, group
    statistics), which see the window instead. Inputs filled from near cells (`filled`) reach up to
    15 coarse cells further.

    Arguments: size and overlap in fine cells. Raises InputError for models with weights that
    belong to grid points, and for sizes that are no multiples of the scale.
    """

    def __init__(self, model: PhysicalModel, size: int, overlap: int) -> None:
        scale = model.spec.scale
        for flag, cells in (("tile_size", size), ("tile_overlap", overlap)):
            if cells % scale:
                raise InputError(f"--{flag}={cells}: expected a multiple of the scale {scale}")
        if model.tied_to_grid:
            raise InputError(
                f"--tile_size={size}: the model has weights that belong to grid points "
                "(a localized layer, or --first_guess=linear or regression) and serves its whole "
                "grid only; train with --first_guess=bicubic for tiles"
            )
        self.model, self.scale = model, scale
        self.size, self.overlap = size // scale, overlap // scale

    def predict_fields(self, batch: Json, seed: int, members: int, how: Drawing = PLAIN) -> Array:
        """Fields (members, n, …) as the model's own predict_fields gives them."""
        coarse = batch["coarse"]
        shape = coarse.shape[-3:-1]
        static = np.asarray(self.model.static)
        total: Array | None = None
        weights = np.zeros((shape[0] * self.scale, shape[1] * self.scale, 1), np.float32)
        for rows in self._windows(shape[0]):
            for columns in self._windows(shape[1]):
                fine = self._fine(rows), self._fine(columns)
                part = {**batch, "coarse": coarse[..., rows, columns, :]}
                part["origin"] = np.tile([rows.start, columns.start], (len(coarse), 1))
                part["static"] = np.repeat(static[fine][None], len(coarse), axis=0)
                if "observed" in batch:
                    part["observed"] = batch["observed"][:, *fine]
                fields = self.model.draw(part, seed, members, how)
                weight = np.outer(self._ramp(rows, shape[0]), self._ramp(columns, shape[1]))
                if total is None:
                    total = np.zeros((*fields.shape[:-3], *weights.shape[:2], fields.shape[-1]))
                total[..., *fine, :] += weight[..., None] * fields
                weights[fine] += weight[..., None].astype(np.float32)
        assert total is not None  # there is always a window
        return self.model.finished((total / weights).astype(np.float32))

    def _windows(self, length: int) -> Iterator[slice]:
        """Windows of one size over coarse cells; the last is moved back to end with the axis."""
        size = min(self.size, length)
        step = max(1, size - 2 * self.overlap)
        for start in range(0, max(1, length - 2 * self.overlap), step):
            first = min(start, length - size)
            yield slice(first, first + size)
            if first + size == length:
                return

    def _fine(self, cells: slice) -> slice:
        return slice(cells.start * self.scale, cells.stop * self.scale)

    def _ramp(self, cells: slice, length: int) -> Array:
        """Weight of each fine row or column of a window; edges of the domain are no edges."""
        n, width = (cells.stop - cells.start) * self.scale, self.overlap * self.scale
        weight = np.ones(n)
        if width:
            rise = np.clip((np.arange(n) + 0.5 - width / 2) / width, 0, 1)
            rise = rise**2 * (3 - 2 * rise)
            weight = weight if cells.start == 0 else weight * rise
            weight = weight if cells.stop == length else weight * rise[::-1]
        return weight
