"""What passes between ranks through MPI: mpi4py, which needs no compiler, and any Open MPI."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import numpy as np

from app.arrays import Array, Tensor
from app.distributed.communicator import Communicator
from app.distributed.libraries import mpi_library
from app.errors import InputError
from app.options import LaunchConfig
from app.ranks import Ranks

INTERFACE = "OMPI_MCA_btl_tcp_if_include"  # Open MPI's variable


class MPICommunicator(Communicator):
    """Several processes that mpirun, or srun with PMIx, has started."""

    def __init__(self, ranks: Ranks, mpi: Any) -> None:
        super().__init__(ranks)
        self._mpi = mpi
        self._world = mpi.COMM_WORLD

    def sum(self, tensors: Sequence[Tensor]) -> list[Tensor]:
        """One reduction for each type of number, of all tensors one behind the other.

        Their shapes must be known. All ranks get the same bits, and get them again in another
        run on as many ranks.
        """
        import tensorflow as tf

        tensors = [tf.convert_to_tensor(tensor) for tensor in tensors]
        types = sorted({tensor.dtype for tensor in tensors}, key=lambda dtype: dtype.name)
        places = [[i for i, t in enumerate(tensors) if t.dtype == dtype] for dtype in types]
        buffers = [tf.concat([tf.reshape(tensors[i], [-1]) for i in own], 0) for own in places]
        if tf.executing_eagerly():
            totals = self._reduce(*(buffer.numpy() for buffer in buffers))
        else:  # one call of Python: several could come in another order on another rank
            totals = tf.numpy_function(self._reduce, buffers, types)
        result = dict[int, Tensor]()
        for own, total in zip(places, totals, strict=True):
            parts = tf.split(total, [tensors[i].shape.num_elements() for i in own])
            for i, part in zip(own, parts, strict=True):
                result[i] = tf.reshape(part, tensors[i].shape)
        return [result[i] for i in range(len(tensors))]

    def broadcast(self, variables: Sequence[Tensor]) -> None:
        self.enter()
        own = [np.asarray(v.value) for v in variables] if self.ranks.first else None
        for variable, value in zip(variables, self._world.bcast(own), strict=True):
            variable.value.assign(value)

    def gather(self, value: Any) -> list[Any]:
        self.enter()
        result: list[Any] = self._world.allgather(value)
        return result

    def finish(self) -> None:
        self._mpi.Finalize()

    def _reduce(self, *buffers: Array) -> list[Array]:
        totals = [np.empty_like(buffer) for buffer in buffers]
        for buffer, total in zip(buffers, totals, strict=True):
            self._world.Allreduce(buffer, total)
        return totals


def join(ranks: Ranks, launch: LaunchConfig) -> MPICommunicator:
    """Start MPI; InputError where its ranks are not those that the launcher has started."""
    mpi = mpi_library()
    if launch.network_interface:
        os.environ[INTERFACE] = launch.network_interface
    mpi.Init_thread()
    world = mpi.COMM_WORLD
    if (world.Get_rank(), world.Get_size()) != (ranks.rank, ranks.size):
        raise InputError(
            f"{ranks.launcher} started {ranks.size} processes, but MPI joined {world.Get_size()}: "
            "expected the mpirun of the MPI that Python loads, which lies beside Python (.venv/bin)"
        )
    return MPICommunicator(ranks, mpi)


def is_mpis(error: Exception) -> bool:
    """MPI's own error, or TensorFlow's about one in a reduction."""
    name = "mpi4py.MPI"
    kind = type(error)
    return kind.__module__ == name or (
        kind.__module__.startswith("tensorflow") and name in str(error)
    )
