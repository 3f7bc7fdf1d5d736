"""Room on disk: looked at before work begins, and told of in one line when it has run out."""

from __future__ import annotations

import errno
import math
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np

from app.arrays import Array
from app.errors import RunError

FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
TEXTS = tuple(os.strerror(number) for number in FULL)  # as libraries repeat them
NO_RESERVING = frozenset({errno.EOPNOTSUPP, errno.EINVAL, errno.ENOSYS})
KIBI = 1024
SLACK = 64 * KIBI  # of a file besides its values: headers, whole blocks
BLOCK = 4 << 20  # bytes written at once where space cannot be reserved


class NoRoom(RunError):
    """A file system, or a user's share of it, that is full."""


def full(error: BaseException | None) -> bool:
    """Whether an error, or one that led to it, says that there is no more room."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        if isinstance(error, NoRoom) or getattr(error, "errno", None) in FULL:
            return True
        if any(text in str(error) for text in TEXTS):
            return True
        error = error.__cause__ or error.__context__
    return False


def no_room(path: Path, wanted: int = 0) -> NoRoom:
    """The error for a file that there is no room for, of `wanted` bytes where that is known."""
    left = free(path)
    need = f"{size_text(wanted)} wanted, " if wanted else ""
    limit = ""
    if left > max(wanted, SLACK):
        limit = ": a quota, or the limit of a file's size (ulimit -f), is reached"
    return NoRoom(
        f"{path}: no space left on the file system ({need}{size_text(left)} left{limit}); the same "
        "command goes on once there is room"
    )


def free(path: Path) -> int:
    """Bytes that this user may still write where a file is, or will be."""
    for place in (path, *path.absolute().parents):
        with suppress(OSError):
            found = os.statvfs(place)
            return found.f_bavail * found.f_frsize
    return 0


def require(path: Path, wanted: int) -> None:
    """NoRoom where a file system has less than `wanted` bytes left for a file or folder."""
    if free(path) < wanted:
        raise no_room(path, wanted)


@contextmanager
def writing(path: Path, wanted: int = 0) -> Iterator[None]:
    """Around the writing of one file of about `wanted` bytes: NoRoom where they do not fit.

    Libraries hide why a file cannot be written, so that after an error it is tried whether
    there is room.
    """
    require(path, wanted)
    try:
        yield
    except RunError:
        raise
    except Exception as error:
        if full(error) or _none_for(path.parent, wanted + SLACK):
            raise no_room(path, wanted) from error
        raise


def reserve(descriptor: int, size: int) -> None:
    """Give an open file `size` bytes, so that writing to its pages cannot fail later.

    OSError where there is no room. Where the file system reserves nothing, zeros are written
    beyond the file's end.
    """
    if not size:
        return
    try:
        os.posix_fallocate(descriptor, 0, size)
    except OSError as error:
        if error.errno not in NO_RESERVING:
            raise
        _fill(descriptor, size)


@contextmanager
def scratch(folder: Path | None, shape: tuple[int, ...]) -> Iterator[Array]:
    """A float32 array on disk for as long as it is needed, in the system's folder without one.

    NoRoom before anything is written to it.
    """
    wanted = 4 * int(np.prod(shape, dtype=np.int64))
    with tempfile.TemporaryFile(dir=folder) as file:
        place = Path(folder or tempfile.gettempdir()) / "a temporary file"
        with writing(place, wanted):
            reserve(file.fileno(), wanted)
        yield np.memmap(file, dtype=np.float32, mode="r+", shape=shape)


def size_text(size: float) -> str:
    """A size for people."""
    if size < KIBI:
        return f"{size:.0f} bytes"
    power = min(4, int(math.log(size, KIBI)))
    value = size / KIBI**power
    return f"{value:.{0 if value >= 100 else 1}f} {'KMGT'[power - 1]}iB"


def _fill(descriptor: int, size: int) -> None:
    position, block = os.fstat(descriptor).st_size, bytes(min(BLOCK, size))
    while position < size:
        position += os.pwrite(descriptor, block[: size - position], position)


def _none_for(folder: Path, size: int) -> bool:
    """Whether a file of this size does not fit."""
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            reserve(file.fileno(), size)
    except OSError as error:
        return error.errno in FULL
    return False
