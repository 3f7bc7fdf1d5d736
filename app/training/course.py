"""How far training goes: its epochs, how long they are and last, and what of them is behind."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from app.distributed import Communicator
from app.durations import clock
from app.options import TrainingConfig
from app.training.budget import Budget, Plan
from app.training.pace import Pace, Stopwatch
from app.training.position import Position

FEW_PASSES = 5  # over the samples, with fewer of which a network has learnt little


@dataclass(frozen=True)
class Pass:
    """A pass over the training samples, as far as an epoch may see them, and its validation.

    batch: samples of a step of all ranks.
    """

    samples: int
    batch: int
    validation_steps: int

    @property
    def steps(self) -> int:
        return math.ceil(self.samples / self.batch)


class Course:
    """A run of --epochs epochs. The position is the loop's, which moves it on."""

    def __init__(
        self, position: Position, training: TrainingConfig, pace: Pace, whole: Pass
    ) -> None:
        self.position, self.training, self.pace, self.whole = position, training, pace, whole

    @property
    def epochs(self) -> int:
        """How many epochs there will be, as things stand."""
        return self.training.epochs

    @property
    def epoch_samples(self) -> int:
        """Samples of the epoch at hand."""
        return self.whole.samples

    @property
    def progress(self) -> float:
        """Share of the training that is behind, whole epochs counted."""
        return self.position.epoch / self.training.epochs

    @property
    def passed(self) -> float:
        """Epochs so far, the part of the one at hand counted in."""
        return self.position.epoch + self.position.samples / self.epoch_samples

    @property
    def eta(self) -> float | None:
        """Seconds to go; None while nothing tells."""
        return self.pace.eta(self.passed, self.training.epochs)

    def begin(self) -> str:
        """Start where the position is; a warning, "" for none."""
        return ""

    def begin_epoch(self) -> None:
        """An epoch begins, or goes on."""

    def step_done(self) -> None:
        """A step of all ranks is behind."""

    def end_epoch(self, validation_s: float) -> None:
        """An epoch and its validation, which took so long, are behind."""

    def announcement(self) -> str:
        """How long training is going to take, once some steps have been timed."""
        seconds = self.pace.foreseen(self.whole.steps, self.whole.validation_steps)
        less = "; less if it stops improving" if self.training.early_stopping else ""
        return (
            f"training takes about {clock(seconds * (self.epochs - self.position.epoch))} on this "
            f"machine: {self.epochs} epochs of {self.epoch_samples} samples{less}"
        )

    def summary(self) -> str:
        """What there is to say of a run that has ended, "" for nothing."""
        return ""

    def shortfall(self) -> str:
        """What a run that has ended lacked, "" for nothing."""
        return ""


class TimedCourse(Course):
    """A run that ends when its time is over, in epochs that are planned anew on the way.

    watch: of the run. turns: shares of the training from which steps are compiled anew. follow: has
    the learning rate's schedule follow a plan: its step, progress and steps.
    """

    def __init__(
        self,
        position: Position,
        training: TrainingConfig,
        pace: Pace,
        whole: Pass,
        *,
        watch: Stopwatch,
        turns: tuple[float, ...],
        follow: Callable[[int, float, int], None],
        communicator: Communicator,
    ) -> None:
        super().__init__(position, training, pace, whole)
        assert training.time_budget is not None
        self.seconds = training.time_budget
        self.budget = Budget(self.seconds, watch)
        self.turns, self._follow, self._communicator = turns, follow, communicator
        self._watch, self._last_progress = watch, 0.0

    @property
    def plan(self) -> Plan | None:
        """What is left to be done; None before the first steps have been timed."""
        return Plan.of(self.position.plan) if self.position.plan else None

    @property
    def epochs(self) -> int:
        plan = self.plan
        if plan is None:
            return self.training.epochs
        left = max(plan.step + plan.steps - self.position.total_steps, 0)
        behind = self.position.samples // self.whole.batch
        return self.position.epoch + max(round((behind + left) / plan.epoch_steps), bool(left))

    @property
    def epoch_samples(self) -> int:
        plan = self.plan
        if plan is None:
            return self.whole.samples
        return min(self.whole.samples, plan.epoch_steps * self.whole.batch)

    @property
    def progress(self) -> float:
        plan = self.plan
        return plan.progress_at(self.position.total_steps) if plan else 0.0

    @property
    def eta(self) -> float | None:
        return 0.0 if self.position.done(self.training) else self.budget.left

    def begin(self) -> str:
        """A finished budget may have grown since."""
        if self.position.done(self.training):
            return ""
        used_up = not self.budget.left
        if self.plan is not None:
            self._plan_anew()
        if not used_up:
            return ""
        return (
            f"time budget of {clock(self.seconds)}: used up already by "
            f"{clock(self.position.seconds)} of training; it ends with this epoch"
        )

    def begin_epoch(self) -> None:
        before, self._last_progress = self._last_progress, self.progress
        turned = any(before < turn <= self._last_progress for turn in self.turns)
        self.budget.begin_epoch(compiles=turned)

    def step_done(self) -> None:
        if self.budget.step_done():
            self._plan_anew()

    def end_epoch(self, validation_s: float) -> None:
        """End the run where its time is over, else plan what is left."""
        self.budget.validated(validation_s)
        before = self.plan
        if before is not None:
            ended = before.ends_at(self.position.total_steps) or self.budget.over(before)
            if self._communicator.gather(ended)[0]:
                self.position.spent = self.seconds
                return
        self._plan_anew()

    def _plan_anew(self) -> None:
        """Size what is left of the run to the time that is left, on all ranks alike."""
        position = self.position
        progress = position.spent / self.seconds if position.spent else self.progress
        plan = self.budget.plan(
            position.total_steps,
            progress,
            step_s=position.plan.get("step_s", 0.0),
            behind=position.samples // self.whole.batch,
            pass_steps=self.whole.steps,
            validation_steps=self.whole.validation_steps,
            turns=sum(progress < turn < 1 for turn in self.turns),
        )
        position.plan = dict(self._communicator.gather(plan.facts)[0])
        position.spent = 0.0
        agreed = Plan.of(position.plan)
        self._follow(agreed.step, agreed.progress, agreed.steps)

    def announcement(self) -> str:
        return (
            f"time budget of {clock(self.seconds)}: about {self.epochs} epochs of "
            f"{self.epoch_samples} samples"
        )

    def summary(self) -> str:
        steps = self.position.total_steps
        return (
            f"trained for {clock(self._watch.seconds)} of a time budget of {clock(self.seconds)}: "
            f"{steps} steps, {steps / self.whole.steps:.3g} passes over the samples"
        )

    def shortfall(self) -> str:
        if self.position.total_steps >= FEW_PASSES * self.whole.steps:
            return ""
        wanted = self._watch.seconds + self.pace.foreseen(self.whole.steps, 0) * FEW_PASSES
        return (
            "the time was too short to learn from all samples: --time_budget="
            f"{math.ceil(wanted / 60)}min gives about {FEW_PASSES} passes here"
        )
