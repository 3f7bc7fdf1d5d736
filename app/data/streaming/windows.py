"""Windows of consecutive frames, which cross neither gaps nor the ends of a split."""

from __future__ import annotations

import numpy as np

from app.arrays import Array
from app.data.contract import PreparedData
from app.errors import InputError


def window_starts(segments: Array, frames: int, stride: int = 1) -> Array:
    """First rows (m,) of windows of `frames` rows within one segment each, in order.

    `segments` (n,) numbers the gapless piece of every row. Windows begin every `stride` rows of a
    segment; a last one ends with it, so that every row of a segment of `frames` rows or more is in
    at least one window as long as the stride does not exceed the frames.
    """
    firsts, ends = segment_bounds(segments)
    starts = [
        np.unique(np.append(np.arange(first, end - frames + 1, stride), end - frames))
        for first, end in zip(firsts, ends, strict=True)
        if end - first >= frames
    ]
    return np.concatenate([np.zeros(0, np.int64), *starts])


def segment_bounds(segments: Array) -> tuple[Array, Array]:
    """First row of each segment, and the row after its last."""
    breaks = np.flatnonzero(np.diff(segments)) + 1
    return np.concatenate([[0], breaks]), np.concatenate([breaks, [len(segments)]])


def samples(shards: PreparedData, split: str, frames: int | None, stride: int = 1) -> Array:
    """First rows of all samples of a split: every row or, of several frames, every window.

    InputError where no gapless stretch of the split is as long as a window.
    """
    if frames is None:
        return np.arange(shards.size(split))
    segments = shards.segments(split)
    starts = window_starts(segments, frames, stride)
    if not len(starts):
        firsts, ends = segment_bounds(segments)
        raise InputError(
            f"--time_window={frames}: longer than any stretch without gaps in the split {split}, "
            f"of which the longest has {int((ends - firsts).max())} times at a step of "
            f"{shards.step(split)} s; expected a shorter window"
        )
    return starts
