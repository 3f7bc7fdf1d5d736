"""Training for a given time: how what is left of it is divided into epochs."""

from __future__ import annotations

import math
import time
from dataclasses import asdict, dataclass
from typing import Self

from app.arrays import Json
from app.training.pace import VALIDATION_STEP, Stopwatch

AIM = 0.98  # of the budget; what is left is for the last checkpoint and the model
EPOCH_SHARE = 0.05  # of the budget that an epoch takes, unless it has seen all samples before
PER_VALIDATION = 8.0  # an epoch's steps take so many times as long as its validation, or more
FIRST_TIMED = 2  # the first step compiles


@dataclass(frozen=True)
class Plan:
    """The rest of a run: `steps` from the optimiser's step `step`, in epochs of `epoch_steps`.

    progress: of the learning rate's schedule at `step`, from 0 to 1; it is 1 after the last step.
    step_s: seconds that a step was taken to last.
    """

    step: int
    progress: float
    steps: int
    epoch_steps: int
    step_s: float

    @classmethod
    def of(cls, facts: Json) -> Self:
        """From what a checkpoint keeps."""
        return cls(
            int(facts["step"]),
            float(facts["progress"]),
            int(facts["steps"]),
            int(facts["epoch_steps"]),
            float(facts["step_s"]),
        )

    @property
    def facts(self) -> dict[str, float]:
        return {name: float(value) for name, value in asdict(self).items()}

    def progress_at(self, step: int) -> float:
        """Share of the schedule that is behind at a step."""
        passed = min(max(step - self.step, 0) / max(self.steps, 1), 1.0)
        return self.progress + (1.0 - self.progress) * passed

    def ends_at(self, step: int) -> bool:
        return step >= self.step + self.steps


class Budget:
    """The time left of a budget of `seconds`, and what steps and validations take of it.

    watch: of the run.
    """

    def __init__(self, seconds: float, watch: Stopwatch) -> None:
        self.seconds, self._watch = seconds, watch
        self._steps = 0
        self._since: tuple[int, float] | None = None
        self._step_s: float | None = None
        self._validation_s: float | None = None
        self._epoch_begun = time.monotonic()
        self._first_s = 0.0  # of the first step, which compiles

    @property
    def left(self) -> float:
        """Seconds left for steps and validations."""
        return max(0.0, AIM * self.seconds - self._watch.seconds)

    def begin_epoch(self, compiles: bool) -> None:
        """`compiles`: whether its first step does."""
        self._epoch_begun = time.monotonic()
        known = self._steps and not compiles
        self._since = (self._steps, self._epoch_begun) if known else None

    def step_done(self) -> bool:
        """Count a step; whether a process that has begun should plan anew by what it has timed."""
        self._steps += 1
        if self._steps == 1:
            self._first_s = time.monotonic() - self._epoch_begun
        if self._since is None:
            self._since = self._steps, time.monotonic()
        counted, since = self._since
        if self._steps > counted:
            self._step_s = (time.monotonic() - since) / (self._steps - counted)
        return self._steps >= FIRST_TIMED and self._steps & (self._steps - 1) == 0

    def validated(self, seconds: float) -> None:
        self._validation_s = seconds

    def plan(
        self,
        step: int,
        progress: float,
        *,
        step_s: float,
        behind: int,
        pass_steps: int,
        validation_steps: int,
        turns: int = 0,
    ) -> Plan:
        """What to do with the time left, from an optimiser's step on.

        step_s: seconds of a step as far as an earlier process knows, 0 where it does not; used
        until one has been timed. behind: steps of the epoch at hand that are behind; pass_steps:
        of a pass over all samples. turns: how many times more steps are compiled.
        """
        left = max(0.0, self.left - turns * self._first_s)
        step_s = self._step_s or step_s or left
        validation_s = self._validation_s or VALIDATION_STEP * validation_steps * step_s
        wanted = max(EPOCH_SHARE * self.seconds, PER_VALIDATION * validation_s)
        length = min(max(round(wanted / step_s), 1), pass_steps) if step_s else 1
        whole = length * step_s + validation_s
        epochs = max(1, round((left + behind * step_s) / whole)) if whole else 1
        steps = max(1, int((left - epochs * validation_s) / step_s)) if step_s else 1
        length = min(pass_steps, max(math.ceil((behind + steps) / epochs), 1))
        return Plan(step, progress, steps, length, step_s)

    def over(self, plan: Plan) -> bool:
        """Whether less is left than half of an epoch of the plan."""
        epoch = plan.epoch_steps * (self._step_s or 0.0) + (self._validation_s or 0.0)
        return self.left < epoch / 2
