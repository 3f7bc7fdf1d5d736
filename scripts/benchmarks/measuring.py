"""Wall and CPU time of things done in turns, so that what else a machine does meets all alike."""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Work = Callable[[], Any]
Costs = dict[str, list["Cost"]]


@dataclass(frozen=True)
class Cost:
    """Seconds by the clock and of the processor, for `amount` of something; MiB at the peak."""

    wall: float
    cpu: float
    amount: float = 1.0
    peak_mib: float = 0.0

    @property
    def rate(self) -> float:
        """Amount a second."""
        return self.amount / self.wall

    @property
    def cpu_rate(self) -> float:
        """Amount a second of one core."""
        return self.amount / max(self.cpu, 1e-9)


def cost_of(work: Work, amount: float = 1.0) -> Cost:
    """What some work in this process takes, and in the processes that it waits for."""
    cpu, begun = _cpu(), time.perf_counter()
    work()
    return Cost(time.perf_counter() - begun, _cpu() - cpu, amount)


def cost_of_command(argv: Sequence[str], amount: float = 1.0, **options: Any) -> Cost:
    """What a command takes, from its start to its end.

    Raises RuntimeError, with the end of what it said, where it fails.
    """
    begun = time.perf_counter()
    with subprocess.Popen(
        argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **options
    ) as process:
        assert process.stdout is not None
        said = process.stdout.read()
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    wall = time.perf_counter() - begun
    if process.returncode:
        raise RuntimeError(f"{' '.join(argv[:4])} …: {said.strip()[-300:]}")
    return Cost(wall, used.ru_utime + used.ru_stime, amount, used.ru_maxrss / 1024)


def in_turns(cases: Mapping[str, Callable[[], Cost]], runs: int) -> Costs:
    """Each case once, then each once more, `runs` times."""
    costs: Costs = {name: [] for name in cases}
    for _ in range(runs):
        for name, case in cases.items():
            costs[name].append(case())
    return costs


def steps_for(seconds: float, timed: Callable[[int], Cost], first: int = 2) -> int:
    """How many steps take so long; `timed` takes some of them, after they were compiled."""
    timed(first)
    each = timed(first).wall / first
    return max(first, round(seconds / max(each, 1e-6)))


def rates(costs: Costs, unit: str, reference: str = "") -> list[dict[str, Any]]:
    """A row a case: its rates by clock and core, and their ratio to those of `reference`."""
    rows = []
    for name, own in costs.items():
        row: dict[str, Any] = {
            "what": name,
            f"{unit}/s": [cost.rate for cost in own],
            f"{unit}/core-s": [cost.cpu_rate for cost in own],
        }
        if reference in costs:
            pairs = list(zip(own, costs[reference], strict=True))
            row[f"× {reference}"] = [one.rate / other.rate for one, other in pairs]
            row[f"× {reference}, by core"] = [one.cpu_rate / other.cpu_rate for one, other in pairs]
        rows.append(row)
    return rows


def median(values: Sequence[float]) -> float:
    """The median, NaN of nothing."""
    return statistics.median(values) if values else float("nan")


def _cpu() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)
