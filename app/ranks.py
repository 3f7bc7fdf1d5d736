"""This process among those of its job, as the launcher's variables tell."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

# Launcher → its variables for rank, size, local rank and local size. The first that is there
# counts: inside a Slurm job, horovodrun and mpirun start processes that see Slurm's as well.
LAUNCHERS = {
    "horovodrun": ("HOROVOD_RANK", "HOROVOD_SIZE", "HOROVOD_LOCAL_RANK", "HOROVOD_LOCAL_SIZE"),
    "mpirun": (
        "OMPI_COMM_WORLD_RANK",
        "OMPI_COMM_WORLD_SIZE",
        "OMPI_COMM_WORLD_LOCAL_RANK",
        "OMPI_COMM_WORLD_LOCAL_SIZE",
    ),
}
# Launcher → variables that together name one start of a job; the first complete set counts.
ATTEMPT_VARIABLES = {
    "horovodrun": (("HOROVOD_GLOO_RENDEZVOUS_ADDR", "HOROVOD_GLOO_RENDEZVOUS_PORT"),),
    "mpirun": (("PMIX_NAMESPACE",), ("OMPI_MCA_ess_base_jobid",)),
    "srun": (("SLURM_JOB_ID", "SLURM_STEP_ID"),),
}


@dataclass(frozen=True)
class Ranks:
    """This process among those of its job."""

    rank: int = 0
    size: int = 1
    local_rank: int = 0
    local_size: int = 1
    launcher: str = "none"
    elastic: bool = False  # ranks come and go while the job runs

    @classmethod
    def from_environment(cls) -> Ranks:
        """Read the launcher's variables; one process where there is none."""
        for launcher, names in LAUNCHERS.items():
            if names[0] in os.environ:
                rank, size, local_rank, local_size = (int(os.environ[name]) for name in names)
                elastic = os.environ.get("HOROVOD_ELASTIC") == "1"
                return cls(rank, size, local_rank, local_size, launcher, elastic)
        return _of_srun(os.environ) or cls()

    @property
    def first(self) -> bool:
        """Whether this rank speaks and writes for all."""
        return self.rank == 0

    def share(self, n: int) -> range:
        """This rank's contiguous part of n items; the parts differ by at most one."""
        bounds = [n * part // self.size for part in (self.rank, self.rank + 1)]
        return range(*bounds)


def attempt(launcher: str) -> str | None:
    """A name for this start of the job, the same on all its ranks; None without a launcher.

    A job that Slurm has requeued keeps its number; the count of its restarts tells the starts
    apart.
    """
    named = next((n for v in ATTEMPT_VARIABLES.get(launcher, ()) if (n := _joined(v))), None)
    if named is None:
        return None
    restarts = os.environ.get("SLURM_RESTART_COUNT", "0")
    return re.sub(r"[^\w.-]", "_", f"{launcher}-{named}-{restarts}")


def job_name() -> str | None:
    """What this start of the job is called, whichever launcher it has."""
    return attempt(Ranks.from_environment().launcher)


def rendezvous() -> str | None:
    """Where the ranks of this start of horovodrun meet."""
    return _joined(ATTEMPT_VARIABLES["horovodrun"][0])


def _joined(names: tuple[str, ...]) -> str | None:
    """The values of variables that are all set; None where one is not."""
    known = all(name in os.environ for name in names)
    return "-".join(os.environ[name] for name in names) if known else None


def _of_srun(variables: Mapping[str, str]) -> Ranks | None:
    """A task of a job step; the batch shell has the job's number of tasks but no step."""
    if "SLURM_STEP_ID" not in variables or "SLURM_PROCID" not in variables:
        return None
    size = int(variables.get("SLURM_STEP_NUM_TASKS") or variables["SLURM_NTASKS"])
    tasks = list(tasks_per_node(variables.get("SLURM_STEP_TASKS_PER_NODE", str(size))))
    node = int(variables.get("SLURM_NODEID", 0))
    return Ranks(
        rank=int(variables["SLURM_PROCID"]),
        size=size,
        local_rank=int(variables.get("SLURM_LOCALID", 0)),
        local_size=tasks[min(node, len(tasks) - 1)],
        launcher="srun",
    )


def tasks_per_node(text: str) -> Iterator[int]:
    """Slurm's short form, written out: 2(x3),1 is 2, 2, 2, 1."""
    for part in text.split(","):
        count, _, times = part.partition("(x")
        yield from [int(count)] * int(times.rstrip(")") or 1)
