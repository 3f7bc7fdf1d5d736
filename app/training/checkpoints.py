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
from zipfile import BadZipFile

import numpy as np
from absl import logging

from app.atomic import sync, write_text
from app.errors import RunError
from app.room import SLACK, full, no_room
from app.run_files import IN_CHECKPOINT, STEPS, remove_checkpoint

ARRAYS, FACTS, POINTER = "arrays.npz", "facts.json", "last"
UNREADABLE = (OSError, ValueError, KeyError, BadZipFile, EOFError)


@dataclass(frozen=True)
class Checkpoint:
    """What one folder holds: named arrays, and facts such as epoch, step and history."""

    arrays: dict[str, np.ndarray]
    facts: dict[str, Any]


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
        with open(temporary / ARRAYS, "wb") as file:
            file.write(_archive(checkpoint.arrays))
            _sync(file)
        with open(temporary / FACTS, "w", encoding="utf-8") as file:
            json.dump(checkpoint.facts, file)
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


def load(folder: Path) -> Checkpoint | None:
    """The newest readable checkpoint, or None where there is none."""
    for candidate in _candidates(folder):
        try:
            with np.load(candidate / ARRAYS) as arrays:
                content = {name: arrays[name] for name in arrays.files}
            facts = json.loads((candidate / FACTS).read_text(encoding="utf-8"))
            return Checkpoint(content, facts)
        except UNREADABLE as error:
            logging.warning(
                "checkpoint %s cannot be read (%s); trying an older one", candidate, error
            )
    return None


def load_facts(folder: Path) -> dict[str, Any] | None:
    """The facts alone of the newest checkpoint, or None where there is none to be read."""
    for candidate in _candidates(folder)[:1]:
        try:
            return json.loads((candidate / FACTS).read_text(encoding="utf-8"))
        except UNREADABLE:
            return None
    return None


def _archive(arrays: dict[str, np.ndarray]) -> memoryview:
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
        return folder / (folder / POINTER).read_text(encoding="utf-8").strip()
    except OSError:
        return None


def _steps(folder: Path) -> list[Path]:
    """Folders of checkpoints; one in which only a user's own file is left is none."""
    found = [path for path in folder.glob("step-*") if STEPS.fullmatch(path.name)]
    whole = [path for path in found if any((path / name).exists() for name in IN_CHECKPOINT)]
    return sorted(whole, reverse=True)


def _sync(file: Any) -> None:
    file.flush()
    os.fsync(file.fileno())
