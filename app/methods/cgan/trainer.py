"""Conditional adversarial training: a pixel loss, and a discriminator to be convinced."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import keras
import tensorflow as tf

from app.arrays import Json, Tensor
from app.losses.adversarial import called_false, called_true
from app.losses.masked import split_missing
from app.models.discriminator import build_discriminator
from app.models.layers.convolutions import ZERO
from app.models.physical import PhysicalModel
from app.options import TrainingConfig
from app.training.base import Learner, NetworkTrainer, build_optimizer
from app.training.schedule import Schedule
from app.training.trainer import Batch

ADAM_BETA_1 = 0.5


class CGANTrainer(NetworkTrainer):
    """Trains a physical model's network G against a discriminator D.

    With λ of --pixel_loss_weight and the pixel loss of --loss, per sample:

        G lowers  BCE(1, D(G)) + λ · pixel loss    "loss"; its first term "adversarial_loss"
        D lowers  BCE(1, D(true)) + BCE(0, D(G))   "disc_loss"

    Both step in every batch, from the same forward pass. D sees what the generator is told, on
    the coarse grid. Where the truth is missing, D sees 0 in true and predicted fields alike:
    filling gaps of true fields with predicted values would leave seams that only they have.

    Reference: Isola et al. 2017, arXiv:1611.07004.
    """

    losses = ("loss", "disc_loss", "adversarial_loss")

    def __init__(self, *args: Any, padding: str = ZERO, **options: Any) -> None:
        """`padding`: what D's convolutions see beyond the edge."""
        self._padding = padding
        super().__init__(*args, **options)

    def _learners(self, schedule: Schedule) -> tuple[Learner, ...]:
        config = self.config
        self.discriminator = _discriminator(self.model, config, self._padding)
        generator = build_optimizer(config, schedule, ADAM_BETA_1)
        opponent = build_optimizer(_of_discriminator(config), schedule, ADAM_BETA_1)
        return (
            Learner(self.model.network, self.model, generator),
            Learner(self.discriminator, self.discriminator, opponent, "disc_loss", "disc_"),
        )

    def _loss_sums(self, batch: Batch) -> tuple[Json, Tensor]:
        truth, predicted, weights = self._predicted(batch, training=True)
        pixel = self._pixel_loss(batch, truth, predicted)
        true_logits, false_logits = self._logits(batch, truth, predicted)
        adversarial = called_true(false_logits)
        losses = {
            "loss": adversarial + self.config.pixel_loss_weight * pixel,
            "disc_loss": called_true(true_logits) + called_false(false_logits),
            "adversarial_loss": adversarial,
        }
        sums = {name: tf.reduce_sum(weights * loss) for name, loss in losses.items()}
        return sums, tf.reduce_sum(weights)

    def _logits(self, batch: Batch, truth: Tensor, predicted: Tensor) -> tuple[Tensor, Tensor]:
        """D's logits `(B,)` of the true and of the predicted fields."""
        condition = self.model.condition(batch)
        true, known = split_missing(truth)
        pair = [
            self.discriminator({"condition": condition, "field": field}, training=True)
            for field in (true, predicted * known)
        ]
        return pair[0][:, 0], pair[1][:, 0]


def _discriminator(model: PhysicalModel, config: TrainingConfig, padding: str) -> keras.Model:
    spec = model.spec
    return build_discriminator(
        n_condition=spec.n_condition,
        n_fields=len(spec.outputs),
        scale=spec.scale,
        n_filters=config.n_disc_filters,
        n_blocks=config.n_disc_blocks,
        dropout_rate=config.disc_dropout_rate,
        padding=padding,
    )


def _of_discriminator(config: TrainingConfig) -> TrainingConfig:
    """The optimiser's options for D: a rate of its own, and no averaged weights."""
    return replace(
        config, ema_decay=0.0, learning_rate=config.disc_learning_rate or config.learning_rate
    )
