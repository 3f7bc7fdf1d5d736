"""Nodes, places and CPUs of ranks, worked out by hand."""

import pytest

from app.distributed.team import Member, Store, Team
from app.ranks import Ranks


def member(rank: int, local_rank: int, node: str, cpus: range = range(4)) -> Member:
    return Member(rank, 3, local_rank, node, tuple(cpus))


# Two ranks on the node a, one on b.
MEMBERS = [member(0, 0, "a"), member(1, 1, "a"), member(2, 0, "b")]


def seen_by(rank: int) -> Team:
    return Team.seen_by(MEMBERS[rank], MEMBERS, Store("10.0.0.1", 1234, "x"))


def test_places_across_nodes() -> None:
    assert [seen_by(rank).nodes for rank in range(3)] == [2, 2, 2]
    assert [seen_by(rank).local_size for rank in range(3)] == [2, 2, 1]
    assert [seen_by(rank).cross_rank for rank in range(3)] == [0, 0, 1]
    assert [seen_by(rank).cross_size for rank in range(3)] == [2, 1, 2]


def test_cpus_that_ranks_share_are_divided() -> None:
    assert [seen_by(rank).cpus for rank in range(3)] == [2, 2, 4]


def test_cpus_that_ranks_are_bound_to_are_their_own() -> None:
    bound = [member(0, 0, "a", range(0, 4)), member(1, 1, "a", range(4, 6))]
    teams = [Team.seen_by(one, bound) for one in bound]
    assert [team.cpus for team in teams] == [4, 2]


@pytest.mark.parametrize(
    ("variables", "threads"),
    [
        ({}, 16),
        ({"SLURM_CPUS_ON_NODE": "8"}, 4),  # half of the job's CPUs on this node
        ({"SLURM_CPUS_ON_NODE": "1"}, 1),
        ({"SLURM_STEP_ID": "0", "SLURM_CPUS_PER_TASK": "3", "SLURM_CPUS_ON_NODE": "8"}, 3),
        ({"SLURM_STEP_ID": "0", "SLURM_CPUS_PER_TASK": "64"}, 16),  # more than it may run on
    ],
)
def test_threads_follow_the_allocation(variables: dict[str, str], threads: int) -> None:
    assert Team(local_size=2, cpus=16).threads(variables) == threads


def test_what_started_the_program(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SLURM_JOB_ID", "SLURM_NTASKS"):
        monkeypatch.delenv(name, raising=False)
    two = Ranks(0, 2, launcher="srun")
    assert Team(nodes=2).describe(two, 1) == "started by srun: 2 ranks on 2 nodes, 1 thread each"
    assert Team().describe(Ranks(), 4) == "started without a launcher: 1 rank, 4 threads"
    monkeypatch.setenv("SLURM_JOB_ID", "7")
    monkeypatch.setenv("SLURM_NTASKS", "4")
    assert "without srun: 1 of the job's 4 tasks" in Team().describe(Ranks(), 4)
