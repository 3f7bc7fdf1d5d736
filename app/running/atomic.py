"""Files that are there whole or not at all, also after a crash."""

from __future__ import annotations

import errno
import json
import os
from contextlib import suppress
from pathlib import Path
from typing import Any

from app.arrays import Json
from app.running.disk_space import full, no_room


def write_bytes(path: Path, content: bytes | memoryview) -> None:
    """Replace a file in one step, so that a reader sees the old content or the new.

    NoRoom where it does not fit; OSError where it cannot be written for another reason.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        temporary.write_bytes(content)
        os.replace(temporary, path)
    except OSError as error:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        if full(error):
            raise no_room(path, len(content)) from error
        raise


def write_text(path: Path, text: str) -> None:
    """Likewise."""
    write_bytes(path, text.encode())


def write_json(path: Path, content: Any) -> None:
    """Likewise, for people to read."""
    write_text(path, json.dumps(content, indent=2) + "\n")


def sync(path: Path) -> None:
    """Force a file, or the entries of a folder, to disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def create_once(path: Path, content: Json) -> bool:
    """Make a file by exclusive creation; False if it is there already."""
    try:
        descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o644)
    except FileExistsError:
        return False
    try:
        text = json.dumps(content).encode()
        if os.write(descriptor, text) < len(text):  # one call: readers see all or nothing
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
    except OSError:
        path.unlink(missing_ok=True)
        raise
    finally:
        os.close(descriptor)
    return True


def read_json(path: Path) -> Json | None:
    """The object in a file; None where there is none, or anything else."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None
