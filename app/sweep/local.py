"""Members run on this machine, some at a time, each a process with a log of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager

from absl import logging

from app.errors import Interrupted
from app.exit_codes import INTERRUPTED
from app.running.atomic import write_bytes, write_text
from app.sweep.members import SweepRun

STOPPED = -signal.SIGTERM
STOPPING = (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1)


def run_members(
    members: Sequence[SweepRun], stages: Sequence[str], *, jobs: int, threads: int | None
) -> list[SweepRun]:
    """Run all members, `jobs` at a time; return those that failed.

    threads: of each process; None divides the cores among those that run at a time.
    """
    at_once = max(1, min(jobs, len(members)))
    runner = _Runner(tuple(stages), threads or max(1, len(os.sched_getaffinity(0)) // at_once))
    failed = []
    with ThreadPoolExecutor(at_once) as pool, runner.stopped_with_us():
        futures = {pool.submit(runner.run, member): member for member in members}
        for done, future in enumerate(as_completed(futures), start=1):
            member, (code, seconds) = futures[future], future.result()
            how = "finished" if code == 0 else f"FAILED ({member.last_line()})"
            if code and runner.stopping:
                how = "stopped"
            name = member.folder.name
            logging.info("%d/%d  %s  %.0f s  %s", done, len(members), name, seconds, how)
            if code != 0:
                failed.append(member)
    if runner.stopping:
        raise Interrupted(runner.stopping)
    return sorted(failed, key=lambda member: member.number)


class _Runner:
    """Starts processes, and ends them when this one is told to end."""

    def __init__(self, stages: tuple[str, ...], threads: int) -> None:
        self.stages, self.threads = stages, threads
        self.running: set[subprocess.Popen[bytes]] = set()
        self.lock = threading.RLock()  # a second signal may come while the first is obeyed
        self.stopping = ""  # by which signal

    def run(self, member: SweepRun) -> tuple[int, float]:
        """Exit code and seconds of one member, whose outcome is kept in its folder."""
        begun = time.monotonic()
        process = self._start(member)
        if process is None:
            return STOPPED, 0.0
        code = process.wait()
        with self.lock:
            self.running.discard(process)
        if code == 0:
            write_bytes(member.finished_flagfile, member.flagfile.read_bytes())
        if code != INTERRUPTED and not (code and self.stopping):
            # one that was told to stop has not failed
            write_text(member.exit_code, f"{code}\n")
        return code, time.monotonic() - begun

    def _start(self, member: SweepRun) -> subprocess.Popen[bytes] | None:
        """The member's process; None where no more are to be started."""
        with self.lock:
            if self.stopping:
                return None
            member.exit_code.unlink(missing_ok=True)
            member.finished_flagfile.unlink(missing_ok=True)
            with member.log.open("ab") as log:
                process = subprocess.Popen(
                    [*program(member, self.stages), f"--threads={self.threads}"],
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    stdin=subprocess.DEVNULL,
                    start_new_session=True,  # a Ctrl-C reaches them once, through us
                )
            self.running.add(process)
            return process

    @contextmanager
    def stopped_with_us(self) -> Iterator[None]:
        """On Ctrl-C, SIGTERM or SIGUSR1 pass SIGTERM on, so that members write their checkpoints.

        Nothing is raised here, where it might leave a lock taken that a member's thread needs.
        """

        def stop(number: int, _: object) -> None:
            with self.lock:
                self.stopping = signal.Signals(number).name
                for process in self.running:
                    process.terminate()

        before = {number: signal.signal(number, stop) for number in STOPPING}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def program(member: SweepRun, stages: Sequence[str]) -> list[str]:
    """The command that runs one member."""
    return [sys.executable, "-m", "app", *stages, f"--flagfile={member.flagfile}"]
