"""Supervised training: a loss between the network's field and the true one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from app.config import TrainingConfig
from app.distributed import Communicator
from app.losses import build_loss, valid_fraction
from app.models.physical import PhysicalModel
from app.training.schedule import learning_rate
from app.training.trainer import Batch

TINY_WEIGHT = 1e-12


class SupervisedTrainer:
    """Trains a physical model's network in encoded space.

    A sample weighs by its share of valid cells. Every rank sums its own weighted losses; sums
    and gradients are added over the ranks and divided by the global weight, so that N ranks
    compute what one rank with the whole batch would.
    """

    def __init__(
        self,
        model: PhysicalModel,
        config: TrainingConfig,
        communicator: Communicator,
        *,
        steps_per_epoch: int,
        data_range: np.ndarray,
    ) -> None:
        self.model = model
        self.config = config
        self.communicator = communicator
        self.loss = build_loss(config.loss, data_range=data_range, huber_delta=config.huber_delta)
        self.optimizer = _optimizer(config, steps_per_epoch, communicator.ranks.size)
        self.optimizer.build(model.trainable_variables)
        self._sums = tf.Variable(tf.zeros(2, "float64"), trainable=False)  # loss, weight
        self._offset_seeds(communicator.ranks.rank)
        communicator.broadcast([v for v in model.variables if _is_float(v)])
        communicator.broadcast(self.optimizer.variables)
        self._train_step = tf.function(self._step)
        self._validation_step = tf.function(self._weighted_loss)

    def train_step(self, batch: Batch) -> None:
        """One step of all ranks on their batches."""
        self._train_step(batch)

    def start_epoch(self) -> None:
        self._sums.assign(tf.zeros(2, "float64"))

    def epoch_loss(self) -> float:
        """Weighted mean of the loss since the epoch began, over all ranks."""
        loss, weight = self._sums.numpy()
        return float(loss / max(weight, TINY_WEIGHT))

    def validate(self, batches: Iterator[Batch]) -> float:
        """Weighted mean of the loss over all ranks' batches, dropout off."""
        total = np.zeros(2)
        for batch in batches:
            loss, weight = self._validation_step(batch, False)
            total += [float(loss), float(weight)]
        loss, weight = (float(part) for part in self.communicator.sum([tf.constant(total)])[0])
        return loss / max(weight, TINY_WEIGHT)

    def rate(self) -> float:
        """Learning rate of the next step."""
        return float(self._inner_optimizer().learning_rate)

    def synchronise(self) -> None:
        """Average what ranks gather on their own: batch normalisation's moving statistics.

        Those of frozen layers never change, and an average could round them.
        """
        if self.communicator.ranks.size == 1:
            return
        layers = [layer for layer in self.model.network.layers if layer.trainable]
        own = [v for layer in layers for v in layer.non_trainable_variables if _is_float(v)]
        if own:
            sums = self.communicator.sum([variable.value for variable in own])
            for variable, total in zip(own, sums, strict=True):
                variable.assign(total / self.communicator.ranks.size)

    @contextmanager
    def averaged(self) -> Iterator[None]:
        """Within it the network has its averaged weights, where --ema asks for them."""
        if not self.config.ema:
            yield
            return
        weights = self.model.trainable_variables
        kept = [np.asarray(weight.numpy()) for weight in weights]
        self._inner_optimizer().finalize_variable_values(weights)
        try:
            yield
        finally:
            for weight, value in zip(weights, kept, strict=True):
                weight.assign(value)

    def save(self, path: Path) -> None:
        """Write the model as one .keras file, in one step."""
        temporary = path.with_name(f".{path.stem}.part.keras")
        self.model.save(temporary)
        temporary.replace(path)

    def variables(self) -> dict[str, Any]:
        """All state but the seed generators', by names that a resumed run finds again."""
        floats = [v for v in self.model.variables if _is_float(v)]
        named = {f"model/{i}": v for i, v in enumerate(floats)}
        named |= {f"optimizer/{i}": v for i, v in enumerate(self.optimizer.variables)}
        return {**named, "sums": self._sums}

    def seeds(self) -> list[Any]:
        """The seed generators' states, each rank's own."""
        return [v for v in self.model.variables if not _is_float(v)]

    def _inner_optimizer(self) -> Any:
        return getattr(self.optimizer, "inner_optimizer", self.optimizer)

    def _offset_seeds(self, rank: int) -> None:
        """Ranks draw different values: move every seed generator's seed by the rank."""
        for state in self.seeds():
            seed, counter = np.asarray(state.numpy())
            state.assign(np.array([seed + rank, counter], dtype=np.asarray(state.numpy()).dtype))

    def _step(self, batch: Batch) -> None:
        weights = self.model.trainable_variables
        batch_size = tf.cast(tf.shape(batch["weight"])[0], "float32")
        with tf.GradientTape() as tape:
            loss, weight = self._weighted_loss(batch, True)
            objective = self.optimizer.scale_loss(loss / batch_size)
        gradients = tape.gradient(objective, [weight.value for weight in weights])
        *gradients, loss, weight = self.communicator.sum([*gradients, loss, weight])
        share = batch_size / tf.maximum(weight, TINY_WEIGHT)
        self.optimizer.apply([gradient * share for gradient in gradients], weights)
        self._sums.assign_add(tf.cast(tf.stack([loss, weight]), "float64"))

    def _weighted_loss(self, batch: Batch, training: bool) -> tuple[Any, Any]:
        """This rank's sums of weight × loss and of the weights."""
        truth = self.model.encode_targets(batch["hr"])
        predicted = self.model.encoded(batch, training=training)
        weights = batch["weight"] * valid_fraction(truth)
        return tf.reduce_sum(weights * self.loss(truth, predicted)), tf.reduce_sum(weights)


def _optimizer(config: TrainingConfig, steps_per_epoch: int, size: int) -> Any:
    """Adam or, with weight decay, AdamW; with a loss scale under float16."""
    common = {
        "learning_rate": learning_rate(config, steps_per_epoch, size),
        "use_ema": config.ema > 0,
        "ema_momentum": config.ema,
    }
    if config.weight_decay:
        optimizer = keras.optimizers.AdamW(weight_decay=config.weight_decay, **common)
    else:
        optimizer = keras.optimizers.Adam(**common)
    if keras.config.dtype_policy().compute_dtype == "float16":
        return keras.optimizers.LossScaleOptimizer(optimizer)
    return optimizer


def _is_float(variable: Any) -> bool:
    return "float" in str(variable.dtype)
