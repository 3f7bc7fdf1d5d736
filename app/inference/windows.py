"""Prediction of a record in overlapping windows of frames, blended where they overlap."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from absl import logging

from app.arrays import Array
from app.data.streaming.windows import segment_bounds, window_starts

WINDOWS_A_FRAME = 4  # about how many windows a frame is predicted in, or all if there are fewer

Fields = Callable[[Array], Array]  # rows (W, T) → fields (members, W, T, y, x, C)


@dataclass(frozen=True, eq=False)
class Windows:
    """The windows in which a record is predicted, the same for any batch size and rank.

    rows (W, T): the frames of each window, in order. weights (W, T): what each counts for at its
    row; they add up to 1 at every row.
    """

    rows: Array
    weights: Array

    @classmethod
    def over(
        cls, segments: Array, frames: int, *, bidirectional: bool, blend: bool = True
    ) -> Windows:
        """Windows of `frames` rows over a record whose gapless pieces `segments` (n,) numbers.

        A frame's weight in a window grows with the number of frames around it: the smaller of those
        before and after it or, where the network looks back only, those before it. `blend=False`
        takes each frame from the one window where its weight is largest. Segments shorter than a
        window are filled up with copies of their first and last frame, of weight 0.
        """
        stride = max(1, frames // WINDOWS_A_FRAME)
        whole = window_starts(segments, frames, stride)[:, None] + np.arange(frames)
        short, real = _filled_up(segments, frames)
        rows = np.concatenate([whole, short]).astype(np.int64)
        weights = np.tile(_context(frames, bidirectional), (len(rows), 1))
        weights[len(whole) :] *= real
        order = np.argsort(rows[:, 0], kind="stable")
        rows, weights = rows[order], weights[order]
        weights = _shares(rows, weights) if blend else _choices(rows, weights)
        return cls(rows, weights)

    def of(self, share: Array) -> Windows:
        """Those windows that count for any row of a rank's share, the other rows left out."""
        mine = self.weights * np.isin(self.rows, share)
        used = mine.any(axis=1)
        return Windows(self.rows[used], mine[used])

    def batches(self, size: int) -> Iterator[Windows]:
        """The windows in their order, `size` at once."""
        for start in range(0, len(self.rows), size):
            part = slice(start, start + size)
            yield Windows(self.rows[part], self.weights[part])


def blended(windows: Windows, batch_size: int, predicted: Fields) -> Iterator[Array]:
    """Blocks (members, n, y, x, C) of the record in its order, every row of the windows once.

    Frames wait only for windows that still have to come: memory is that of a batch.
    """
    waiting: dict[int, Array] = {}
    first_rows = _first_counted(windows)
    done = 0
    for batch in windows.batches(batch_size):
        fields = predicted(batch.rows)
        for window, (rows, weights) in enumerate(zip(batch.rows, batch.weights, strict=True)):
            for frame in np.flatnonzero(weights):
                # In double precision, so that blending adds no rounding of its own.
                part = weights[frame] * fields[:, window, frame].astype(np.float64)
                row = int(rows[frame])
                waiting[row] = waiting[row] + part if row in waiting else part
        done += len(batch.rows)
        open_from = first_rows[done] if done < len(first_rows) else np.inf
        ready = sorted(row for row in waiting if row < open_from)
        if ready:
            yield np.stack([waiting.pop(row) for row in ready], axis=1).astype(np.float32)


def log_short(segments: Array, frames: int) -> None:
    """Say how much of a record lies in stretches too short for a window."""
    lengths = np.diff(np.stack(segment_bounds(segments)), axis=0)[0]
    short = lengths[lengths < frames]
    if len(short):
        logging.info(
            "%d times lie in %d stretches of fewer than the %d frames of a window; their first "
            "and last frames are repeated to fill one",
            short.sum(),
            len(short),
            frames,
        )


def _context(frames: int, bidirectional: bool) -> Array:
    """1 + the frames before each frame of a window or, if fewer and seen, those after it."""
    before = np.arange(frames, dtype=np.float64)
    return 1 + (np.minimum(before, before[::-1]) if bidirectional else before)


def _filled_up(segments: Array, frames: int) -> tuple[Array, Array]:
    """For each segment shorter than a window its rows (m, T), and where they are no copies."""
    firsts, ends = (bounds[:, None] for bounds in segment_bounds(segments))
    short = (ends - firsts)[:, 0] < frames
    firsts, ends = firsts[short], ends[short]
    rows = firsts - (frames - (ends - firsts)) // 2 + np.arange(frames)
    return np.clip(rows, firsts, ends - 1), (rows >= firsts) & (rows < ends)


def _shares(rows: Array, weights: Array) -> Array:
    totals = np.bincount(rows.ravel(), weights.ravel())
    result: Array = weights / totals[rows]
    return result


def _choices(rows: Array, weights: Array) -> Array:
    """1 where a row has its largest weight, in the first such window, and 0 elsewhere."""
    flat = rows.ravel()
    order = np.lexsort((np.arange(flat.size), -weights.ravel(), flat))
    chosen = np.zeros(flat.size)
    chosen[order[np.unique(flat[order], return_index=True)[1]]] = 1
    return chosen.reshape(rows.shape)


def _first_counted(windows: Windows) -> Array:
    """(W,) the first row that a window, or any after it, counts for."""
    counted = np.where(windows.weights > 0, windows.rows, np.iinfo(np.int64).max)
    return np.minimum.accumulate(counted.min(axis=1)[::-1])[::-1]
