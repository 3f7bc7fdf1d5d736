"""Signals, the file STOP and the clock end a run where it allows it."""

import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from app.errors import Interrupted
from app.running import interruption
from app.running.interruption import SIGNALS, Interruption, deadline


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(interruption, "POLL", 0.01)
    for name in ("SLURM_JOB_ID", "SLURM_JOB_END_TIME"):
        monkeypatch.delenv(name, raising=False)


def asking(folder: Path, **which: bool) -> tuple[Interruption, list[str]]:
    """A fresh interruption, and why it would have ended the process."""
    request, ends = Interruption(folder, **which), []

    def end(reason: str) -> None:
        ends.append(reason)
        request.ending = lambda _: None  # as the process would be gone

    request.ending = end
    return request, ends


def wait_for(happened: Callable[[], object]) -> None:
    end = time.monotonic() + 5
    while not happened() and time.monotonic() < end:
        time.sleep(0.01)
    assert happened()


@pytest.mark.parametrize("number", SIGNALS)
def test_signal_ends_what_does_not_look(tmp_path: Path, number: signal.Signals) -> None:
    before = signal.getsignal(number)
    request, ends = asking(tmp_path)
    with request:
        os.kill(os.getpid(), number)
        wait_for(lambda: ends)
    assert ends == [number.name]
    assert signal.getsignal(number) is before
    assert signal.set_wakeup_fd(-1) == -1


def test_deferred_signal_waits_for_the_stage(tmp_path: Path) -> None:
    request, ends = asking(tmp_path)
    with request:
        with request.deferred():
            os.kill(os.getpid(), signal.SIGTERM)
            wait_for(lambda: request.requested)
            with pytest.raises(Interrupted, match="SIGTERM"):
                request.check()
        os.kill(os.getpid(), signal.SIGTERM)  # a second one does not disturb the end
        time.sleep(0.2)
        assert not ends


def test_request_that_the_stage_did_not_see_ends_what_follows(tmp_path: Path) -> None:
    request, ends = asking(tmp_path)
    with request:
        with request.deferred():
            os.kill(os.getpid(), signal.SIGUSR1)
            wait_for(lambda: request.requested)
            assert not ends
        wait_for(lambda: ends)


def test_second_ctrl_c_waits_for_no_stage(tmp_path: Path) -> None:
    request, ends = asking(tmp_path)
    with request, request.deferred():
        os.kill(os.getpid(), signal.SIGINT)
        wait_for(lambda: request.requested)
        time.sleep(0.1)
        assert not ends
        os.kill(os.getpid(), signal.SIGINT)
        wait_for(lambda: ends)


def test_ignored_signal_stays_ignored(tmp_path: Path) -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    request, ends = asking(tmp_path)
    try:
        with request:
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(0.1)
    finally:
        signal.signal(signal.SIGINT, before)
    assert not request.requested
    assert not ends


# Code that an exception raised between any two of its instructions would have come to grief in.
BUSY = {
    "taken for an error": """
        while True:
            try:
                sum(range(1000))
            except BaseException as error:
                raise ImportError("initialization failed") from error
    """,
    "lock left taken": """
        class Lock:
            def __init__(self): self.lock = threading.Lock()
            def __enter__(self): self.lock.__enter__()
            def __exit__(self, *_): self.lock.__exit__(None, None, None)
        lock = Lock()
        try:
            while True:
                with lock: pass
        finally:
            with lock: print("closed")
    """,
    "lost in a callback": """
        class Thing: pass
        while True:
            thing = Thing()
            reference = weakref.ref(thing, lambda _: sum(range(1000)))
            del thing
    """,
    "deep in C": "hashlib.pbkdf2_hmac('sha512', b'', b'', 200_000_000)",
}
PROGRAM = """
import hashlib, sys, threading, weakref
from app import main, options
from app.ranks import Ranks
from app.session import Session

def run(session):
    print("busy", flush=True)
    BUSY

sys.modules["app.stages.metrics"] = type(sys)("metrics")
sys.modules["app.stages.metrics"].run = run
sys.exit(main.main(sys.argv[1:]))
"""


@pytest.mark.parametrize("busy", BUSY)
def test_request_ends_whatever_runs(tmp_path: Path, busy: str) -> None:
    body = textwrap.indent(textwrap.dedent(BUSY[busy]).strip(), "    ")
    argv = ["metrics", "--data=synthetic", "--variable=precipitation", f"--save_path={tmp_path}"]
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM.replace("    BUSY", body), *argv],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    said = process.stdout.readline()
    assert said == "busy\n", process.communicate()
    process.terminate()
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 3, errors
    assert "interrupted (SIGTERM); the same command goes on" in errors
    assert json.loads((tmp_path / "status.json").read_text())["state"] == "interrupted"
    assert not (tmp_path / ".lock").exists()


def test_stop_file_of_now_but_not_of_before(tmp_path: Path) -> None:
    (tmp_path / "STOP").touch()
    request, ends = asking(tmp_path)
    with request:
        time.sleep(0.1)
        assert not request.requested
        request.clear_leftover()
        assert not (tmp_path / "STOP").exists()
        (tmp_path / "STOP").touch()
        wait_for(lambda: ends)
    assert ends == [f"file {tmp_path / 'STOP'}"]


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
        wait_for(lambda: other.requested)


def test_clock_leaves_the_reserve(tmp_path: Path) -> None:
    with Interruption(tmp_path) as request, request.deferred():
        request.ends(time.time() + interruption.RESERVE + 60)
        time.sleep(0.1)
        assert not request.requested
        request.reserve = 61
        wait_for(lambda: request.requested)
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
