"""Who writes a lock or claim: which process, of which job, and whether it still lives."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
import uuid
from pathlib import Path

from app.arrays import Json
from app.ranks import job_name, rendezvous

SQUEUE_LIMIT = 20.0  # seconds
ENDED = -1
# Slurm's states of a job that has no processes.
AT_REST = frozenset({"PENDING", "REQUEUED", "REQUEUE_HOLD", "REQUEUE_FED", "SPECIAL_EXIT"})


def machine() -> str:
    """Host and process namespace: process ids mean something only within both."""
    namespace = Path("/proc/self/ns/pid")
    return f"{socket.gethostname()} {os.readlink(namespace) if namespace.exists() else ''}"


def owner() -> Json:
    """Who writes: for locks and claims."""
    return {
        "machine": machine(),
        "pid": os.getpid(),
        "born": _born(os.getpid()),
        "job": job_name(),
        "slurm_job": os.environ.get("SLURM_JOB_ID"),
        "rendezvous": rendezvous(),
        "restart": int(os.environ.get("SLURM_RESTART_COUNT", "0")),
        "since": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        "token": uuid.uuid4().hex,
    }


def described(content: Json) -> str:
    """The owner of a lock in a few words."""
    host = str(content.get("machine", "?")).partition(" ")[0]
    job = f"Slurm job {content['slurm_job']}" if content.get("slurm_job") else "another process"
    return f"{job} (host {host}, pid {content.get('pid', '?')}, since {content.get('since', '?')})"


def ended(content: Json) -> bool | None:
    """Whether the process that wrote a lock or claim has ended; None where nothing here tells."""
    pid, restart = content.get("pid"), content.get("restart", 0)
    if not (isinstance(pid, int) and isinstance(restart, int)):  # damaged
        return None
    if content.get("machine") == machine():
        return not _alive(pid, content.get("born"))
    own_job = content.get("slurm_job") and content["slurm_job"] == os.environ.get("SLURM_JOB_ID")
    if own_job and int(os.environ.get("SLURM_RESTART_COUNT", "0")) > restart:
        return True  # this job, before it was requeued
    return None


def job_at_rest(job: str) -> bool | None:
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


def of_earlier_first_rank(content: Json) -> bool:
    """Whether a lock is of the rank, on another machine, that was first before this one.

    Ranks of an elastic job have one meeting place, and only one of them at a time is the first.
    """
    same = content.get("rendezvous") and content["rendezvous"] == rendezvous()
    return bool(same) and ended(content) is None


def _alive(pid: int, born: int | None) -> bool:
    """Whether a process of this machine lives; a later one of the same number is another."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    now = _born(pid)
    return now != ENDED and (born is None or now in (born, None))


def _born(pid: int) -> int | None:
    """When a process began, in clock ticks since the machine started.

    ENDED where it only waits for its parent to notice that it has ended, None where nothing tells.
    """
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    except OSError:
        return None
    return ENDED if fields[0] in "ZX" else int(fields[19])
