"""Locks and claims between processes that meet nowhere but in the file system.

A lock is a file made by exclusive creation, which holds on every file system that clusters use;
its owner touches it while it lives, so that the dead are recognised.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import subprocess
import threading
import time
import uuid
from pathlib import Path
from typing import Any

from app.atomic import write_text
from app.errors import InputError

HEARTBEAT = 5.0  # seconds between two touches
STALE_AFTER = 180.0  # seconds without a touch; network file systems may show times a minute late
SQUEUE_LIMIT = 20.0  # seconds
# Slurm's states of a job that has no processes.
AT_REST = frozenset({"PENDING", "REQUEUED", "REQUEUE_HOLD", "REQUEUE_FED", "SPECIAL_EXIT"})
# Variables in which launchers name the job; the first that are set count.
JOB_VARIABLES = (
    ("SLURM_JOB_ID", "SLURM_STEP_ID"),
    ("PMIX_NAMESPACE",),
    ("OMPI_MCA_ess_base_jobid",),
    ("HOROVOD_GLOO_RENDEZVOUS_ADDR", "HOROVOD_GLOO_RENDEZVOUS_PORT"),
)


def job_name() -> str | None:
    """What all ranks of a launcher's job have in common; None without a launcher."""
    return next((found for names in JOB_VARIABLES if (found := _joined(names))), None)


def _joined(names: tuple[str, ...]) -> str | None:
    """The values of variables that are all set; None where one is not."""
    known = all(name in os.environ for name in names)
    return "-".join(os.environ[name] for name in names) if known else None


def _rendezvous() -> str | None:
    """Where the ranks of this start of horovodrun meet."""
    return _joined(JOB_VARIABLES[-1])


def machine() -> str:
    """Host and process namespace: process ids mean something only within both."""
    namespace = Path("/proc/self/ns/pid")
    return f"{socket.gethostname()} {os.readlink(namespace) if namespace.exists() else ''}"


def owner() -> dict[str, Any]:
    """Who writes: for locks and claims."""
    return {
        "machine": machine(),
        "pid": os.getpid(),
        "born": _born(os.getpid()),
        "job": job_name(),
        "slurm_job": os.environ.get("SLURM_JOB_ID"),
        "rendezvous": _rendezvous(),
        "restart": int(os.environ.get("SLURM_RESTART_COUNT", "0")),
        "since": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        "token": uuid.uuid4().hex,
    }


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


def create_once(path: Path, content: dict[str, Any]) -> bool:
    """Make a file by exclusive creation; False if it is there already."""
    try:
        descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o644)
    except FileExistsError:
        return False
    try:
        os.write(descriptor, json.dumps(content).encode())  # one call: readers see all or nothing
    except OSError:
        path.unlink(missing_ok=True)
        raise
    finally:
        os.close(descriptor)
    return True


_held: dict[Path, dict[str, Any]] = {}


def hold(path: Path, content: dict[str, Any]) -> bool:
    """Make a lock by exclusive creation; False if another has it."""
    if not create_once(path, content):
        return False
    _held[path] = content
    return True


def give_back(path: Path, content: dict[str, Any]) -> None:
    """Remove a lock that is still as we have made it."""
    _held.pop(path, None)
    if read_json(path) == content:
        path.unlink(missing_ok=True)


def give_back_all() -> None:
    """Remove all locks of this process, which is about to end wherever it is."""
    for path, content in list(_held.items()):
        give_back(path, content)


def replace_with(path: Path, content: dict[str, Any]) -> None:
    """Write a file so that readers see all of it or nothing."""
    write_text(path, json.dumps(content))


def read_json(path: Path) -> dict[str, Any] | None:
    """Content of a file; None where there is none."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def ended(content: dict[str, Any]) -> bool | None:
    """Whether the process that wrote a lock or claim has ended; None where nothing here tells."""
    if content.get("machine") == machine():
        return not _alive(int(content["pid"]), content.get("born"))
    own_job = content.get("slurm_job") and content["slurm_job"] == os.environ.get("SLURM_JOB_ID")
    if own_job and int(os.environ.get("SLURM_RESTART_COUNT", "0")) > content.get("restart", 0):
        return True  # this job, before it was requeued
    return None


class Watch:
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


def remove_judged(lock: Path, judged: dict[str, Any] | None) -> None:
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
    """The lock of a run folder: one job at a time works in it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._mine: dict[str, Any] | None = None

    def take(self) -> None:
        """Make the lock ours, a stale one too; InputError names the job that holds it."""
        me = owner()
        while not hold(self.path, me):
            judged = read_json(self.path)
            if not (stale(self.path) or _of_earlier_first_rank(judged or {})):
                raise InputError(self._refusal(judged))
            remove_judged(self.path, judged)
        self._mine = me

    def check(self) -> None:
        """InputError where another job than this rank's own holds the lock."""
        content = read_json(self.path)
        ours = content is not None and content.get("job") == job_name()
        if content is not None and not ours and not stale(self.path):
            raise InputError(self._refusal(content))

    def release(self) -> None:
        if self._mine is not None:
            give_back(self.path, self._mine)
        self._mine = None

    def _refusal(self, content: dict[str, Any] | None) -> str:
        return f"--save_path={self.path.parent}: {described(content or {})} works in this folder"


def described(content: dict[str, Any]) -> str:
    """The owner of a lock in a few words."""
    host = str(content.get("machine", "?")).partition(" ")[0]
    job = f"Slurm job {content['slurm_job']}" if content.get("slurm_job") else "another process"
    return f"{job} (host {host}, pid {content.get('pid', '?')}, since {content.get('since', '?')})"


def stale(path: Path) -> bool:
    """Whether a lock's owner is gone: it has ended, its Slurm job has, or it is long silent."""
    content = read_json(path) or {}
    gone = ended(content)
    if gone is None and content.get("slurm_job") not in (None, os.environ.get("SLURM_JOB_ID")):
        gone = _job_at_rest(content["slurm_job"])
    return _age(path) > STALE_AFTER if gone is None else gone


def _of_earlier_first_rank(content: dict[str, Any]) -> bool:
    """Whether a lock is of the rank, on another machine, that was first before this one.

    Ranks of an elastic job have one meeting place, and only one of them at a time is the first.
    """
    same = content.get("rendezvous") and content["rendezvous"] == _rendezvous()
    return bool(same) and ended(content) is None


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


def _alive(pid: int, born: int | None) -> bool:
    """Whether a process of this machine lives; a later one of the same number is another."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return born is None or _born(pid) in (born, None)


def _born(pid: int) -> int | None:
    """When a process began, in clock ticks since the machine started; None for the dead."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] in "ZX" else int(fields[19])


def _job_at_rest(job: str) -> bool | None:
    """Whether Slurm knows that a job has no processes; None where Slurm cannot be asked."""
    if shutil.which("squeue") is None:
        return None
    try:
        asked = subprocess.run(
            ["squeue", "--noheader", f"--jobs={job}", "--format=%T"],
            capture_output=True,
            text=True,
            timeout=SQUEUE_LIMIT,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    if asked.returncode:
        return True if "Invalid job id" in asked.stderr else None
    return set(asked.stdout.split()) <= AT_REST
