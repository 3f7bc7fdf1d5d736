"""Batches hold no more samples than there are; what cannot fit the memory is refused in a line."""

from types import SimpleNamespace

import numpy as np
import pytest

from app import options
from app.errors import InputError
from app.grids import Geometry, Grid
from app.training import footprint

GIBI = 2**30


def experiment(*argv: str) -> options.Experiment:
    data = ["--data=synthetic", "--variable=t2m", "--scale=4"]
    return options.build(*options.parse(["train", *data, *argv]))


def shards(samples: int, side: int):
    degrees = 0.1 * np.arange(side)
    grid = Grid(lat=degrees, lon=degrees)
    return SimpleNamespace(
        geometry=Geometry.build(grid, 4, 0),
        variables={"hr": ("t",), "lr": ("t",), "predictors": (), "static": ()},
        size=lambda split: samples,
    )


def test_a_batch_counts_for_the_samples_there_are() -> None:
    few, all_ = (experiment(f"--batch_size={n}") for n in (100_000, 280))
    assert footprint.memory(few, shards(280, 32)) == footprint.memory(all_, shards(280, 32))


def test_what_is_far_beyond_the_memory_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(footprint, "machine_memory", lambda: 16 * GIBI)
    large = shards(100_000, 400)
    with pytest.raises(InputError) as refusal:
        footprint.refuse_excess(experiment("--batch_size=20000"), large, 2, True)
    line = str(refusal.value)
    assert line.startswith("--batch_size=20000 with --n_filters=8 and --n_blocks=6 on each of 2 ra")
    assert "there are 16.0 GiB; expected a smaller batch" in line
    footprint.refuse_excess(experiment("--batch_size=32"), large, 2, True)


def test_a_gpu_keeps_the_network(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(footprint, "machine_memory", lambda: 4 * GIBI)
    wide = experiment("--n_filters=512", "--n_blocks=32")
    footprint.refuse_excess(wide, shards(1000, 256), 1, False)
    with pytest.raises(InputError, match="--n_filters=512 and --n_blocks=32"):
        footprint.refuse_excess(wide, shards(1000, 256), 1, True)


def test_nothing_is_refused_where_the_memory_is_not_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(footprint, "machine_memory", lambda: 0)
    footprint.refuse_excess(experiment("--batch_size=900000000"), shards(10**9, 4000), 1, True)


@pytest.mark.parametrize(
    ("loss", "measured"), [("mse", 3150), ("bernoulli_gamma", 8029)], ids=["field", "amounts"]
)
def test_weights_to_every_cell_count_as_measured(loss: str, measured: int) -> None:
    """MiB that training took with 42 and 126 million weights, in batches of eight."""
    given = ["--backbone=deepesd", "--scale=16", "--halo=4", "--batch_size=8", f"--loss={loss}"]
    degrees = 0.1 * np.arange(128)
    predictors = tuple(map(str, range(15)))
    data = SimpleNamespace(
        geometry=Geometry.build(Grid(lat=degrees, lon=degrees), 16, 4),
        variables={"hr": ("t",), "lr": predictors, "predictors": (), "static": ()},
        size=lambda split: 22,
    )
    found = footprint.memory(experiment(*given), data) / 2**20
    assert abs(found / measured - 1) < 0.05
