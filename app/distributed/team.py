"""What the ranks know of each other once all have come: nodes, CPUs, where to meet."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from app.arrays import Json
from app.ranks import Ranks


@dataclass(frozen=True)
class Member:
    """One rank as it introduces itself; `cpus` are the CPUs that it may run on."""

    rank: int
    size: int
    local_rank: int
    node: str
    cpus: tuple[int, ...]
    library: str | None = None  # that is to join the ranks

    @classmethod
    def here(cls, ranks: Ranks, library: str | None = None) -> Member:
        """This process."""
        # Several Slurm nodes may share one host, as on a machine set up for tests.
        slurm_node = os.environ.get("SLURMD_NODENAME") if ranks.launcher == "srun" else None
        return cls(
            ranks.rank,
            ranks.size,
            ranks.local_rank,
            slurm_node or socket.gethostname(),
            tuple(sorted(os.sched_getaffinity(0))),
            library,
        )


@dataclass(frozen=True)
class Store:
    """Where Horovod's ranks find each other; `path`, a secret, precedes the names in it."""

    address: str
    port: int
    path: str


@dataclass(frozen=True)
class Team:
    """One rank's view of all; `cpus` is its share of the CPUs of its node.

    address, port, path: of the `Store` through which Horovod joins the ranks. token: digits that
    name what this start of the job shares, "" for a process alone.
    """

    nodes: int = 1
    local_size: int = 1
    cross_rank: int = 0
    cross_size: int = 1
    cpus: int = 1
    address: str | None = None
    port: int | None = None
    path: str | None = None
    token: str = ""

    @classmethod
    def seen_by(
        cls,
        own: Member,
        members: Sequence[Member],
        store: Store | None = None,
        token: str = "",
    ) -> Team:
        """What follows from the introductions; `store` is where Horovod's ranks meet."""
        local = [member for member in members if member.node == own.node]
        across = sorted(m.rank for m in members if m.local_rank == own.local_rank)
        return cls(
            nodes=len({member.node for member in members}),
            local_size=len(local),
            cross_rank=across.index(own.rank),
            cross_size=len(across),
            cpus=_share(own, local),
            token=token,
            **({} if store is None else asdict(store)),
        )

    @classmethod
    def alone(cls, ranks: Ranks) -> Team:
        """A single process."""
        own = Member.here(ranks)
        return cls.seen_by(own, [own])

    def to_dict(self) -> Json:
        return asdict(self)

    def threads(self, variables: Mapping[str, str] = os.environ) -> int:
        """Threads that the allocation has for this rank: Slurm's word, within the CPUs."""
        if "SLURM_STEP_ID" in variables and "SLURM_CPUS_PER_TASK" in variables:
            return min(self.cpus, int(variables["SLURM_CPUS_PER_TASK"]))
        of_node = int(variables.get("SLURM_CPUS_ON_NODE", self.cpus * self.local_size))
        return max(1, min(self.cpus, of_node // self.local_size))

    def describe(self, ranks: Ranks, threads: int) -> str:
        """What started this program, in one line."""
        each = f"{_count(threads, 'thread')} each"
        if ranks.launcher != "none":
            where = f"{_count(ranks.size, 'rank')} on {_count(self.nodes, 'node')}"
            return f"started by {ranks.launcher}: {where}, {each}"
        tasks = int(os.environ.get("SLURM_NTASKS", 1))
        if "SLURM_JOB_ID" in os.environ and tasks > 1:
            return (
                f"started without srun: 1 of the job's {tasks} tasks, {_count(threads, 'thread')}"
            )
        return f"started without a launcher: 1 rank, {_count(threads, 'thread')}"


def _share(own: Member, local: Sequence[Member]) -> int:
    """CPUs of one rank: those it shares with others of the node count in part."""
    return max(1, round(sum(1 / sum(cpu in m.cpus for m in local) for cpu in own.cpus)))


def _count(n: int, what: str) -> str:
    return f"{n} {what}{'' if n == 1 else 's'}"
