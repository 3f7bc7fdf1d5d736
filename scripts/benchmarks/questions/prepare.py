"""Preparing shards, beside copying the same bytes."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import Any

from scripts.benchmarks.fields import prepared, write_fields
from scripts.benchmarks.measuring import Cost, cost_of, cost_of_command, in_turns
from scripts.benchmarks.results import REPOSITORY, Table
from scripts.benchmarks.settings import Settings
from scripts.benchmarks.temporary import environment, folder

CELLS = 128
MOST_RUNS = 3
MIB = 512


def run(settings: Settings) -> list[Table]:
    """The function in this process, the whole command, and cp with fsync."""
    mib = 16 if settings.small else MIB
    settings.say(f"prepare: {mib} MiB")
    with folder(settings.work) as work:
        data = work / "x.nc"
        write_fields(data, mib * 2**20 // (CELLS * CELLS * 4), CELLS)
        amount = data.stat().st_size / 1e9
        write_fields(work / "first.nc", 8, CELLS)  # imports what is needed
        _function(work / "first.nc", work / "cache", amount)
        cases = {
            "cp, synced": lambda: _copied(data, work / "copy.nc", amount),
            "prepare, the function": lambda: _function(data, work / "cache", amount),
            "prepare, the command": lambda: _command(data, work / "cache", amount, settings),
        }
        costs = in_turns(cases, min(settings.runs, MOST_RUNS))
    copied = costs["cp, synced"]
    rows: list[dict[str, Any]] = [
        {
            "what": name,
            "GB/s": [cost.rate for cost in own],
            "GB/core-s": [cost.cpu_rate for cost in own],
            "× cp": [a.rate / b.rate for a, b in zip(own, copied, strict=True)],
        }
        for name, own in costs.items()
    ]
    note = (
        f"{mib} MiB of float32 fields of {CELLS} × {CELLS}, PerfectProg ×4, checksums, moments and "
        "the coarse fields included; the source is in the page cache."
    )
    return [Table("prepare", "Preparing data", rows, [note])]


def _copied(data: Path, target: Path, amount: float) -> Cost:
    def copy() -> None:
        shutil.copyfile(data, target)
        with target.open("rb+") as file:
            os.fsync(file.fileno())

    cost = cost_of(copy, amount)
    target.unlink()
    return cost


def _function(data: Path, cache: Path, amount: float) -> Cost:
    cost = cost_of(lambda: prepared(data, cache), amount)
    shutil.rmtree(cache)
    return cost


def _command(data: Path, cache: Path, amount: float, settings: Settings) -> Cost:
    cost = cost_of_command(
        [
            *(sys.executable, "-m", "app", "prepare", f"--data={data}", "--variable=t2m"),
            *("--scale=4", f"--cache_dir={cache}", f"--save_path={cache.parent / 'run'}"),
        ],
        env=environment(settings.threads),
        cwd=REPOSITORY,
    )
    shutil.rmtree(cache)
    return cost
