"""What a checkpoint holds of several ranks, and what another number of ranks makes of it."""

from typing import Any

import numpy as np
import pytest

from app.distributed import Communicator
from app.ranks import Ranks
from app.training.state import capture, restore

SEEDS = [np.array([5, 1]), np.array([6, 1])]
STATISTICS = [np.float32([1, 2]), np.float32([3, 6])]


class Variable:
    """What Keras variables have in common with arrays."""

    def __init__(self, value: Any) -> None:
        self.value = np.array(value)

    def numpy(self) -> np.ndarray:
        return self.value

    def assign(self, value: Any) -> None:
        self.value = np.array(value)


class Holder:
    """State of one rank: a weight that all share, a seed and a moving statistic of its own."""

    def __init__(self, rank: int) -> None:
        self.weight, self.seed = Variable([7.0]), Variable(SEEDS[rank])
        self.statistic = Variable(STATISTICS[rank])

    def variables(self) -> dict[str, Variable]:
        return {"model/0": self.weight, "model/1": self.statistic}

    def seeds(self) -> list[Variable]:
        return [self.seed]

    def local(self) -> list[Variable]:
        return [self.statistic]


class Two(Communicator):
    """The first of two ranks, with what the second would send."""

    def gather(self, value: Any) -> list[Any]:
        return [value, ([SEEDS[1]], [STATISTICS[1]])]


@pytest.fixture
def arrays() -> dict[str, np.ndarray]:
    return capture(Holder(0), Two(Ranks(0, 2)))  # type: ignore[arg-type]


@pytest.mark.parametrize("rank", [0, 1])
def test_each_rank_finds_its_own_again(arrays: dict[str, np.ndarray], rank: int) -> None:
    holder = Holder(1 - rank)
    restore(holder, arrays, Ranks(rank, 2))  # type: ignore[arg-type]
    np.testing.assert_array_equal(holder.seed.value, SEEDS[rank])
    np.testing.assert_array_equal(holder.statistic.value, STATISTICS[rank])


@pytest.mark.parametrize("size", [1, 3])
def test_another_number_of_ranks_takes_the_mean_and_keeps_its_seeds(
    arrays: dict[str, np.ndarray], size: int
) -> None:
    holder = Holder(0)
    holder.seed.assign([9, 9])
    restore(holder, arrays, Ranks(0, size))  # type: ignore[arg-type]
    np.testing.assert_array_equal(holder.statistic.value, [2, 4])
    np.testing.assert_array_equal(holder.seed.value, [9, 9])
