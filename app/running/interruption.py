"""Requests to stop: a signal, a file STOP in the run folder, or the end of the time allowed.

Nothing is raised in the middle of whatever runs: what is raised between any two instructions is
taken for another error by the libraries that it passes through, or leaves their locks taken.
A stage that works for long looks for requests itself; the others are ended as by SIGKILL, which
they survive anyway, with the difference that the run folder says so and is free.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from app.errors import Interrupted
from app.exit_codes import INTERRUPTED

SIGNALS = (signal.SIGTERM, signal.SIGUSR1, signal.SIGINT)
STOP = "STOP"
POLL = 1.0  # seconds between two looks at the file and the clock
RESERVE = 5.0  # seconds before the end of the time allowed, besides what the stage asks for
SCONTROL_LIMIT = 20.0  # seconds


class Interruption:
    """Takes requests to stop while it is entered.

    A request calls `ending`, which does not return, in a thread of its own, unless the stage has
    said by `deferred` that it looks itself and ends where its state is whole. A second Ctrl-C
    waits for no stage.
    """

    def __init__(self, folder: Path, several: bool = False, elastic: bool = False) -> None:
        """`several`: there are other ranks that a request must reach; `elastic`: they go on
        where one is asked to leave by SIGTERM."""
        self.reason: str | None = None
        self.reserve = 0.0
        self.ending: Callable[[str], None] = lambda _: os._exit(INTERRUPTED)
        self._file = folder / STOP
        self._deadline: float | None = None
        self._several = several
        self._elastic = elastic
        self._deferred = False
        self._raised = False
        self._over = False
        self._signals: tuple[signal.Signals, ...] = SIGNALS
        self._keys = 0  # Ctrl-C so far
        self._gate = threading.RLock()  # held while what is said here changes, and by an ending
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

    def leave_signals(self) -> None:
        """Signals, and the end of the process, are another program's; stages look themselves."""
        self._signals = ()
        self.ending = lambda _: None

    def __enter__(self) -> Interruption:
        self._ear, self._mouth = socket.socketpair()
        self._mouth.setblocking(False)
        self._ear.settimeout(POLL)
        if self._signals:
            self._fd = signal.set_wakeup_fd(self._mouth.fileno(), warn_on_full_buffer=False)
        for number in self._signals:
            if signal.getsignal(number) is not signal.SIG_IGN:  # as shells do for `command &`
                self._before[number] = signal.signal(number, lambda *_: None)
        self._watcher.start()
        return self

    def __exit__(self, *_: object) -> None:
        with self._gate:
            self._over = True
        with contextlib.suppress(BlockingIOError):
            self._mouth.send(b"\0")
        self._watcher.join()
        for number, handler in self._before.items():
            signal.signal(number, handler)
        if self._signals:
            signal.set_wakeup_fd(self._fd)
        self._ear.close()
        self._mouth.close()

    def check(self) -> None:
        """Raise Interrupted if there was a request."""
        if self.requested:
            with self._gate:
                self._raised = True
            raise Interrupted(self.reason)

    @contextlib.contextmanager
    def deferred(self) -> Iterator[None]:
        """Within it a request waits: the stage looks at `requested` itself."""
        with self._gate:
            before, self._deferred = self._deferred, True
        try:
            yield
        finally:
            with self._gate:
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

    def _watch(self) -> None:
        """Hear of signals, look at the file and the clock, and end what does not look itself.

        Signals are heard here, as the main thread may be anywhere, for long.
        """
        while not self._over:
            for number in self._heard():
                self._keys += number == signal.SIGINT
                self.request(signal.Signals(number).name)
            if not self.requested and (reason := self._reason()):
                self.request(reason)
            if self.requested:
                self._end()

    def _heard(self) -> list[int]:
        """Numbers of the signals that have come; none after a while without."""
        with contextlib.suppress(TimeoutError):
            return [number for number in self._ear.recv(256) if number in self._before]
        return []

    def _end(self) -> None:
        with self._gate:
            looked_at = self._deferred or self._raised
            if not self._over and (not looked_at or self._keys > 1):
                self.spread()
                self.ending(str(self.reason))

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
