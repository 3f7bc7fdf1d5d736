"""One program under horovodrun, mpirun and srun: the same weights, and an end when a rank dies."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.system.conftest import TIME_LIMIT_S, environment, flags_for_waves
from tests.system.launching import (
    HOROVODRUN,
    MPIRUN,
    SRUN,
    SRUN_ON_TWO_NODES,
    assert_identical,
    end_of_survivor,
    trained,
)

pytestmark = [pytest.mark.parallel, pytest.mark.slow]
END_LIMIT_S = 60


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


def test_mpirun_gives_the_weights_of_horovodrun(
    flags: list[str], under_horovodrun: dict[str, np.ndarray], tmp_path: Path
) -> None:
    said, weights = trained(MPIRUN, tmp_path / "run", flags, environment())
    assert "started by mpirun: 2 ranks on 1 node, 1 thread each" in said
    assert_identical(weights, under_horovodrun)


@pytest.mark.slurm
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


@pytest.mark.parametrize("launcher", [HOROVODRUN, MPIRUN], ids=["horovodrun", "mpirun"])
def test_killed_rank_ends_the_job(launcher: list[str], flags: list[str], tmp_path: Path) -> None:
    said, code, seconds = end_of_survivor(
        launcher, tmp_path / "run", flags, environment(), victim=1, sign=signal.SIGKILL
    )
    assert code != 0
    assert seconds < END_LIMIT_S
    assert "finescale: rank 0: rank 1 has ended without a word" in said
    left = json.loads((tmp_path / "run" / "status.json").read_text())
    assert (left["state"], left["error"]) == ("failed", "rank 1 has ended without a word")


@pytest.mark.slurm
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


def test_rank_whose_program_waits_is_noticed(flags: list[str], tmp_path: Path) -> None:
    """It lives and gives signs of it, but takes no part."""
    script = Path(__file__).with_name("absent_rank.py")
    done = subprocess.run(
        [*HOROVODRUN, sys.executable, str(script), *flags, "--rank_timeout=4"],
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
