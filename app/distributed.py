"""Ranks: who started us, how many we are, and what passes between us.

`Ranks` comes from the launcher's environment and needs neither TensorFlow nor Horovod;
a `Communicator` reduces tensors, through Horovod where there is more than one rank.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from app.errors import InputError

# Launcher → its variables for rank, size, local rank and local size.
LAUNCHERS = {
    "horovodrun": ("HOROVOD_RANK", "HOROVOD_SIZE", "HOROVOD_LOCAL_RANK", "HOROVOD_LOCAL_SIZE"),
    "mpirun": (
        "OMPI_COMM_WORLD_RANK",
        "OMPI_COMM_WORLD_SIZE",
        "OMPI_COMM_WORLD_LOCAL_RANK",
        "OMPI_COMM_WORLD_LOCAL_SIZE",
    ),
}


@dataclass(frozen=True)
class Ranks:
    """This process among those of its job."""

    rank: int = 0
    size: int = 1
    local_rank: int = 0
    local_size: int = 1
    launcher: str = "none"

    @classmethod
    def from_environment(cls) -> Ranks:
        """Read the launcher's variables; one process where there is none."""
        for launcher, names in LAUNCHERS.items():
            if names[0] in os.environ:
                rank, size, local_rank, local_size = (int(os.environ[name]) for name in names)
                return cls(rank, size, local_rank, local_size, launcher)
        return cls()

    @property
    def first(self) -> bool:
        """Whether this rank speaks and writes for all."""
        return self.rank == 0

    def share(self, n: int) -> range:
        """This rank's contiguous part of n items; the parts differ by at most one."""
        bounds = [n * part // self.size for part in (self.rank, self.rank + 1)]
        return range(*bounds)


class Communicator:
    """One process: sums are what they are."""

    def __init__(self, ranks: Ranks) -> None:
        self.ranks = ranks

    def sum(self, tensors: Sequence[Any]) -> list[Any]:
        """Sum each tensor over the ranks; usable inside a compiled function."""
        return list(tensors)

    def broadcast(self, variables: Sequence[Any]) -> None:
        """Give every rank the first rank's values of Keras variables."""

    def gather(self, value: Any) -> list[Any]:
        """The picklable values of all ranks, in their order."""
        return [value]

    def barrier(self) -> None:
        """Wait until every rank has come here."""
        self.gather(None)


class HorovodCommunicator(Communicator):
    """Several processes under a launcher, through Horovod.

    Horovod's own Keras wrappers do not know Keras 3, so raw tensors are reduced here.
    """

    def __init__(self, ranks: Ranks) -> None:
        super().__init__(ranks)
        import horovod.tensorflow as hvd

        hvd.init()
        if hvd.size() != ranks.size:
            raise InputError(
                f"{ranks.launcher} started {ranks.size} processes, but Horovod joined "
                f"{hvd.size()}: start the program with horovodrun -np {ranks.size} --gloo"
            )
        self._hvd = hvd

    def sum(self, tensors: Sequence[Any]) -> list[Any]:
        return self._hvd.grouped_allreduce(list(tensors), op=self._hvd.Sum)

    def broadcast(self, variables: Sequence[Any]) -> None:
        self._hvd.broadcast_variables([variable.value for variable in variables], root_rank=0)

    def gather(self, value: Any) -> list[Any]:
        return self._hvd.allgather_object(value)


def connect(ranks: Ranks) -> Communicator:
    """The communicator for these ranks; Horovod is imported only for more than one."""
    return HorovodCommunicator(ranks) if ranks.size > 1 else Communicator(ranks)
