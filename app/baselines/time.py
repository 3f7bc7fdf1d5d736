"""What a model in time has to beat: frames between known ones without any learning."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.interpolate import CubicSpline

from app.arrays import Array
from app.baselines.optical_flow import between
from app.data.time_axis import NONE, TimeAxis, conserved
from app.data.times import Stamps

CUBIC_REACH = 6  # known frames on each side: those beyond would change a spline by less than 0.1 %
Read = Callable[[Array], Array]  # rows (B, k) → (B, k, y, x, C), NaN for NONE
MIDDLE = 0.5


def linear(axis: TimeAxis, read: Read, known: Stamps) -> Array:
    """Linear in time between the two known frames around: (n, y, x, C)."""
    frames, share = read(axis.frames[:, 1:3]), axis.theta[:, None, None, None]
    result: Array = (1 - share) * frames[:, 0] + share * frames[:, 1]
    return result


def nearest(axis: TimeAxis, read: Read, known: Stamps) -> Array:
    """The known frame nearest in time, in the middle the earlier one; of sums the even parts."""
    rows = np.where(axis.theta > MIDDLE, axis.frames[:, 2], axis.frames[:, 1])
    return read(rows[:, None])[:, 0]


def cubic(axis: TimeAxis, read: Read, known: Stamps) -> Array:
    """Cubic spline in time (not-a-knot) through the known frames of the gapless piece."""
    fields = linear(axis, read, known)
    for left in np.unique(axis.frames[:, 1]):
        own = np.flatnonzero((axis.frames[:, 1] == left) & (axis.frames[:, 2] > left))
        if not len(own):
            continue
        rows = _run(known, int(left), int(axis.interval[own[0]]))
        if len(rows) > 2:
            spline = CubicSpline(rows, read(rows[None])[0].astype(np.float64), axis=0)
            fields[own] = spline(left + axis.theta[own])
    return fields


def _run(known: Stamps, left: int, interval: int) -> Array:
    """Rows of known frames around an interval, all as far apart as its ends."""
    first, last = left, left + 1
    apart = np.diff(known.seconds) == interval
    while first > 0 and apart[first - 1] and left - first < CUBIC_REACH:
        first -= 1
    while last < len(apart) and apart[last] and last - left <= CUBIC_REACH:
        last += 1
    return np.arange(first, last + 1)


def optical_flow(axis: TimeAxis, read: Read, known: Stamps) -> Array:
    """Both frames moved to the time along unlearned motion, and blended."""
    frames = read(axis.frames[:, 1:3])
    missing = np.isnan(frames).any(axis=1)
    filled = np.nan_to_num(frames)
    spread = filled.std(axis=(0, 1, 2, 3)) + np.float32(1e-12)  # channels share one motion
    scaled = filled / spread
    fields = spread * between(scaled[:, 0], scaled[:, 1], axis.theta)
    return np.where(missing, np.nan, fields)


METHODS: dict[str, Callable[[TimeAxis, Read, Stamps], Array]] = {
    "linear": linear,
    "nearest": nearest,
    "cubic": cubic,
    "optical_flow": optical_flow,
}


def baseline(name: str, axis: TimeAxis, read: Read, known: Stamps) -> Array:
    """Fields (n, y, x, C) of whole units of the axis; sums are parted so that they are kept."""
    fields = METHODS[name](axis, read, known)
    if (axis.total == NONE).all():
        return fields
    totals = read(np.unique(axis.total)[:, None])[:, 0]
    parts = fields.reshape(len(totals), -1, *fields.shape[1:])
    return conserved(parts, totals).reshape(fields.shape)
