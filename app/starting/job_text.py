"""A batch script for one experiment, made from the shipped template of one process."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

from app.errors import InputError
from app.running.batch import UNFIT, directives
from app.starting import shipped

TEMPLATE = "slurm/single.sbatch"
BODY = "export TF_CPP_MIN_LOG_LEVEL"  # the line from which on the template is taken as it is
RESOURCES = {"time": "04:00:00", "ntasks": "1", "cpus-per-task": "8", "mem": "16G"}

HEAD = """\
#!/usr/bin/env bash
# Trains, predicts and scores the experiment of {name}.
#
# Use:        sbatch {script} [--flag=value …], from any folder
# Resources:  one task with eight cores, 16 GB, four hours; change the lines below. For a GPU add
#   --gres=gpu:1. Many clusters want --account=… and --partition=… as well.
# Adapt:      USR1 comes 120 s before the time limit; the job then writes a checkpoint, is queued
#   again and goes on, until the experiment is finished.
#
{directives}

set -euo pipefail
FLAGFILE={flagfile}
RUN={run}
PYTHON={python}
"""


def as_job(script: Path, flagfile: Path, run: Path, options: str) -> str:
    """The script's text; `options` are sbatch's, as a user gives them, and beat those here.

    InputError where a folder's name cannot stand in such a script.
    """
    if odd := UNFIT.search(str(script)):
        raise InputError(f"{script}: {odd[0]!r} in a name cannot stand in a batch script")
    told = {
        "job-name": f"finescale-{script.parent.name}",
        **RESOURCES,
        "signal": "USR1@120",
        "requeue": "",
        "open-mode": "append",
        "output": str(script.parent).replace("%", "%%") + "/slurm-%j.out",
    }
    head = HEAD.format(
        name=flagfile,
        script=shlex.quote(str(script)),
        directives=directives(told, options),
        flagfile=shlex.quote(str(flagfile)),
        run=shlex.quote(str(run)),
        python=shlex.quote(sys.executable),
    )
    template = shipped.text(TEMPLATE)
    return head + template[template.index(BODY) :]
