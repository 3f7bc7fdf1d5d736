"""Members as one Slurm array."""

from __future__ import annotations

import shlex
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from app.errors import InputError
from app.exit_codes import INTERRUPTED
from app.running.atomic import write_text
from app.running.batch import UNFIT, directives
from app.sweep.members import SweepRun

SCRIPT = "array.sbatch"

TEMPLATE = """\
#!/usr/bin/env bash
# What:       the members of a sweep, an array task each; written by `python -m app sweep --submit`.
# Resources:  those of --sbatch_options='--partition=… --time=… --cpus-per-task=…', below.
# Adapt:      submit again by `sbatch {script}`; finished members do nothing and say so.
{directives}
set -euo pipefail
cd -- {folder}
python={python}
members=(
{members}
)
member="${{members[$SLURM_ARRAY_TASK_ID]}}"
rm -f -- "$member/exit_code" "$member/finished.cfg"
export TF_CPP_MIN_LOG_LEVEL=3
trap : TERM # pre-emption may signal this shell too, which must live to queue the task again
code=0
srun --kill-on-bad-exit=1 --cpus-per-task="${{SLURM_CPUS_PER_TASK:-1}}" \\
    "$python" -m app {stages} --flagfile="$member/member.cfg" >>"$member/log.txt" 2>&1 || code=$?
case "$code" in
0) cp -- "$member/member.cfg" "$member/finished.cfg" ;;
{interrupted}) exec scontrol requeue "$SLURM_JOB_ID" ;; # asked to stop; it goes on from there
esac
echo "$code" >"$member/exit_code"
exit "$code"
"""


def array_script(
    members: Sequence[SweepRun],
    todo: Sequence[SweepRun],
    stages: Sequence[str],
    jobs: int,
    options: str = "",
) -> str:
    """Text of the batch script: the tasks are the members in `todo`, by their numbers.

    `members` are all of the sweep; `jobs` above 1 bounds how many tasks run at a time; `options`
    are sbatch's. InputError where one of them or a folder's name cannot stand in such a script.
    """
    folder = members[0].folder.parent
    if odd := UNFIT.search(f"{folder}{Path.cwd()}"):
        raise InputError(
            f"--save_path={str(folder)!r}: {odd[0]!r} in the name of a folder cannot stand in the "
            "script of a Slurm array; expected another name, or the sweep without --submit"
        )
    throttle = f"%{jobs}" if jobs > 1 else ""
    here = Path.cwd()
    told = {
        "job-name": f"sweep-{folder.name}",
        "array": number_ranges([member.number for member in todo]) + throttle,
        "output": f"{str(folder).replace('%', '%%')}/slurm-%A_%a.log",
        "open-mode": "append",
        "signal": "USR1@120",
        "requeue": "",
    }
    return TEMPLATE.format(
        script=shlex.quote(str(folder / SCRIPT)),
        directives=directives(told, options),
        folder=shlex.quote(str(here)),
        python=shlex.quote(_within(sys.executable, here)),
        members="\n".join(
            f"    [{member.number}]={shlex.quote(str(member.folder))}" for member in members
        ),
        stages=" ".join(stages),
        interrupted=INTERRUPTED,
    )


def number_ranges(numbers: Sequence[int]) -> str:
    """Array indices as Slurm writes them: 0-3,5."""
    runs: list[list[int]] = []
    for number in sorted(numbers):
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return ",".join(f"{run[0]}-{run[-1]}" if len(run) > 1 else str(run[0]) for run in runs)


def submit(script: str, folder: Path) -> str:
    """Write the script into the sweep's folder and give it to sbatch; its answer."""
    path = folder / SCRIPT
    write_text(path, script)
    command = ["sbatch", str(path)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    except FileNotFoundError as error:
        raise InputError(
            f"--submit: no sbatch on this machine; {path} is written, submit it where Slurm is"
        ) from error
    except subprocess.CalledProcessError as error:
        raise InputError(f"--submit: sbatch refused {path}: {error.stderr.strip()}") from error
    return done.stdout.strip()


def _within(path: str, folder: Path) -> str:
    """The path relative to the folder where it lies in it."""
    try:
        return f"./{Path(path).relative_to(folder)}"
    except ValueError:
        return path
