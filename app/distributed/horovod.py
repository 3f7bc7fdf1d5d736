"""What passes between ranks through Horovod."""

from __future__ import annotations

import os
from collections.abc import Sequence
from importlib import import_module
from typing import Any

from app.arrays import Tensor
from app.distributed.communicator import Communicator
from app.distributed.libraries import INSTALL
from app.distributed.network import interface_towards
from app.distributed.team import Member, Team
from app.errors import InputError, one_line
from app.options import LaunchConfig
from app.ranks import Ranks

STORE = "HOROVOD_GLOO_RENDEZVOUS_ADDR"


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


def join(ranks: Ranks, team: Team, launch: LaunchConfig) -> HorovodCommunicator:
    """Start Horovod; InputError where its ranks are not those that the launcher has started."""
    hvd = _start_horovod(ranks, team, launch)
    if hvd.size() != ranks.size:
        raise InputError(
            f"{ranks.launcher} started {ranks.size} processes, but Horovod joined {hvd.size()}: "
            f"expected a Horovod with Gloo, or with an MPI that knows {ranks.launcher}"
        )
    return HorovodCommunicator(ranks, hvd)


def is_horovods(error: Exception) -> bool:
    """Horovod's own error, or TensorFlow's about one of Horovod's operations."""
    tensorflows = type(error).__module__.startswith("tensorflow")
    return type(error).__name__ == "HorovodInternalError" or (
        tensorflows and "Horovod" in str(error)
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
