"""Locks between processes that meet nowhere but in the file system.

A lock is a file made by exclusive creation, which holds on every file system that clusters use;
its owner touches it while it lives, so that the dead are recognised.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
import uuid
from pathlib import Path

from app.arrays import Json
from app.errors import InputError
from app.ranks import job_name
from app.running.atomic import create_once, read_json
from app.running.owners import described, ended, job_at_rest, of_earlier_first_rank, owner

HEARTBEAT = 5.0  # seconds between two touches
STALE_AFTER = 180.0  # seconds without a touch; network file systems may show times a minute late


class Heartbeat:
    """Touches files from a thread until it is left."""

    def __init__(self) -> None:
        self._paths: set[Path] = set()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="heartbeat", daemon=True)

    def __enter__(self) -> Heartbeat:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def add(self, path: Path) -> None:
        self._paths = self._paths | {path}

    def drop(self, path: Path) -> None:
        self._paths = self._paths - {path}

    def _beat(self) -> None:
        while not self._stop.wait(HEARTBEAT):
            for path in self._paths:
                touch(path)


def touch(path: Path) -> None:
    """Show that the owner of a file lives; one that is gone stays gone."""
    with contextlib.suppress(OSError):
        os.utime(path)


_held: dict[Path, Json] = {}


def hold(path: Path, content: Json) -> bool:
    """Make a lock by exclusive creation; False if another has it."""
    if not create_once(path, content):
        return False
    _held[path] = content
    return True


def give_back(path: Path) -> None:
    """Remove a lock of ours that is still as we have made it."""
    content = _held.pop(path, None)
    if content is not None and read_json(path) == content:
        path.unlink(missing_ok=True)


def still_held(path: Path) -> bool:
    """Whether a lock of ours is there as we have made it."""
    return path in _held and read_json(path) == _held[path]


def give_back_all() -> None:
    """Remove all locks of this process, which is about to end wherever it is."""
    for path in list(_held):
        give_back(path)


class LockWatch:
    """Tells whether the process behind a lock or claim has died.

    A file counts as abandoned when its process is known to have ended, or when its time of
    modification has not changed for long while we looked: clocks need not agree. One without
    content was left between its creation and its first byte.
    """

    def __init__(self) -> None:
        self._seen: dict[Path, tuple[int, float]] = {}

    def abandoned(self, path: Path) -> bool:
        content = read_json(path)
        if content is not None and ended(content):
            return True
        try:
            touched = path.stat().st_mtime_ns
        except OSError:
            return False
        last, since = self._seen.get(path, (None, 0.0))
        if last != touched:
            self._seen[path] = (touched, time.monotonic())
            return False
        return time.monotonic() - since > STALE_AFTER


def remove_judged(lock: Path, judged: Json | None) -> None:
    """Remove exactly the lock that was judged; a new owner's is put back."""
    aside = lock.with_name(f"{lock.name}.{uuid.uuid4().hex}")
    try:
        lock.rename(aside)
    except OSError:
        return
    found = read_json(aside)
    if found is not None and found != judged:
        create_once(lock, found)
    aside.unlink()


class RunLock:
    """The lock of a run folder, or of a file elsewhere: one job at a time works in it."""

    def __init__(self, path: Path, named: str = "") -> None:
        """`named`: the flag and value by which a refusal names what is locked."""
        self.path = path
        self._named = named or f"--save_path={path.parent}"
        self._place = "on this file" if named else "in this folder"
        self._taken = False

    def take(self) -> None:
        """Make the lock ours, a stale one too; InputError names the job that holds it."""
        me = owner()
        while not hold(self.path, me):
            judged = read_json(self.path)
            if stale(self.path) or of_earlier_first_rank(judged or {}):
                remove_judged(self.path, judged)
            elif self.path.exists() and read_json(self.path) == judged:  # none other meanwhile
                raise InputError(self._refusal(judged))
        self._taken = True

    def check(self) -> None:
        """InputError where another job than this rank's own holds the lock.

        The first rank may replace a stale lock while this one looks at it.
        """
        content = read_json(self.path)
        while content is not None and content.get("job") != job_name() and not stale(self.path):
            judged, content = content, read_json(self.path)
            if content == judged:
                raise InputError(self._refusal(content))

    @property
    def held(self) -> bool:
        """Whether the lock is ours still; True for one that was never taken."""
        return not self._taken or still_held(self.path)

    def release(self) -> None:
        if self._taken:
            give_back(self.path)
        self._taken = False

    def _refusal(self, content: Json | None) -> str:
        return f"{self._named}: {described(content or {})} works {self._place}"


def stale(path: Path) -> bool:
    """Whether a lock's owner is gone: it has ended, its Slurm job has, or it is long silent."""
    content = read_json(path) or {}
    gone = ended(content)
    if gone is None and content.get("slurm_job") not in (None, os.environ.get("SLURM_JOB_ID")):
        gone = job_at_rest(content["slurm_job"])
    return _age(path) > STALE_AFTER if gone is None else gone


def _age(path: Path) -> float:
    """Seconds since a file was touched, by the clock of the file system that keeps it."""
    probe = path.with_name(f".now.{uuid.uuid4().hex}")
    try:
        touched = path.stat().st_mtime
        probe.touch()
        now = probe.stat().st_mtime
    except OSError:
        now = time.time()
        touched = path.stat().st_mtime if path.exists() else now
    finally:
        with contextlib.suppress(OSError):
            probe.unlink(missing_ok=True)
    return now - touched
