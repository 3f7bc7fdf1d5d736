"""One program under horovodrun, mpirun and srun: the same weights, and an end when a rank dies."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from app.exit_codes import INTERRUPTED
from tests.system.conftest import TIME_LIMIT_S, environment, flags_for_waves
from tests.system.launching import (
    HOROVODRUN,
    MPIRUN,
    SRUN,
    SRUN_ON_TWO_NODES,
    assert_identical,
    end_of_survivor,
    mpirun,
    stopped,
    trained,
)

pytestmark = [pytest.mark.parallel, pytest.mark.slow]
THROUGH_HOROVOD, THROUGH_MPI = "--communicator=horovod", "--communicator=mpi"
END_LIMIT_S = 60
EPOCHS = 30


@pytest.fixture(scope="module")
def flags(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    return flags_for_waves(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def under_horovodrun(
    flags: list[str], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, np.ndarray]:
    folder = tmp_path_factory.mktemp("horovodrun") / "run"
    said, weights = trained(HOROVODRUN, folder, flags, environment())
    assert "started by horovodrun: 2 ranks on 1 node, 1 thread each" in said
    return weights


@pytest.mark.horovod
@pytest.mark.parametrize("through", [THROUGH_HOROVOD, THROUGH_MPI])
def test_mpirun_gives_the_weights_of_horovodrun(
    through: str, flags: list[str], under_horovodrun: dict[str, np.ndarray], tmp_path: Path
) -> None:
    """Two ranks: a sum of two numbers is the same bits in any order."""
    said, weights = trained(MPIRUN, tmp_path / "run", [*flags, through], environment())
    assert "started by mpirun: 2 ranks on 1 node, 1 thread each" in said
    assert_identical(weights, under_horovodrun)


def test_mpi_gives_the_same_bits_again_and_after_an_interruption(
    flags: list[str], tmp_path: Path
) -> None:
    """Two runs on three ranks, one of which is asked to stop and goes on."""
    flags = [*flags, THROUGH_MPI, "--dropout_rate=0.3", "--checkpoint_every=1", "--batch_size=2"]
    _, whole = trained(mpirun(3), tmp_path / "whole", flags, environment(), EPOCHS)
    run = tmp_path / "run"
    said, code = stopped(mpirun(3), run, flags, environment(), EPOCHS)
    assert code == INTERRUPTED, said
    left = json.loads((run / "status.json").read_text())
    assert (left["state"], left["epoch"] < EPOCHS) == ("interrupted", True)
    said, parts = trained(mpirun(3), run, flags, environment(), EPOCHS)
    assert "resuming at epoch" in said
    assert_identical(parts, whole)


@pytest.mark.slurm
@pytest.mark.horovod
@pytest.mark.parametrize(
    ("launcher", "nodes"),
    [(SRUN, "1 node"), (SRUN_ON_TWO_NODES, "2 nodes")],
    ids=["one node", "two nodes"],
)
def test_srun_gives_the_weights_of_horovodrun(
    slurm: dict[str, str],
    launcher: list[str],
    nodes: str,
    flags: list[str],
    under_horovodrun: dict[str, np.ndarray],
    tmp_path: Path,
) -> None:
    said, weights = trained(launcher, tmp_path / "run", flags, slurm)
    assert f"started by srun: 2 ranks on {nodes}, 1 thread each" in said
    assert_identical(weights, under_horovodrun)


NEEDS_HOROVOD = pytest.mark.horovod


@pytest.mark.parametrize(
    ("launcher", "through"),
    [
        pytest.param(HOROVODRUN, THROUGH_HOROVOD, id="horovodrun", marks=NEEDS_HOROVOD),
        pytest.param(MPIRUN, THROUGH_HOROVOD, id="mpirun", marks=NEEDS_HOROVOD),
        pytest.param(MPIRUN, THROUGH_MPI, id="mpirun and MPI"),
    ],
)
def test_killed_rank_ends_the_job(
    launcher: list[str], through: str, flags: list[str], tmp_path: Path
) -> None:
    flags = [*flags, through]
    said, code, seconds = end_of_survivor(
        launcher, tmp_path / "run", flags, environment(), victim=1, sign=signal.SIGKILL
    )
    assert code != 0
    assert seconds < END_LIMIT_S
    assert "finescale: rank 0: rank 1 has ended without a word" in said
    left = json.loads((tmp_path / "run" / "status.json").read_text())
    assert (left["state"], left["error"]) == ("failed", "rank 1 has ended without a word")


def test_rank_that_hangs_in_mpi_ends_the_job(flags: list[str], tmp_path: Path) -> None:
    flags = [*flags, THROUGH_MPI, "--rank_timeout=4"]
    said, code, seconds = end_of_survivor(
        MPIRUN, tmp_path / "run", flags, environment(), victim=1, sign=signal.SIGSTOP
    )
    assert code != 0
    assert seconds < END_LIMIT_S
    assert "finescale: rank 0: rank 1 has given no sign of life for --rank_timeout=4 s" in said


@pytest.mark.slurm
@pytest.mark.horovod
@pytest.mark.parametrize(
    ("victim", "sign", "reason"),
    [
        (0, signal.SIGKILL, "has ended without a word"),
        (1, signal.SIGSTOP, "has given no sign of life for --rank_timeout=4 s"),
    ],
    ids=["killed", "stopped"],
)
def test_lost_rank_ends_the_job_step(
    slurm: dict[str, str],
    flags: list[str],
    tmp_path: Path,
    victim: int,
    sign: signal.Signals,
    reason: str,
) -> None:
    said, code, seconds = end_of_survivor(
        SRUN, tmp_path / "run", [*flags, "--rank_timeout=4"], slurm, victim=victim, sign=sign
    )
    assert code != 0
    assert seconds < END_LIMIT_S
    assert f"finescale: rank {1 - victim}: rank {victim} {reason}" in said


@pytest.mark.parametrize(
    ("launcher", "through"),
    [
        pytest.param(HOROVODRUN, THROUGH_HOROVOD, id="horovodrun", marks=NEEDS_HOROVOD),
        pytest.param(MPIRUN, THROUGH_MPI, id="mpirun and MPI"),
    ],
)
def test_rank_whose_program_waits_is_noticed(
    launcher: list[str], through: str, flags: list[str], tmp_path: Path
) -> None:
    """It lives and gives signs of it, but takes no part."""
    script = Path(__file__).with_name("absent_rank.py")
    done = subprocess.run(
        [*launcher, sys.executable, str(script), *flags, through, "--rank_timeout=4"],
        cwd=tmp_path,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=TIME_LIMIT_S,
    )
    assert done.returncode != 0
    assert "rank 1 has kept the others waiting for --rank_timeout=4 s" in done.stdout


@pytest.mark.slurm
@pytest.mark.horovod
def test_missing_task_is_named(slurm: dict[str, str], flags: list[str], tmp_path: Path) -> None:
    program = f"{sys.executable} -m app train {' '.join(flags)} --launch_timeout=4"
    script = f'[ "$SLURM_PROCID" = 1 ] && exit 0; exec {program} --save_path={tmp_path / "run"}'
    done = subprocess.run(
        [*SRUN, "bash", "-c", script],
        env=slurm,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=TIME_LIMIT_S,
    )
    assert done.returncode == 1
    assert "rank 1 of 2 has not come within --launch_timeout=4 s" in done.stdout
    assert not (tmp_path / "run").exists()
