"""What passes between ranks through MPI, with a world of two ranks that hold the same."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from app.arrays import Array
from app.distributed import communication_errors, mpi
from app.distributed.mpi import MPICommunicator
from app.errors import InputError, RunError
from app.options import LaunchConfig
from app.ranks import Ranks

RANKS = Ranks(0, 2, 0, 2, "mpirun")


class World:
    """Another rank has the same buffers; the sizes that are reduced are kept."""

    def __init__(self, size: int = 2) -> None:
        self.size = size
        self.reduced: list[tuple[str, int]] = []

    def Get_rank(self) -> int:
        return 0

    def Get_size(self) -> int:
        return self.size

    def Allreduce(self, own: Array, total: Array) -> None:
        self.reduced.append((str(own.dtype), own.size))
        total[:] = own * 2

    def bcast(self, value: Any) -> Any:
        return value


def joined() -> tuple[MPICommunicator, World]:
    world = World()
    return MPICommunicator(RANKS, SimpleNamespace(COMM_WORLD=world)), world


@pytest.mark.parametrize("compiled", [True, False], ids=["compiled", "eager"])
def test_a_step_is_summed_in_one_buffer_and_keeps_its_shapes(compiled: bool) -> None:
    communicator, world = joined()
    kernel = np.arange(6, dtype="float32").reshape(1, 2, 3)

    def step(kernel: Any, loss: Any) -> list[Any]:
        return communicator.sum([kernel, loss, tf.ones([4])])

    run = tf.function(step, autograph=False) if compiled else step
    first, loss, last = run(tf.constant(kernel), tf.constant(0.25))
    np.testing.assert_array_equal(first, 2 * kernel)
    assert (float(loss), loss.shape, last.shape) == (0.5, (), (4,))
    assert world.reduced == [("float32", 6 + 1 + 4)]


@pytest.mark.parametrize("compiled", [True, False], ids=["compiled", "eager"])
def test_each_type_of_number_is_summed_in_its_own_precision(compiled: bool) -> None:
    communicator, world = joined()
    run = tf.function(communicator.sum, autograph=False) if compiled else communicator.sum
    fine = 1 + 2.0**-40  # no float32
    single, double = run([tf.constant([3.0]), tf.constant([fine, 0.0], "float64")])
    assert (float(single[0]), float(double[0])) == (6.0, 2 * fine)
    assert sorted(world.reduced) == [("float32", 1), ("float64", 2)]


def test_others_get_the_values_of_the_first_rank() -> None:
    communicator, world = joined()
    communicator.ranks = Ranks(1, 2, 1, 2, "mpirun")
    world.bcast = lambda own: [np.float32(7), np.float32(8)] if own is None else []
    variables = [SimpleNamespace(value=tf.Variable(value)) for value in (3.0, 5.0)]
    communicator.broadcast(variables)
    assert [float(variable.value) for variable in variables] == [7, 8]
    assert communicator.entered == 1


@pytest.mark.parametrize("size", [1, 3])
def test_a_world_of_another_size_is_refused(size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    library = SimpleNamespace(COMM_WORLD=World(size), Init_thread=lambda: None)
    monkeypatch.setattr(mpi, "mpi_library", lambda: library)
    with pytest.raises(InputError, match=f"mpirun started 2 processes, but MPI joined {size}: "):
        mpi.join(RANKS, LaunchConfig())


def test_a_failed_reduction_names_the_rank_behind_it() -> None:
    communicator, world = joined()

    def broken(own: Array, total: Array) -> None:
        raise type("Exception", (RuntimeError,), {"__module__": "mpi4py.MPI"})(
            "MPI_ERR_PROC_FAILED"
        )

    world.Allreduce = broken
    watch: Any = SimpleNamespace(verdict=lambda: "rank 1 has ended without a word")
    for run in (tf.function(communicator.sum, autograph=False), communicator.sum):
        with pytest.raises(RunError, match=r"^rank 1 has ended"), communication_errors(watch):
            run([tf.constant([1.0])])
