"""The pace of a run: what is due, how long it takes, and what ranks tell each other of it."""

from __future__ import annotations

import time

import numpy as np

from app.durations import Interval
from app.ranks import Ranks
from app.running.status import peak_memory_mib
from app.training.trainer import LEAVE, MEMORY, SAVE, STOP

MEMORY_EVERY = 10.0  # seconds
VALIDATION_STEP = 1 / 3  # of a training step
STEPS_IN_RESERVE = 3  # ranks act a step after they agreed, and the step at hand has to end first
CHECKPOINTS_IN_RESERVE = 2  # one may take twice as long as any before
SMOOTHING = 0.1  # weight of the last step in the mean duration
RECENT = 0.5  # share of what this process has done that the time to go is judged by
MARKS = 200


class Notices:
    """What one rank tells the others with its gradients."""

    def __init__(self, ranks: Ranks) -> None:
        self.values = np.zeros(MEMORY + ranks.size, np.float32)
        self._slot = MEMORY + ranks.rank
        self._measured = -MEMORY_EVERY

    def change(self, *, stop: bool, save: bool, leave: bool) -> bool:
        """Set the notices of the next step; whether they differ from the last one's."""
        before = self.values.copy()
        self.values[[STOP, SAVE, LEAVE]] = stop, save, leave
        if time.monotonic() - self._measured > MEMORY_EVERY:
            self._measured = time.monotonic()
            self.values[self._slot] = peak_memory_mib()
        return bool((before != self.values).any())


class Stopwatch:
    """Seconds that a run has trained: those before this process and those since it has begun.

    begun: on the monotonic clock.
    """

    def __init__(self, begun: float, before: float = 0.0) -> None:
        self._begun, self._before = begun, before

    @property
    def seconds(self) -> float:
        return self._before + time.monotonic() - self._begun


class Pace:
    """Clock of one process's part of a run."""

    def __init__(self, checkpoint_every: Interval) -> None:
        self._every = checkpoint_every
        self._saved = self._last_step = self._epoch_begun = time.monotonic()
        self._first_sample = 0
        self._marks: list[tuple[float, float]] = []  # epochs passed, and when
        self._step_s: float | None = None
        self._slowest_save_s = 0.0
        self._asked = False

    @property
    def time_to_save(self) -> bool:
        """Whether a checkpoint is due by the clock; said once for each."""
        seconds = self._every.seconds
        if self._asked or not seconds or time.monotonic() - self._saved < seconds:
            return False
        self._asked = True
        return True

    def step_to_save(self, total_steps: int) -> bool:
        """Whether a checkpoint is due by the number of steps."""
        return bool(self._every.steps) and total_steps % self._every.steps == 0

    def saved(self, seconds: float) -> None:
        """A checkpoint has been written, which took so long."""
        self._saved, self._asked = time.monotonic(), False
        self._slowest_save_s = max(self._slowest_save_s, seconds)

    def begin_epoch(self, first_sample: int) -> None:
        self._epoch_begun = self._last_step = time.monotonic()
        self._first_sample = first_sample

    def step_done(self) -> float:
        """Seconds that a stop with a checkpoint would need from now on."""
        now = time.monotonic()
        last, self._last_step = now - self._last_step, now
        # The first step compiles: shorter ones count at once, longer ones little by little.
        mean = min(last, self._step_s or last)
        self._step_s = mean + SMOOTHING * (last - mean)
        return STEPS_IN_RESERVE * self._step_s + CHECKPOINTS_IN_RESERVE * self._slowest_save_s

    def passed(self, epochs: float) -> None:
        """So many epochs are behind now, parts of them counted in."""
        if not self._marks or epochs > self._marks[-1][0]:
            self._marks.append((epochs, time.monotonic()))

    def rate(self, samples: int) -> float:
        """Samples a second in this epoch so far."""
        seconds = max(self._last_step - self._epoch_begun, 1e-9)
        return (samples - self._first_sample) / seconds

    def eta(self, passed: float, epochs: int) -> float | None:
        """Seconds to go, judged by the later half of what this process has passed."""
        self.passed(passed)
        first = self._marks[0][0]
        middle = passed - RECENT * (passed - first)
        then, when = max(mark for mark in self._marks if mark[0] <= middle)
        if len(self._marks) > MARKS:
            self._marks = self._marks[::2]
        gained = passed - then
        return (time.monotonic() - when) / gained * (epochs - passed) if gained else None

    def foreseen(self, steps: int, validation_steps: int) -> float:
        """Seconds of an epoch and its validation, judged by the steps so far."""
        return (self._step_s or 0.0) * (steps + VALIDATION_STEP * validation_steps)
