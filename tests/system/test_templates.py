"""The templates in slurm/ on a real Slurm, most of them with a stand-in for the program."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.system.conftest import REPOSITORY, flags_for_waves
from tests.system.launching import assert_identical, weights

TEMPLATES = sorted((REPOSITORY / "slurm").glob("*.sbatch"))
CHAINS = sorted((REPOSITORY / "slurm").glob("*.sh"))
SCRIPTS = [*TEMPLATES, *CHAINS, *(REPOSITORY / "scripts").glob("*.sh")]
STAND_IN = Path(__file__).with_name("pretended_program.py")
LIMIT_S = 240
REVOKED_S = 3  # in which a node refuses a job that it has just given back
POLL_S = 0.3

Submit = Callable[..., str]


def test_every_template_says_what_it_is_and_how_to_adapt_it() -> None:
    assert (len(TEMPLATES), len(CHAINS)) == (8, 2)
    for path in [*TEMPLATES, *CHAINS]:
        head = path.read_text(encoding="utf-8").split("\n\n")[0]
        for part in ("# Resources: ", "# Use: ", "# Adapt: "):
            assert part in head, path


def test_at_most_three_lines_are_to_be_edited() -> None:
    for path in TEMPLATES:
        edited = re.findall("# edit", path.read_text(encoding="utf-8"))
        assert 2 < len(edited) <= (4 if path.stem == "container" else 3), path


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_shellcheck_finds_nothing(path: Path) -> None:
    program = shutil.which("shellcheck") or shutil.which(
        "shellcheck", path=str(Path(sys.executable).parent)
    )
    if program is None:
        pytest.skip("no shellcheck")
    done = subprocess.run([program, path], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


@pytest.fixture
def workplace(tmp_path: Path) -> Path:
    """A folder to submit from, with templates edited as a user would for two small nodes."""
    shutil.copytree(REPOSITORY / "slurm", tmp_path / "slurm")
    for path in (tmp_path / "slurm").glob("*.sbatch"):
        text = path.read_text(encoding="utf-8").replace("PARTITION", "low")
        text = re.sub(r"--cpus-per-task=\d+", "--cpus-per-task=1", text)
        text = re.sub(r"--mem=\d+G", "--mem=0", text)
        path.write_text(text, encoding="utf-8")
    binaries = tmp_path / "bin"
    binaries.mkdir()
    (binaries / "python").symlink_to(STAND_IN)
    (binaries / "horovodrun").symlink_to(Path(sys.executable).parent / "horovodrun")
    return tmp_path


@pytest.fixture
def submit(slurm: dict[str, str], workplace: Path) -> Submit:
    def submitted(template: str, *flags: str, options: tuple[str, ...] = (), **extra: str) -> str:
        variables = {"PYTHON": str(workplace / "bin" / "python"), "RUN": "run", **extra}
        done = subprocess.run(
            ["sbatch", "--parsable", *options, f"slurm/{template}", *flags],
            cwd=workplace,
            env={**slurm, **variables},
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    return submitted


def said(workplace: Path) -> str:
    return "\n".join(path.read_text() for path in workplace.glob("slurm-*.out"))


def wait_for(workplace: Path, what: str, condition: Callable[[], bool]) -> None:
    begun = time.monotonic()
    while not condition():
        assert time.monotonic() - begun < LIMIT_S, f"{what} did not come; {said(workplace)}"
        time.sleep(POLL_S)


def log(workplace: Path, run: str = "run") -> list[str]:
    path = workplace / run / "log"
    return path.read_text().splitlines() if path.is_file() else []


def state(slurm: dict[str, str], job: str) -> str:
    """Slurm's word for the state of a job, and how often it was queued again."""
    shown = subprocess.run(["scontrol", "show", "job", job], env=slurm, capture_output=True)
    (name,) = set(re.findall(rb"JobState=(\w+)", shown.stdout))
    (restarts,) = set(re.findall(rb"Restarts=(\d+)", shown.stdout))
    return f"{name.decode()} {int(restarts)}"


def ends(slurm: dict[str, str], job: str) -> bool:
    """Whether a job that was queued again has ended; spares it Slurm's wait of two minutes."""
    now = state(slurm, job)
    if now.startswith("PENDING"):
        time.sleep(REVOKED_S)
        update = ["scontrol", "update", f"JobId={job}", "StartTime=now"]
        subprocess.run(update, env=slurm, capture_output=True)
    return now.startswith("COMPLETED")


RESUMABLE = {
    "single.sbatch": (1, "SIGUSR1"),
    "multi_node.sbatch": (2, "SIGUSR1"),
    "horovodrun.sbatch": (2, "STOP"),
}
NEEDING_HOROVOD = {"horovodrun.sbatch"}


@pytest.mark.slurm
@pytest.mark.long
@pytest.mark.parametrize(
    "template",
    [
        pytest.param(name, marks=pytest.mark.horovod if name in NEEDING_HOROVOD else ())
        for name in RESUMABLE
    ],
)
def test_signal_before_the_time_limit_requeues_the_job(
    template: str, submit: Submit, slurm: dict[str, str], workplace: Path
) -> None:
    ranks, request = RESUMABLE[template]
    job = submit(template, "--epochs=7")
    wait_for(workplace, "the start", lambda: len(log(workplace)) == ranks)
    assert all(line.endswith("--save_path=run --epochs=7") for line in log(workplace))
    # What Slurm does by itself before the time limit; with B: in the template to the shell alone.
    to_shell = ("--batch",) if template == "horovodrun.sbatch" else ()
    subprocess.run(["scancel", "--signal=USR1", *to_shell, job], env=slurm, check=True)
    wait_for(workplace, "the queue", lambda: state(slurm, job) == "PENDING 1")
    assert log(workplace)[ranks:] == [request] * ranks
    wait_for(workplace, "the end", lambda: ends(slurm, job))
    assert [line.split()[0] for line in log(workplace)[2 * ranks :]] == ["resumed"] * ranks


@pytest.mark.slurm
@pytest.mark.slow
def test_preempted_job_is_requeued_and_goes_on(
    submit: Submit, slurm: dict[str, str], workplace: Path
) -> None:
    job = submit("preemptible.sbatch")
    wait_for(workplace, "the start", lambda: len(log(workplace)) == 2)
    urgent = ["srun", "--partition=high", "--nodes=2", "--exclusive", "true"]
    subprocess.run(urgent, env=slurm, check=True, timeout=LIMIT_S)
    wait_for(workplace, "the queue", lambda: state(slurm, job).startswith("PENDING"))
    assert log(workplace)[2:] in ([name] * 2 for name in ("SIGTERM", "SIGUSR1"))
    wait_for(workplace, "the end", lambda: ends(slurm, job))
    assert [line.split()[0] for line in log(workplace)[4:]] == ["resumed"] * 2


@pytest.mark.slurm
def test_failed_job_is_not_requeued(submit: Submit, slurm: dict[str, str], workplace: Path) -> None:
    (workplace / "run").mkdir()
    (workplace / "run" / "status.json").write_text('{\n  "state": "interrupted"\n}')
    early = time.time() - 60
    os.utime(workplace / "run" / "status.json", (early, early))
    job = submit("single.sbatch", PYTHON="/bin/false")
    wait_for(workplace, "the end", lambda: state(slurm, job).startswith("FAILED"))
    assert state(slurm, job) == "FAILED 0"


@pytest.mark.slurm
@pytest.mark.slow
def test_members_of_a_sweep_have_folders_and_flags_of_their_own(
    submit: Submit, slurm: dict[str, str], workplace: Path
) -> None:
    submit("sweep_array.sbatch", "--finish", options=("--wait",))
    logs = [log(workplace, f"run-sweep/{member}") for member in range(4)]
    assert ["n_filters=8" in line for (line,) in logs] == [True, True, False, False]
    assert ["rate=1e-3" in line for (line,) in logs] == [True, False, True, False]


@pytest.mark.slurm
def test_metrics_runs_that_stage_alone(submit: Submit, workplace: Path) -> None:
    submit("metrics.sbatch", "--finish", options=("--wait",))
    (line,) = log(workplace)
    assert line.startswith("started -m app metrics --flagfile=flagfiles/quickstart.cfg")


@pytest.mark.slurm
def test_container_runs_the_images_python(
    submit: Submit, slurm: dict[str, str], workplace: Path
) -> None:
    apptainer = workplace / "bin" / "apptainer"
    apptainer.write_text('#!/bin/sh\necho "$6" >> image\nshift 6\nexec "$@"\n')
    apptainer.chmod(0o755)
    path = f"{workplace / 'bin'}:{slurm['PATH']}"
    submit(
        "container.sbatch",
        "--finish",
        options=("--wait",),
        PATH=path,
        IMAGE="image.sif",
        IMAGE_PYTHON=str(STAND_IN),
    )
    assert (workplace / "image").read_text().split() == ["image.sif"] * 2
    assert len(log(workplace)) == 2


def submitted_by(slurm: dict[str, str], workplace: Path, script: str, *argv: str) -> str:
    """The line in which a script says what it has submitted."""
    variables = {"PYTHON": str(workplace / "bin" / "python"), "RUN": "run"}
    done = subprocess.run(
        [f"slurm/{script}", *argv],
        cwd=workplace,
        env={**slurm, **variables},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.splitlines()[0]


@pytest.mark.slurm
@pytest.mark.slow
def test_chain_goes_on_where_the_job_before_has_stopped(
    slurm: dict[str, str], workplace: Path
) -> None:
    jobs = submitted_by(slurm, workplace, "chain.sh", "2", "slurm/single.sbatch", "--epochs=7")
    first, second = jobs.removeprefix("submitted: ").split()
    wait_for(workplace, "the start", lambda: len(log(workplace)) == 1)
    assert state(slurm, second) == "PENDING 0"
    subprocess.run(["scancel", f"--signal={signal.SIGUSR1.value}", first], env=slurm, check=True)
    wait_for(workplace, "the end", lambda: state(slurm, second) == "COMPLETED 0")
    assert [line.split()[0] for line in log(workplace)] == ["started", "SIGUSR1", "resumed"]


@pytest.mark.slurm
def test_stages_are_an_array_and_the_join_comes_last(
    slurm: dict[str, str], workplace: Path
) -> None:
    jobs = submitted_by(slurm, workplace, "stages.sh", "3", "stack.cfg", "--finish")
    join = jobs.split()[-1]
    wait_for(workplace, "the end", lambda: state(slurm, join) == "COMPLETED 0")
    lines = log(workplace)
    stages = sorted(line.split("--sr_stage=")[1] for line in lines[:3])
    assert stages == ["1", "2", "3"]
    assert all(" -m app train --flagfile=stack.cfg" in line for line in lines[:3])
    assert " -m app train test metrics --flagfile=stack.cfg" in lines[3]
    assert lines[3].endswith("--sr_stage=join")


@pytest.mark.slurm
@pytest.mark.long
def test_preempted_training_ends_like_an_uninterrupted_one(
    submit: Submit, slurm: dict[str, str], workplace: Path
) -> None:
    """The real program on two nodes: pre-empted in mid-epoch, requeued, resumed, finished."""
    flagfile = workplace / "small.cfg"
    method = ["--epochs=40", "--dropout_rate=0.2", "--normalization=bn", "--ema_decay=0.9"]
    flagfile.write_text("\n".join([*flags_for_waves(workplace), *method]), encoding="utf-8")
    program = {"PYTHON": sys.executable, "FLAGFILE": str(flagfile)}
    job = submit("preemptible.sbatch", **program)
    wait_for(workplace, "an epoch", (workplace / "run" / "history.csv").is_file)
    urgent = ["srun", "--partition=high", "--nodes=2", "--exclusive", "true"]
    subprocess.run(urgent, env=slurm, check=True, timeout=LIMIT_S)
    wait_for(workplace, "the queue", lambda: state(slurm, job).startswith("PENDING"))
    assert '"state": "interrupted"' in (workplace / "run" / "status.json").read_text()
    assert not (workplace / "run" / "model.keras").exists()
    wait_for(workplace, "the end", lambda: ends(slurm, job))
    assert "started by srun: 2 ranks on 2 nodes, 1 thread each" in said(workplace)
    assert "resuming at epoch" in said(workplace)
    submit("preemptible.sbatch", options=("--wait",), RUN="whole", **program)
    assert_identical(weights(workplace / "run"), weights(workplace / "whole"))
    for name in ("model.keras", "metrics/summary.csv"):
        assert (workplace / "run" / name).is_file(), name
    ours, theirs = (
        (workplace / run / "metrics" / "summary.csv").read_text() for run in ("run", "whole")
    )
    assert ours == theirs
