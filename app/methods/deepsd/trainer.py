"""Training of one stage of a stack, on true fields of its two resolutions."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import keras
import numpy as np
import tensorflow as tf
from keras import ops
from numpy.typing import NDArray

from app.arrays import Json, Tensor
from app.distributed import Communicator
from app.losses.dense import DenseWeights
from app.losses.masked import valid_fraction
from app.models.block_means import BlockMeans
from app.models.layers.gaps import filled
from app.models.physical import PhysicalModel
from app.models.stack import layer_name
from app.options import Experiment
from app.training.base import Learner, NetworkTrainer, build_optimizer
from app.training.schedule import Schedule
from app.training.trainer import Batch


class StageTrainer(NetworkTrainer):
    """Trains one stage of a stack on true fields of its two resolutions.

    Arguments: model, the physical model of the joined stack; stages, its networks, coarse to
    fine; number, of the stage, from 1; factors, all stages'; means, see `BlockMeans`.
    """

    def __init__(
        self,
        model: PhysicalModel,
        stages: Sequence[keras.Model],
        number: int,
        experiment: Experiment,
        communicator: Communicator,
        *,
        means: BlockMeans,
        steps_per_epoch: int,
        data_range: NDArray[np.float64],
        dense: DenseWeights | None = None,
    ) -> None:
        factors = experiment.stack.sr_factors
        self.stage, self.first = stages[number - 1], number == 1
        self._means = means
        self._scale = prod(factors)
        self._given, self._wanted = prod(factors[number - 1 :]), prod(factors[number:])
        self._rates = layer_rates(self.stage, experiment.stack.srcnn_lr_multipliers)
        super().__init__(
            model,
            experiment.training,
            communicator,
            steps_per_epoch=steps_per_epoch,
            data_range=data_range,
            dense=dense,
        )

    def _learners(self, schedule: Schedule) -> tuple[Learner, ...]:
        optimizer = build_optimizer(self.config, schedule, factors=self._rates)
        return (Learner(self.stage, self.stage, optimizer),)

    def _loss_sums(self, batch: Batch) -> tuple[Json, Tensor]:
        truth, predicted, weights = self._predicted(batch, training=True)
        loss = tf.reduce_sum(weights * self._pixel_loss(batch, truth, predicted))
        return {"loss": loss}, tf.reduce_sum(weights)

    def _targets(self, batch: Batch) -> Tensor:
        return self._means(batch, self._wanted, self._scale)

    def _predicted(self, batch: Batch, training: bool) -> tuple[Tensor, Tensor, Tensor]:
        truth = self.model.encode_targets(self._targets(batch))
        predicted = self.stage(self._inputs(batch, training), training=training)
        return truth, predicted, batch["weight"] * valid_fraction(truth)

    def _inputs(self, batch: Batch, training: bool) -> Json:
        whole = self.model.encode_inputs(
            batch["coarse"], batch.get("static"), batch.get("time"), noisy=training
        )
        n_static = self.model.spec.n_static
        if self.first:
            coarse = whole["coarse"]
            inputs = {"coarse": coarse[..., : coarse.shape[-1] - n_static]}
        else:
            fields = self.model.encode_targets(self._means(batch, self._given, self._scale))
            inputs = {"coarse": filled(fields, self.model.spec.gaps)}
        if n_static:
            static = whole["static"]
            if self._wanted > 1:
                static = ops.average_pool(static, self._wanted)
            inputs["static"] = static
        return inputs


def layer_rates(stage: keras.Model, rates: tuple[float, ...]) -> list[float]:
    """Multiples of the learning rate of a stage's variables: those of an SRCNN's layers, else 1."""
    by_layer = {layer_name(number): rate for number, rate in enumerate(rates, start=1)}
    return [
        by_layer.get(layer.name, 1.0) for layer in stage.layers for _ in layer.trainable_variables
    ]
