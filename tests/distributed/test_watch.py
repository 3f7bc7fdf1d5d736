"""Ranks find each other and end together; here they are processes without any launcher."""

import json
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
SCRIPT = Path(__file__).with_name("member.py")
LIMIT_S = 45  # well below the sleep of a member that waits

Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def job() -> str:
    """A job to which every process of a test belongs."""
    return uuid.uuid4().hex


@pytest.fixture
def start(tmp_path: Path, job: str) -> Iterator[Start]:
    """Start a rank as mpirun would."""
    started = []

    def begin(
        rank: int,
        act: str = "leave",
        *more: str,
        size: int = 2,
        launch_timeout: int = 20,
        rank_timeout: int = 30,
        **extra: str,
    ) -> subprocess.Popen[str]:
        place = {"RANK": rank, "SIZE": size, "LOCAL_RANK": rank, "LOCAL_SIZE": size}
        variables = {f"OMPI_COMM_WORLD_{name}": str(value) for name, value in place.items()}
        timeouts = [str(launch_timeout), str(rank_timeout)]
        process = subprocess.Popen(
            [sys.executable, str(SCRIPT), str(tmp_path / "run"), *timeouts, act, *more],
            env={
                **os.environ,
                "PYTHONPATH": str(REPOSITORY),
                "PMIX_NAMESPACE": job,
                **variables,
                **extra,
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield begin
    for process in started:
        process.kill()
        process.communicate()


def gathered(*processes: subprocess.Popen[str]) -> list[dict[str, object]]:
    """Wait until each has seen the others; what each of them says of the team."""
    lines = []
    for process in processes:
        assert process.stdout is not None
        lines.append(process.stdout.readline())
    assert all(lines), [process.communicate()[1] for process in processes]
    return [json.loads(line) for line in lines]


def test_only_horovod_is_given_a_store_to_meet_in(start: Start) -> None:
    teams = gathered(*(start(rank, TEST_LIBRARY="mpi") for rank in range(2)))
    assert [(team["address"], team["port"], team["path"]) for team in teams] == [(None,) * 3] * 2


def test_ranks_with_different_libraries_are_refused(start: Start) -> None:
    first, other = start(0), start(1, TEST_LIBRARY="mpi")
    said = first.communicate(timeout=LIMIT_S)[1]
    assert first.returncode == other.wait(LIMIT_S) == 1
    assert "would be joined by mpi, rank 0 by horovod: expected one environment for all" in said


def test_all_come_and_leave_and_nothing_stays_behind(start: Start, tmp_path: Path) -> None:
    ranks = [start(rank, size=3) for rank in range(3)]
    teams = gathered(*ranks)
    assert [team["local_size"] for team in teams] == [3, 3, 3]
    assert len({(team["address"], team["port"]) for team in teams}) == 1
    for process in ranks:
        assert process.communicate(timeout=LIMIT_S)[1] == ""
        assert process.returncode == 0
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("victim", [0, 1])
def test_killed_rank_is_named_and_ends_the_others(start: Start, victim: int) -> None:
    ranks = [start(rank, "wait", size=3) for rank in range(3)]
    gathered(*ranks)
    ranks[victim].kill()
    begun = time.monotonic()
    survivor = ranks[1 - victim]
    errors = survivor.communicate(timeout=LIMIT_S)[1]
    assert survivor.returncode == 1
    assert errors == f"finescale: rank {1 - victim}: rank {victim} has ended without a word\n"
    assert ranks[2].wait(LIMIT_S) == 1
    assert time.monotonic() - begun < 10


@pytest.mark.parametrize("victim", [0, 1])
def test_silent_rank_is_named_after_the_timeout(start: Start, victim: int) -> None:
    ranks = [start(rank, "wait", rank_timeout=2) for rank in range(2)]
    gathered(*ranks)
    ranks[victim].send_signal(signal.SIGSTOP)
    survivor = ranks[1 - victim]
    errors = survivor.communicate(timeout=LIMIT_S)[1]
    assert survivor.returncode == 1
    assert f"rank {victim} has given no sign of life for --rank_timeout=2 s" in errors


@pytest.mark.slow
def test_job_that_is_suspended_as_a_whole_goes_on(start: Start) -> None:
    ranks = [start(rank, "wait", rank_timeout=2) for rank in range(2)]
    gathered(*ranks)
    for sign in (signal.SIGSTOP, signal.SIGCONT):
        for process in ranks:
            process.send_signal(sign)
        time.sleep(4)
    assert [process.poll() for process in ranks] == [None, None]


def test_rank_that_leaves_in_order_is_not_missed(start: Start) -> None:
    waiting, leaving = start(0, "wait", rank_timeout=2), start(1, "leave", rank_timeout=2)
    gathered(waiting, leaving)
    assert leaving.wait(LIMIT_S) == 0
    time.sleep(3)
    assert waiting.poll() is None


@pytest.mark.slow
def test_reason_of_a_failure_reaches_the_others(start: Start) -> None:
    waiting, failing = start(0, "wait"), start(1, "fail")
    gathered(waiting, failing)
    errors = waiting.communicate(timeout=LIMIT_S)[1]
    assert errors == "finescale: rank 0: rank 1 has failed: no space left on device\n"
    assert waiting.returncode == 1


def test_interrupted_rank_lets_the_first_leave_before_it(start: Start) -> None:
    ranks = [start(0, "late"), start(1, "interrupted")]
    gathered(*ranks)
    first, second = (float(process.communicate(timeout=LIMIT_S)[0]) for process in ranks)
    assert first - 0.5 < second < first + 5
    assert [process.returncode for process in ranks] == [3, 3]


def test_missing_ranks_are_named(start: Start) -> None:
    ranks = [start(rank, size=4, launch_timeout=5) for rank in (0, 2)]
    for process in ranks:
        errors = process.communicate(timeout=LIMIT_S)[1]
        assert process.returncode == 1
        expected = "ranks 1, 3 of 4 have not come within --launch_timeout=5 s"
        assert errors == f"RunError: {expected}\n"


def test_contradicting_sizes_are_refused(start: Start) -> None:
    first, second = start(0, size=2), start(1, size=3)
    errors = first.communicate(timeout=LIMIT_S)[1]
    assert first.returncode == 1
    assert "rank 1 was started as one of 3 ranks, rank 0 as one of 2" in errors
    assert second.wait(LIMIT_S) == 1


def test_what_an_earlier_attempt_left_is_not_used(start: Start, job: str, tmp_path: Path) -> None:
    later = start(1)
    folder = tmp_path / "run" / ".launch"
    folder.mkdir(parents=True)
    stale = {"addresses": ["127.0.0.1"], "port": 9, "secret": "of another time"}
    (folder / f"mpirun-{job}-0.json").write_text(json.dumps(stale))
    time.sleep(2)
    assert later.poll() is None
    gathered(start(0), later)
    assert later.wait(LIMIT_S) == 0


def test_unknown_interface_is_refused(start: Start) -> None:
    errors = start(0, "leave", "no0").communicate(timeout=LIMIT_S)[1]
    assert errors.startswith("InputError: --network_interface=no0: ")
    assert "expected one of" in errors
    assert "lo" in errors


def test_named_interface_is_taken(start: Start) -> None:
    teams = gathered(*(start(rank, "leave", "lo") for rank in range(2)))
    assert [team["address"] for team in teams] == ["127.0.0.1"] * 2
