"""Supervised training: a loss between the network's field and the true one."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from app.config import TrainingConfig
from app.distributed import Communicator
from app.losses.dense import DenseWeights
from app.models.physical import PhysicalModel
from app.training.base import Learner, NetworkTrainer, build_optimizer
from app.training.trainer import Batch


class SupervisedTrainer(NetworkTrainer):
    """Trains a physical model's network on the loss of --loss."""

    def __init__(
        self,
        model: PhysicalModel,
        config: TrainingConfig,
        communicator: Communicator,
        *,
        steps_per_epoch: int,
        data_range: np.ndarray,
        dense: DenseWeights | None = None,
    ) -> None:
        optimizer = build_optimizer(config, steps_per_epoch, communicator.ranks.size)
        learner = Learner(model.network, model, optimizer)
        super().__init__(
            model, config, communicator, data_range=data_range, learners=[learner], dense=dense
        )

    def _loss_sums(self, batch: Batch) -> tuple[dict[str, Any], Any]:
        truth, predicted, weights = self._predicted(batch, training=True)
        loss = tf.reduce_sum(weights * self._pixel_loss(batch, truth, predicted))
        return {"loss": loss}, tf.reduce_sum(weights)
