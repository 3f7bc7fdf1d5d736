"""Samples for downscaling in time: triples of known frames whose middle one is the truth."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypedDict

import numpy as np
from absl import logging

from app.arrays import Array
from app.data.contract import PreparedData
from app.data.sky import sky
from app.data.streaming.batches import BatchIterator
from app.data.streaming.sampler import Sampler
from app.data.time_axis import NONE
from app.data.times import Stamps, time_features
from app.errors import InputError

REACH = 3  # frames on each side of the middle that the coherence stage may look at
BLOCK = 256  # frames read at once
TRIPLES = 32  # read at once where all of them are gone through
HALF = 0.5


@dataclass(frozen=True)
class TripleChoice:
    """Which triples are drawn, and what the batches of the coherence stage hold beside them.

    step: seconds between known frames. summed: whether these are amounts before their stamp.
    coherence_from: the share of the training that is behind when the coherence stage begins.
    """

    step: int
    summed: bool = False
    span: int = 2
    subset: str = "index"
    quantile: float = 0.3
    coherence_from: float = 0.0
    seed: int = 0


class TripleBatch(TypedDict, total=False):
    """A batch of downscaling in time.

    frames `(B, 4, H, W, C + G)`: two known frames around the middle one and one further at each
    end, NaN where there is none. target `(B, H, W, C)`: the middle frame. theta, length `(B,)` in
    steps, and time `(B, 8)` of the middle frame. sky `(B, 5, 2)`: of the four frames and the
    middle one. weight `(B,)`: 0 for samples that only fill up the batch.
    In the coherence stage also window `(B, 7, H, W, C + G)`: neighbouring frames. share `(B,)` at
    which fields between them are made, half of them ½. reverse `(B,)`: whether time runs
    backwards. window_time `(B, 5, 8)`: of the four fields and the middle frame. window_sky
    `(B, 7, 2)` and between_sky `(B, 4, 2)`: of the frames and of the fields.
    """

    frames: Array
    target: Array
    theta: Array
    length: Array
    time: Array
    sky: Array
    weight: Array
    window: Array
    share: Array
    reverse: Array
    window_time: Array
    window_sky: Array
    between_sky: Array


class TripleSamples:
    """Middle frames whose neighbours on both sides are known; none crosses a gap or a split."""

    def __init__(self, shards: PreparedData, options: TripleChoice) -> None:
        self._shards, self._options = shards, options
        self.turns: tuple[float, ...] = (options.coherence_from,)
        self._spans = _spans(options.span)
        whole = {
            split: middle_frames(shards, split, options.step) for split in ("train", "validation")
        }
        self._middles = {**whole, "train": self._chosen(whole["train"])}

    def size(self, split: str) -> int:
        return len(self._middles[split])

    def check_files(self) -> None:
        self._shards.check_files()

    def confirm(self) -> None:
        self._shards.confirm()

    def batches(self, split: str, sampler: Sampler) -> BatchIterator[TripleBatch]:
        reader = _Reader(self._shards, split, self._options.step)
        middles = self._middles[split]
        training = split == "train"
        coherent = training and sampler.progress >= self._options.coherence_from

        def make(step: int) -> TripleBatch:
            numbers, weights = sampler.batch(step)
            rows, drawn = middles[numbers], sampler.uniforms(step, 3)
            batch = self._triples(reader, rows, drawn[:, 0] if training else None)
            if coherent:
                batch |= self._windows(reader, rows, drawn[:, 1], drawn[:, 2])
            return {**batch, "weight": weights}

        return BatchIterator(make, range(sampler.steps), prefetch=2)

    def _triples(self, reader: _Reader, rows: Array, drawn: Array | None) -> TripleBatch:
        """The middle frames and those around them, at distances that `drawn` in [0, 1) chooses."""
        chosen = np.zeros(len(rows), np.int64)
        if drawn is not None:
            chosen = (drawn * len(self._spans)).astype(np.int64)
        before, after = self._spans[chosen].T
        # A longer triple that would leave the gapless piece becomes the shortest one.
        fits = (reader.row(rows, -before) != NONE) & (reader.row(rows, after) != NONE)
        before, after = np.where(fits, before, 1), np.where(fits, after, 1)
        length = before + after
        around = np.stack([-before - length, -before, after, after + length], axis=1)
        outputs = len(self._shards.variables["hr"])
        return {
            "frames": reader.frames(rows[:, None], around),
            "target": reader.frames(rows[:, None], np.zeros((len(rows), 1), np.int64))[
                :, 0, ..., :outputs
            ],
            "theta": (before / length).astype(np.float32),
            "length": length.astype(np.float32),
            "time": time_features(self._instants(reader, rows, np.zeros(len(rows)))),
            "sky": self._sky(reader, rows, np.append(around, 0 * around[:, :1], axis=1)),
        }

    def _windows(self, reader: _Reader, rows: Array, share: Array, side: Array) -> TripleBatch:
        """What coherence around the middle frames needs; half of all shares are ½."""
        share = np.where(share < HALF, HALF, 2 * share - 1)
        offsets = np.arange(-REACH, REACH + 1)
        window = reader.frames(rows[:, None], np.broadcast_to(offsets, (len(rows), len(offsets))))
        between = share[:, None] + np.array([-2, -1, 0, 1])
        times = [*between.T, np.zeros(len(rows))]
        waves = [time_features(self._instants(reader, rows, offset)) for offset in times]
        return {
            "window": window,
            "window_time": np.stack(waves, axis=1),
            "window_sky": self._sky(reader, rows, np.broadcast_to(offsets, window.shape[:2])),
            "between_sky": self._sky(reader, rows, between),
            "share": share.astype(np.float32),
            "reverse": (side < HALF).astype(np.float32),
        }

    def _instants(self, reader: _Reader, rows: Array, offset: Array) -> Stamps:
        """Times (B,) so many steps after the frames; of sums, after their middle."""
        shift = (offset - HALF if self._options.summed else offset) * self._options.step
        stamps = reader.stamps
        seconds = stamps.seconds[rows] + np.round(shift).astype(np.int64)
        return Stamps(seconds, stamps.calendar)

    def _sky(self, reader: _Reader, rows: Array, offsets: Array) -> Array:
        """The sun's place (B, k, 2) at offsets (B, k) in steps from the frames."""
        instants = self._instants(reader, np.repeat(rows, offsets.shape[1]), offsets.ravel())
        return sky(instants).reshape(*offsets.shape, 2)

    def whole_train(self) -> Iterator[TripleBatch]:
        """Every shortest triple of the training period once, in order, chosen or not."""
        reader = _Reader(self._shards, "train", self._options.step)
        middles = middle_frames(self._shards, "train", self._options.step)
        for start in range(0, len(middles), TRIPLES):
            yield self._triples(reader, middles[start : start + TRIPLES], None)

    def _chosen(self, middles: Array) -> Array:
        """The triples to train on: those of rapid change, as many at random, or all."""
        options = self._options
        if options.subset == "all":
            return middles
        index = composite_index(self._shards, middles)
        kept = np.flatnonzero(index >= np.quantile(index, options.quantile))
        if options.subset == "random":
            generator = np.random.default_rng(options.seed)
            kept = np.sort(generator.permutation(len(middles))[: len(kept)])
        logging.info("training on %d of %d triples (%s)", len(kept), len(middles), options.subset)
        return middles[kept]


def composite_index(shards: PreparedData, middles: Array) -> Array:
    """How rapidly the fields change around each middle frame of training, (n,).

    CI(t) = mean over variables k of z(mean over cells |x_k(t + τ) - x_k(t - τ)|), z being the
    deviation from the mean over all t in standard deviations. Guidance counts as much.
    """
    changes = [
        _changes(shards, role, middles) for role in ("hr", "predictors") if shards.variables[role]
    ]
    change = np.concatenate(changes, axis=1)
    spread = change.std(axis=0)
    result: Array = ((change - change.mean(axis=0)) / np.where(spread > 0, spread, 1.0)).mean(
        axis=1
    )
    return result


def _changes(shards: PreparedData, role: str, middles: Array) -> Array:
    """Mean absolute change (n, C) from the frame before to the one after."""
    found = []
    for start in range(0, len(middles), BLOCK):
        rows = middles[start : start + BLOCK]
        change = np.abs(shards.read(role, "train", rows + 1) - shards.read(role, "train", rows - 1))
        known = np.isfinite(change)
        total = np.where(known, change, 0.0).sum(axis=(1, 2), dtype=np.float64)
        found.append(total / np.maximum(known.sum(axis=(1, 2)), 1))
    return np.concatenate(found)


def _spans(longest: int) -> Array:
    """Distances (before, after) of a triple's outer frames, in steps; the shortest first."""
    steps = range(1, longest)
    pairs = [(a, b) for a in steps for b in steps if a + b <= longest]
    return np.array(sorted(pairs, key=sum))


def middle_frames(shards: PreparedData, split: str, step: int) -> Array:
    """Rows with a neighbour `step` seconds away on both sides; InputError where there is none."""
    near = np.diff(shards.stamps(split).seconds) == step
    rows = np.flatnonzero(near[:-1] & near[1:]) + 1
    if not len(rows):
        raise InputError(
            f"splits: {split} ({shards.stamps(split).span()}) has no three known frames in a row; "
            "expected a longer period"
        )
    return rows


class _Reader:
    """Known frames of a split, with those at some distance in the same gapless piece."""

    def __init__(self, shards: PreparedData, split: str, step: int) -> None:
        self._shards, self._split = shards, split
        self.stamps = shards.stamps(split)
        breaks = np.diff(self.stamps.seconds) != step
        self._piece = np.concatenate([[0], np.cumsum(breaks)])

    def row(self, rows: Array, offset: Array) -> Array:
        """Row of the frame `offset` steps away; NONE beyond the piece."""
        there = rows + offset
        clipped = np.clip(there, 0, len(self._piece) - 1)
        same = (there == clipped) & (self._piece[clipped] == self._piece[rows])
        return np.where(same, there, NONE)

    def frames(self, rows: Array, offset: Array) -> Array:
        """Frames (B, k, y, x, C + G) at offsets (B, k) from rows (B, 1); NaN for none."""
        return read_frames(self._shards, self._split, self.row(rows, offset))


def read_frames(shards: PreparedData, split: str, rows: Array) -> Array:
    """Outputs and guidance of known frames (B, k) → (B, k, y, x, C + G); NaN for `NONE`."""
    roles = [role for role in ("hr", "predictors") if shards.variables[role]]
    flat = rows.ravel()
    there = flat != NONE
    parts = []
    for role in roles:
        fields = np.full((len(flat), *shards.shape(role, split)), np.nan, np.float32)
        fields[there] = shards.read(role, split, flat[there])
        parts.append(fields)
    joined = np.concatenate(parts, axis=-1) if len(parts) > 1 else parts[0]
    return joined.reshape(*rows.shape, *joined.shape[1:])
