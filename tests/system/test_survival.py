"""Whatever stops a run, the same command ends it as if nothing had happened."""

import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from app import options
from app.errors import InputError, Interrupted
from app.main import main
from app.ranks import Ranks
from app.session import Session
from tests.system.conftest import TIME_LIMIT_S, command, environment
from tests.system.faults.kills import STOP, Kill, draw
from tests.system.faults.laboratory import Laboratory
from tests.system.faults.phases import PHASES

CHOSEN = [
    Kill(0, "none", "prepare", "SIGKILL", "rank 0", 0.3),
    Kill(1, "none", "checkpoint", "SIGUSR1", "rank 0", 0.5),
    Kill(2, "none", "validation", "SIGTERM", "rank 0", 0.6),
    Kill(3, "none", "metrics", "SIGTERM", "rank 0", 0.1),
]
TWO_RANKS = [name for name in PHASES if name != "sweep"]


@pytest.fixture(scope="module")
def laboratory(tmp_path_factory: pytest.TempPathFactory) -> Laboratory:
    return Laboratory(tmp_path_factory.mktemp("faults"))


@pytest.mark.slow
@pytest.mark.parametrize("kill", CHOSEN, ids=lambda kill: kill.phase)
def test_killed_and_resumed(laboratory: Laboratory, kill: Kill) -> None:
    outcome = laboratory.outcome(kill)
    assert outcome.good, outcome.line()
    assert outcome.hit


@pytest.mark.faults
@pytest.mark.parametrize("number", range(20))
def test_killed_and_resumed_anywhere(laboratory: Laboratory, number: int) -> None:
    outcome = laboratory.outcome(draw(7, number, ["none"]))
    assert outcome.good, outcome.line()


@pytest.mark.faults
@pytest.mark.parallel
@pytest.mark.horovod
@pytest.mark.parametrize("phase", TWO_RANKS)
def test_two_ranks_stopped_in_any_phase(laboratory: Laboratory, phase: str) -> None:
    kill = Kill(100 + TWO_RANKS.index(phase), "horovodrun", phase, STOP, "rank 0", 0.3)
    outcome = laboratory.outcome(kill)
    assert outcome.good, outcome.line()


def status(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "status.json").read_text())


def wait_until(condition: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    end = time.monotonic() + TIME_LIMIT_S
    while not condition():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < end
        time.sleep(0.01)


def started(argv: list[str], folder: Path, ranks: int = 1) -> subprocess.Popen[str]:
    return subprocess.Popen(
        command(argv, ranks),
        cwd=folder,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


@pytest.mark.slow
@pytest.mark.parallel
def test_two_ranks_agree_on_a_step_and_one_goes_on_with_the_samples_left(
    run, data_flags: list[str], tmp_path: Path
) -> None:
    """A file STOP, seen by the ranks at different moments, ends both after the same step."""
    flags = [*data_flags, "--normalization=bn", "--epochs=400", "--checkpoint_every=1"]
    argv = ["train", *flags, "--save_path=out", "--batch_size=2"]
    process = started(argv, tmp_path, ranks=2)
    folder = tmp_path / "out"
    wait_until(lambda: (folder / "checkpoints" / "last").exists(), process)
    (folder / "STOP").touch()
    output, _ = process.communicate(timeout=TIME_LIMIT_S)
    assert process.returncode != 0  # the launcher's
    assert "rank 0: interrupted (" in output
    assert "rank 1: interrupted (" in output
    assert status(folder)["state"] == "interrupted"
    last = (folder / "checkpoints" / "last").read_text().strip()
    facts = json.loads((folder / "checkpoints" / last / "facts.json").read_text())
    epochs = facts["epoch"] + 1
    # On one rank, with another batch size: whatever is left of the epoch, then the validation.
    resumed = run(
        *("train", *flags, "--save_path=out", f"--epochs={epochs}", "--batch_size=2"),
        expect=0,
    )
    assert (
        f"resuming at epoch {epochs}, sample {facts['samples']}" in resumed.stdout + resumed.stderr
    )
    assert not (folder / "STOP").exists()
    left = 42 - facts["samples"]
    final = (folder / "checkpoints" / "last").read_text().strip()
    ended = json.loads((folder / "checkpoints" / final / "facts.json").read_text())
    assert ended["total_steps"] - facts["total_steps"] == -(-left // 2)
    assert ended["epoch"] == epochs


def sessions(argv: list[str]) -> Session:
    return Session(options.build(*options.parse(argv)), Ranks())


def test_second_job_is_refused_and_leaves_the_first_alone(
    data_flags: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    argv = ["train", *data_flags, f"--save_path={tmp_path / 'out'}"]
    with sessions(argv).guard as guard:
        guard.begin("train")
        before = (tmp_path / "out" / "status.json").read_text()
        assert main(argv) == 2
        assert f"pid {os.getpid()}" in capsys.readouterr().err
        assert (tmp_path / "out" / "status.json").read_text() == before
    assert not (tmp_path / "out" / ".lock").exists()


@pytest.mark.parametrize(
    ("error", "state"),
    [
        (Interrupted("SIGTERM"), "interrupted"),
        (KeyboardInterrupt(), "interrupted"),
        (RuntimeError("broken"), "failed"),
        (InputError("a shard is missing"), "failed"),
    ],
)
def test_state_that_an_end_leaves(
    data_flags: list[str], tmp_path: Path, error: BaseException, state: str
) -> None:
    guard = sessions(["train", *data_flags, f"--save_path={tmp_path / 'out'}"]).guard

    def fail() -> None:
        with guard:
            guard.begin("train")
            guard.status.update(epoch=1)
            raise error

    with pytest.raises(type(error)):
        fail()
    assert status(tmp_path / "out")["state"] == state


def test_refusal_leaves_no_trace_in_a_fresh_folder(data_flags: list[str], tmp_path: Path) -> None:
    assert main(["test", *data_flags, f"--save_path={tmp_path / 'deep' / 'out'}"]) == 2
    assert not (tmp_path / "deep").exists()


def test_refusal_after_an_interruption_leaves_it(data_flags: list[str], tmp_path: Path) -> None:
    """A job script that waits for "interrupted" goes by the file's time, and does not requeue."""
    folder = tmp_path / "out"
    folder.mkdir()
    path = folder / "status.json"
    path.write_text('{"state": "interrupted", "stage": "train"}')
    os.utime(path, (10**9, 10**9))
    assert main(["test", *data_flags, f"--save_path={folder}"]) == 2
    assert path.read_text() == '{"state": "interrupted", "stage": "train"}'
    assert path.stat().st_mtime == 10**9


def test_folder_that_cannot_be_written(
    data_flags: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    for folder in (tmp_path / "file" / "out", Path("/proc/self/out")):
        assert main(["train", *data_flags, f"--save_path={folder}"]) == 2
        (error,) = [
            line for line in capsys.readouterr().err.splitlines() if line.startswith("finescale: ")
        ]
        assert f"--save_path={folder}: cannot be written" in error


@pytest.mark.slow
def test_full_disk_vanished_shard_and_the_time_allowed(
    run, data_flags: list[str], tmp_path: Path
) -> None:
    """Each ends in one line and a code, and the run goes on from where it was."""
    argv = ["train", *data_flags, "--epochs=4000", "--checkpoint_every=4", "--save_path=out"]
    argv.append("--noverbose")
    folder = tmp_path / "out"

    def limit_files() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))

    full = subprocess.run(
        command(argv),
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        text=True,
        preexec_fn=limit_files,
        timeout=TIME_LIMIT_S,
    )
    assert full.returncode == 1, full.stderr
    (line,) = full.stderr.strip().splitlines()
    assert "best.keras: no space left on the file system" in line
    assert "the limit of a file's size (ulimit -f), is reached" in line
    assert status(folder)["state"] == "failed"
    assert steps(folder) == 8  # the first epoch's second, before the model that was too large

    (shard,) = (tmp_path / "cache").glob("*/train/hr-*.nc")
    content = shard.read_bytes()
    shard.unlink()  # it is made again, and the run goes on
    limited = run(*argv, "--time_limit=25s", expect=3)
    assert "left of the time allowed" in limited.stderr
    assert status(folder)["state"] == "interrupted"
    assert steps(folder) >= 8
    assert shard.read_bytes() == content


def steps(folder: Path) -> int:
    last = (folder / "checkpoints" / "last").read_text().strip()
    facts = json.loads((folder / "checkpoints" / last / "facts.json").read_text())
    return int(facts["total_steps"])


def test_status_of_several_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    facts = {
        "updated": time.strftime("%Y-%m-%dT%H:%M:%S%z", time.localtime(time.time() - 7200)),
        "state": "running",
        "stage": "train",
        "host": "node7",
        "job": "41",
        "epoch": 3,
        "epochs": 10,
        "step": 1234,
        "samples_per_s": 512.3,
        "loss": 0.25,
        "val_loss": 0.5,
        "eta_s": 3661,
        "memory_mib": 800,
    }
    for name, change in {
        "dead": {},
        "done": {"state": "finished"},
        "alive": {"job": None},
    }.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "status.json").write_text(json.dumps({**facts, **change}))
    (tmp_path / "no run").mkdir()
    from app.running.locks import RunLock

    lock = RunLock(tmp_path / "alive" / ".lock")
    lock.take()
    names = ["dead", "done", "alive", "no run"]
    assert main(["status", *(str(tmp_path / name) for name in names)]) == 0
    lines = dict(zip(names, capsys.readouterr().out.splitlines(), strict=True))
    progress = "epoch 3/10 step 1234  512 samples/s  loss 0.25000  val_loss 0.50000"
    assert "train dead, last seen 02:00:0" in lines["dead"]
    assert f"train finished  {progress}  800 MiB  job 41 on node7" in lines["done"]
    assert f"train running  {progress}  01:01:01 to go  800 MiB  node7" in lines["alive"]
    assert "no status.json" in lines["no run"]
    assert main(["status", str(tmp_path / "no run")]) == 2


def test_status_of_a_folder_lists_the_runs_below_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run's own stages, links and hidden folders are no runs of the folder."""
    monkeypatch.chdir(tmp_path)
    names = ("b", "a/first", "a/second", "b/stages/stage_1", ".hidden/c")
    for name in names:
        folder = tmp_path / "runs" / name
        folder.mkdir(parents=True)
        (folder / "status.json").write_text('{"state": "finished", "stage": "test", "host": "h"}')
    (tmp_path / "runs" / "link").symlink_to(tmp_path / "runs" / "b")
    (tmp_path / "empty").mkdir()

    def listed(*folders: str) -> list[str]:
        assert main(["status", *folders]) == 0
        return [line.split("  ")[0].strip() for line in capsys.readouterr().out.splitlines()]

    assert listed("runs") == ["runs/a/first", "runs/a/second", "runs/b"]
    assert listed("runs/b", "runs", "empty") == ["runs/b", "runs/a/first", "runs/a/second", "empty"]
    assert main(["status", "empty"]) == 2


def test_status_imports_nothing_heavy(tmp_path: Path) -> None:
    (tmp_path / "status.json").write_text('{"state": "finished", "stage": "train", "host": "a"}')
    heavy = ("tensorflow", "keras", "xarray", "scipy")
    code = (
        f"import sys; from app.main import main; main(['status', {str(tmp_path)!r}]);"
        f"sys.exit(any(name in sys.modules for name in {heavy}))"
    )
    subprocess.run([sys.executable, "-c", code], env=environment(), check=True)
