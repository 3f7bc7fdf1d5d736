import gc
import threading
import time

import numpy as np
import pytest
from shard_helpers import field, perfect_prog, source, write

from app.data.shards import Shards
from app.data.shards.prepare import prepare
from app.data.streaming.batches import batches
from app.data.streaming.sampler import Sampler
from app.data.times import time_features
from app.errors import InputError


@pytest.fixture(scope="module")
def shards(tmp_path_factory):
    """7×9 fine cells at scale 2 with a halo: 4×5 coarse cells and one more on each side."""
    folder = tmp_path_factory.mktemp("batches")
    lat, lon = np.arange(7) + 40.0, np.arange(9) * 1.0
    path = write(folder / "a.nc", field(lat=lat, lon=lon))
    other = write(folder / "b.nc", field(lat=lat, lon=lon, name="u", seed=1))
    height = field(1, lat, lon, "z", 2).isel(time=0, drop=True)
    description = perfect_prog(
        path,
        predictors=(source(other, names=("u",)),),
        static=(source(write(folder / "z.nc", height), names=("z",)),),
    )
    return Shards.open(prepare(description, scale=2, halo=1, cache_dir=folder / "c"))


def batch_threads():
    return [t for t in threading.enumerate() if t.name == "batches"]


def test_whole_fields(shards):
    sampler = Sampler(20, seed=1, batch_size=8)
    with batches(shards, "train", sampler) as stream:
        found = list(stream)
    assert len(found) == sampler.steps == 3
    for step, batch in enumerate(found):
        indices, weights = sampler.batch(step)
        np.testing.assert_array_equal(batch["weight"], weights)
        np.testing.assert_array_equal(batch["index"], indices)
        np.testing.assert_array_equal(batch["coarse"][..., :1], shards.read("lr", "train", indices))
        np.testing.assert_array_equal(
            batch["coarse"][..., 1:], shards.read("predictors", "train", indices)
        )
        assert batch["hr"].shape == (8, 12, 14, 1)
        inner = batch["hr"][:, 2:9, 2:11]
        np.testing.assert_array_equal(inner, shards.read("hr", "train", indices))
        assert np.isnan(batch["hr"]).sum() == 8 * (12 * 14 - 7 * 9)
        np.testing.assert_allclose(batch["time"], time_features(shards.times("train")[indices]))
    assert found[0]["coarse"].dtype == found[0]["hr"].dtype == np.float32


@pytest.mark.parametrize("patch", [2, 4, 8, 12])
def test_patches_are_cut_from_the_whole_fields(shards, patch):
    sampler = Sampler(20, seed=1, batch_size=8)
    with batches(shards, "train", sampler) as stream:
        whole = list(stream)
    static = np.pad(shards.static, ((2, 3), (2, 3), (0, 0)), mode="edge")
    with batches(shards, "train", sampler, patch=patch) as stream:
        for full, cut in zip(whole, stream, strict=True):
            assert cut["hr"].shape == (8, patch, patch, 1)
            for i, (row, column) in enumerate(cut["origin"]):
                cells = patch // 2
                coarse = full["coarse"][i, row : row + cells, column : column + cells]
                np.testing.assert_array_equal(cut["coarse"][i], coarse)
                rows, columns = (slice(2 * o, 2 * o + patch) for o in (row, column))
                np.testing.assert_array_equal(cut["hr"][i], full["hr"][i, rows, columns])
                np.testing.assert_array_equal(cut["static"][i], static[rows, columns])


def test_patches_stay_within_the_target(shards):
    with batches(shards, "train", Sampler(20, batch_size=20), patch=4) as stream:
        origin = next(stream)["origin"]
    assert origin.min() >= 1
    assert (origin <= [3, 4]).all()


def test_entered_again_in_the_middle(shards):
    sampler = Sampler(20, seed=4, batch_size=3)
    with batches(shards, "train", sampler, patch=4) as stream:
        expected = list(stream)[5:]
    later = Sampler(20, seed=4, batch_size=3, start=15)
    with batches(shards, "train", later, patch=4) as stream:
        found = list(stream)
    assert len(found) == 2
    for one, other in zip(expected, found, strict=True):
        for key, values in one.items():
            np.testing.assert_array_equal(values, other[key])


@pytest.mark.parametrize("patch", [3, 14, 0.5])
def test_impossible_patches(shards, patch):
    with pytest.raises(InputError, match="expected a multiple of the scale 2, 12 at most"):
        batches(shards, "train", Sampler(20), patch=patch)


def test_closing_ends_the_thread(shards):
    stream = batches(shards, "train", Sampler(20, batch_size=1), prefetch=1)
    next(stream)
    assert batch_threads()
    stream.close()
    assert not batch_threads()
    with pytest.raises(StopIteration):
        next(stream)


def test_a_forgotten_iterator_ends_its_thread(shards):
    stream = batches(shards, "train", Sampler(20, batch_size=1), prefetch=1)
    next(stream)
    del stream
    gc.collect()
    deadline = time.monotonic() + 5
    while batch_threads() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not batch_threads()


def test_errors_reach_the_consumer(shards):
    with (
        batches(shards, "train", Sampler(30, batch_size=25, shuffle=False)) as stream,
        pytest.raises(IndexError, match="train has 20 samples"),
    ):
        list(stream)
    assert not batch_threads()


def test_prefetching_is_bounded(shards, monkeypatch):
    made = []
    sampler = Sampler(20, batch_size=1)
    with batches(shards, "train", sampler, prefetch=2) as stream:
        original = shards.time_features
        monkeypatch.setattr(
            type(shards), "time_features", lambda self, *a: made.append(1) or original(*a)
        )
        next(stream)
        time.sleep(0.2)
        assert len(made) <= 4
