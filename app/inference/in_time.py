"""From known frames and a saved model in time to the whole record on the new time axis."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from absl import logging

from app.data.description import TimeSteps, Variable, source_from_dict
from app.data.known_frames import duration_text, known_frames
from app.data.reading.alignment import align
from app.data.shards import Shards
from app.data.shards.fine_source import open_fine
from app.data.shards.time_plan import all_summed
from app.data.sky import sky
from app.data.streaming.triples import read_frames
from app.data.time_axis import NONE, TimeAxis, conserved, time_axis
from app.data.times import Stamps, time_features
from app.distributed import Communicator
from app.grids import Geometry, Grid
from app.inference.external import warn_of_assumed_units
from app.inference.gaps import GuideGaps
from app.inference.input_names import as_called_in
from app.inference.load import check_channels, check_geometry
from app.inference.parts import write_parts
from app.inference.plausibility import compare_with_training
from app.inference.predict import whole_batch
from app.inference.writer import GrowingFile, Layout
from app.models.known_inputs import KnownInputs

if TYPE_CHECKING:
    from app.models.temporal import TemporalModel, TemporalSpec

Read = Callable[[np.ndarray], np.ndarray]  # rows (B, k) → (B, k, y, x, C + G), NaN for NONE


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
    trained = [source_from_dict(one) for one in spec.domain["sources"]]
    sources = as_called_in(trained, files, names or {})
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

    def read(wanted: np.ndarray) -> np.ndarray:
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


def _summed(fields: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Fields (C, n k, y, x) added up over k, `shape` being (n, k)."""
    parts = fields.reshape(len(fields), *shape, *fields.shape[2:])
    return parts[:, :, 0] if shape[1] == 1 else parts.sum(axis=2, dtype=np.float64)


def _role(number: int) -> str:
    return "--input" if number == 0 else f"predictors[{number - 1}]"


def check_fits(spec: TemporalSpec, shards: Shards, path: Path) -> None:
    """A model in time serves the grid, the channels and the units that it was trained on."""
    received = [v for role in ("hr", "predictors") for v in shards.variables[role]]
    check_channels((*spec.outputs, *spec.guidance), received, "fields", path)
    check_geometry(Geometry.from_dict(spec.geometry), shards.geometry, path)


def fill_in(
    model: TemporalModel,
    record: KnownRecord,
    path: Path,
    attributes: dict[str, str],
    *,
    communicator: Communicator,
    batch_size: int,
    check: Callable[[], None] = lambda: None,
    confirm: Callable[[], None] = lambda: None,
) -> None:
    """Write the record on its new time axis to `path`: known frames as they are, fields between.

    Sums are parted so that the parts add up to them. The ranks share the intervals. `check` is
    called after every batch and may raise Interrupted; the next call goes on from there. `confirm`
    is called before anything is kept, and raises Damage where the known frames are damaged.
    """
    ranks, axis = communicator.ranks, record.axis
    units = ranks.share(int(axis.unit[-1]) + 1)
    share = np.flatnonzero((axis.unit >= units.start) & (axis.unit < units.stop))
    layout = Layout(record.grid, record.variables, attributes)

    gaps = GuideGaps.of(model.spec)

    def fill(file: GrowingFile) -> None:
        rest = share[file.written :]
        for rows in _whole_units(axis.unit[rest], batch_size):
            fields = filled(model, record, rest[rows], batch_size, gaps)
            file.append(list(np.moveaxis(fields, -1, 0)))
            check()

    write_parts(
        layout,
        path,
        axis.stamps,
        share,
        fill,
        communicator=communicator,
        check=check,
        confirm=confirm,
    )
    if gaps is not None:
        gaps.report(communicator)
    logging.info("%d times, %d of them new: %s", len(axis), (axis.known == NONE).sum(), path)


def filled(
    model: TemporalModel,
    record: KnownRecord,
    rows: np.ndarray,
    batch_size: int,
    gaps: GuideGaps | None = None,
) -> np.ndarray:
    """Fields (n, y, x, C) of some rows of the axis, whole units of it."""
    axis = record.axis.take(rows)
    fields = np.concatenate(
        [
            _predicted(model, record, axis.take(slice(first, first + batch_size)), batch_size, gaps)
            for first in range(0, len(axis), batch_size)
        ]
    )
    known = axis.known != NONE
    channels = fields.shape[-1]
    if known.any():
        fields[known] = record.read(axis.known[known][:, None])[:, 0, ..., :channels]
    if (axis.total != NONE).any():
        totals = record.read(np.unique(axis.total)[:, None])[:, 0, ..., :channels]
        parts = fields.reshape(len(totals), -1, *fields.shape[1:])
        fields = conserved(parts, totals).reshape(fields.shape).astype(np.float32)
    return fields


def _predicted(
    model: TemporalModel,
    record: KnownRecord,
    axis: TimeAxis,
    batch_size: int,
    gaps: GuideGaps | None,
) -> np.ndarray:
    """What the model makes of a batch; a short one is filled up: a new size compiles anew."""
    frames = record.read(axis.frames)
    batch = {
        "frames": frames if gaps is None else gaps.closed(frames),
        "theta": axis.theta,
        "length": axis.interval / model.spec.step,
        "time": time_features(axis.centres),
        "sky": _sky(axis),
    }
    return whole_batch(model, batch, batch_size)[0]


def _sky(axis: TimeAxis) -> np.ndarray:
    """The sun's place (n, 5, 2) at the times of the four frames, there or not, and the wanted."""
    passed = axis.theta.astype(np.float64) * axis.interval
    first = axis.centres.seconds - np.round(passed).astype(np.int64)
    frames = first[:, None] + axis.interval[:, None] * np.arange(-1, 3)
    instants = np.append(frames, axis.centres.seconds[:, None], axis=1)
    return sky(Stamps(instants.ravel(), axis.centres.calendar)).reshape(*instants.shape, 2)


def _whole_units(units: np.ndarray, size: int) -> Iterator[np.ndarray]:
    """Rows in batches of about `size`, at the ends of units."""
    ends = np.append(np.flatnonzero(np.diff(units)) + 1, len(units))
    start = 0
    while start < len(units):
        within = ends[(ends > start) & (ends <= start + size)]
        end = int(within[-1]) if len(within) else int(ends[ends > start][0])
        yield np.arange(start, end)
        start = end
