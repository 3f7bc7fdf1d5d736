"""status.json: where a run stands, for users, job scripts and later calls."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import threading
import time
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from absl import logging

from app.arrays import Json
from app.running.atomic import read_json, write_bytes, write_json
from app.running.disk_space import NoRoom
from app.running.masking import masked
from app.running.owners import machine

RUNNING, INTERRUPTED, FAILED, FINISHED = "running", "interrupted", "failed", "finished"
EVERY = 10.0  # seconds between two updates of a running stage
ENDED = ("error", "reason", "memory_mib")  # facts that end with their process
FILE = "status.json"
TIME_FORMAT = "%Y-%m-%dT%H:%M:%S%z"


class Status:
    """The file of one run, written by one process; what is said stays until it is said anew."""

    def __init__(self, folder: Path, writes: bool = True) -> None:
        self._writes = writes
        self._path = folder / FILE
        self._file_before = _File.of(self._path)
        self.before = read_status(folder) or {}
        self._facts: Json = {}
        self._written = 0.0
        self._progressed = False
        self._warned = False
        self._ended = False
        self._lock = threading.RLock()  # the last word may come from another thread

    @property
    def progressed(self) -> bool:
        """Whether this process has got as far as an epoch."""
        return self._progressed

    @property
    def due(self) -> bool:
        return self._writes and time.monotonic() - self._written > EVERY

    def begin(self, stage: str, stages: tuple[str, ...]) -> None:
        """A stage begins; what earlier ones reached stays to be seen."""
        self._facts = {
            **(self._facts or self._kept()),
            "state": RUNNING,
            "stage": stage,
            "stages": list(stages),
            "host": machine().partition(" ")[0],
            "pid": os.getpid(),
            "job": os.environ.get("SLURM_JOB_ID"),
        }
        self.update()

    def update(self, **facts: Any) -> None:
        """Add facts and write them; a full disk does not end the run for this file's sake."""
        with self._lock:
            if not self._ended:
                self._write(facts)

    def _write(self, facts: Json) -> None:
        if not self._writes:
            return
        self._progressed |= "epoch" in facts
        self._facts |= {k: masked(v) if isinstance(v, str) else v for k, v in facts.items()}
        self._written = time.monotonic()
        content = {"updated": time.strftime(TIME_FORMAT), **self._facts}
        content["memory_mib"] = max(peak_memory_mib(), content.get("memory_mib", 0))
        self._put(content)

    def _put(self, content: Json) -> None:
        try:
            try:
                write_json(self._path, content)
            except NoRoom:
                _write_in_place(self._path, json.dumps(content).encode())
        except (OSError, NoRoom) as error:
            if not self._warned:
                logging.warning("%s: cannot be written (%s)", self._path, error)
            self._warned = True

    def end(self, state: str, **facts: Any) -> None:
        """The last word of a run, also of one that got no further than its beginning."""
        with self._lock:
            self._ended = True
            self._facts = self._facts or self._kept()
            self._write({"state": state, **facts})

    def _kept(self) -> Json:
        """What an earlier process said that still holds."""
        return {k: v for k, v in self.before.items() if k not in ENDED}

    def withdraw(self) -> None:
        """As if nothing had been said: the file is what it was, with the time that it had.

        A job script takes a newer file for what its own call has left.
        """
        self._ended = True
        if not self._writes:
            return
        with contextlib.suppress(OSError, NoRoom):
            if self._file_before is None:
                self._path.unlink(missing_ok=True)
            else:
                self._file_before.restore(self._path)


@dataclass(frozen=True)
class _File:
    """A file's content and the times that it was read and changed, in nanoseconds."""

    content: bytes
    times: tuple[int, int]

    @classmethod
    def of(cls, path: Path) -> _File | None:
        try:
            facts = path.stat()
            return cls(path.read_bytes(), (facts.st_atime_ns, facts.st_mtime_ns))
        except OSError:
            return None

    def restore(self, path: Path) -> None:
        try:
            write_bytes(path, self.content)
        except NoRoom:
            _write_in_place(path, self.content)
        os.utime(path, ns=self.times)


def _write_in_place(path: Path, text: bytes) -> None:
    """Write over a file, in the blocks that it has: the way on a disk that is full.

    OSError where it is not there, or has too few. Spaces fill what was there before.
    """
    with path.open("r+b", buffering=0) as file:
        length = max(len(text), os.fstat(file.fileno()).st_size)
        if os.pwrite(file.fileno(), text.ljust(length), 0) < len(text):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))


def read_status(folder: Path) -> Json | None:
    """What the status of a run says; None where there is none that can be read."""
    return read_json(folder / FILE)


def peak_memory_mib() -> int:
    """Largest resident memory of this process so far; 0 where the system does not say."""
    try:
        lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    except OSError:
        return 0
    peaks = [int(line.split()[1]) for line in lines if line.startswith("VmHWM")]  # KiB
    return max(peaks, default=0) // 1024


def seconds_since(updated: str) -> float:
    """Age in seconds of a time as it stands in the file."""
    return time.time() - datetime.strptime(updated, TIME_FORMAT).timestamp()
