"""Known frames of prepared data or of files, and what a model in time makes of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from absl import logging

from app.arrays import Array
from app.data.description import TimeSteps, Variable
from app.data.known_frames import known_frames
from app.data.reading.alignment import align
from app.data.shards import Shards
from app.data.shards.fine_source import open_fine
from app.data.shards.time_plan import all_summed
from app.data.sky import sky
from app.data.streaming.triples import read_frames
from app.data.time_axis import NONE, TimeAxis, conserved, time_axis
from app.data.times import Stamps, time_features
from app.durations import duration_text
from app.grids import Geometry, Grid
from app.inference.external import sources_of, warn_of_assumed_units
from app.inference.gaps import GuideGaps
from app.inference.plausibility import compare_with_training
from app.inference.predict import whole_batch
from app.models.known_inputs import KnownInputs

if TYPE_CHECKING:
    from app.distributed import Communicator
    from app.models.temporal import TemporalModel, TemporalSpec
    from app.ranks import Ranks

Read = Callable[[Array], Array]  # rows (B, k) → (B, k, y, x, C + G), NaN for NONE


@dataclass(frozen=True, eq=False)
class KnownRecord:
    """Known frames to be filled in, and what is written of them."""

    axis: TimeAxis
    read: Read
    grid: Grid
    variables: tuple[Variable, ...]


def of_split(
    shards: Shards, split: str, steps: TimeSteps, times: tuple[str, ...] = ()
) -> KnownRecord:
    """The known frames of a split of prepared data; `times` instead of every target step."""
    variables = shards.variables["hr"]
    return KnownRecord(
        time_axis(shards.stamps(split), steps, all_summed(variables), times),
        lambda rows: read_frames(shards, split, rows),
        shards.geometry.fine,
        variables,
    )


def of_files(
    spec: TemporalSpec,
    files: tuple[str, ...],
    steps: TimeSteps,
    times: tuple[str, ...] = (),
    uncovered: str = "refuse",
    names: Mapping[str, str] | None = None,
) -> KnownRecord:
    """The known frames of files, on the model's grid and in the units of its training data.

    Files with a shorter step than the input step give every k-th frame. Raises InputError where
    a variable is missing, the time steps do not fit, or the grid is not covered and `uncovered`
    is not "mask". `names`: the files' name for a model's variable, where it is another.
    """
    geometry = Geometry.from_dict(spec.geometry)
    sources = sources_of(spec, files, names)
    opened = [
        open_fine(_role(i), source, geometry.fine, uncovered) for i, source in enumerate(sources)
    ]
    first = opened[0].opened
    guides = [(s, o.opened) for s, o in zip(sources[1:], opened[1:], strict=True)]
    for one in opened:
        warn_of_assumed_units(one.opened, "--input")
    stamps, rows, others = align(first, [(_role(i + 1), *pair) for i, pair in enumerate(guides)])
    frames = known_frames(stamps, steps, spec.summed, ", ".join(files))
    logging.info(
        "input: %d known frames, %s, %s apart",
        len(frames.stamps),
        frames.stamps.span(),
        duration_text(steps.input_step),
    )
    own_rows = [rows, *(found[:, 0] for found in others)]
    shape = (len(spec.outputs) + len(spec.guidance), *geometry.fine_shape)

    def read(wanted: Array) -> Array:
        flat = wanted.ravel()
        fields = np.full((len(flat), *shape), np.nan, np.float32)
        there = flat != NONE
        of_record = frames.rows[flat[there]]
        parts = [
            _summed(one.read(own[of_record.ravel()]), of_record.shape)
            for one, own in zip(opened, own_rows, strict=True)
        ]
        fields[there] = np.moveaxis(np.concatenate(parts), 0, 1)
        return np.moveaxis(fields, 1, -1).reshape(*wanted.shape, *shape[1:], shape[0])

    known = spec.domain.get("inputs")
    if known is not None and not spec.summed:
        compare_with_training(
            lambda rows: read(rows[:, None])[:, 0],
            len(frames.stamps),
            (*spec.outputs, *spec.guidance),
            KnownInputs.from_dict(known),
        )
    axis = time_axis(frames.stamps, steps, spec.summed, times)
    return KnownRecord(axis, read, geometry.fine, first.variables)


def _summed(fields: Array, shape: tuple[int, ...]) -> Array:
    """Fields (C, n k, y, x) added up over k, `shape` being (n, k)."""
    parts = fields.reshape(len(fields), *shape, *fields.shape[2:])
    return parts[:, :, 0] if shape[1] == 1 else parts.sum(axis=2, dtype=np.float64)


def _role(number: int) -> str:
    return "--input" if number == 0 else f"predictors[{number - 1}]"


class FilledIn:
    """The new time axis of known frames: these as they are, a model's fields between.

    Accumulated totals are split into parts that add up to them. The ranks share the intervals.
    """

    members = 1

    def __init__(self, model: TemporalModel, record: KnownRecord, batch_size: int) -> None:
        self.stamps = record.axis.stamps
        self._model, self._record, self._batch_size = model, record, batch_size
        self._gaps = GuideGaps.of(model.spec)

    def share(self, ranks: Ranks) -> Array:
        """Rows of the axis that a rank writes, whole units of it."""
        unit = self._record.axis.unit
        units = ranks.share(int(unit[-1]) + 1)
        return np.flatnonzero((unit >= units.start) & (unit < units.stop))

    def blocks(self, rows: Array) -> tuple[Iterator[Array], int]:
        """Fields (1, n, y, x, C) of rows of a rank's share, and in how many blocks they come."""
        parts = list(_whole_units(self._record.axis.unit[rows], self._batch_size))
        return (self.fields(rows[part])[None] for part in parts), len(parts)

    def report(self, communicator: Communicator) -> None:
        """Say what was left missing, and how much is new."""
        if self._gaps is not None:
            self._gaps.report(communicator)
        known = self._record.axis.known
        logging.info("%d of %d times are new", (known == NONE).sum(), len(known))

    def fields(self, rows: Array) -> Array:
        """Fields (n, y, x, C) of some rows of the axis, whole units of it."""
        axis, read = self._record.axis.take(rows), self._record.read
        size = self._batch_size
        batches = [
            self._predicted(axis.take(slice(i, i + size))) for i in range(0, len(axis), size)
        ]
        fields = np.concatenate(batches)
        known = axis.known != NONE
        channels = fields.shape[-1]
        if known.any():
            fields[known] = read(axis.known[known][:, None])[:, 0, ..., :channels]
        if (axis.total != NONE).any():
            totals = read(np.unique(axis.total)[:, None])[:, 0, ..., :channels]
            parts = fields.reshape(len(totals), -1, *fields.shape[1:])
            fields = conserved(parts, totals).reshape(fields.shape).astype(np.float32)
        return fields

    def _predicted(self, axis: TimeAxis) -> Array:
        """What the model makes of a batch (n, y, x, C)."""
        frames = self._record.read(axis.frames)
        batch = {
            "frames": frames if self._gaps is None else self._gaps.closed(frames),
            "theta": axis.theta,
            "length": axis.interval / self._model.spec.step,
            "time": time_features(axis.centres),
            "sky": _sky(axis),
        }
        result: Array = whole_batch(self._model, batch, self._batch_size)[0]
        return result


def _sky(axis: TimeAxis) -> Array:
    """The sun's place (n, 5, 2) at the times of the four frames, there or not, and the wanted."""
    passed = axis.theta.astype(np.float64) * axis.interval
    first = axis.centres.seconds - np.round(passed).astype(np.int64)
    frames = first[:, None] + axis.interval[:, None] * np.arange(-1, 3)
    instants = np.append(frames, axis.centres.seconds[:, None], axis=1)
    return sky(Stamps(instants.ravel(), axis.centres.calendar)).reshape(*instants.shape, 2)


def _whole_units(units: Array, size: int) -> Iterator[Array]:
    """Rows in batches of about `size`, at the ends of units."""
    ends = np.append(np.flatnonzero(np.diff(units)) + 1, len(units))
    start = 0
    while start < len(units):
        within = ends[(ends > start) & (ends <= start + size)]
        end = int(within[-1]) if len(within) else int(ends[ends > start][0])
        yield np.arange(start, end)
        start = end
