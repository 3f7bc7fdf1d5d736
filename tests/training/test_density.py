"""Dense weights streamed from shards, by one rank or several."""

import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

from app.data.description import Variable
from app.distributed import Communicator
from app.options import TrainingConfig
from app.ranks import Ranks
from app.training.density import fit_dense_weights, write_dense_weights

RAIN = Variable("pr", "pr", units="mm", kind="ratio", wet_threshold=0.1)


class RainShards:
    """Training targets in memory: half dry, the rest gamma distributed."""

    def __init__(self, n: int = 60) -> None:
        self.predictands = (RAIN,)
        self.variables = {"hr": self.predictands}
        rng = np.random.default_rng(0)
        wet = rng.random((n, 12, 10, 1)) < 0.5
        self.hr = np.where(wet, rng.gamma(0.7, 3.0, wet.shape), 0.0).astype("float32")
        self.hr[3, 2:5] = np.nan

        class Geometry:
            fine_shape = (12, 10)

        self.geometry = Geometry()

    def size(self, split: str) -> int:
        return len(self.hr)

    def read(self, role: str, split: str, indices: np.ndarray) -> np.ndarray:
        return self.hr[indices]


class Threads(Communicator):
    """Ranks that are threads and hand each other what they gather."""

    def __init__(self, ranks: Ranks, barrier: threading.Barrier, shared: dict) -> None:
        super().__init__(ranks)
        self._barrier, self._shared = barrier, shared

    def gather(self, value: Any) -> list[Any]:
        self._shared[self.ranks.rank] = value
        self._barrier.wait()
        found = [self._shared[rank] for rank in range(self.ranks.size)]
        self._barrier.wait()
        return found


def fitted(config: TrainingConfig, size: int) -> list[Any]:
    """What each of `size` ranks finds."""
    barrier, shared, found = threading.Barrier(size), {}, [None] * size
    shards: Any = RainShards()

    def work(rank: int) -> None:
        communicator = Threads(Ranks(rank, size), barrier, shared)
        found[rank] = fit_dense_weights(config, shards, communicator)

    threads = [threading.Thread(target=work, args=(rank,)) for rank in range(size)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


@pytest.mark.parametrize("on", ["all", "wet", "log"])
def test_ranks_find_what_one_does_and_the_mean_weight_is_one(on: str) -> None:
    config = TrainingConfig(loss="mse", dense_alpha=1.0, dense_on=on)
    (one,) = fitted(config, 1)
    for other in fitted(config, 3):
        np.testing.assert_allclose(other.lookups[0].weights, one.lookups[0].weights, rtol=1e-9)
        assert other.lookups[0].grid.origin == one.lookups[0].grid.origin
    hr = RainShards().hr
    weights = np.asarray(one(hr), "float64")[np.isfinite(hr)]
    assert weights.mean() == pytest.approx(1.0, abs=1e-5)
    dry = np.asarray(one(np.zeros((1, 1, 1, 1), "float32"))).item()
    assert dry == 1.0 if on != "all" else dry < 0.1
    rare, common = np.asarray(one(np.array([15.0, 0.5], "float32")[:, None, None, None])).ravel()
    assert rare > common


def test_the_coarsened_targets_of_a_stage_are_weighed_by_their_own_density() -> None:
    config = TrainingConfig(loss="mse", dense_alpha=1.0)
    shards: Any = RainShards()

    def halved(fields: np.ndarray) -> np.ndarray:
        return fields[:, ::2, ::2] / 2

    found = fit_dense_weights(config, shards, Communicator(Ranks()), coarsened=halved)
    assert found is not None
    top = np.nanmax(halved(shards.hr))
    assert found.lookups[0].grid.values[-1] == pytest.approx(top)


def test_nothing_is_fitted_without_alpha() -> None:
    shards: Any = RainShards()
    assert fit_dense_weights(TrainingConfig(), shards, Communicator(Ranks())) is None


def test_the_lookup_is_kept_as_a_table(tmp_path: Path) -> None:
    config = TrainingConfig(loss="mse", dense_alpha=1.0, dense_on="log")
    (one,) = fitted(config, 1)
    write_dense_weights(tmp_path / "dense_weights.nc", one, (RAIN,), config)
    with xr.open_dataset(tmp_path / "dense_weights.nc") as found:
        assert found.attrs["dense_on"] == "log"
        values = found["pr_value"].values
        np.testing.assert_array_equal(found["pr_weight"], one.lookups[0].weights)
    assert values[0] == pytest.approx(0.1, rel=1e-3)  # the smallest wet value
    assert values[-1] == pytest.approx(np.nanmax(RainShards().hr), rel=1e-6)
