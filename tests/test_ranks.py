"""Ranks as launchers tell them."""

import os

import pytest

from app.ranks import Ranks, attempt, tasks_per_node

BATCH_SHELL = {
    "SLURM_JOB_ID": "7",
    "SLURM_PROCID": "0",
    "SLURM_LOCALID": "0",
    "SLURM_NODEID": "0",
    "SLURM_NTASKS": "4",
}
TASK = {
    **BATCH_SHELL,
    "SLURM_STEP_ID": "0",
    "SLURM_STEP_NUM_TASKS": "4",
    "SLURM_STEP_TASKS_PER_NODE": "3,1",
}


@pytest.fixture(autouse=True)
def no_launcher(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith(("HOROVOD_", "OMPI_", "PMIX_", "SLURM_")):
            monkeypatch.delenv(name)


def given(monkeypatch: pytest.MonkeyPatch, variables: dict[str, str]) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)


def test_no_launcher_is_one_process() -> None:
    assert Ranks.from_environment() == Ranks()


def test_horovodrun_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"RANK": 3, "SIZE": 4, "LOCAL_RANK": 1, "LOCAL_SIZE": 2}.items():
        monkeypatch.setenv(f"HOROVOD_{name}", str(value))
    assert Ranks.from_environment() == Ranks(3, 4, 1, 2, "horovodrun")


def test_tasks_of_srun(monkeypatch: pytest.MonkeyPatch) -> None:
    given(monkeypatch, {**TASK, "SLURM_PROCID": "2", "SLURM_LOCALID": "2"})
    assert Ranks.from_environment() == Ranks(2, 4, 2, 3, "srun")
    given(monkeypatch, {"SLURM_PROCID": "3", "SLURM_LOCALID": "0", "SLURM_NODEID": "1"})
    assert Ranks.from_environment() == Ranks(3, 4, 0, 1, "srun")


def test_batch_shell_is_one_process_whatever_the_job_has(monkeypatch: pytest.MonkeyPatch) -> None:
    given(monkeypatch, BATCH_SHELL)
    assert Ranks.from_environment() == Ranks()


def test_single_task_of_srun_is_one_process(monkeypatch: pytest.MonkeyPatch) -> None:
    one = {"SLURM_STEP_NUM_TASKS": "1", "SLURM_STEP_TASKS_PER_NODE": "1"}
    given(monkeypatch, {**TASK, **one})
    assert Ranks.from_environment() == Ranks(launcher="srun")


def test_launcher_inside_a_slurm_job_comes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    names = ("RANK", "SIZE", "LOCAL_RANK", "LOCAL_SIZE")
    given(monkeypatch, {**TASK, **{f"OMPI_COMM_WORLD_{name}": "1" for name in names}})
    assert Ranks.from_environment().launcher == "mpirun"
    given(monkeypatch, {f"HOROVOD_{name}": "1" for name in names})
    assert Ranks.from_environment().launcher == "horovodrun"


@pytest.mark.parametrize(
    ("text", "written_out"),
    [("4", [4]), ("2(x3),1", [2, 2, 2, 1]), ("1,12(x2)", [1, 12, 12])],
)
def test_tasks_per_node(text: str, written_out: list[int]) -> None:
    assert list(tasks_per_node(text)) == written_out


def test_each_start_of_a_job_has_a_name_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    given(monkeypatch, TASK)
    names = [attempt("srun")]
    monkeypatch.setenv("SLURM_STEP_ID", "1")
    names.append(attempt("srun"))
    monkeypatch.setenv("SLURM_RESTART_COUNT", "1")
    names.append(attempt("srun"))
    assert None not in names
    assert len(set(names)) == 3
    assert attempt("none") is None


@pytest.mark.parametrize(("n", "size"), [(0, 1), (1, 3), (7, 3), (8, 4), (5, 7)])
def test_shares_cover_everything_once_and_evenly(n: int, size: int) -> None:
    shares = [Ranks(rank, size).share(n) for rank in range(size)]
    assert [i for share in shares for i in share] == list(range(n))
    assert max(map(len, shares)) - min(map(len, shares)) <= 1
