"""What trainers of physical models share: networks, their optimisers, and steps over ranks."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from app.arrays import Array, Json, Tensor
from app.distributed import Communicator
from app.losses import build_loss, valid_fraction
from app.losses.dense import DenseWeights
from app.models.layers.frames import fold
from app.models.physical import PhysicalModel
from app.models.saving import save_model
from app.options import TrainingConfig
from app.training.schedule import Schedule, learning_rate
from app.training.trainer import MEMORY, Batch

TINY_WEIGHT = 1e-12
ADAM_BETA_1 = 0.9


@dataclass(frozen=True)
class Learner:
    """A network with its optimiser and the name of the loss that it lowers.

    `model` is all that a checkpoint holds of it, under names that begin with `prefix`.
    """

    network: keras.Model
    model: keras.Model
    optimizer: Any
    loss: str = "loss"
    prefix: str = ""

    def __post_init__(self) -> None:
        self.optimizer.build(self.weights)

    @property
    def weights(self) -> list[Tensor]:
        result: list[Tensor] = self.network.trainable_variables
        return result

    @property
    def seeds(self) -> list[Tensor]:
        return [v for v in self.model.variables if not _is_float(v)]

    @property
    def moving_statistics(self) -> list[Tensor]:
        """Those of layers in training: frozen ones never change, and an average could round."""
        layers = [layer for layer in self.network.layers if layer.trainable]
        return [v for layer in layers for v in layer.non_trainable_variables if _is_float(v)]

    @property
    def state(self) -> Json:
        """Variables by name, seeds aside."""
        floats = [v for v in self.model.variables if _is_float(v)]
        named = {f"{self.prefix}model/{i}": v for i, v in enumerate(floats)}
        optimizer = enumerate(self.optimizer.variables)
        return named | {f"{self.prefix}optimizer/{i}": v for i, v in optimizer}


class NetworkTrainer(ABC):
    """Trains a physical model's network, and any networks beside it, in encoded space.

    A sample weighs by its share of valid cells. Every rank sums its own weighted losses; sums
    and gradients are added over the ranks and divided by the global weight, so that N ranks
    compute what one rank with the whole batch would.

    Subclasses give `_loss_sums`, and `_learners` where the model's network is not the only one.
    """

    losses: tuple[str, ...] = ("loss",)

    def __init__(
        self,
        model: PhysicalModel,
        config: TrainingConfig,
        communicator: Communicator,
        *,
        steps_per_epoch: int,
        data_range: Array,
        dense: DenseWeights | None = None,
    ) -> None:
        self.model = model
        self.dense = dense
        self.config = config
        self.communicator = communicator
        self._schedule = Schedule(steps_per_epoch, communicator.ranks.size)
        self.learners = self._learners(self._schedule)
        self.loss = build_loss(
            config.loss,
            data_range=data_range,
            huber_delta=config.huber_delta,
            quantiles=config.predicted_quantiles,
            thresholds=model.thresholds,
        )
        self._sums = tf.Variable(tf.zeros(len(self.losses) + 1, "float64"), trainable=False)
        n_notices = MEMORY + communicator.ranks.size
        self._notices, self._heard = (
            tf.Variable(tf.zeros(n_notices), trainable=False) for _ in range(2)
        )
        self._offset_seeds(communicator.ranks.rank)
        for learner in self.learners:
            communicator.broadcast(list(learner.state.values()))
        # Nothing below branches on tensors; converting it would double the time to the first step.
        self._train_step = tf.function(self._step, autograph=False)
        self._correction_step = tf.function(self._correction_sums, autograph=False)
        self._validation_step = tf.function(self._validation_sums, autograph=False)

    def train_step(self, batch: Batch) -> None:
        """One step of all ranks on their batches."""
        self.communicator.enter()
        self._train_step(batch)

    def start_epoch(self) -> None:
        self._sums.assign(tf.zeros_like(self._sums))

    def epoch_losses(self) -> dict[str, float]:
        """Weighted means of the losses since the epoch began, over all ranks."""
        *sums, weight = self._sums.numpy()
        means = [float(total / max(weight, TINY_WEIGHT)) for total in sums]
        return dict(zip(self.losses, means, strict=True))

    def validate(self, batches: Iterator[Batch]) -> float:
        """Weighted mean of the loss of --loss over all ranks' batches, dropout off."""
        total = np.zeros(2)
        for batch in batches:
            loss, weight = self._validation_step(batch)
            total += [float(loss), float(weight)]
        loss, weight = (float(part) for part in self.communicator.sum([tf.constant(total)])[0])
        return loss / max(weight, TINY_WEIGHT)

    def calibrate(self, batches: Callable[[], Iterator[Batch]]) -> None:
        """Give the model the share of its correction, from 0 to 1, that suits these batches best.

        It has the least squared error of the encoded fields, for each predictand by itself.
        """
        share = self.model.share
        if share is None:
            return
        total = np.zeros((2, share.shape[0]))
        for batch in batches():
            total += np.asarray(self._correction_step(batch), float)
        explained, squares = np.asarray(self.communicator.sum([tf.constant(total)])[0])
        best = np.clip(explained / np.maximum(squares, TINY_WEIGHT), 0.0, 1.0)
        share.assign(np.where(squares > 0, best, 1.0))

    def _correction_sums(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Sums (C,) of correction × what the first guess leaves, and of the correction squared."""
        assert self.model.share is not None
        whole = tf.ones_like(self.model.share)
        start = self.model.encoded(batch, share=tf.zeros_like(whole))
        correction = self.model.encoded(batch, share=whole) - start
        left = self.model.encode_targets(batch["hr"]) - start
        weights = tf.reshape(batch["weight"], (-1, *[1] * (len(left.shape) - 1)))
        known = tf.where(tf.math.is_nan(left), 0.0, weights)
        left = tf.where(tf.math.is_nan(left), 0.0, left)
        axes = list(range(len(left.shape) - 1))
        return (
            tf.reduce_sum(known * correction * left, axes),
            tf.reduce_sum(known * tf.square(correction), axes),
        )

    def plan(self, step: int, progress: float, steps: int) -> None:
        self._schedule.plan.assign([float(step), progress, float(steps)])

    def rate(self) -> float:
        """Learning rate of the model's next step."""
        return float(self._inner_optimizer().learning_rate)

    def synchronise(self) -> None:
        """Average the moving statistics of batch normalisation over the ranks."""
        if self.communicator.ranks.size == 1:
            return
        own = self.local()
        if own:
            # In float64 the mean of equal values is that value: doing it again changes nothing.
            sums = self.communicator.sum([tf.cast(variable.value, "float64") for variable in own])
            for variable, total in zip(own, sums, strict=True):
                variable.assign(tf.cast(total / self.communicator.ranks.size, variable.dtype))

    @contextmanager
    def averaged(self) -> Iterator[None]:
        """Within it the model has its averaged weights, where --ema_decay asks for them."""
        if not self.config.ema_decay:
            yield
            return
        weights = self.learners[0].weights
        kept = [np.asarray(weight.numpy()) for weight in weights]
        self._inner_optimizer().finalize_variable_values(weights)
        try:
            yield
        finally:
            for weight, value in zip(weights, kept, strict=True):
                weight.assign(value)

    def save(self, path: Path) -> None:
        """Write the model, and nothing of the networks beside it, as one .keras file."""
        save_model(self.learners[0].model, path)

    def variables(self) -> Json:
        """All state but the seed generators', by names that a resumed run finds again."""
        named = {name: v for learner in self.learners for name, v in learner.state.items()}
        return {**named, "sums": self._sums}

    def seeds(self) -> list[Tensor]:
        """The seed generators' states, each rank's own."""
        return [state for learner in self.learners for state in learner.seeds]

    def local(self) -> list[Tensor]:
        """Batch normalisation's moving statistics, averaged over the ranks now and then."""
        return [v for learner in self.learners for v in learner.moving_statistics]

    def post(self, notices: Array) -> None:
        self._notices.assign(notices)

    def heard(self) -> Any:
        return self._heard.read_value()

    def _learners(self, schedule: Schedule) -> tuple[Learner, ...]:
        """The networks that learn, the model's first."""
        optimizer = build_optimizer(self.config, schedule)
        return (Learner(self.model.network, self.model, optimizer),)

    @abstractmethod
    def _loss_sums(self, batch: Batch) -> tuple[Json, Tensor]:
        """This rank's sums of weight × loss, for each of `losses`, and of the weights."""

    def _predicted(self, batch: Batch, training: bool) -> tuple[Tensor, Tensor, Tensor]:
        """Encoded truth and prediction `(B, H, W, C)`, and the samples' weights `(B,)`.

        Frames of windows are samples of their own, folded into the batch: no loss looks across
        frames.
        """
        truth = self.model.encode_targets(batch["hr"])
        predicted = self.model.encoded(batch, training=training)
        weights = batch["weight"]
        frames = self.model.spec.time_window
        if frames is not None:
            truth, predicted = fold(truth), fold(predicted)
            weights = tf.repeat(weights, frames)
        return truth, predicted, weights * valid_fraction(truth)

    def _targets(self, batch: Batch) -> Tensor:
        """The physical fields that are learnt, `(B, H, W, C)`."""
        return batch["hr"]

    def _pixel_loss(self, batch: Batch, truth: Tensor, predicted: Tensor) -> Tensor:
        """The loss of --loss `(B,)`, its cells weighed where dense weights are asked for."""
        if self.dense is None:
            return self.loss(truth, predicted)
        return self.loss(truth, predicted, cell_weights=self.dense(self._targets(batch)))

    def _validation_sums(self, batch: Batch) -> tuple[Tensor, Tensor]:
        truth, predicted, weights = self._predicted(batch, training=False)
        loss = self._pixel_loss(batch, truth, predicted)
        return tf.reduce_sum(weights * loss), tf.reduce_sum(weights)

    def _step(self, batch: Batch) -> None:
        batch_size = tf.cast(tf.shape(batch["weight"])[0], "float32")
        with tf.GradientTape(persistent=True) as tape:
            sums, weight = self._loss_sums(batch)
            objectives = [
                learner.optimizer.scale_loss(sums[learner.loss] / batch_size)
                for learner in self.learners
            ]
        gradients = [
            tape.gradient(objective, [variable.value for variable in learner.weights])
            for objective, learner in zip(objectives, self.learners, strict=True)
        ]
        totals = [sums[name] for name in self.losses]
        # One reduction for everything: all networks step from the same forward pass.
        *gradients, totals, weight = self._over_ranks([*gradients, totals, [weight]])
        share = batch_size / tf.maximum(weight[0], TINY_WEIGHT)
        for learner, own in zip(self.learners, gradients, strict=True):
            learner.optimizer.apply([gradient * share for gradient in own], learner.weights)
        self._sums.assign_add(tf.cast(tf.stack([*totals, *weight]), "float64"))

    def _over_ranks(self, groups: list[list[Any]]) -> list[list[Any]]:
        """Groups of tensors, each summed over the ranks; the notices go with them."""
        tensors = [tensor for group in groups for tensor in group]
        *sums, heard = self.communicator.sum([*tensors, self._notices.read_value()])
        self._heard.assign(heard)
        summed = iter(sums)
        return [[next(summed) for _ in group] for group in groups]

    def _inner_optimizer(self) -> Any:
        optimizer = self.learners[0].optimizer
        return getattr(optimizer, "inner_optimizer", optimizer)

    def _offset_seeds(self, rank: int) -> None:
        """Ranks draw different values: move every seed generator's seed by the rank."""
        for state in self.seeds():
            seed, counter = np.asarray(state.numpy())
            state.assign(np.array([seed + rank, counter], dtype=np.asarray(state.numpy()).dtype))


def build_optimizer(
    config: TrainingConfig,
    schedule: Schedule,
    beta_1: float = ADAM_BETA_1,
    factors: Sequence[float] = (),
) -> Any:
    """Adam or, with weight decay, AdamW; with a loss scale under float16.

    `factors`: multiples of the learning rate, one for each variable in their order.
    """
    common = {
        "learning_rate": learning_rate(config, schedule),
        "beta_1": beta_1,
        "use_ema": config.ema_decay > 0,
        "ema_momentum": config.ema_decay,
        "global_clipnorm": config.gradient_clip or None,
    }
    kind = keras.optimizers.Adam
    if config.weight_decay:
        kind, common["weight_decay"] = keras.optimizers.AdamW, config.weight_decay
    optimizer = (_with_factors(kind, factors) if factors else kind)(**common)
    if keras.config.dtype_policy().compute_dtype == "float16":
        return keras.optimizers.LossScaleOptimizer(optimizer)
    return optimizer


def _with_factors(kind: type[Any], factors: Sequence[float]) -> type[Any]:
    """An Adam that scales the update of each variable.

    Scaling gradients would have no effect, as Adam is scale-invariant.
    """

    class Factored(kind):
        def update_step(self, gradient: Tensor, variable: Tensor, learning_rate: Tensor) -> None:
            factor = factors[self._get_variable_index(variable)]
            super().update_step(gradient, variable, learning_rate * factor)

    return Factored


def _is_float(variable: Tensor) -> bool:
    return "float" in str(variable.dtype)
