"""Training: steps of this program beside DL4DS and PyTorch, and the time to a given test error."""

from __future__ import annotations

import sys
from typing import Any

from scripts.benchmarks.measuring import Costs, in_turns, median, rates, steps_for
from scripts.benchmarks.networks import CELLS, NETWORKS, SCALE, Task
from scripts.benchmarks.outside import DL4DS, TORCH, Environment
from scripts.benchmarks.questions import time_to_error
from scripts.benchmarks.results import Table
from scripts.benchmarks.serving import Competitor, Unavailable, close_all
from scripts.benchmarks.settings import Settings

OURS = "finescale"
TORCH_WAYS = ("PyTorch eager", "PyTorch compiled")


def run(settings: Settings) -> list[Table]:
    """A table for each precision, and one of the times to an error where they are wanted."""
    tables = []
    for precision in settings.precisions:
        rows: list[dict[str, Any]] = []
        notes: list[str] = []
        for name in settings.networks or tuple(NETWORKS):
            own, said = _network(name, precision, settings)
            rows += own
            notes += [f"*{name}*: {text}" for text in said]
        title = f"Training steps, {precision}"
        about = (
            f"{CELLS} × {CELLS} cells, ×{SCALE}, no dropout, Adam, mean absolute error, a constant "
            "batch; PyTorch with channels last, the better of eager and compiled for the ratio."
        )
        tables.append(Table(f"train_{precision}", title, rows, [about, *notes]))
    if settings.error_seconds:
        tables.append(time_to_error.run(settings))
    return tables


def _network(
    name: str, precision: str, settings: Settings
) -> tuple[list[dict[str, Any]], list[str]]:
    """Rows of one network, and what could not be measured."""
    settings.say(f"train: {name}, {precision}")
    costs, weights, missing = _timed(name, precision, settings)
    best = max(
        (way for way in TORCH_WAYS if way in costs),
        key=lambda way: median([cost.cpu_rate for cost in costs[way]]),
        default="",
    )
    if OURS not in costs:
        raise RuntimeError(" ".join(missing))
    if best:
        _assert_equal(name, weights[OURS], weights[best], 0.0, best)
    if "DL4DS" in costs:
        _assert_equal(name, weights[OURS], weights["DL4DS"], NETWORKS[name].within, "DL4DS")
    rows = []
    beside: dict[str, dict[str, Any]] = {}
    for label, reference in (("DL4DS", "DL4DS"), ("PyTorch", best)):
        for row in rates(costs, "samples", reference) if reference in costs else []:
            ratio = row[f"× {reference}, by core"]
            beside.setdefault(row["what"], {})[f"× {label}, by core"] = ratio
    for row in rates(costs, "samples"):
        program = row.pop("what")
        rows.append(
            {
                "network": name,
                "program": program,
                "weights": weights[program],
                **row,
                **(beside.get(program, {}) if program.startswith(OURS) else {}),
            }
        )
    return rows, missing


def _timed(
    name: str, precision: str, settings: Settings
) -> tuple[Costs, dict[str, int], list[str]]:
    """Costs and weights by program, and why others are missing."""
    started: dict[str, Competitor] = {}
    competitors: dict[str, Competitor] = {}
    missing = []

    def leave_out(program: str, error: Unavailable) -> None:
        missing.append(f"{program}: {error}.")
        settings.say(missing[-1])

    try:
        for program, (environment, module, task) in _programs(name, precision, settings).items():
            try:
                python = environment.python(settings.folder) if environment else sys.executable
                started[program] = Competitor(python, module, task, settings.log)
            except Unavailable as error:
                leave_out(program, error)
        for program, one in started.items():
            try:
                competitors[program] = one.ready()
            except Unavailable as error:
                leave_out(program, error)
        counts = {
            program: steps_for(settings.seconds, one.steps) for program, one in competitors.items()
        }
        cases = {
            program: lambda one=one, count=counts[program]: one.steps(count)
            for program, one in competitors.items()
        }
        weights = {program: one.facts["weights"] for program, one in competitors.items()}
        return in_turns(cases, settings.runs), weights, missing
    finally:
        close_all(list(started.values()))


def _programs(
    name: str, precision: str, settings: Settings
) -> dict[str, tuple[Environment | None, str, dict[str, Any]]]:
    """By program: its environment, its module, and what it is told."""

    def told(**extra: Any) -> dict[str, Any]:
        return Task(name, settings.threads, precision, extra).told()

    cache = str(settings.cache)
    found: dict[str, tuple[Environment | None, str, dict[str, Any]]] = {
        OURS: (None, "with_finescale", told(cache=cache))
    }
    if name == "resnet-spc":
        own = told(cache=cache, source="shards")
        found[f"{OURS}, from shards"] = (None, "with_finescale", own)
    if settings.outside and NETWORKS[name].dl4ds is not None and precision == "float32":
        found["DL4DS"] = (DL4DS, "with_dl4ds", told())
    if settings.outside:
        for way in TORCH_WAYS:
            found[way] = (TORCH, "with_torch", told(compiled=way == TORCH_WAYS[1]))
    return found


def _assert_equal(name: str, ours: int, theirs: int, within: float, whose: str) -> None:
    """AssertionError where two programs do not train networks of one size."""
    if abs(ours - theirs) > within * ours:
        raise AssertionError(f"{name}: {ours} weights here, {theirs} in {whose}")
