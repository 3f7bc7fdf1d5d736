"""What an elastic job keeps, refuses, and takes for a change of its ranks."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from app.distributed import communication_errors
from app.distributed.elastic import ElasticCommunicator, committed_state, internal_errors
from app.errors import Regroup
from app.main import main
from app.ranks import Ranks

HorovodInternalError = pytest.importorskip(
    "horovod.common.exceptions", exc_type=ModuleNotFoundError
).HorovodInternalError
ADDED = 2  # Horovod's number for hosts that have come
QUICKSTART = Path(__file__).parents[2] / "flagfiles" / "quickstart.cfg"


class UnknownError(Exception):
    """TensorFlow's, as its operations raise it."""


UnknownError.__module__ = "tensorflow.python.framework.errors_impl"


def joined(first: Any = None) -> ElasticCommunicator:
    """A rank; `first`: what the first rank's broadcasts say instead of its own."""
    hvd = SimpleNamespace(
        broadcast_object=lambda value: value if first is None else first, rank=lambda: 0
    )
    return ElasticCommunicator(Ranks(0, 2, elastic=True), hvd, committed_state(hvd))


def test_what_was_committed_belongs_to_its_run() -> None:
    ranks = joined()
    assert ranks.committed("a") is None
    ranks.commit("a", {"epoch": 3})
    assert ranks.committed("a") == {"epoch": 3}
    assert ranks.committed("b") is None


def test_newcomers_get_what_the_first_rank_has() -> None:
    ranks = joined(first={"run": "a", "checkpoint": {"epoch": 7}})
    ranks._state.sync()
    assert ranks.committed("a") == {"epoch": 7}


def test_new_hosts_ask_for_a_commit_and_change_the_ranks_there() -> None:
    ranks = joined()
    assert not ranks.regrouping
    ranks._state.on_hosts_updated(1, ADDED)
    assert ranks.regrouping
    with pytest.raises(Regroup):
        ranks.commit("a", {"epoch": 4})
    assert ranks.committed("a") == {"epoch": 4}
    ranks._state.on_reset()
    assert not ranks.regrouping


@pytest.mark.parametrize(
    "error",
    [
        HorovodInternalError("broken pipe"),
        UnknownError("{{node HorovodGroupedAllreduce}} Horovod has been shut down"),
        UnknownError("{{node HorovodAllgather}} Horovod has been shut down"),
    ],
)
def test_every_failure_of_horovod_is_a_change_of_the_ranks(error: Exception) -> None:
    with pytest.raises(HorovodInternalError), internal_errors():
        raise error
    with pytest.raises(Regroup), communication_errors(None, elastic=True):
        raise error


def test_other_failures_stay_what_they_are() -> None:
    with pytest.raises(ZeroDivisionError), internal_errors():
        raise ZeroDivisionError


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["train", "test"], "stage test: received an elastic horovodrun; expected train there"),
        (["train", "--overwrite"], "--overwrite: received in an elastic job"),
    ],
)
def test_what_newcomers_could_not_join_is_refused(
    argv: list[str],
    message: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name in ("RANK", "LOCAL_RANK"):
        monkeypatch.setenv(f"HOROVOD_{name}", "0")
    for name in ("SIZE", "LOCAL_SIZE", "ELASTIC"):
        monkeypatch.setenv(f"HOROVOD_{name}", "1")
    assert main([*argv, f"--flagfile={QUICKSTART}"]) == 2
    assert message in capsys.readouterr().err
