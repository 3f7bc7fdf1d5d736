"""Training by a proper score: a few members of each sample, and the truth."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import tensorflow as tf

from app.arrays import Tensor
from app.losses.ensemble import SCORES
from app.losses.masked import valid_fraction
from app.models.noisy import NoisyModel
from app.training.keyed import VALIDATION, KeyedTrainer
from app.training.trainer import Batch

NEAR = np.array([1.0, 0.9, 1.1])  # times the spread so far; the first of equal ones is taken
LEAST_SPREAD, LARGEST_SPREAD = 0.3, 3.0
GIVEN = ("coarse", "static", "time", "observed", "origin")  # of a batch, to the model


class CrpsTrainer(KeyedTrainer):
    """Trains a model's network on the almost fair CRPS, or energy score, of --train_members.

    A constraint holds for each member before it is scored.
    """

    model: NoisyModel

    def calibrate(self, batches: Callable[[], Iterator[Batch]]) -> None:
        """Give the model's noise the factor of the least score, of those near the present one."""
        if not self.config.calibrated_spread:
            return
        factors = np.clip(float(self.model.spread.numpy()) * NEAR, LEAST_SPREAD, LARGEST_SPREAD)
        scores = np.zeros(len(factors))
        for batch in batches():
            noisy = self._with_noise(batch, VALIDATION, 0)
            for place, factor in enumerate(factors):
                self.model.spread.assign(factor)
                scores[place] += float(self._validation_step(noisy)[0])
        best = np.argmin(np.asarray(self.communicator.sum([tf.constant(scores)])[0]))
        self.model.spread.assign(factors[best])

    def _with_noise(self, batch: Batch, purpose: int, step: int) -> Batch:
        """The batch with "noise" `(B, M, H, W, K)`."""
        members, channels = self.config.train_members, self.model.noise_channels
        shape = (members, *batch["hr"].shape[1:3], channels)
        generators = self._generators(batch, purpose, step)
        drawn = [own.standard_normal(shape, np.float32) for own in generators]
        return {**batch, "noise": np.stack(drawn)}

    def _sums_of(self, batch: Batch, training: bool) -> tuple[Tensor, Tensor]:
        truth = self.model.encode_targets(batch["hr"])
        weights = batch["weight"] * valid_fraction(truth)
        score = SCORES[self.config.member_score]
        loss = score(truth, self._members(batch, training), self.config.score_scales)
        return tf.reduce_sum(weights * loss), tf.reduce_sum(weights)

    def _members(self, batch: Batch, training: bool) -> Tensor:
        """Encoded members `(B, M, H, W, C)`."""
        members, noise = self.config.train_members, batch["noise"]
        repeated = {
            name: tf.repeat(batch[name], members, axis=0) for name in GIVEN if name in batch
        }
        repeated["noise"] = tf.reshape(noise, (-1, *noise.shape[2:]))
        drawn = self.model.encoded(repeated, training=training)
        return tf.reshape(drawn, (-1, members, *drawn.shape[1:]))
