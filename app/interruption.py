"""Requests to stop: a signal, a file STOP in the run folder, or the end of the time allowed."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from types import FrameType
from typing import Any

from app.errors import Interrupted

SIGNALS = (signal.SIGTERM, signal.SIGUSR1)
STOP = "STOP"
POLL = 1.0  # seconds between two looks at the file and the clock
AGAIN = 0.05  # seconds until a request is raised again where Python ignored it
RESERVE = 5.0  # seconds before the end of the time allowed, besides what the stage asks for
SCONTROL_LIMIT = 20.0  # seconds


class Interruption:
    """Takes requests to stop while it is entered.

    A request raises Interrupted in the main thread at once, unless the stage has said by
    `deferred` that it looks itself and ends where its state is whole.
    """

    def __init__(self, folder: Path, several: bool = False, elastic: bool = False) -> None:
        """`several`: there are other ranks that a request must reach; `elastic`: they go on
        where one is asked to leave by SIGTERM."""
        self.reason: str | None = None
        self.reserve = 0.0
        self._file = folder / STOP
        self._deadline: float | None = None
        self._several = several
        self._elastic = elastic
        self._deferred = False
        self._raised = False
        self._over = threading.Event()
        self._watcher = threading.Thread(target=self._watch, name="interruption", daemon=True)
        self._before: dict[signal.Signals, Any] = {}
        self._leftover = _modified(self._file)

    @property
    def requested(self) -> bool:
        return self.reason is not None

    @property
    def leaving(self) -> bool:
        """Whether this rank alone was asked to go."""
        return self._elastic and self.reason == signal.SIGTERM.name

    @property
    def remaining(self) -> float | None:
        """Seconds left of the time allowed."""
        return None if self._deadline is None else self._deadline - time.time()

    def ends(self, deadline: float | None) -> None:
        """Stop before this moment, in seconds since the epoch."""
        self._deadline = deadline

    def __enter__(self) -> Interruption:
        for number in SIGNALS:
            self._before[number] = signal.signal(number, self._on_signal)
        self._unraisable, sys.unraisablehook = sys.unraisablehook, self._on_swallowed
        self._watcher.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._watcher.join()
        sys.unraisablehook = self._unraisable
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def check(self) -> None:
        """Raise Interrupted if there was a request."""
        if self.requested:
            self._raised = True
            raise Interrupted(self.reason)

    @contextlib.contextmanager
    def deferred(self) -> Iterator[None]:
        """Within it nothing is raised: the stage looks at `requested` itself."""
        before, self._deferred = self._deferred, True
        try:
            yield
        finally:
            self._deferred = before

    def request(self, reason: str) -> None:
        """Stop for a reason; the first one counts."""
        self.reason = self.reason or reason

    def spread(self) -> None:
        """Let the ranks know that see this folder and were not asked themselves."""
        if self._several and self.requested:
            with contextlib.suppress(OSError):
                self._file.touch()

    def clear_leftover(self) -> None:
        """Remove a file STOP that was there before this run: an earlier one was meant."""
        if self._leftover is not None and _modified(self._file) == self._leftover:
            with contextlib.suppress(OSError):
                self._file.unlink(missing_ok=True)

    def _on_signal(self, number: int, _: FrameType | None) -> None:
        self.request(signal.Signals(number).name)
        if self._deferred or self._raised:
            return
        self.spread()
        self.check()

    def _on_swallowed(self, lost: sys.UnraisableHookArgs) -> None:
        """Raise it again: Python goes on where a callback of the garbage collector raises."""
        if not isinstance(lost.exc_value, Interrupted):
            self._unraisable(lost)
            return
        self._raised = False
        threading.Timer(AGAIN, self._wake).start()  # now it would be raised in here

    def _wake(self) -> None:
        """Have the main thread look at the request."""
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGUSR1)

    def _watch(self) -> None:
        """Turn the file and the clock into a signal: only those reach a main thread that waits."""
        while not self._over.wait(POLL):
            reason = self._reason()
            if reason is not None and not self.requested:
                self.request(reason)
                self._wake()

    def _reason(self) -> str | None:
        found = _modified(self._file)
        if found is not None and found != self._leftover:
            return f"file {self._file}"
        left = self.remaining
        if left is not None and left < RESERVE + self.reserve:
            return f"{left:.0f} s left of the time allowed"
        return None


def deadline(time_limit: float | None) -> float | None:
    """When this run has to be over, in seconds since the epoch: --time_limit, or Slurm's end."""
    own = None if time_limit is None else time.time() + time_limit
    ends = [end for end in (own, _slurm_end()) if end is not None]
    return min(ends, default=None)


def _slurm_end() -> float | None:
    job = os.environ.get("SLURM_JOB_ID")
    if job is None:
        return None
    if given := os.environ.get("SLURM_JOB_END_TIME"):
        return float(given)
    try:
        asked = subprocess.run(
            ["scontrol", "show", "job", job], capture_output=True, text=True, timeout=SCONTROL_LIMIT
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    found = re.search(r"\bEndTime=(\d{4}-\S+)", asked.stdout)
    return datetime.fromisoformat(found[1]).timestamp() if found else None


def _modified(path: Path) -> int | None:
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return None
