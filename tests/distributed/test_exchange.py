"""What ranks hand each other through files."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from app.distributed.exchange import Exchange
from app.errors import Interrupted
from app.ranks import Ranks

SIZE = 3


def test_all_get_the_values_of_all_and_the_first_those_of_the_others(tmp_path: Path) -> None:
    def work(rank: int) -> tuple[list[int], list[str], list[str]]:
        exchange = Exchange(Ranks(rank, SIZE), tmp_path / "shared")
        first = exchange.gather(rank**2)
        exchange.barrier()
        others = list(exchange.others(f"of {rank}"))
        again = exchange.gather("end")
        return first, others, again

    with ThreadPoolExecutor(SIZE) as pool:
        found = list(pool.map(work, range(SIZE)))
    assert [one[0] for one in found] == [[0, 1, 4]] * SIZE
    assert [one[1] for one in found] == [["of 1", "of 2"], [], []]
    assert [one[2] for one in found] == [["end"] * SIZE] * SIZE


def test_one_rank_alone_needs_no_folder() -> None:
    alone = Exchange()
    assert alone.gather(5) == [5]
    assert list(alone.others(5)) == []
    assert alone.path(0) is None


def test_waiting_ends_where_the_job_does(tmp_path: Path) -> None:
    def stop() -> None:
        raise Interrupted("SIGTERM")

    exchange = Exchange(Ranks(0, 2), tmp_path / "shared", stop)
    with pytest.raises(Interrupted):
        exchange.barrier()
    exchange.remove()
    assert not (tmp_path / "shared").exists()
