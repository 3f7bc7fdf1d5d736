"""The tree as data descriptions and flagfiles: one of each for every model."""

from __future__ import annotations

import math
import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from app.arrays import Array, Json
from app.cordex import protocol
from app.cordex.places import Places, Task
from app.cordex.template import TIME, opened, stamps_of
from app.cordex.tree import Training, Tree
from app.data.description import DataDescription, Source, Splits, Variable
from app.data.times import DAY, Stamps
from app.errors import InputError
from app.running.batch import directives
from app.starting.description_text import as_yaml
from app.starting.shipped import SCHEMA, root

VALIDATED = 0.1  # share of each training period, at its end
APART = 366 * DAY  # seconds between the periods of an experiment, at least
COARSE_CELLS = 8  # along a side of the target: about as large as those of the predictors
HALO = 2  # coarse cells beyond the target
KINDS: dict[str, Json] = {
    "pr": {"units": "mm day-1", "kind": "ratio", "valid_min": 0.0, "wet_threshold": 1.0},
    "tasmax": {},
}
# What suits each target; any flag of the command line beats these.
FLAGS: dict[str, Json] = {
    "pr": {"loss": "bernoulli_gamma"},
    "tasmax": {"loss": "mse", "first_guess": "linear"},
}
SHARED: Json = {
    "paired_samples": "predictors",
    "halo": HALO,
    "time_features": ("day_of_year",),
    "padding": "edge",
}
SCRIPT = """\
#!/usr/bin/env bash
# Trains the models of a submission to CORDEX-ML-Bench, one a task of the array.
{directives}

set -euo pipefail
cd {folder}
FLAGFILES=(
{flagfiles}
)
{python} -m app train --flagfile="${{FLAGFILES[SLURM_ARRAY_TASK_ID]}}"
"""


@dataclass(frozen=True)
class Described:
    """What is written for one model."""

    task: Task
    description: str
    flagfile: str


def described(tree: Tree, task: Task, places: Places, orography: bool, flags: Json) -> Described:
    """The texts for one model; `flags` beat those that suit its target.

    InputError where its files are missing or tell no times.
    """
    training = tree.training(task.domain, task.experiment)
    if orography and training.static is None:
        raise InputError(
            f"{training.predictors[0].parent}: no {protocol.STATIC}, whose orography a submission "
            f"of the name {places.name} is to know; expected that file, or a name without "
            f"{protocol.OROGRAPHY_TAG}"
        )
    own = {
        "data_config": places.description(task).resolve(),
        "save_path": places.run(task).resolve(),
        "cache_dir": places.cache.resolve(),
        "scale": _scale(training.targets[0], task.target),
        **SHARED,
        **FLAGS[task.target],
        **flags,
    }
    lines = [
        f"# CORDEX-ML-Bench: {task.target} of {task.domain}, {task.experiment}.",
        "# Written by the command cordex; it is yours to edit.",
        *(f"--{name}={_text(value)}" for name, value in own.items()),
    ]
    notes = [f"CORDEX-ML-Bench: {task.target} of {task.domain}, {task.experiment}."]
    text = as_yaml(_description(training, task.target, orography), root() / SCHEMA, notes, {})
    return Described(task, text, "\n".join(lines) + "\n")


def job_script(flagfiles: Sequence[Path], places: Places, options: str) -> str:
    """A Slurm array that trains all models; `options` are sbatch's and beat those here."""
    told = {
        "job-name": f"cordex-{places.name}",
        "array": f"0-{len(flagfiles) - 1}",
        "time": "08:00:00",
        "cpus-per-task": "8",
        "mem": "32G",
        "signal": "USR1@120",
        "requeue": "",
        "open-mode": "append",
        "output": str(places.folder.resolve()).replace("%", "%%") + "/slurm-%A_%a.log",
    }
    return SCRIPT.format(
        directives=directives(told, options),
        folder=shlex.quote(str(Path.cwd())),
        flagfiles="\n".join(f"    {shlex.quote(str(one.resolve()))}" for one in flagfiles),
        python=shlex.quote(sys.executable),
    )


def _description(training: Training, target: str, orography: bool) -> DataDescription:
    predictors = tuple(Variable(name, name) for name in _predictors(training.predictors[0]))
    static: tuple[Source, ...] = ()
    if orography:
        assert training.static is not None
        name = _orography(training.static)
        static = (Source((_plain(training.static),), (Variable(name, name),)),)
    return DataDescription(
        predictand=Source(
            tuple(map(_plain, training.targets)), (Variable(target, target, **KINDS[target]),)
        ),
        predictors=(Source(tuple(map(_plain, training.predictors)), predictors),),
        static=static,
        splits=_splits(training.targets),
        scaling_axes="pixel",
    )


def _predictors(path: Path) -> tuple[str, ...]:
    """The predictors of a file: variables NAME_LEVEL with times."""
    with opened(path) as file:
        found = tuple(
            name
            for name, one in file.variables.items()
            if TIME in one.dimensions and name.rpartition("_")[2].isdigit()
        )
    if not found:
        raise InputError(f"{path}: no predictors; expected variables such as t_850")
    return found


def _orography(path: Path) -> str:
    with opened(path) as file:
        found = [
            name
            for name, one in file.variables.items()
            if len(one.dimensions) >= 2 and name.lower().startswith(protocol.OROGRAPHY)
        ]
    if not found:
        raise InputError(f"{path}: no orography; expected a variable {protocol.OROGRAPHY}")
    return found[0]


def _splits(targets: Sequence[Path]) -> Splits:
    """The last tenth of each period validates."""
    train, validation = [], []
    for path in targets:
        with opened(path) as file:
            try:
                stamps = stamps_of(file[TIME])
            except (ValueError, IndexError) as error:
                raise InputError(f"{path}: its times cannot be decoded ({error})") from error
        for part in _periods(stamps):
            own = stamps.take(part)
            first = len(own) - max(1, round(VALIDATED * len(own)))
            if first < 1:
                raise InputError(f"{path}: a single time; expected at least two in each period")
            train.append((_day(own, 0), _day(own, first - 1)))
            validation.append((_day(own, first), _day(own, -1)))
    return Splits(kind="dates", train=tuple(train), validation=tuple(validation))


def _day(stamps: Stamps, number: int) -> str:
    return stamps.text(number)[:10]


def _periods(stamps: Stamps) -> list[Array]:
    """Rows of the stretches of time that lie further apart than a year."""
    breaks = np.flatnonzero(np.diff(stamps.seconds) > APART) + 1
    return np.split(np.arange(len(stamps)), breaks)


def _scale(path: Path, target: str) -> int:
    """Fine cells along a side of a coarse cell: a divisor of the grid's size."""
    with opened(path) as file:
        if target not in file.variables:
            raise InputError(f"{path}: no variable {target}")
        sizes = file[target].shape[-2:]
    common = math.gcd(*sizes)
    most = max(2, min(sizes) // COARSE_CELLS)
    return max((n for n in range(2, most + 1) if common % n == 0), default=most)


def _plain(path: Path) -> str:
    return str(path.resolve())


def _text(value: object) -> str:
    from app.options import as_text

    return as_text(value)
