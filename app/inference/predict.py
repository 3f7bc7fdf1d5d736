"""From a saved model to fields on disk, the ranks sharing the times."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from time import monotonic as time_now
from typing import Protocol

import numpy as np
from absl import logging

from app.arrays import Array, Json
from app.data.times import Stamps, time_features
from app.distributed import Communicator
from app.errors import InputError
from app.inference.gaps import Gaps
from app.inference.parts import write_parts
from app.inference.windows import Windows, blended
from app.inference.writer import GrowingFile, Layout
from app.models.fitted import PLAIN, Drawing
from app.options.chosen import able
from app.ranks import Ranks
from app.running.progress import LINE_EVERY, shown

Read = Callable[[Array], Array]
Undo = Callable[[Array], Array]


class Predicts(Protocol):
    """A model that gives physical fields (members, n, y, x, C), of windows (members, n, T, …)."""

    def predict_fields(self, batch: Json, seed: int, members: int, how: Drawing) -> Array: ...


class Record(Protocol):
    """Times, and the fields that are predicted at them, block by block.

    members: how many fields of each time are predicted at once.
    """

    stamps: Stamps
    members: int

    def share(self, ranks: Ranks) -> Array:
        """Rows that a rank predicts, in their order."""

    def blocks(self, rows: Array) -> tuple[Iterator[Array], int]:
        """Fields (members, n, y, x, C) of rows of a rank's share, and in how many blocks."""

    def report(self, communicator: Communicator) -> None:
        """Log a summary when everything is predicted."""


def write_record(
    record: Record,
    layout: Layout,
    path: Path,
    *,
    communicator: Communicator,
    check: Callable[[], None] = lambda: None,
    confirm: Callable[[], None] | None = None,
) -> None:
    """Write the fields of all times to `path`.

    `check` is called after every block and raises Interrupted to end the work; then all ranks
    end. What is written stays, and the next call on as many ranks goes on from there. `confirm`
    is called before anything is kept, and raises Damage where the inputs are damaged.
    """
    ranks = communicator.ranks
    share = record.share(ranks)

    def fill(file: GrowingFile) -> None:
        begun, before = time_now(), file.written
        if before:
            logging.info("going on after %d of %d times", before, len(share))
        blocks, steps = record.blocks(share[before:])
        for fields in shown(blocks, steps, "predicting", ranks.first):
            file.append(layout.fields_of(fields))
            rate = (file.written - before) * record.members / (time_now() - begun)
            _log_progress(file.written, len(share), record.members, rate)
            check()

    write_parts(
        layout,
        path,
        record.stamps,
        share,
        fill,
        communicator=communicator,
        check=check,
        confirm=confirm or (lambda: None),
    )
    record.report(communicator)
    logging.info("%d times predicted: %s", len(record.stamps), path)


@dataclass(eq=False)
class CoarseRecord:
    """Coarse fields, and what a model in space makes of them.

    `members` are drawn of each model, as `how` says. `read(rows)` gives coarse inputs
    (n, h, w, Cin); `undo` takes fields (n, y, x, C) back to the units of the truth. `windows` over
    all stamps are for models of windows. `observed(seconds)` gives point observations
    (n, H, W, C) on the padded fine grid. `gaps` tells which inputs are missing, and leaves the
    fine cells missing that stand on them. Memory is bounded by a batch on every rank.
    """

    model: Predicts
    read: Read
    stamps: Stamps
    batch_size: int
    seed: int
    members: int = 1
    how: Drawing = PLAIN
    has_times: bool = True
    undo: Undo | None = None
    windows: Windows | None = None
    observed: Read | None = None
    gaps: Gaps | None = None

    def __post_init__(self) -> None:
        time = time_features(self.stamps)
        self._time = time if self.has_times else np.zeros_like(time)
        self._counted = np.zeros(len(self.stamps), bool)

    def share(self, ranks: Ranks) -> Array:
        return np.asarray(ranks.share(len(self.stamps)))

    def blocks(self, rows: Array) -> tuple[Iterator[Array], int]:
        size = self.batch_size
        fields: Iterator[Array]
        if self.windows is None:
            batches = [rows[first : first + size] for first in range(0, len(rows), size)]
            fields, steps = map(self._predicted, batches), len(batches)
        else:
            own = self.windows.of(rows)
            fields, steps = blended(own, size, self._predicted), -(-len(own.rows) // size)
        return map(self._undone, fields) if self.undo else fields, steps

    def report(self, communicator: Communicator) -> None:
        if self.gaps is not None:
            self.gaps.report(communicator)

    def _undone(self, fields: Array) -> Array:
        assert self.undo is not None
        return np.stack([self.undo(member) for member in fields])

    def _predicted(self, rows: Array) -> Array:
        """Fields of rows (n,), or of windows (n, T); frames that windows share are read once."""
        unique, where = np.unique(rows, return_inverse=True)
        coarse, frame = self.read(unique), where.reshape(rows.shape)
        missing = None
        if self.gaps is not None:
            coarse, missing = self.gaps.closed(coarse)
            self.gaps.counted(missing[~self._counted[unique]])
            self._counted[unique] = True
        batch = {
            "coarse": coarse[frame],
            "time": self._time[rows],
            "seconds": self.stamps.seconds[rows if rows.ndim == 1 else rows[:, 0]],
        }
        if self.observed is not None:
            batch["observed"] = self.observed(batch["seconds"])
        fields = whole_batch(self.model, batch, self.batch_size, self.seed, self.members, self.how)
        _refuse_copies(fields, self.members)
        if self.gaps is not None and missing is not None:
            fields = self.gaps.left_missing(fields, missing[frame])
        return fields


def _log_progress(done: int, times: int, members: int, rate: float) -> None:
    """A line every now and then: fields of single members a second, time to go."""
    logging.log_every_n_seconds(
        logging.INFO,
        "predicted %d of %d times, %.1f fields/s, %.0f s to go",
        LINE_EVERY,
        *(done, times, rate, (times - done) * members / rate),
    )


def _refuse_copies(fields: Array, members: int) -> None:
    """InputError where all members would be equal: their spread would be 0 everywhere."""
    if members > 1 and np.array_equal(fields[0], fields[1], equal_nan=True):
        raise InputError(
            f"--members={members}: the model draws nothing at inference, all members are equal; "
            f"expected one trained with --trainer={' or '.join(able('members'))}, or with "
            "--dropout_variant=mcdrop, mcgaussiandrop or mcspatialdrop"
        )


def whole_batch(
    model: Predicts,
    batch: dict[str, Array],
    batch_size: int,
    seed: int = 0,
    members: int = 1,
    how: Drawing = PLAIN,
) -> Array:
    """Fields (member, n, …); a short batch is padded, as each new size would be compiled again."""
    n = len(next(iter(batch.values())))
    rows = np.minimum(np.arange(batch_size), n - 1)
    whole = {name: array[rows] for name, array in batch.items()}
    return model.predict_fields(whole, seed, members, how)[:, :n]
