"""What passes between ranks: nothing for a single one; through Horovod, or MPI (`mpi.py`)."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from typing import TYPE_CHECKING, Any

from app.arrays import Tensor
from app.distributed.libraries import HOROVOD, INSTALL
from app.distributed.network import interface_towards
from app.distributed.team import Member, Team
from app.errors import InputError, Regroup, RunError, one_line
from app.options import LaunchConfig
from app.ranks import Ranks

if TYPE_CHECKING:
    from app.distributed.watch import Watch


STORE = "HOROVOD_GLOO_RENDEZVOUS_ADDR"


class Communicator:
    """One process: sums are what they are."""

    def __init__(self, ranks: Ranks) -> None:
        self.ranks = ranks
        self.entered = 0  # steps and exchanges so far: shows which rank the others wait for

    def enter(self) -> None:
        """To be called before each compiled step that sums over the ranks."""
        self.entered += 1

    def sum(self, tensors: Sequence[Tensor]) -> list[Tensor]:
        """Sum each tensor over the ranks; usable inside a compiled function."""
        return list(tensors)

    def broadcast(self, variables: Sequence[Tensor]) -> None:
        """Give every rank the first rank's values of Keras variables."""

    def gather(self, value: Any) -> list[Any]:
        """The picklable values of all ranks, in their order."""
        return [value]

    def barrier(self) -> None:
        """Wait until every rank has come here."""
        self.gather(None)

    def finish(self) -> None:
        """To be called by each rank that has done all of its work, before its process ends."""

    @property
    def regrouping(self) -> bool:
        """Whether ranks are about to come or go, and a checkpoint is wanted before they do."""
        return False

    def commit(self, run: str, checkpoint: Any) -> None:
        """Keep what all ranks go on from, in the run of that name, when ranks come or go.

        Regroup where they do.
        """

    def committed(self, run: str) -> Any:
        """What was last committed in the run of that name."""
        return None


class HorovodCommunicator(Communicator):
    """Several processes under a launcher, through Horovod.

    Horovod's own Keras wrappers do not know Keras 3, so raw tensors are reduced here.
    """

    def __init__(self, ranks: Ranks, hvd: Any) -> None:
        super().__init__(ranks)
        self._hvd = hvd

    def sum(self, tensors: Sequence[Tensor]) -> list[Tensor]:
        result: list[Tensor] = self._hvd.grouped_allreduce(list(tensors), op=self._hvd.Sum)
        return result

    def broadcast(self, variables: Sequence[Tensor]) -> None:
        import tensorflow as tf

        self.enter()

        def spread() -> None:
            for variable in variables:
                variable.value.assign(self._hvd.broadcast(variable.value, root_rank=0))

        # Horovod's own broadcast_variables has AutoGraph write sources to the temporary folder,
        # where a rank that is killed leaves them.
        tf.function(spread, autograph=False)()

    def gather(self, value: Any) -> list[Any]:
        self.enter()
        result: list[Any] = self._hvd.allgather_object(value)
        return result


def connect(ranks: Ranks, team: Team, launch: LaunchConfig, library: str | None) -> Communicator:
    """The communicator for these ranks, through the library that `libraries.chosen` names."""
    if library is None:
        return Communicator(ranks)
    if library != HOROVOD:
        from app.distributed.mpi import join

        return join(ranks, launch)
    hvd = _start_horovod(ranks, team, launch)
    if hvd.size() != ranks.size:
        raise InputError(
            f"{ranks.launcher} started {ranks.size} processes, but Horovod joined {hvd.size()}: "
            f"expected a Horovod with Gloo, or with an MPI that knows {ranks.launcher}"
        )
    return HorovodCommunicator(ranks, hvd)


@contextmanager
def communication_errors(watch: Watch | None, elastic: bool = False) -> Iterator[None]:
    """Turn Horovod's and MPI's failures into a RunError that names the rank behind, if known.

    In an elastic job they are what tells that a rank has gone: Regroup.
    """
    try:
        yield
    except Exception as error:
        if not (is_horovods(error) or is_mpis(error)):
            raise
        if elastic:
            raise Regroup(one_line(error)) from error
        reason = watch.verdict() if watch else None
        raise RunError(reason or f"the ranks have lost each other ({one_line(error)})") from error


def is_horovods(error: Exception) -> bool:
    """Horovod's own error, or TensorFlow's about one of Horovod's operations."""
    tensorflows = type(error).__module__.startswith("tensorflow")
    return type(error).__name__ == "HorovodInternalError" or (
        tensorflows and "Horovod" in str(error)
    )


def is_mpis(error: Exception) -> bool:
    """MPI's own error, or TensorFlow's about one in a reduction."""
    name = "mpi4py.MPI"
    kind = type(error)
    return kind.__module__ == name or (
        kind.__module__.startswith("tensorflow") and name in str(error)
    )


def _start_horovod(ranks: Ranks, team: Team, launch: LaunchConfig) -> Any:
    """Horovod, joined through MPI if it was built with it, otherwise through Gloo."""
    hvd = _import_horovod()
    if hvd.mpi_built() and os.environ.get("HOROVOD_CONTROLLER") != "gloo":
        import_module("mpi4py.MPI")
    else:
        given = gloo_variables(ranks, team, launch)
        for name, value in given.items():
            os.environ.setdefault(name, value)  # horovodrun has set its own
        if launch.network_interface:
            os.environ["HOROVOD_GLOO_IFACE"] = launch.network_interface
    hvd.init()
    if STORE in os.environ:  # locks and messages name a job by it: no secret from here on
        os.environ[STORE] = os.environ[STORE].partition(":")[0]
    return hvd


def _import_horovod() -> Any:
    """InputError where Horovod is installed and cannot be loaded."""
    try:
        try:
            return import_module("horovod.tensorflow")
        except ImportError:  # a build with MPI finds libmpi only once it is loaded
            import_module("mpi4py.MPI")
            return import_module("horovod.tensorflow")
    except ImportError as error:
        raise InputError(
            f"Horovod cannot be loaded ({one_line(error)}); expected {INSTALL}, built for this "
            "TensorFlow, or mpirun with --communicator=mpi, which does without"
        ) from error


def _store_address(team: Team) -> str | None:
    """The store's address, such that Horovod, which adds `:PORT/NAME`, asks below its path."""
    return f"{team.address}:{team.port}/{team.path}/" if team.path else team.address


def gloo_variables(ranks: Ranks, team: Team, launch: LaunchConfig) -> dict[str, str]:
    """What Horovod reads to join its ranks through Gloo."""
    interface = launch.network_interface or interface_towards(str(team.address))
    variables = {
        "RANK": ranks.rank,
        "SIZE": ranks.size,
        "LOCAL_RANK": ranks.local_rank,
        "LOCAL_SIZE": team.local_size,
        "CROSS_RANK": team.cross_rank,
        "CROSS_SIZE": team.cross_size,
        "HOSTNAME": Member.here(ranks).node,
        "CONTROLLER": "gloo",
        "CPU_OPERATIONS": "gloo",
        "GLOO_RENDEZVOUS_ADDR": _store_address(team),
        "GLOO_RENDEZVOUS_PORT": team.port,
        # Longer than the watch, which knows the name of a silent rank, has patience.
        "GLOO_TIMEOUT_SECONDS": launch.launch_timeout + launch.rank_timeout,
    }
    named = {f"HOROVOD_{name}": str(value) for name, value in variables.items()}
    if interface:
        named |= {"HOROVOD_GLOO_IFACE": interface, "NCCL_SOCKET_IFNAME": interface}
    return named
