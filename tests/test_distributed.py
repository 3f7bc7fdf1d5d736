"""Ranks as launchers tell them."""

import pytest

from app.distributed import Communicator, Ranks


def test_no_launcher_is_one_process(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HOROVOD_RANK", "OMPI_COMM_WORLD_RANK"):
        monkeypatch.delenv(name, raising=False)
    assert Ranks.from_environment() == Ranks()


def test_horovodrun_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"RANK": 3, "SIZE": 4, "LOCAL_RANK": 1, "LOCAL_SIZE": 2}.items():
        monkeypatch.setenv(f"HOROVOD_{name}", str(value))
    assert Ranks.from_environment() == Ranks(3, 4, 1, 2, "horovodrun")


@pytest.mark.parametrize(("n", "size"), [(0, 1), (1, 3), (7, 3), (8, 4), (5, 7)])
def test_shares_cover_everything_once_and_evenly(n: int, size: int) -> None:
    shares = [Ranks(rank, size).share(n) for rank in range(size)]
    assert [i for share in shares for i in share] == list(range(n))
    assert max(map(len, shares)) - min(map(len, shares)) <= 1


def test_one_process_reduces_to_itself() -> None:
    communicator = Communicator(Ranks())
    assert communicator.sum([1.0, 2.0]) == [1.0, 2.0]
    assert communicator.gather("x") == ["x"]
