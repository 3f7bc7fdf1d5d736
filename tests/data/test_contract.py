"""Prepared data as training, baselines and scores read them: on disk, without a fold, in memory."""

from pathlib import Path

import numpy as np
import pytest
from shard_helpers import field, perfect_prog, write

from app.baselines.ridge import Encoded
from app.data.contract import Fields, PreparedData
from app.data.shards import Shards
from app.data.shards import writing as shard_writing
from app.data.shards.held import in_memory
from app.data.shards.prepare import prepare
from app.data.shards.prepared import fold_bounds

KINDS = ("on disk", "without a fold", "in memory")
FOLD = (2, 3)
KEPT = np.r_[0:6, 13:20]  # of 20 hours, whose second third is 6 to 12


@pytest.fixture
def stored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shards:
    """Two days in several files, 6 × 8 cells; the first half is for training."""
    monkeypatch.setattr(shard_writing, "SHARD_BYTES", 2000)
    description = perfect_prog(write(tmp_path / "a.nc", field()))
    shards = Shards.open(prepare(description, scale=2, cache_dir=tmp_path / "c"))
    assert len(list(shards.folder.glob("train/hr-*"))) > 1
    return shards


@pytest.fixture(params=KINDS)
def case(request: pytest.FixtureRequest, stored: Shards) -> tuple[Shards, np.ndarray, np.ndarray]:
    """Prepared data, and what their training period holds: fields (n, y, x) and seconds."""
    truth, seconds = field().values[:20], stored.stamps("train").seconds
    if request.param == "without a fold":
        return stored.without_fold(FOLD), truth[KEPT], seconds[KEPT]
    if request.param == "on disk":
        return stored, truth, seconds
    fields = {
        split: {role: stored.read(role, split, range(stored.size(split))) for role in ("hr", "lr")}
        for split in stored.splits
    }
    stamps = {split: stored.stamps(split) for split in stored.splits}
    held = in_memory(stored.geometry, stored.variables, fields, stamps, scaling=stored.scaling)
    return held, truth, seconds


def test_fields_times_and_blocks_agree(case: tuple[Shards, np.ndarray, np.ndarray]) -> None:
    data, truth, seconds = case
    n = data.size("train")
    assert n == len(truth)
    np.testing.assert_array_equal(
        data.read("hr", "train", [n - 1, 0, 7])[..., 0], truth[[-1, 0, 7]]
    )
    np.testing.assert_array_equal(data.series("hr", "train", slice(1, 4))[..., 0], truth[:, 1:4])
    np.testing.assert_array_equal(data.stamps("train").seconds, seconds)
    np.testing.assert_array_equal(data.times("train").astype("datetime64[s]").astype(int), seconds)
    out = np.empty((2, 2, 3, 1), np.float32)
    windows = [(slice(1, 3), slice(0, 3)), (slice(4, 6), slice(5, 8))]
    data.read_into(out, "hr", "train", [7, 1], windows)
    np.testing.assert_array_equal(out[0, ..., 0], truth[7, 1:3, :3])
    np.testing.assert_array_equal(out[1, ..., 0], truth[1, 4:6, 5:8])
    hours = seconds / 3600 % 24
    found = np.arctan2(*data.harmonics("train", [7, 3])[:, :2].T) % (2 * np.pi) * 24 / (2 * np.pi)
    np.testing.assert_allclose(found, hours[[7, 3]], atol=1e-4)
    np.testing.assert_array_equal(
        data.time_features("train", [7]), data.time_features("train")[[7]]
    )


def test_gaps_part_the_stretches(case: tuple[Shards, np.ndarray, np.ndarray]) -> None:
    data, _, seconds = case
    assert data.step("train") == 3600
    np.testing.assert_array_equal(
        data.segments("train"), np.r_[0, np.cumsum(np.diff(seconds) > 3600)]
    )
    assert data.size("validation") == len(data.segments("validation")) == 10


def test_samples_beyond_the_split_are_refused(case: tuple[Shards, np.ndarray, np.ndarray]) -> None:
    data, truth, _ = case
    for beyond in ([len(truth)], [-1]):
        with pytest.raises(IndexError):
            data.read("hr", "train", beyond)


def test_views_of_a_network_are_cut_alike(stored: Shards) -> None:
    fitted: Fields = Encoded(stored.without_fold(FOLD), (0, 1))
    whole: PreparedData = stored
    rows = np.arange(fitted.size("train"))
    np.testing.assert_array_equal(
        fitted.read("hr", "train", rows), Encoded(whole, (0, 1)).read("hr", "train", KEPT)
    )
    np.testing.assert_array_equal(
        fitted.harmonics("train"), whole.time_features("train")[KEPT][:, :2]
    )


def test_folds_share_out_the_training_period(stored: Shards) -> None:
    assert [list(fold) for fold in fold_bounds(10, 3)] == [[0, 1, 2], [3, 4, 5], [6, 7, 8, 9]]
    assert stored.without_fold(None) is stored
    left = stored.without_fold((1, 2)).without_fold((2, 2))
    np.testing.assert_array_equal(
        left.read("hr", "train", range(5)), stored.read("hr", "train", range(10, 15))
    )
    assert left.size("train") == 5
    assert left.size("test") == stored.size("test")
