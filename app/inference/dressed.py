"""A deterministic model dressed with noise: the ensemble that any other one has to beat."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

from app.arrays import Array, Json
from app.models.diffusion.noise import white

if TYPE_CHECKING:
    from app.inference.predict import Predicts
    from app.models import Drawing


class DressedModel:
    """A model's fields plus independent normal errors, of a standard deviation (y, x, C)."""

    def __init__(self, model: Predicts, deviation: Array) -> None:
        self.model, self.deviation = model, deviation

    def predict_fields(self, batch: Json, seed: int, members: int, how: Drawing) -> Array:
        """Fields (members, n, y, x, C); the noise is keyed by seed, "seconds" and member."""
        fields = self.model.predict_fields(batch, seed, 1, how)[0]
        noise = [
            [white(fields.shape[1:], seed, int(second), member) for second in batch["seconds"]]
            for member in range(members)
        ]
        result: Array = fields[None] + self.deviation * np.array(noise, np.float32)
        return result


def error_deviation(pairs: Iterable[tuple[Array, Array]]) -> Array:
    """Root mean square (y, x, C) of predicted less true fields (n, y, x, C), block by block.

    0 where no error is known.
    """
    squares: Any = 0.0
    count: Any = 0
    for predicted, truth in pairs:
        error = predicted.astype(np.float64) - truth
        known = np.isfinite(error)
        squares = squares + np.square(np.where(known, error, 0.0)).sum(axis=0)
        count = count + known.sum(axis=0)
    result: Array = np.sqrt(squares / np.maximum(count, 1)).astype(np.float32)
    return result
