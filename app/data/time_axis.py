"""The new time axis: for every wanted time, the known frames around it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from app.arrays import Array
from app.data.description import TimeSteps
from app.data.times import Stamps, period
from app.durations import duration_text
from app.errors import InputError

NONE = -1  # no such row


@dataclass(frozen=True, eq=False)
class TimeAxis:
    """Wanted times (N,) and, by row of the known frames, what is known around each.

    frames (N, 4): before, first, second and after, `NONE` where missing. theta (N,): share of
    the interval between first and second that has passed; interval (N,): its seconds. known:
    the row of the frame that lies at this very time. total: the row of the sum that this is a
    part of. unit (N,): number of the interval or sum; its times stay together. centres: times
    that features are taken at.
    """

    stamps: Stamps
    centres: Stamps
    frames: Array
    theta: Array
    interval: Array
    known: Array
    total: Array
    unit: Array

    def __len__(self) -> int:
        return len(self.stamps)

    def take(self, rows: Array | slice) -> TimeAxis:
        parts = {name: getattr(self, name)[rows] for name in self.__dataclass_fields__ if name
                 not in ("stamps", "centres")}  # fmt: skip
        return TimeAxis(stamps=self.stamps.take(rows), centres=self.centres.take(rows), **parts)


def time_axis(
    known: Stamps, steps: TimeSteps, summed: bool, times: tuple[str, ...] = ()
) -> TimeAxis:
    """All times that can be filled in between known frames, these among them; or `times` alone.

    Splits each accumulated total over the target steps; the outer steps interpolate towards the
    adjacent intervals, where there are any. Gaps are never bridged.
    """
    if times:
        if summed:
            raise InputError(
                f"--target_times={','.join(times)}: amounts over time are parted by steps; "
                "expected --target_step"
            )
        return _at(known, steps, times)
    return _parts(known, steps) if summed else _between(known, steps)


def _at(known: Stamps, steps: TimeSteps, times: tuple[str, ...]) -> TimeAxis:
    """The times of ISO texts, in their order in time."""
    asked = {period(text, known.calendar, "--target_times")[0] for text in times}
    seconds = np.array(sorted(asked), np.int64)
    stamps = Stamps(seconds, known.calendar)
    left = np.clip(np.searchsorted(known.seconds, seconds, "right") - 1, 0, len(known) - 1)
    there = known.seconds[left] == seconds
    right = np.where(there, left, np.minimum(left + 1, len(known) - 1))
    length = known.seconds[right] - known.seconds[left]
    linked = there | (length == steps.input_step) | ((length > 0) & (steps.gaps == "bridge"))
    outside = ~linked | (seconds < known.seconds[left])
    if outside.any():
        raise InputError(
            f"--target_times={','.join(times)}: {stamps.text(int(outside.argmax()))} lies between "
            f"no two known frames {duration_text(steps.input_step)} apart; expected times within "
            f"{known.span()}"
        )
    passed = seconds - known.seconds[left]
    return TimeAxis(
        stamps=stamps,
        centres=stamps,
        frames=_around(known, left, right),
        theta=np.where(there, 0.0, passed / np.maximum(length, 1)).astype(np.float32),
        interval=np.where(there, steps.input_step, length),
        known=np.where(there, left, NONE),
        total=np.full(len(seconds), NONE),
        unit=np.arange(len(seconds)),
    )


def _between(known: Stamps, steps: TimeSteps) -> TimeAxis:
    distance = np.diff(known.seconds)
    linked = distance == steps.input_step
    if steps.gaps == "bridge":
        linked |= distance % steps.target_step == 0
    counts = np.append(np.where(linked, distance // steps.target_step, 1), 1)
    left = np.repeat(np.arange(len(known)), counts)
    number = np.arange(len(left)) - np.repeat(np.cumsum(counts) - counts, counts)
    joined = np.append(linked, False)[left]
    length = np.append(distance, steps.input_step)[left]
    right = left + joined
    passed = number * steps.target_step
    stamps = Stamps(known.seconds[left] + passed, known.calendar)
    return TimeAxis(
        stamps=stamps,
        centres=stamps,
        frames=_around(known, left, right),
        theta=np.where(joined, passed / length, 0.0).astype(np.float32),
        interval=np.where(joined, length, steps.input_step),
        known=np.where(number == 0, left, NONE),
        total=np.full(len(left), NONE),
        unit=left,
    )


def _parts(known: Stamps, steps: TimeSteps) -> TimeAxis:
    n, k = len(known), steps.parts
    row, part = np.repeat(np.arange(n), k), np.tile(np.arange(k), n)
    ends = known.seconds[row] - steps.input_step + (part + 1) * steps.target_step
    offset = (part + 0.5) / k - 0.5  # from the middle of the sum's time, in intervals
    linked = np.diff(known.seconds) == steps.input_step
    earlier, later = np.append(False, linked)[row], np.append(linked, False)[row]
    back, forth = (offset < 0) & earlier, (offset > 0) & later
    left, right = row - back, row + forth
    theta = np.where(back, 1.0 + offset, np.where(forth, offset, 0.0))
    return TimeAxis(
        stamps=Stamps(ends, known.calendar),
        centres=Stamps(ends - steps.target_step // 2, known.calendar),
        frames=_around(known, left, right),
        theta=theta.astype(np.float32),
        interval=np.full(len(row), steps.input_step),
        known=np.full(len(row), NONE),
        total=row,
        unit=row,
    )


def _around(known: Stamps, left: Array, right: Array) -> Array:
    """Before, first, second, after: the outer ones only as far away as the inner ones are."""
    distance = np.append(np.diff(known.seconds), 0)
    length = np.where(right > left, distance[left], -1)
    before = np.where((left > 0) & (distance[left - 1] == length), left - 1, NONE)
    last = len(known) - 1
    after = np.where((right < last) & (distance[right] == length), right + 1, NONE)
    return np.stack([before, left, right, after], axis=1)


def conserved(parts: Array, totals: Array) -> Array:
    """Parts (n, k, …) that add up to the totals (n, …) and are never negative; float64.

    Predicted parts are scaled so that their sum is the total; where all of them are 0, the total
    is split evenly.
    """
    amounts = np.maximum(parts.astype(np.float64), 0.0)
    sums = amounts.sum(axis=1, keepdims=True)
    whole = totals.astype(np.float64)[:, None]
    factor = whole / np.where(sums > 0, sums, 1.0)
    return np.where(sums > 0, amounts * factor, whole / parts.shape[1])
