"""How long commands take before they do anything."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

from scripts.benchmarks.measuring import Cost, cost_of_command, in_turns
from scripts.benchmarks.networks import COMMON, RESNET
from scripts.benchmarks.results import REPOSITORY, Table
from scripts.benchmarks.settings import Settings
from scripts.benchmarks.temporary import environment, folder

MOST_RUNS = 3
FIRST_STEP = """
import os, sys
import app.main
from app.training import base
taken = base.NetworkTrainer.train_step
def first(self, batch):
    taken(self, batch)
    self.epoch_losses()
    os._exit(0)
base.NetworkTrainer.train_step = first
app.main.main(sys.argv[1:])
"""


def run(settings: Settings) -> list[Table]:
    """Wall and processor seconds from the start of the process."""
    with folder(settings.work) as work:
        cases = {
            "--help": lambda: _program("--help", settings=settings),
            "list": lambda: _program("list", settings=settings),
            "import app": lambda: _python("import app", settings),
            "import tensorflow": lambda: _python("import tensorflow", settings),
            "check of the quickstart": lambda: _program(
                *("check", *COMMON, f"--cache_dir={settings.cache}"), settings=settings
            ),
            "the first step of train is done": lambda: _first_step(work, settings),
        }
        settings.say("startup")
        costs = in_turns(cases, min(settings.runs, MOST_RUNS))
    rows: list[dict[str, Any]] = [
        {"what": name, "s": [c.wall for c in own], "core-s": [c.cpu for c in own]}
        for name, own in costs.items()
    ]
    return [Table("startup", "Starting", rows, ["From the start of the process; data prepared."])]


def _program(*argv: str, settings: Settings) -> Cost:
    return cost_of_command(
        [sys.executable, "-m", "app", *argv], env=environment(settings.threads), cwd=REPOSITORY
    )


def _python(code: str, settings: Settings) -> Cost:
    return cost_of_command(
        [sys.executable, "-c", code], env=environment(settings.threads), cwd=REPOSITORY
    )


def _first_step(work: Path, settings: Settings) -> Cost:
    flags = [*COMMON, *RESNET, "--wide_head=false", f"--threads={settings.threads}"]
    where = [f"--cache_dir={settings.cache}", f"--save_path={work / str(time.time_ns())}"]
    return cost_of_command(
        [sys.executable, "-c", FIRST_STEP, "train", *flags, *where],
        env=environment(settings.threads),
        cwd=REPOSITORY,
    )
