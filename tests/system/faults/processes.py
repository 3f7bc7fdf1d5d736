"""The processes of a run, found by their temporary folder, which no other process has."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from pathlib import Path

from tests.system.warm import NAME

RANK_VARIABLES = {
    "horovodrun": "HOROVOD_RANK",
    "mpirun": "OMPI_COMM_WORLD_RANK",
    "srun": "SLURM_PROCID",
}
POLL_S = 0.1


def of_run(temporary: Path) -> list[int]:
    """All processes that have this temporary folder, launcher and ranks, and what they forked."""
    mark = f"TMPDIR={temporary}"
    own = [pid for pid in _all() if mark in _strings(pid, "environ")]
    return [*own, *(pid for pid in _forked().values() if _works_in(pid, temporary.parent))]


def of_rank(temporary: Path, launcher: str, rank: int) -> int | None:
    """The process of one rank, None where it has ended or not begun."""
    variable = f"{RANK_VARIABLES[launcher]}={rank}"
    forked = _forked()
    for pid in of_run(temporary):
        words = _strings(pid, "cmdline")
        program = "app" in words[1:3] or any(word.endswith("warm.py") for word in words[:5])
        if program and variable in _strings(pid, "environ"):
            return forked.get(pid, pid)
    return None


def of_member(temporary: Path) -> int | None:
    """A member of a sweep that runs."""
    for pid in of_run(temporary):
        if any(word.endswith("member.cfg") for word in _strings(pid, "cmdline")):
            return pid
    return None


def behind(pid: int) -> int:
    """The process that a client stands for, or the process itself."""
    return _forked().get(pid, pid)


def all_ended(temporary: Path, limit_s: float) -> bool:
    """Wait until no process of a run is left; those that stay longer are killed, and False."""
    end = time.monotonic() + limit_s
    while left := of_run(temporary):
        if time.monotonic() > end:
            for pid in left:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            return False
        time.sleep(POLL_S)
    return True


def _all() -> list[int]:
    return [int(name) for name in os.listdir("/proc") if name.isdigit() and _alive(int(name))]


def _alive(pid: int) -> bool:
    """Whether a process lives; one that only waits to be collected does not."""
    stat = _read(pid, "stat").rpartition(")")[2].split()
    return bool(stat) and stat[0] not in "ZX"


def _forked() -> dict[int, int]:
    """Client → the process that the server forked for it."""
    names = {pid: _read(pid, "comm").strip() for pid in _all()}
    return {
        int(name.removeprefix(NAME)): pid for pid, name in names.items() if name.startswith(NAME)
    }


def _works_in(pid: int, folder: Path) -> bool:
    try:
        return Path(os.readlink(f"/proc/{pid}/cwd")).is_relative_to(folder)
    except OSError:
        return False


def _strings(pid: int, what: str) -> list[str]:
    return _read(pid, what).split("\0")


def _read(pid: int, what: str) -> str:
    try:
        return Path(f"/proc/{pid}/{what}").read_bytes().decode(errors="replace")
    except OSError:
        return ""
