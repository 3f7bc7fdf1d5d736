"""Checkpoints: folders step-N with everything needed to go on, and a pointer to the last.

A folder is written under another name, synced and renamed, then the pointer is replaced in one
step, so that a run killed at any moment leaves the previous checkpoint readable.
"""

from __future__ import annotations

import io
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from absl import logging

from app.arrays import Array, Json
from app.errors import RunError, one_line
from app.integrity.archives import UNREADABLE
from app.integrity.blocks import crc_of, file_crc
from app.integrity.records import checked, parsed, sealed
from app.running.atomic import sync, write_text
from app.running.disk_space import SLACK, full, no_room
from app.running.run_files import IN_CHECKPOINT, STEPS, remove_checkpoint

ARRAYS, FACTS, POINTER = "arrays.npz", "facts.json", "last"
SUM = "arrays"  # key of the arrays' checksum among the facts


@dataclass(frozen=True)
class Checkpoint:
    """What one folder holds: named arrays, and facts such as epoch, step and history."""

    arrays: dict[str, Array]
    facts: Json


def save(folder: Path, step: int, checkpoint: Checkpoint) -> Path:
    """Write step-N, point to it, and drop all but the one before.

    A folder of that name stays until the pointer has left it: the new one is then called step-N+.
    """
    final, before = folder / f"step-{step:08d}", _named(folder)
    while final.exists():
        final = final.with_name(f"{final.name}+")
    temporary = folder / f".{final.name}.{os.getpid()}"
    try:
        remove_checkpoint(temporary)
        folder.mkdir(exist_ok=True)  # the run's own folder is there, unless somebody removed it
        temporary.mkdir(exist_ok=True)
        arrays = _archive(checkpoint.arrays)
        with open(temporary / ARRAYS, "wb") as file:
            file.write(arrays)
            _sync(file)
        with open(temporary / FACTS, "w", encoding="utf-8") as file:
            json.dump(sealed({**checkpoint.facts, SUM: crc_of(arrays)}), file)
            _sync(file)
        os.replace(temporary, final)
        sync(folder)
        write_text(folder / POINTER, final.name + "\n")
    except OSError as error:
        remove_checkpoint(temporary)
        if full(error):
            raise no_room(final, size(checkpoint)) from error
        raise RunError(
            f"checkpoint {final}: cannot be written ({error}); the last one stays"
        ) from error
    for old in _steps(folder):
        if old not in (final, before):
            remove_checkpoint(old)
    return final


def size(checkpoint: Checkpoint) -> int:
    """Bytes of a checkpoint on disk, roughly."""
    return sum(array.nbytes for array in checkpoint.arrays.values()) + SLACK


def load(folder: Path, kind: type = dict) -> Checkpoint | None:
    """The newest checkpoint that is whole, or None where there is none.

    kind: a dataclass that the facts are the fields of.
    """
    for candidate in _candidates(folder):
        try:
            facts, arrays_sum = _read_facts(candidate, kind)
            if arrays_sum not in (None, file_crc(candidate / ARRAYS)):
                raise ValueError(f"the checksum of {ARRAYS} differs")
            with np.load(candidate / ARRAYS) as arrays:
                content = {name: arrays[name] for name in arrays.files}
            return Checkpoint(content, facts)
        except (*UNREADABLE, KeyError) as error:
            logging.warning(
                "checkpoint %s is damaged (%s); trying an older one", candidate, one_line(error)
            )
    return None


def load_facts(folder: Path, kind: type = dict) -> Json | None:
    """The facts alone of the newest checkpoint, or None where there is none to be read."""
    for candidate in _candidates(folder)[:1]:
        try:
            return _read_facts(candidate, kind)[0]
        except UNREADABLE:
            return None
    return None


def _read_facts(candidate: Path, kind: type) -> tuple[Json, int | None]:
    """Facts, and the checksum of the arrays where one was kept; ValueError where damaged."""
    facts = parsed((candidate / FACTS).read_bytes(), dict)
    arrays_sum = facts.pop(SUM, None)
    checked(facts, kind)
    return facts, arrays_sum


def _archive(arrays: dict[str, Array]) -> memoryview:
    """The arrays as the bytes of an npz file: a ZipFile on a full disk complains until the end."""
    content = io.BytesIO()
    np.savez(content, **arrays)
    return content.getbuffer()


def _candidates(folder: Path) -> list[Path]:
    """What the pointer names, then the others, the newest first."""
    steps = _steps(folder)
    named = _named(folder)
    return steps if named is None else [named, *(step for step in steps if step != named)]


def _named(folder: Path) -> Path | None:
    """The checkpoint that the pointer names."""
    try:
        name = (folder / POINTER).read_text(encoding="utf-8").strip()
    except (OSError, ValueError):
        return None
    return folder / name if STEPS.fullmatch(name) else None


def _steps(folder: Path) -> list[Path]:
    """Folders of checkpoints; one in which only a user's own file is left is none."""
    found = [path for path in folder.glob("step-*") if STEPS.fullmatch(path.name)]
    whole = [path for path in found if any((path / name).exists() for name in IN_CHECKPOINT)]
    return sorted(whole, reverse=True)


def _sync(file: Any) -> None:
    file.flush()
    os.fsync(file.fileno())
