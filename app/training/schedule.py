"""The learning rate as a function of the optimiser's step, so that a resumed run continues it."""

from __future__ import annotations

from dataclasses import dataclass, field

import keras
from keras import ops

from app.arrays import Json, Tensor
from app.options import TrainingConfig

SHORT_WARMUP = 0.1  # of a run that ends by time


def _plan() -> keras.Variable:
    return keras.Variable([0.0, 0.0, 0.0], trainable=False, dtype="float32", name="plan")


@dataclass
class Schedule:
    """What the rates of a run's optimisers follow: epochs of so many steps, by so many ranks.

    plan: where a run ends by time: a step, the progress there, and the steps from there to the
    end; zeros where it ends by epochs.
    """

    steps_per_epoch: int
    size: int = 1
    plan: keras.Variable = field(default_factory=_plan)


class Rate(keras.optimizers.schedules.LearningRateSchedule):
    """Linear warm-up, then a constant rate, one drop, or a cosine down to zero.

    Arguments: rates, one or two; decay_after, steps before the second; total_steps of a cosine,
    0 for none; warmup_steps; first_step, steps trained before this optimiser's first one; plan,
    see `Schedule`, of a run that ends by time. Step n of the warm-up takes (n + 1) / warmup_steps
    of the rate.
    """

    def __init__(
        self,
        rates: tuple[float, ...],
        decay_after: float,
        total_steps: int,
        warmup_steps: int,
        first_step: int = 0,
        plan: keras.Variable | None = None,
    ) -> None:
        self.rates = rates
        self.decay_after = decay_after
        self.total_steps = total_steps
        self.warmup_steps = warmup_steps
        self.first_step = first_step
        self.plan = plan

    def __call__(self, step: Tensor) -> Tensor:
        step = ops.cast(step, "float32") + self.first_step
        rate = ops.where(step < self.decay_after, self.rates[0], self.rates[-1])
        if self.total_steps:
            progress = ops.clip(self._progress(step), 0.0, 1.0)
            rate = rate * 0.5 * (1.0 + ops.cos(progress * 3.14159265))
        if self.warmup_steps:
            rate = rate * ops.minimum(1.0, (step + 1.0) / self._warmup())
        return rate

    def _progress(self, step: Tensor) -> Tensor:
        if self.plan is None:
            return step / self.total_steps
        first, progress, steps = ops.unstack(ops.convert_to_tensor(self.plan))
        passed = (step - first) / ops.maximum(steps, 1.0)
        return progress + (1.0 - progress) * passed

    def _warmup(self) -> Tensor:
        if self.plan is None:
            return self.warmup_steps
        first, _, steps = ops.unstack(ops.convert_to_tensor(self.plan))
        return ops.clip(SHORT_WARMUP * (first + steps), 1.0, self.warmup_steps)

    def get_config(self) -> Json:
        return {
            "rates": self.rates,
            "decay_after": self.decay_after,
            "total_steps": self.total_steps,
            "warmup_steps": self.warmup_steps,
            "first_step": self.first_step,
        }


def learning_rate(config: TrainingConfig, schedule: Schedule) -> Rate:
    """The rate of a run: multiplied by the number of ranks unless that is not wanted."""
    factor = schedule.size if config.lr_scaling else 1
    warmup = config.warmup_steps
    if warmup < 0:
        warmup = schedule.steps_per_epoch if factor > 1 else 0
    cosine = config.lr_schedule == "cosine"
    return Rate(
        rates=tuple(rate * factor for rate in config.learning_rate),
        decay_after=config.lr_decay_after,
        total_steps=schedule.steps_per_epoch * config.epochs if cosine else 0,
        warmup_steps=warmup,
        first_step=schedule.steps_per_epoch * config.trained_epochs,
        plan=schedule.plan if config.time_budget else None,
    )
