"""The learning rate as a function of the optimiser's step, so that a resumed run continues it."""

from __future__ import annotations

import keras
from keras import ops

from app.arrays import Json, Tensor
from app.options import TrainingConfig


class Rate(keras.optimizers.schedules.LearningRateSchedule):
    """Linear warm-up, then a constant rate, one drop, or a cosine down to zero.

    Arguments: rates, one or two; decay_after, steps before the second; total_steps of a cosine,
    0 for none; warmup_steps; first_step, steps trained before this optimiser's first one. Step n
    of the warm-up takes (n + 1) / warmup_steps of the rate.
    """

    def __init__(
        self,
        rates: tuple[float, ...],
        decay_after: float,
        total_steps: int,
        warmup_steps: int,
        first_step: int = 0,
    ) -> None:
        self.rates = rates
        self.decay_after = decay_after
        self.total_steps = total_steps
        self.warmup_steps = warmup_steps
        self.first_step = first_step

    def __call__(self, step: Tensor) -> Tensor:
        step = ops.cast(step, "float32") + self.first_step
        rate = ops.where(step < self.decay_after, self.rates[0], self.rates[-1])
        if self.total_steps:
            progress = ops.clip(step / self.total_steps, 0.0, 1.0)
            rate = rate * 0.5 * (1.0 + ops.cos(progress * 3.14159265))
        if self.warmup_steps:
            rate = rate * ops.minimum(1.0, (step + 1.0) / self.warmup_steps)
        return rate

    def get_config(self) -> Json:
        return {
            "rates": self.rates,
            "decay_after": self.decay_after,
            "total_steps": self.total_steps,
            "warmup_steps": self.warmup_steps,
            "first_step": self.first_step,
        }


def learning_rate(config: TrainingConfig, steps_per_epoch: int, size: int) -> Rate:
    """The schedule of a run on `size` ranks: the rate multiplied by size unless unwanted."""
    factor = size if config.lr_scaling else 1
    warmup = config.warmup_steps
    if warmup < 0:
        warmup = steps_per_epoch if factor > 1 else 0
    cosine = config.lr_schedule == "cosine"
    return Rate(
        rates=tuple(rate * factor for rate in config.learning_rate),
        decay_after=config.lr_decay_after,
        total_steps=steps_per_epoch * config.epochs if cosine else 0,
        warmup_steps=warmup,
        first_step=steps_per_epoch * config.trained_epochs,
    )
