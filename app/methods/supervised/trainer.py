"""Supervised training: a loss between the network's field and the true one."""

from __future__ import annotations

import tensorflow as tf

from app.arrays import Json, Tensor
from app.training.base import NetworkTrainer
from app.training.trainer import Batch


class SupervisedTrainer(NetworkTrainer):
    """Trains a physical model's network on the loss of --loss."""

    def _loss_sums(self, batch: Batch) -> tuple[Json, Tensor]:
        truth, predicted, weights = self._predicted(batch, training=True)
        loss = tf.reduce_sum(weights * self._pixel_loss(batch, truth, predicted))
        return {"loss": loss}, tf.reduce_sum(weights)
