"""Which frames of a record are known when it is downscaled in time, and which are withheld."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from app.arrays import Array
from app.data.description import TimeSteps
from app.data.times import Stamps, modal_step
from app.durations import duration_text
from app.errors import InputError


@dataclass(frozen=True, eq=False)
class Frames:
    """Frames by time, and the rows of the record that each consists of: (n, k), k > 1 for sums."""

    stamps: Stamps
    rows: Array

    def take(self, part: Array) -> Frames:
        return Frames(self.stamps.take(part), self.rows[part])


def known_frames(stamps: Stamps, steps: TimeSteps, summed: bool, where: str) -> Frames:
    """Every k-th frame of a record, or the sums over every k of them.

    The first frame is known; the first sum is that of the first k rows. InputError where the
    record has another step, or is irregular and the gap policy does not allow it.
    """
    step = _step(stamps, steps, where)
    k = steps.input_step // step
    first = int(stamps.seconds[0]) + (steps.input_step - step if summed else 0)
    wanted = stamps.seconds[(stamps.seconds - first) % steps.input_step == 0]
    found = _present(stamps, wanted, k if summed else 1, step)
    if len(found.stamps) < 2:
        raise InputError(
            f"{where}: {len(found.stamps)} known frames {duration_text(steps.input_step)} apart in "
            f"{stamps.span()}; expected 2 or more"
        )
    return found


def withheld_frames(stamps: Stamps, wanted: Stamps, steps: TimeSteps, summed: bool) -> Frames:
    """What the record holds of the wanted times; none where its step is too long to tell."""
    step = modal_step(stamps.seconds)
    k = steps.target_step // step if summed else 1
    if step > steps.target_step or (summed and steps.target_step % step):
        return Frames(stamps.take(slice(0, 0)), np.zeros((0, 1), np.int64))
    return _present(stamps, wanted.seconds, k, step)


def _present(stamps: Stamps, wanted: Array, k: int, step: int) -> Frames:
    """Those wanted times of which all k rows, the last at the time itself, are there."""
    each = wanted[:, None] + step * np.arange(1 - k, 1)
    rows = np.minimum(np.searchsorted(stamps.seconds, each), len(stamps) - 1)
    whole = (stamps.seconds[rows] == each).all(axis=1)
    return Frames(Stamps(wanted[whole], stamps.calendar), rows[whole])


def _step(stamps: Stamps, steps: TimeSteps, where: str) -> int:
    """The record's own step in seconds."""
    step = modal_step(stamps.seconds)
    odd = np.flatnonzero(np.diff(stamps.seconds) != step)
    if len(odd) and steps.gaps == "refuse":
        gaps = np.diff(stamps.seconds)[odd]
        raise InputError(
            f"{where}: irregular time steps: {len(odd)} of {len(stamps) - 1} are not "
            f"{duration_text(step)} but {duration_text(gaps.min())} to "
            f"{duration_text(gaps.max())}, the first after {stamps.text(int(odd[0]))}; expected "
            "regular ones, or --gap_policy=skip or bridge"
        )
    if not step or steps.input_step % step:
        raise InputError(
            f"{where}: a step of {duration_text(step)}; expected one that divides "
            f"--input_step={duration_text(steps.input_step)}"
        )
    return step
