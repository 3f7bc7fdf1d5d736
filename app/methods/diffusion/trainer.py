"""Diffusion training: the network learns to take noise off what the first guess leaves."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from app.arrays import Tensor
from app.losses.masked import masked_mean, split_missing, valid_fraction
from app.methods.diffusion.cross_fitting import CrossFitted
from app.models.diffusion.model import DiffusionModel
from app.training.keyed import KeyedTrainer
from app.training.trainer import Batch


class DiffusionTrainer(KeyedTrainer):
    """Trains a diffusion model's network on the squared error of its answer to noisy fields."""

    model: DiffusionModel

    def __init__(self, *args: Any, cross_fitted: CrossFitted | None = None, **kwargs: Any) -> None:
        """`cross_fitted`: the first guesses of training samples, where not the model's own."""
        super().__init__(*args, **kwargs)
        self.cross_fitted = cross_fitted

    def train_step(self, batch: Batch) -> None:
        if self.cross_fitted is not None:
            batch = {**batch, "guess": self.cross_fitted.guess(batch)}
        super().train_step(batch)

    def _with_noise(self, batch: Batch, purpose: int, step: int) -> Batch:
        """The batch with "noise" like "hr", the level "sigma" and what follows from it."""
        process = self.model.settings.process
        shape = batch["hr"].shape[1:]
        noise = np.empty(batch["hr"].shape, np.float32)
        sigma = np.empty(len(noise))
        for row, generator in enumerate(self._generators(batch, purpose, step)):
            sigma[row] = process.draw(generator)
            noise[row] = generator.standard_normal(shape, np.float32)
        found = process.coefficients(sigma)
        levels = {name: getattr(found, name) for name in ("skip", "out", "scale", "level")}
        levels |= {"sigma": sigma, "level_weight": found.weight}
        drawn = {name: values.astype(np.float32) for name, values in levels.items()}
        return {**batch, **drawn, "noise": noise}

    def _sums_of(self, batch: Batch, training: bool) -> tuple[Tensor, Tensor]:
        given = self.model.conditioning(batch, noisy=training)
        truth = self.model.targets(batch, given)
        z, known = split_missing(truth)
        x = z + _wide(batch["sigma"]) * batch["noise"]
        wanted = (z - _wide(batch["skip"]) * x) / _wide(batch["out"])
        answer = self.model.answer(
            given.inputs, x, batch["scale"], batch["level"], training=training
        )
        loss = batch["level_weight"] * masked_mean(tf.square(answer - wanted), known)
        weights = batch["weight"] * valid_fraction(truth)
        return tf.reduce_sum(weights * loss), tf.reduce_sum(weights)


def _wide(values: Tensor) -> Tensor:
    return values[:, None, None, None]
