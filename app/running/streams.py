"""Standard output and error that a program outlives: a pipe that closes, a full disk, no stream.

What is printed is for people to follow; everything of value goes to files. A batch job whose log
is gone therefore goes on.
"""

from __future__ import annotations

import contextlib
import errno
import io
import os
import sys
from typing import Any, TextIO


class Outlet(io.FileIO):
    """A descriptor for writing that, once it takes no more, leads nowhere; `failure` says why."""

    failure: OSError | None = None

    def write(self, data: Any) -> int:
        try:
            return super().write(data) or 0
        except BlockingIOError:
            raise
        except OSError as error:
            self.failure = error
            _lead_nowhere(self.fileno())
            return memoryview(data).nbytes


def outlive() -> None:
    """Replace standard output and error by streams that never fail."""
    for descriptor in (0, 1, 2):  # one that is free would be taken by the next file opened
        with contextlib.suppress(OSError):
            _fill(descriptor)
    sys.stdout = _stream(1, sys.stdout)
    sys.stderr = _stream(2, sys.stderr)


def failure(stream: TextIO) -> OSError | None:
    """Why the stream takes no more since `outlive`; None where it does."""
    stream.flush()
    raw = getattr(getattr(stream, "buffer", None), "raw", None)
    return raw.failure if isinstance(raw, Outlet) else None


def unread(reason: OSError) -> bool:
    """Whether the reader has gone, as `head` does, rather than something having gone wrong."""
    return reason.errno == errno.EPIPE


def _stream(descriptor: int, before: TextIO | None) -> TextIO:
    if before is not None:
        before.flush()
    encoding = getattr(before, "encoding", None) or "utf-8"
    lines = descriptor == 2 or os.isatty(descriptor)
    outlet = io.BufferedWriter(Outlet(descriptor, "wb", closefd=False))
    return io.TextIOWrapper(
        outlet, encoding=encoding, errors="backslashreplace", line_buffering=lines
    )


def _fill(descriptor: int) -> None:
    try:
        os.fstat(descriptor)
    except OSError:
        _lead_nowhere(descriptor)


def _lead_nowhere(descriptor: int) -> None:
    nowhere = os.open(os.devnull, os.O_RDWR)
    if nowhere != descriptor:
        os.dup2(nowhere, descriptor)
        os.close(nowhere)
