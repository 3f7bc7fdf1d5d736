"""From a saved model to fields on disk, the ranks sharing the times."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from time import monotonic as time_now
from typing import Any, Protocol

import numpy as np
from absl import logging

from app.data.times import Stamps, time_features
from app.distributed import Communicator
from app.errors import InputError
from app.inference.gaps import Gaps
from app.inference.parts import write_parts
from app.inference.windows import Windows, blended
from app.inference.writer import GrowingFile, Layout
from app.methods.method import able
from app.models.fitted import PLAIN, Drawing
from app.running.progress import LINE_EVERY, shown

Read = Callable[[np.ndarray], np.ndarray]
Undo = Callable[[np.ndarray], np.ndarray]


class Predicts(Protocol):
    """A model that gives physical fields (members, n, y, x, C), of windows (members, n, T, …)."""

    def predict_fields(
        self, batch: dict[str, Any], seed: int, members: int, how: Drawing
    ) -> np.ndarray: ...


def predict(
    model: Predicts,
    read: Read,
    stamps: Stamps,
    layout: Layout,
    path: Path,
    *,
    communicator: Communicator,
    batch_size: int,
    seed: int,
    members: int = 1,
    how: Drawing = PLAIN,
    has_times: bool = True,
    undo: Undo | None = None,
    check: Callable[[], None] = lambda: None,
    confirm: Callable[[], None] = lambda: None,
    windows: Windows | None = None,
    observed: Read | None = None,
    gaps: Gaps | None = None,
) -> None:
    """Write the model's fields for all stamps to `path`.

    `check` is called after every batch and raises Interrupted to end the work; then all ranks
    end. What is written stays, and the next call on as many ranks goes on from there. `confirm`
    is called before anything is kept, and raises Damage where the inputs are damaged.

    `members` are drawn of each model, as `how` says; `layout.members` tells how many there are in
    all.
    `read(indices)` gives coarse inputs (n, h, w, Cin); `undo` takes fields (n, y, x, C) back to
    the units of the truth. `windows` over all stamps are for models of windows. `observed(seconds)`
    gives point observations (n, H, W, C) on the padded fine grid. `gaps` tells which inputs are
    missing, and leaves the fine cells missing that stand on them. Memory is bounded by a batch on
    every rank.
    """
    ranks = communicator.ranks
    share = ranks.share(len(stamps))
    time = time_features(stamps)
    time = time if has_times else np.zeros_like(time)

    counted = np.zeros(len(stamps), bool)

    def predicted(rows: np.ndarray) -> np.ndarray:
        """Fields of rows (n,), or of windows (n, T); frames that windows share are read once."""
        unique, where = np.unique(rows, return_inverse=True)
        coarse, frame = read(unique), where.reshape(rows.shape)
        missing = None
        if gaps is not None:
            coarse, missing = gaps.closed(coarse)
            gaps.counted(missing[~counted[unique]])
            counted[unique] = True
        batch = {
            "coarse": coarse[frame],
            "time": time[rows],
            "seconds": stamps.seconds[rows if rows.ndim == 1 else rows[:, 0]],
        }
        if observed is not None:
            batch["observed"] = observed(batch["seconds"])
        fields = whole_batch(model, batch, batch_size, seed, members, how)
        _refuse_copies(fields, members)
        if gaps is not None and missing is not None:
            fields = gaps.left_missing(fields, missing[frame])
        return fields

    def blocks(rest: range) -> tuple[Iterator[np.ndarray], int]:
        """Fields of these times in their order, and in how many steps they come."""
        if windows is None:
            fields = (predicted(rows) for rows in _batches(rest, batch_size))
            return fields, -(-len(rest) // batch_size)
        own = windows.of(rest)
        return blended(own, batch_size, predicted), -(-len(own.rows) // batch_size)

    def fill(file: GrowingFile) -> None:
        begun, before = time_now(), file.written
        if before:
            logging.info("going on after %d of %d times", before, len(share))
        parts, steps = blocks(share[before:])
        for fields in shown(parts, steps, "predicting", ranks.first):
            if undo:
                fields = np.stack([undo(member) for member in fields])
            file.append(layout.fields_of(fields))
            rate = (file.written - before) * members / (time_now() - begun)
            _log_progress(file.written, len(share), members, rate)
            check()

    write_parts(
        layout,
        path,
        stamps,
        np.asarray(share),
        fill,
        communicator=communicator,
        check=check,
        confirm=confirm,
    )
    if gaps is not None:
        gaps.report(communicator)
    logging.info("%d times predicted: %s", len(stamps), path)


def _log_progress(done: int, times: int, members: int, rate: float) -> None:
    """A line every now and then: fields of single members a second, time to go."""
    logging.log_every_n_seconds(
        logging.INFO,
        "predicted %d of %d times, %.1f fields/s, %.0f s to go",
        LINE_EVERY,
        *(done, times, rate, (times - done) * members / rate),
    )


def _batches(share: range, batch_size: int) -> Iterator[np.ndarray]:
    for start in range(0, len(share), batch_size):
        yield np.asarray(share[start : start + batch_size])


def _refuse_copies(fields: np.ndarray, members: int) -> None:
    """An ensemble of equal members would look certain of everything."""
    if members > 1 and np.array_equal(fields[0], fields[1], equal_nan=True):
        raise InputError(
            f"--members={members}: the model draws nothing at inference, all members are equal; "
            f"expected one trained with --trainer={' or '.join(able('members'))}, or with "
            "--dropout_variant=mcdrop, mcgaussiandrop or mcspatialdrop"
        )


def whole_batch(
    model: Predicts,
    batch: dict[str, np.ndarray],
    batch_size: int,
    seed: int = 0,
    members: int = 1,
    how: Drawing = PLAIN,
) -> np.ndarray:
    """Fields (member, n, …); a short batch is filled up: a new size compiles anew."""
    n = len(next(iter(batch.values())))
    rows = np.minimum(np.arange(batch_size), n - 1)
    whole = {name: array[rows] for name, array in batch.items()}
    return model.predict_fields(whole, seed, members, how)[:, :n]
