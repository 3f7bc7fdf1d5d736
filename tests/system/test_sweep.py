"""Sweeps run as users run them."""

import csv
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.system.conftest import TIME_LIMIT_S, environment

LIGHT = """
import sys
from app.main import main
code = main(sys.argv[1:])
heavy = {"keras", "tensorflow", "horovod"} & set(sys.modules)
assert not heavy, heavy
sys.exit(code)
"""


def light(folder: Path, *argv: str, **extra: str) -> str:
    """Run in a process that must not have imported a framework in the end."""
    done = subprocess.run(
        [sys.executable, "-c", LIGHT, *argv],
        cwd=folder,
        env=environment(**extra),
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout + done.stderr


@pytest.mark.slow
def test_local_sweep_goes_on_after_a_failure_and_is_collected(
    run, data_flags: list[str], tmp_path: Path
) -> None:
    flags = [*data_flags[:-1], "--epochs=1", "--notensorboard", "--save_path=sweep"]
    sweep = ["sweep", *flags, "--sweep=learning_rate=1e6,1e-2", "--jobs=2"]
    first = run(*sweep, expect=1)
    assert "1 of 2 members failed: 000-learning_rate=1e6: " in first.stderr
    assert "training loss is nan" in first.stderr
    with (tmp_path / "sweep" / "sweep.csv").open() as file:
        failed, finished = csv.DictReader(file)
    assert (failed["state"], finished["state"]) == ("failed", "finished")
    assert "training loss is nan" in failed["message"]
    assert float(finished["rmse"]) > 0
    assert int(finished["parameters"]) > 100
    assert "best, the only one: learning_rate=1e-2" in first.stdout
    assert (tmp_path / "sweep" / "comparison.png").is_file()

    model = tmp_path / "sweep" / "001-learning_rate=1e-2" / "model.keras"
    written = model.stat().st_mtime_ns
    again = light(tmp_path, *sweep[:-2], "--sweep=learning_rate=1e-2")
    assert "1 finished, 0 to run" in again
    assert model.stat().st_mtime_ns == written
    assert "001  learning_rate=1e-2  finished" in light(
        tmp_path, "sweep", "--collect", "--save_path=sweep"
    )


def test_dry_run_shows_members_and_script_and_writes_nothing(
    data_flags: list[str], tmp_path: Path
) -> None:
    shown = light(
        tmp_path,
        *("sweep", *data_flags, "--save_path=sweep", "--sweep=upsampling=spc,rc;backbone=resnet"),
        *("--submit", "--dry_run"),
    )
    assert "sweep/001-upsampling=rc+backbone=resnet  waiting" in shown
    assert "#SBATCH --array=0-1\n" in shown
    assert not (tmp_path / "sweep").exists()


def test_submitted_members_are_one_array_and_the_finished_no_part_of_it(
    data_flags: list[str], tmp_path: Path
) -> None:
    sbatch = tmp_path / "bin" / "sbatch"
    sbatch.parent.mkdir()
    sbatch.write_text('#!/bin/sh\necho "Submitted $*"\n', encoding="utf-8")
    sbatch.chmod(0o755)
    argv = [
        *("sweep", *data_flags, "--save_path=sweep", "--sweep=upsampling=spc,rc,dc"),
        *("--submit", "--sbatch_options=--partition=short"),
    ]
    path = f"{sbatch.parent}:{os.environ['PATH']}"
    answer = light(tmp_path, *argv, PATH=path)
    assert "Submitted sweep/array.sbatch" in answer
    script = tmp_path / "sweep" / "array.sbatch"
    assert "#SBATCH --partition=short\n" in script.read_text(encoding="utf-8")
    assert "#SBATCH --array=0-2\n" in script.read_text(encoding="utf-8")
    done = tmp_path / "sweep" / "001-upsampling=rc"
    (done / "finished.cfg").write_bytes((done / "member.cfg").read_bytes())
    light(tmp_path, *argv, PATH=path)
    assert "#SBATCH --array=0,2\n" in script.read_text(encoding="utf-8")


@pytest.mark.slurm
@pytest.mark.long
def test_six_members_on_slurm_one_of_which_fails(
    slurm: dict[str, str], data_flags: list[str], tmp_path: Path
) -> None:
    rates = "1e6,1e-2,3e-3,1e-3,3e-4,1e-4"
    flags = [*data_flags, "--epochs=1", "--notensorboard", "--save_path=sweep"]
    options = "--sbatch_options=--partition=low --cpus-per-task=1"
    light(tmp_path, "sweep", *flags, f"--sweep=learning_rate={rates}", "--submit", options, **slurm)
    begun = time.monotonic()
    while subprocess.run(
        ["squeue", "--noheader"], env=slurm, capture_output=True, text=True, check=True
    ).stdout:
        assert time.monotonic() - begun < TIME_LIMIT_S
        time.sleep(1)
    shown = subprocess.run(
        [sys.executable, "-m", "app", "sweep", "--collect", "--save_path=sweep"],
        cwd=tmp_path,
        env=slurm,
        capture_output=True,
        text=True,
    )
    assert "000  learning_rate=1e6   failed" in shown.stdout, shown.stdout + shown.stderr
    with (tmp_path / "sweep" / "sweep.csv").open() as file:
        failed, *others = csv.DictReader(file)
    assert "training loss is nan" in failed["message"]
    assert [member["state"] for member in others] == ["finished"] * 5
    losses = {float(member["val_loss"]): member["folder"] for member in others}
    assert f"its best run {losses[min(losses)]}" in shown.stdout


def test_a_sweep_is_one_process(run, data_flags: list[str]) -> None:
    ranks = {"RANK": "1", "SIZE": "2", "LOCAL_RANK": "1", "LOCAL_SIZE": "2"}
    horovod = {f"HOROVOD_{name}": value for name, value in ranks.items()}
    refused = run("sweep", *data_flags, "--sweep=upsampling=spc", expect=2, **horovod)
    assert "sweep under horovodrun with 2 processes: expected one process" in refused.stderr
