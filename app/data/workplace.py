"""Work on one folder shared by processes that meet nowhere but in the file system.

A lock per folder has one owner; others help by claiming tasks, or wait. Owners and claimants
touch their files while they live, so that the dead are recognised.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import threading
import time
import uuid
from pathlib import Path
from typing import Any

from app.atomic import write_text
from app.errors import InputError

HEARTBEAT = 5.0  # seconds between two touches
STALE_AFTER = 180.0  # seconds without a touch; network file systems may show times a minute late
POLL = 0.1  # seconds
# Variables in which launchers name the job; the first that are set count.
JOB_VARIABLES = (
    ("SLURM_JOB_ID", "SLURM_STEP_ID"),
    ("PMIX_NAMESPACE",),
    ("OMPI_MCA_ess_base_jobid",),
    ("HOROVOD_GLOO_RENDEZVOUS_ADDR", "HOROVOD_GLOO_RENDEZVOUS_PORT"),
)


def job_name() -> str | None:
    """What all ranks of a launcher's job have in common; None without a launcher."""
    for names in JOB_VARIABLES:
        if all(name in os.environ for name in names):
            return "-".join(os.environ[name] for name in names)
    return None


def machine() -> str:
    """Host and process namespace: process ids mean something only within both."""
    namespace = Path("/proc/self/ns/pid")
    return f"{socket.gethostname()} {os.readlink(namespace) if namespace.exists() else ''}"


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
                try:
                    os.utime(path)
                except OSError:
                    continue


def create_once(path: Path, content: dict[str, Any]) -> bool:
    """Make a file with its content in one step; False if it is there already."""
    draft = path.with_name(f"{path.name}.{uuid.uuid4().hex}")
    draft.write_text(json.dumps(content), encoding="utf-8")
    try:
        os.link(draft, path)
    except FileExistsError:
        return False
    finally:
        draft.unlink()
    return True


def replace_with(path: Path, content: dict[str, Any]) -> None:
    """Write a file so that readers see all of it or nothing."""
    write_text(path, json.dumps(content))


def read_json(path: Path) -> dict[str, Any] | None:
    """Content of a file; None where there is none."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def owner() -> dict[str, Any]:
    """Who writes: for the lock and claims."""
    return {
        "machine": machine(),
        "pid": os.getpid(),
        "job": job_name(),
        "token": uuid.uuid4().hex,
    }


class Watch:
    """Tells whether the process behind a lock or claim has died.

    A file counts as abandoned when its process, on this machine, is gone, or when its time of
    modification has not changed for long while we looked: clocks need not agree.
    """

    def __init__(self) -> None:
        self._seen: dict[Path, tuple[int, float]] = {}

    def abandoned(self, path: Path) -> bool:
        content = read_json(path)
        if content is None:
            return False
        if content.get("machine") == machine() and not _alive(int(content["pid"])):
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


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


class Workplace:
    """Lock, work folder and failure notice of one folder to be made in `cache`."""

    def __init__(self, cache: Path, name: str) -> None:
        self.final = cache / name
        self._cache = cache
        self._name = name
        self._lock = cache / f".{name}.lock"
        self._notice = cache / f".{name}.failed"
        self._watch = Watch()
        self._old_notice = self._notice_time()

    def try_lock(self, beat: Heartbeat) -> Path | None:
        """The new work folder if the lock is ours now; an abandoned lock is taken over."""
        if self._watch.abandoned(self._lock):
            self._remove_lock(read_json(self._lock))
        me = owner()
        folder = self._cache / f".{self._name}.{me['token']}"
        if not create_once(self._lock, {**me, "folder": folder.name}):
            return None
        beat.add(self._lock)
        self._notice.unlink(missing_ok=True)
        for leftover in self._cache.glob(f".{self._name}.*/"):
            shutil.rmtree(leftover, ignore_errors=True)
        folder.mkdir()
        return folder

    def release(self, beat: Heartbeat, folder: Path) -> None:
        """Give the lock back, and drop the work folder."""
        gone = folder.with_name(f"{folder.name}.gone")
        with contextlib.suppress(OSError):  # gone already if we were taken for dead
            folder.rename(gone)  # in one step, so that no helper claims in what is left
        shutil.rmtree(gone, ignore_errors=True)
        beat.drop(self._lock)
        content = read_json(self._lock)
        if content is not None and content.get("folder") == folder.name:
            self._lock.unlink(missing_ok=True)

    def work_folder(self) -> Path | None:
        """Where the lock's owner works, if there is one."""
        content = read_json(self._lock)
        return self._cache / content["folder"] if content else None

    def sign_of_life(self) -> tuple[str, int] | None:
        """Changes while the lock's owner lives."""
        try:
            touched = self._lock.stat().st_mtime_ns
        except OSError:
            return None
        return str(self.work_folder()), touched

    def notify_failure(self, message: str) -> None:
        """Let those who wait fail with this message."""
        replace_with(self._notice, {"message": message, "job": job_name()})

    def raise_failure(self) -> None:
        """InputError if the work failed while we waited, or earlier in our own job."""
        content = read_json(self._notice)
        if content is None:
            return
        ours = content.get("job") is not None and content["job"] == job_name()
        if ours or self._notice_time() != self._old_notice:
            raise InputError(str(content["message"]))

    def _notice_time(self) -> int | None:
        try:
            return self._notice.stat().st_mtime_ns
        except OSError:
            return None

    def _remove_lock(self, judged: dict[str, Any] | None) -> None:
        """Remove exactly the lock that was judged; a new owner's is put back."""
        aside = self._lock.with_name(f"{self._lock.name}.{uuid.uuid4().hex}")
        try:
            self._lock.rename(aside)
        except OSError:
            return
        if judged is not None and read_json(aside) != judged:
            with contextlib.suppress(FileExistsError):
                os.link(aside, self._lock)
        aside.unlink()
