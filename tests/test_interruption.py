"""Signals, the file STOP and the clock end a run where it allows it."""

import os
import signal
import sys
import time
import weakref
from pathlib import Path

import pytest

from app import interruption
from app.errors import Interrupted
from app.interruption import Interruption, deadline


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(interruption, "POLL", 0.01)
    for name in ("SLURM_JOB_ID", "SLURM_JOB_END_TIME"):
        monkeypatch.delenv(name, raising=False)


def wait(seconds: float = 5.0) -> None:
    """Long enough for whatever should come."""
    time.sleep(seconds)


def kill_and_wait(number: signal.Signals) -> None:
    os.kill(os.getpid(), number)
    wait()


def touch_and_wait(path: Path) -> None:
    path.touch()
    wait()


def wait_for(request: Interruption) -> None:
    end = time.monotonic() + 5
    while not request.requested and time.monotonic() < end:
        time.sleep(0.01)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR1])
def test_signal_ends_what_waits(tmp_path: Path, number: signal.Signals) -> None:
    before = signal.getsignal(number)
    with Interruption(tmp_path), pytest.raises(Interrupted, match=number.name):
        kill_and_wait(number)
    assert signal.getsignal(number) is before


class Lost:
    """What asks for its object's end to be told, and is interrupted while it is told."""


def test_request_that_a_callback_swallows_is_raised_again(tmp_path: Path) -> None:
    def told(_: weakref.ref[Lost]) -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        sum(range(1000))  # the signal is looked at here, where Python ignores what is raised

    things = [Lost()]
    reference = weakref.ref(things[0], told)
    before = sys.unraisablehook
    with Interruption(tmp_path):
        things.clear()
        assert reference() is None
        with pytest.raises(Interrupted, match="SIGTERM"):
            wait()
    assert sys.unraisablehook is before


def test_deferred_signal_waits_for_the_stage(tmp_path: Path) -> None:
    with Interruption(tmp_path) as request:
        with request.deferred():
            os.kill(os.getpid(), signal.SIGTERM)
            wait_for(request)
        with pytest.raises(Interrupted, match="SIGTERM"):
            request.check()
        os.kill(os.getpid(), signal.SIGTERM)  # a second one does not disturb the end


def test_errors_are_handled_without_taking_it_for_one(tmp_path: Path) -> None:
    def handling() -> None:
        try:
            kill_and_wait(signal.SIGTERM)
        except Exception:
            wait()

    with Interruption(tmp_path), pytest.raises(Interrupted):
        handling()


def test_stop_file_of_now_but_not_of_before(tmp_path: Path) -> None:
    (tmp_path / "STOP").touch()
    with Interruption(tmp_path) as request:
        time.sleep(0.1)
        assert not request.requested
        request.clear_leftover()
        assert not (tmp_path / "STOP").exists()
        with pytest.raises(Interrupted, match=r"file .*STOP"):
            touch_and_wait(tmp_path / "STOP")


def test_leftover_touched_again_is_kept(tmp_path: Path) -> None:
    (tmp_path / "STOP").touch()
    request = Interruption(tmp_path)
    os.utime(tmp_path / "STOP", (1, 1))
    request.clear_leftover()
    assert (tmp_path / "STOP").exists()


def test_request_reaches_other_ranks_by_the_file(tmp_path: Path) -> None:
    asked, other = (Interruption(tmp_path, several=True) for _ in range(2))
    asked.request("SIGTERM")
    with other, other.deferred():
        asked.spread()
        wait_for(other)
        assert other.requested


def test_clock_leaves_the_reserve(tmp_path: Path) -> None:
    with Interruption(tmp_path) as request, request.deferred():
        request.ends(time.time() + interruption.RESERVE + 60)
        time.sleep(0.1)
        assert not request.requested
        request.reserve = 61
        wait_for(request)
        assert "s left of the time allowed" in str(request.reason)


def test_deadline_is_the_earlier_of_limit_and_slurm(monkeypatch: pytest.MonkeyPatch) -> None:
    assert deadline(None) is None
    now = time.time()
    assert deadline(60) == pytest.approx(now + 60, abs=5)
    monkeypatch.setenv("SLURM_JOB_ID", "41")
    monkeypatch.setenv("SLURM_JOB_END_TIME", str(int(now + 30)))
    assert deadline(60) == int(now + 30)
    assert deadline(10) == pytest.approx(now + 10, abs=5)


def test_deadline_from_scontrol(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "scontrol"
    program.write_text(
        "#!/bin/sh\necho JobId=41; echo '  EndTime=2030-01-02T03:04:05 Deadline=N/A'\n"
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setenv("SLURM_JOB_ID", "41")
    assert deadline(None) == time.mktime((2030, 1, 2, 3, 4, 5, 0, 0, -1))
