"""The same small training run under different launchers, and what is left of it."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

BIN = Path(sys.executable).parent


def horovodrun(ranks: int) -> list[str]:
    return [str(BIN / "horovodrun"), "-np", str(ranks), "--gloo"]


def mpirun(ranks: int) -> list[str]:
    return [str(BIN / "mpirun"), "--allow-run-as-root", "--oversubscribe", "-np", str(ranks)]


HOROVODRUN, MPIRUN = horovodrun(2), mpirun(2)
SRUN = ["srun", "--ntasks=2"]
SRUN_ON_TWO_NODES = [*SRUN, "--nodes=2"]
RANK_VARIABLES = {"horovodrun": "HOROVOD_RANK", "mpirun": "OMPI_COMM_WORLD_RANK"}
ENDLESS = "--epochs=100000"
POLL_S = 0.2
TIME_LIMIT_S = 500


def trained(
    launcher: Sequence[str],
    folder: Path,
    flags: Sequence[str],
    environment: dict[str, str],
    epochs: int = 2,
) -> tuple[str, dict[str, np.ndarray]]:
    """A whole training: what was said, and the weights at the end."""
    program = [sys.executable, "-m", "app", "train", *flags, f"--epochs={epochs}"]
    done = subprocess.run(
        [*launcher, *program, f"--save_path={folder}"],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=TIME_LIMIT_S,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout, weights(folder)


def weights(folder: Path) -> dict[str, np.ndarray]:
    """All variables of the newest checkpoint, optimiser and seeds included."""
    newest = sorted((folder / "checkpoints").glob("step-*"))[-1]
    with np.load(newest / "arrays.npz") as arrays:
        return dict(arrays)


def assert_identical(one: dict[str, np.ndarray], other: dict[str, np.ndarray]) -> None:
    assert one
    assert one.keys() == other.keys()
    for name, values in one.items():
        np.testing.assert_array_equal(values, other[name])


def stopped(
    launcher: Sequence[str],
    folder: Path,
    flags: Sequence[str],
    environment: dict[str, str],
    epochs: int,
) -> tuple[str, int]:
    """A training that is asked to stop after its first checkpoint: what was said, exit code."""
    program = [sys.executable, "-m", "app", "train", *flags, f"--epochs={epochs}"]
    with subprocess.Popen(
        [*launcher, *program, f"--save_path={folder}"],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as job:
        try:
            while not (folder / "checkpoints" / "last").exists():
                assert job.poll() is None, job.communicate()[0]
                time.sleep(POLL_S)
            (folder / "STOP").touch()
            said, _ = job.communicate(timeout=TIME_LIMIT_S)
            return said, job.returncode
        finally:
            job.kill()


def end_of_survivor(
    launcher: Sequence[str],
    folder: Path,
    flags: Sequence[str],
    environment: dict[str, str],
    *,
    victim: int,
    sign: signal.Signals,
) -> tuple[str, int, float]:
    """Signal one rank in mid-training: what was said, the exit code, seconds to the end."""
    program = [sys.executable, "-m", "app", "train", *flags, ENDLESS, f"--save_path={folder}"]
    with subprocess.Popen(
        [*launcher, *program],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as job:
        try:
            while not (folder / "history.csv").is_file():
                assert job.poll() is None, job.communicate()[0]
                time.sleep(POLL_S)
            begun = time.monotonic()
            variable = RANK_VARIABLES.get(Path(launcher[0]).name, "SLURM_PROCID")
            os.kill(process_of(folder, f"{variable}={victim}"), sign)
            said, _ = job.communicate(timeout=TIME_LIMIT_S)
            return said, job.returncode, time.monotonic() - begun
        finally:
            job.kill()


def process_of(folder: Path, variable: str) -> int:
    """The one process of a run that has a variable in its environment."""
    (found,) = [
        int(entry.name)
        for entry in Path("/proc").iterdir()
        if entry.name.isdigit()
        and _read(entry / "cmdline").endswith(f"--save_path={folder}\0")
        and _read(entry / "cmdline").startswith(sys.executable + "\0-m\0app")
        and f"\0{variable}\0" in f"\0{_read(entry / 'environ')}"
    ]
    return found


def _read(path: Path) -> str:
    try:
        return path.read_bytes().decode(errors="replace")
    except OSError:
        return ""
