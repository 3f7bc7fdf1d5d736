"""Several trained models as one, each giving members of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from app.arrays import Array, Json
from app.errors import InputError

if TYPE_CHECKING:
    from app.inference.predict import Predicts
    from app.models import Drawing, ModelSpec


MODELS_APART = 1_000_003  # between the seeds of models


class DeepEnsemble:
    """Members of all models side by side (Lakshminarayanan et al. 2017, arXiv:1612.01474)."""

    def __init__(self, models: list[Predicts]) -> None:
        self.models = models

    def predict_fields(self, batch: Json, seed: int, members: int, how: Drawing) -> Array:
        """Fields (len(models) · members, n, …); no two models draw the same noise."""
        return np.concatenate(
            [
                m.predict_fields(batch, seed + MODELS_APART * number, members, how)
                for number, m in enumerate(self.models)
            ]
        )


def check_alike(specs: list[ModelSpec], names: list[str]) -> None:
    """InputError unless all models have the same inputs, outputs, grid and frames a sample."""
    for spec, name in zip(specs[1:], names[1:], strict=True):
        for part in ("inputs", "outputs", "geometry", "time_window", "bidirectional"):
            if getattr(spec, part) != getattr(specs[0], part):
                raise InputError(
                    f"--ensemble: {name} has other {part} than {names[0]}; expected models that "
                    "were trained on the same data"
                )
