"""One job at a time in a run folder; the dead are recognised."""

import json
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from app.data.shards.workplace import Workplace
from app.errors import InputError
from app.running import locks
from app.running.atomic import create_once
from app.running.locks import RunLock, give_back_all, stale
from app.running.owners import ended, machine, owner

JOB = {"SLURM_JOB_ID": "41", "SLURM_STEP_ID": "0", "SLURM_PROCID": "1", "SLURM_NTASKS": "2"}


def held(path: Path, **content: Any) -> Path:
    """A lock as another process would have left it."""
    path.write_text(json.dumps({**owner(), **content}))
    return path


def squeue(folder: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    """A squeue that answers as Slurm's does."""
    program = folder / "bin" / "squeue"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")


@pytest.fixture(autouse=True)
def _no_slurm(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*JOB, "SLURM_RESTART_COUNT"):
        monkeypatch.delenv(name, raising=False)


def ended_pid() -> int:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_of_many_at_once_one_creates(tmp_path: Path) -> None:
    wins = []
    barrier = threading.Barrier(8)

    def attempt(number: int) -> None:
        barrier.wait()
        if create_once(tmp_path / "lock", {"number": number}):
            wins.append(number)

    threads = [threading.Thread(target=attempt, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [json.loads((tmp_path / "lock").read_text())["number"]] == wins


def test_second_is_refused_with_host_and_pid(tmp_path: Path) -> None:
    first, second = RunLock(tmp_path / ".lock"), RunLock(tmp_path / ".lock")
    first.take()
    with pytest.raises(InputError, match=rf"another process \(host \S+, pid {os.getpid()},"):
        second.take()
    second.release()  # not its own
    assert (tmp_path / ".lock").exists()
    first.release()
    second.take()


def test_second_is_refused_with_the_slurm_job(tmp_path: Path) -> None:
    held(tmp_path / ".lock", machine="node7 pid:[1]", pid=1, slurm_job="77")
    with pytest.raises(InputError, match=r"Slurm job 77 \(host node7, pid 1,"):
        RunLock(tmp_path / ".lock").take()


def test_ranks_of_the_same_job_pass(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in JOB.items():
        monkeypatch.setenv(name, value)
    RunLock(tmp_path / ".lock").take()
    RunLock(tmp_path / ".lock").check()
    monkeypatch.setenv("SLURM_JOB_ID", "42")
    with pytest.raises(InputError, match="Slurm job 41"):
        RunLock(tmp_path / ".lock").check()


def test_lock_of_an_ended_process_is_taken_over(tmp_path: Path) -> None:
    lock = held(tmp_path / ".lock", pid=ended_pid())
    RunLock(lock).take()
    assert json.loads(lock.read_text())["pid"] == os.getpid()


def test_a_process_that_its_parent_has_not_collected_has_ended(tmp_path: Path) -> None:
    child = subprocess.Popen([sys.executable, "-c", "pass"])
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)  # it stays a zombie
    lock = held(tmp_path / ".lock", pid=child.pid)
    assert stale(lock)
    assert ended({**owner(), "pid": child.pid, "born": None})
    child.wait()


def test_pid_used_again_by_a_later_process(tmp_path: Path) -> None:
    assert stale(held(tmp_path / ".lock", born=1))
    assert not stale(held(tmp_path / ".lock"))


def test_requeued_job_takes_over_its_own_lock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock = held(tmp_path / ".lock", machine="node7 x", slurm_job="41", restart=1)
    monkeypatch.setenv("SLURM_JOB_ID", "41")
    monkeypatch.setenv("SLURM_RESTART_COUNT", "1")
    assert not stale(lock)
    monkeypatch.setenv("SLURM_RESTART_COUNT", "2")
    assert stale(lock)


@pytest.mark.parametrize(
    ("answer", "gone"),
    [
        ("echo RUNNING", False),
        ("echo COMPLETING", False),
        ("echo PENDING", True),
        ("true", True),
        ("echo 'slurm_load_jobs error: Invalid job id specified' >&2; exit 1", True),
        ("echo 'Unable to contact slurm controller' >&2; exit 1", False),
    ],
)
def test_slurm_is_asked_for_the_job(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: str, gone: bool
) -> None:
    squeue(tmp_path, monkeypatch, answer)
    assert stale(held(tmp_path / ".lock", machine="node7 x", slurm_job="77")) is gone


def test_first_rank_of_an_elastic_job_takes_over_and_other_ranks_claims_stand(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A claim of a rank on another node says nothing of its end."""
    monkeypatch.setenv("HOROVOD_GLOO_RENDEZVOUS_ADDR", "10.0.0.1")
    monkeypatch.setenv("HOROVOD_GLOO_RENDEZVOUS_PORT", "4000")
    path = held(tmp_path / ".lock", machine="elsewhere pid:[1]")
    assert ended(json.loads(path.read_text())) is None
    assert not stale(path)
    RunLock(path).take()
    assert json.loads(path.read_text())["machine"] == machine()
    held(path, machine="elsewhere pid:[1]", rendezvous="10.0.0.1-4001")
    with pytest.raises(InputError, match="host elsewhere"):
        RunLock(path).take()


def test_silent_lock_of_another_host(tmp_path: Path) -> None:
    lock = held(tmp_path / ".lock", machine="node7 x")
    assert not stale(lock)
    past = lock.stat().st_mtime - locks.STALE_AFTER - 1
    os.utime(lock, (past, past))
    assert stale(lock)
    assert not list(tmp_path.glob(".now*"))


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        "[" * 100_000,
        '"x"',
        '{"pid": "x"}',
        '{"pid": [], "machine": 3}',
        '{"restart": {}}',
    ],
    ids=["empty", "list", "deep", "text", "pid", "types", "restart"],
)
def test_damaged_lock_counts_by_its_age(content: str, tmp_path: Path) -> None:
    lock = tmp_path / ".lock"
    lock.write_text(content)
    with pytest.raises(InputError, match="works in this folder"):
        RunLock(lock).take()
    os.utime(lock, (1, 1))
    RunLock(lock).take()


def test_heartbeat_touches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(locks, "HEARTBEAT", 0.01)
    lock = held(tmp_path / ".lock")
    os.utime(lock, (1, 1))
    with locks.Heartbeat() as beat:
        beat.add(lock)
        threading.Event().wait(0.2)
    assert lock.stat().st_mtime > 1


def test_a_process_that_ends_at_once_gives_back_its_own_locks_alone(tmp_path: Path) -> None:
    run, cache, taken = (tmp_path / name for name in (".lock", "cache", "taken"))
    cache.mkdir()
    RunLock(run).take()
    RunLock(taken).take()
    held(taken, token="another's")
    with locks.Heartbeat() as beat:
        place = Workplace(cache, "shards")
        assert place.try_lock(beat)
        give_back_all()
        assert not run.exists()
        assert taken.exists()
        with pytest.MonkeyPatch.context() as elsewhere:
            elsewhere.setattr("app.running.owners.machine", lambda: "elsewhere")
            assert Workplace(cache, "shards").try_lock(beat)


def test_lock_that_the_first_rank_replaces_meanwhile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What another rank judges is then not the lock that it has read."""
    path = tmp_path / ".lock"
    held(path, pid=ended_pid(), job="srun-41-0-0")

    def replaced_before(lock: Path) -> bool:
        held(lock, job=locks.job_name())
        return stale(lock)

    monkeypatch.setattr(locks, "stale", replaced_before)
    RunLock(path).check()


def test_lock_that_is_released_while_another_job_looks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = held(tmp_path / ".lock", pid=os.getppid(), born=None)

    def released_before(lock: Path) -> bool:
        lock.unlink(missing_ok=True)
        return stale(lock)

    monkeypatch.setattr(locks, "stale", released_before)
    lock = RunLock(path)
    lock.take()
    lock.release()
    assert not path.exists()
