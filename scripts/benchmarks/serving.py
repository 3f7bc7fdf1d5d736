"""The protocol between the benchmarks and what they time in processes of their own.

A competitor gets its task as JSON on the command line, answers with facts about itself, and then
does so many steps for each line that it reads, answering with the seconds that they took. It runs
on the Python of its own environment: only the standard library is imported here.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from scripts.benchmarks.measuring import Cost, cost_of
from scripts.benchmarks.temporary import REPOSITORY, environment

Step = Callable[[int], Any]
Prepare = Callable[[dict[str, Any]], tuple[dict[str, Any], Step]]


class Unavailable(RuntimeError):
    """A competitor that cannot be had, in one line."""


def serve(prepare: Prepare) -> None:
    """Within a competitor: prepare the task, then take steps as they are asked for."""
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # what libraries print is no answer
    task = json.loads(sys.argv[1])
    try:
        facts, step = prepare(task)
        _pin(task.get("threads", 1))
        print(json.dumps(facts), file=answers)
        for line in sys.stdin:
            told: list[Any] = []
            cost = cost_of(lambda told=told, n=int(line): told.append(step(n)))
            extra = told[0] if isinstance(told[0], dict) else {}
            print(json.dumps({"wall": cost.wall, "cpu": cost.cpu, **extra}), file=answers)
    except Exception as error:
        told = (str(error).splitlines() or [""])[0]
        print(json.dumps({"error": f"{type(error).__name__}: {told}"[:300]}), file=answers)
        raise


def _pin(cores: int) -> None:
    """Keep all threads of this process, and those that they start, on the last cores."""
    last = sorted(os.sched_getaffinity(0))[-cores:]
    for thread in os.listdir("/proc/self/task"):
        with suppress(ProcessLookupError):  # one that has just ended
            os.sched_setaffinity(int(thread), last)


class Competitor:
    """A process that gets ready, beside others, and then waits to be asked for steps.

    `facts`: what it has said of itself once it is `ready`, batch and weights among them.
    """

    def __init__(self, python: str | Path, module: str, task: dict[str, Any], log: Path) -> None:
        self._log = log.open("ab")
        self.process = subprocess.Popen(
            [str(python), "-m", f"scripts.benchmarks.competitors.{module}", json.dumps(task)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
            env=environment(task.get("threads", 1)),
            cwd=REPOSITORY,
        )
        self.facts: dict[str, Any] = {}
        self.last: dict[str, Any] = {}

    def ready(self) -> Competitor:
        """Wait until it is; Unavailable where it cannot do its task."""
        try:
            self.facts = self._answer()
        except Unavailable:
            self.close()
            raise
        return self

    def steps(self, count: int) -> Cost:
        """So many steps; `last` has what else was answered."""
        assert self.process.stdin is not None
        try:
            print(count, file=self.process.stdin, flush=True)
        except OSError as error:
            raise Unavailable("has ended") from error
        self.last = self._answer()
        return Cost(self.last["wall"], self.last["cpu"], count * self.facts.get("batch", 1))

    def close(self) -> None:
        """Let the process end."""
        self.process.kill()
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout, self._log):
            if stream is not None:
                stream.close()

    def _answer(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise Unavailable(f"ended without an answer; see {Path(self._log.name).name}")
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise Unavailable(answer["error"])
        return answer


def close_all(competitors: Sequence[Competitor]) -> None:
    """Let all of them end."""
    for one in competitors:
        one.close()
