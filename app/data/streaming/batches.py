"""Batches for training and inference, put together by a thread while the last one is used."""

from __future__ import annotations

import threading
import weakref
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from typing import Generic, TypedDict, TypeVar

import numpy as np

from app.arrays import Array
from app.data.contract import PreparedData
from app.data.streaming.observations import Observations
from app.data.streaming.patches import Patches
from app.data.streaming.sampler import Sampler
from app.data.streaming.windows import samples
from app.errors import InputError
from app.grids import Geometry


class FieldBatch(TypedDict, total=False):
    """A batch of downscaling in space; windows have an axis of time `T` behind `B`.

    coarse `(B, h, w, C_lr + P)`: inputs in physical units, low resolution before predictors.
    hr `(B, H, W, C)`: the truth, NaN where missing and in the padding. time `(B, 8)`: features.
    observed `(B, H, W, C)`: stations' values in their cells. index `(B,)`: row of the split, or a
    window's first. weight `(B,)`: 0 for samples that only fill up the batch. Of patches also
    static `(B, H, W, S)`, and origin `(B, 2)`, the first coarse row and column.
    """

    coarse: Array
    hr: Array
    time: Array
    observed: Array
    index: Array
    weight: Array
    static: Array
    origin: Array


Batch = TypeVar("Batch", bound=Mapping[str, object])


def batches(
    shards: PreparedData,
    split: str,
    sampler: Sampler,
    patch: int | Patches | None = None,
    prefetch: int = 2,
    *,
    frames: int | None = None,
    stride: int = 1,
    observations: Observations | None = None,
) -> BatchIterator[FieldBatch]:
    """Batches of all steps of a sampler; close the iterator, or use it in `with`.

    With `patch`, fine cells a side or a `Patches`, patches are cut, whose statics have their edges
    extrapolated. InputError for a patch that is no multiple of the scale or exceeds the grid.

    With `frames` the sampler's samples are windows, every `stride`-th of each gapless stretch
    (see `samples`); coarse, time and hr then are (B, T, ...), all frames cut at the same place.
    With `observations`, of single times, also observed (B, H, W, C), NaN where there is none.
    """
    starts = samples(shards, split, frames, stride)
    if patch is None:
        make: _Maker = WholeMaker(shards, split, sampler, starts, frames)
    else:
        patches = patch if isinstance(patch, Patches) else Patches(patch)
        make = PatchMaker(shards, split, sampler, starts, frames, patches)
    make.observations = observations
    return BatchIterator(make, range(sampler.steps), prefetch)


class _Maker(ABC):
    """What makers of batches share: which rows of the split a step takes."""

    observations: Observations | None = None

    def __init__(
        self,
        shards: PreparedData,
        split: str,
        sampler: Sampler,
        starts: Array,
        frames: int | None,
    ) -> None:
        self._shards, self._split, self._sampler = shards, split, sampler
        self._starts, self._frames = starts, frames

    def _drawn(self, step: int) -> tuple[Array, Array]:
        """Rows (B·T,), the frames of a window one after the other, and weights (B,)."""
        indices, weights = self._sampler.batch(step)
        if self._frames is None:
            return indices, weights
        return (self._starts[indices][:, None] + np.arange(self._frames)).ravel(), weights

    def _unfolded(self, fields: Array) -> Array:
        """(B·T, ...) to (B, T, ...), of single frames as it is."""
        if self._frames is None:
            return fields
        return fields.reshape(-1, self._frames, *fields.shape[1:])

    @abstractmethod
    def __call__(self, step: int) -> FieldBatch:
        """The batch of a step."""

    def _observed(
        self, rows: Array, windows: list[tuple[slice, slice]] | None = None
    ) -> FieldBatch:
        """The observed values on the padded fine grid, or in windows of it."""
        if self.observations is None:
            return {}
        seconds = self._shards.stamps(self._split).seconds[rows]
        fields = self.observations.fields(seconds)
        whole = self._shards.geometry.pad_field(fields, axes=(1, 2))
        if windows is None:
            return {"observed": whole}
        return {"observed": np.stack([f[w] for f, w in zip(whole, windows, strict=True)])}

    def _batch(self, coarse: Array, rows: Array, fine: Array) -> FieldBatch:
        return FieldBatch(
            coarse=self._unfolded(coarse),
            time=self._unfolded(self._shards.time_features(self._split, rows)),
            hr=self._unfolded(fine),
            index=rows[:: self._frames or 1],
        )


class WholeMaker(_Maker):
    """Whole fields."""

    def __call__(self, step: int) -> FieldBatch:
        rows, weights = self._drawn(step)
        geometry = self._shards.geometry
        channels = len(self._shards.variables["hr"])
        fine = np.full((len(rows), *geometry.padded_shape, channels), np.nan, np.float32)
        self._shards.read_into(geometry.crop(fine, axes=(1, 2)), "hr", self._split, rows)
        coarse = _coarse(self._shards, self._split, rows, geometry.coarse_shape, None)
        return {**self._batch(coarse, rows, fine), **self._observed(rows), "weight": weights}


class PatchMaker(_Maker):
    """Random patches that begin at coarse cells, so that blocks stay whole."""

    def __init__(
        self,
        shards: PreparedData,
        split: str,
        sampler: Sampler,
        starts: Array,
        frames: int | None,
        patches: Patches,
    ) -> None:
        super().__init__(shards, split, sampler, starts, frames)
        scale = shards.geometry.scale
        self._scale, self._patch, self._cells = scale, patches.size, patches.size // scale
        self._static = shards.padded_static
        self._corners = patch_corners(shards, patches)

    def __call__(self, step: int) -> FieldBatch:
        rows, weights = self._drawn(step)
        drawn = self._sampler.offsets(step, (len(self._corners), 1))[:, 0]
        origin = self._corners[drawn]
        corners = np.repeat(origin, self._frames or 1, axis=0)
        windows = [_window(corner, self._cells) for corner in corners]
        fine = [_window(corner * self._scale, self._patch) for corner in corners]
        shape = (self._cells, self._cells)
        coarse = _coarse(self._shards, self._split, rows, shape, windows)
        return {
            **self._batch(coarse, rows, self._fine(rows, fine)),
            **self._observed(rows, fine),
            "weight": weights,
            "static": np.stack([self._static[window] for window in fine[:: self._frames]]),
            "origin": origin.astype(np.int32),
        }

    def _fine(self, indices: Array, windows: list[tuple[slice, slice]]) -> Array:
        """Patches (n, patch, patch, C) of the padded fine grid, NaN where it is padding."""
        top, _, left, _ = self._shards.geometry.pad
        channels = len(self._shards.variables["hr"])
        out = np.full((len(indices), self._patch, self._patch, channels), np.nan, np.float32)
        shape = self._shards.geometry.fine_shape
        for i, (rows, columns) in enumerate(windows):
            to_rows, from_rows = _overlap(rows, top, shape[0])
            to_columns, from_columns = _overlap(columns, left, shape[1])
            self._shards.read_into(
                out[i : i + 1, to_rows, to_columns],
                "hr",
                self._split,
                indices[i : i + 1],
                [(from_rows, from_columns)],
            )
        return out


def patch_corners(shards: PreparedData, patches: Patches) -> Array:
    """First coarse row and column (m, 2) of every patch that may be drawn.

    InputError for a patch that is no multiple of the scale or exceeds the grid, or where none
    holds enough land.
    """
    geometry = shards.geometry
    check_patch(patches.size, geometry)
    cells, whole = patches.size // geometry.scale, geometry.coarse_shape
    # Patches stay within the target where they fit: beyond it there is nothing to learn.
    inside = [size - 2 * geometry.halo for size in whole]
    first = [geometry.halo if cells <= size else 0 for size in inside]
    rooms = [
        size if start else full for size, start, full in zip(inside, first, whole, strict=True)
    ]
    step = (patches.stride or geometry.scale) // geometry.scale
    corners = np.indices([room - cells + 1 for room in rooms])[:, ::step, ::step]
    return _on_land(corners.reshape(2, -1).T + first, patches, shards)


def _on_land(corners: Array, patches: Patches, shards: PreparedData) -> Array:
    """The corners (m, 2) whose patches hold enough land; InputError where none does."""
    if not patches.min_land:
        return corners
    names = [variable.name for variable in shards.variables["static"]]
    if patches.land not in names:
        raise InputError(
            f"--min_land_fraction={patches.min_land}: no static {patches.land!r}; expected "
            f"--land_static to be one of {', '.join(names) or 'none, as there are no statics'}"
        )
    land = shards.padded_static[..., names.index(patches.land)]
    fine = corners * shards.geometry.scale
    shares = [float(np.nanmean(land[_window(corner, patches.size)])) for corner in fine]
    kept = corners[np.asarray(shares) >= patches.min_land]
    if not len(kept):
        raise InputError(
            f"--min_land_fraction={patches.min_land}: no patch of {patches.size} cells has so "
            f"much land; the most is {max(shares):.2f}"
        )
    return kept


def check_patch(patch: int, geometry: Geometry) -> None:
    """InputError for a patch that is no multiple of the scale or exceeds the grid."""
    largest = min(geometry.padded_shape)
    if patch < 1 or patch % geometry.scale or patch > largest:
        raise InputError(
            f"--patch_size={patch}: expected a multiple of the scale {geometry.scale}, "
            f"{largest} at most (grid {geometry.padded_shape})"
        )


def _coarse(
    shards: PreparedData,
    split: str,
    indices: Array,
    shape: tuple[int, int],
    windows: list[tuple[slice, slice]] | None,
) -> Array:
    """Low resolution and predictors side by side, (B, h, w, C_lr + P)."""
    counts = [len(shards.variables[role]) for role in ("lr", "predictors")]
    out = np.empty((len(indices), *shape, sum(counts)), np.float32)
    shards.read_into(out[..., : counts[0]], "lr", split, indices, windows)
    if counts[1]:
        shards.read_into(out[..., counts[0] :], "predictors", split, indices, windows)
    return out


def _window(corner: Array, size: int) -> tuple[slice, slice]:
    row, column = (int(value) for value in corner)
    return slice(row, row + size), slice(column, column + size)


def _overlap(part: slice, before: int, size: int) -> tuple[slice, slice]:
    """A part of a padded axis: where its real cells lie in it, and in the unpadded axis."""
    first = min(max(part.start - before, 0), size)
    last = max(min(part.stop - before, size), first)
    at = min(max(before - part.start, 0), part.stop - part.start)
    return slice(at, at + last - first), slice(first, last)


class _Queue(Generic[Batch]):
    """Bounded hand-over from one thread to another; closing wakes both."""

    def __init__(self, limit: int) -> None:
        self._limit = max(1, limit)
        self._items: deque[Batch] = deque()
        self._change = threading.Condition()
        self._closed = False
        self._finished = False
        self._error: BaseException | None = None

    def put(self, item: Batch) -> bool:
        """Wait for room; False once nobody takes anything more."""
        with self._change:
            self._change.wait_for(lambda: self._closed or len(self._items) < self._limit)
            if not self._closed:
                self._items.append(item)
                self._change.notify_all()
            return not self._closed

    def finish(self, error: BaseException | None = None) -> None:
        """No more items follow; an error is raised in the taker after those that wait."""
        with self._change:
            self._finished, self._error = True, error
            self._change.notify_all()

    def take(self) -> Batch | None:
        """The next item; None at the end."""
        with self._change:
            self._change.wait_for(lambda: self._items or self._finished or self._closed)
            if self._closed:
                return None
            if self._items:
                item = self._items.popleft()
                self._change.notify_all()
                return item
            if self._error is not None:
                error, self._error = self._error, None
                raise error
            return None

    def close(self) -> None:
        with self._change:
            self._closed = True
            self._items.clear()
            self._change.notify_all()


class BatchIterator(Iterator[Batch]):
    """Batches in order; the thread that makes them ends with the iterator."""

    def __init__(self, make: Callable[[int], Batch], steps: range, prefetch: int) -> None:
        self._queue: _Queue[Batch] = _Queue(prefetch)
        self._thread = threading.Thread(
            target=_produce, args=(make, steps, self._queue), name="batches", daemon=True
        )
        self._finalizer = weakref.finalize(self, self._queue.close)
        self._thread.start()

    def __next__(self) -> Batch:
        batch = self._queue.take()
        if batch is None:
            raise StopIteration
        return batch

    def close(self) -> None:
        """End the thread; further batches are not made."""
        self._finalizer()
        self._thread.join()

    def __enter__(self) -> BatchIterator[Batch]:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _produce(make: Callable[[int], Batch], steps: range, queue: _Queue[Batch]) -> None:
    try:
        for step in steps:
            if not queue.put(make(step)):
                return
    except BaseException as error:
        queue.finish(error)
    else:
        queue.finish()
