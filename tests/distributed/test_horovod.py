"""What Horovod is told, and what becomes of its failures."""

import tempfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from app.distributed import Communicator, communication_errors, connect, horovod
from app.distributed.horovod import gloo_variables
from app.distributed.team import Team
from app.errors import InputError, RunError
from app.options import LaunchConfig
from app.ranks import Ranks

RANKS = Ranks(3, 4, 1, 2, "srun")
TEAM = Team(
    nodes=2, local_size=2, cross_rank=1, cross_size=2, cpus=1, address="127.0.0.1", port=1234
)


def made_horovod(size: int, mpi: bool, calls: list[str]) -> Any:
    return SimpleNamespace(
        init=lambda: calls.append("init"), size=lambda: size, mpi_built=lambda: mpi
    )


def with_horovod(monkeypatch: pytest.MonkeyPatch, size: int, mpi: bool = False) -> list[str]:
    """Horovod replaced; the names of what is imported and called, in order."""
    calls: list[str] = []

    def imported(name: str) -> Any:
        calls.append(name)
        return made_horovod(size, mpi, calls)

    monkeypatch.setattr(horovod, "import_module", imported)
    monkeypatch.setattr(horovod.os, "environ", {})
    return calls


@pytest.mark.parametrize("size", [1, 3])
def test_sizes_that_differ_are_refused(monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    with_horovod(monkeypatch, size)
    message = f"srun started 4 processes, but Horovod joined {size}: "
    with pytest.raises(InputError, match=message):
        connect(RANKS, TEAM, LaunchConfig(), "horovod")


def test_gloo_is_told_where_this_rank_stands(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = with_horovod(monkeypatch, 4)
    connect(RANKS, TEAM, LaunchConfig(), "horovod")
    assert calls == ["horovod.tensorflow", "init"]
    told = horovod.os.environ
    assert told["HOROVOD_CONTROLLER"] == told["HOROVOD_CPU_OPERATIONS"] == "gloo"
    place = {"RANK": 3, "SIZE": 4, "LOCAL_RANK": 1, "LOCAL_SIZE": 2, "CROSS_RANK": 1}
    for name, value in {**place, "CROSS_SIZE": 2, "GLOO_RENDEZVOUS_PORT": 1234}.items():
        assert told[f"HOROVOD_{name}"] == str(value)
    assert told["HOROVOD_GLOO_IFACE"] == "lo"  # leads to 127.0.0.1


def test_what_horovodrun_says_stays_but_for_a_named_interface(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with_horovod(monkeypatch, 4)
    own = {"HOROVOD_GLOO_RENDEZVOUS_PORT": "99", "HOROVOD_GLOO_IFACE": "lo"}
    horovod.os.environ.update(own)
    connect(RANKS, TEAM, LaunchConfig(network_interface="ib0"), "horovod")
    assert horovod.os.environ["HOROVOD_GLOO_RENDEZVOUS_PORT"] == "99"
    assert horovod.os.environ["HOROVOD_GLOO_IFACE"] == "ib0"


def test_build_with_mpi_uses_it(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = with_horovod(monkeypatch, 4, mpi=True)
    connect(RANKS, TEAM, LaunchConfig(), "horovod")
    assert calls == ["horovod.tensorflow", "mpi4py.MPI", "init"]
    assert "HOROVOD_CONTROLLER" not in horovod.os.environ


def test_horovod_is_patient_for_longer_than_the_watch() -> None:
    launch = LaunchConfig(rank_timeout=40)
    told = gloo_variables(RANKS, TEAM, launch)
    assert int(told["HOROVOD_GLOO_TIMEOUT_SECONDS"]) > 40


class HorovodInternalError(RuntimeError):
    """Named as Horovod's."""


def test_horovods_failures_become_one_line() -> None:
    unnamed = pytest.raises(RunError, match=r"lost each other \(connection closed\)")
    with unnamed, communication_errors(None):
        raise HorovodInternalError("connection\nclosed")
    watch: Any = SimpleNamespace(verdict=lambda: "rank 1 has ended without a word")
    named = pytest.raises(RunError, match=r"^rank 1 has ended without a word$")
    with named, communication_errors(watch):
        raise HorovodInternalError("connection closed")


def test_other_errors_pass() -> None:
    with pytest.raises(ValueError, match="mine"), communication_errors(None):
        raise ValueError("mine, though it speaks of Horovod")


def test_one_process_reduces_to_itself() -> None:
    communicator = Communicator(Ranks())
    assert communicator.sum([1.0, 2.0]) == [1.0, 2.0]
    assert communicator.gather("x") == ["x"]


def test_broadcast_writes_no_sources_to_the_temporary_folder(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """AutoGraph's would be left there by a rank that is killed."""
    import tensorflow as tf

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))

    @tf.function
    def broadcast_variables(variables: list[Any], root_rank: int) -> None:
        for variable in variables:
            variable.assign(variable + 1 if root_rank == 0 else variable)

    def broadcast(tensor: Any, root_rank: int) -> Any:
        return tensor + 1 if root_rank == 0 else tensor

    hvd = SimpleNamespace(broadcast=broadcast, broadcast_variables=broadcast_variables)
    variables = [SimpleNamespace(value=tf.Variable(value)) for value in (3.0, 5.0)]
    horovod.HorovodCommunicator(RANKS, hvd).broadcast(variables)
    assert [float(variable.value) for variable in variables] == [4, 6]
    assert list(tmp_path.iterdir()) == []
