import os
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from shard_helpers import field, perfect_prog, write

from app.data.description import Splits
from app.data.shards import Shards, stored_field
from app.data.shards import writing as shard_writing
from app.data.shards.prepare import prepare
from app.errors import InputError, RunError


@pytest.fixture
def data():
    return field(40)


@pytest.fixture
def folder(data, tmp_path, monkeypatch):
    """Five shards of training data, three of validation and test."""
    monkeypatch.setattr(shard_writing, "SHARD_BYTES", 6 * 8 * 4 * 4)
    description = perfect_prog(write(tmp_path / "a.nc", data))
    return prepare(description, scale=2, cache_dir=tmp_path / "c")


def test_random_access_over_shards(folder, data):
    shards = Shards.open(folder)
    assert len(list((folder / "train").glob("hr-*"))) == 5
    order = np.random.default_rng(0).permutation(shards.size("train"))
    np.testing.assert_array_equal(shards.read("hr", "train", order)[..., 0], data.values[order])
    out = np.zeros((2, 6, 8, 1), np.float32)
    shards.read_into(out, "hr", "train", [19, 0], [(slice(None), slice(None))] * 2)
    np.testing.assert_array_equal(out[..., 0], data.values[[19, 0]])


def test_series_of_some_rows(folder, data):
    rows = Shards.open(folder).series("hr", "train", slice(2, 4))
    np.testing.assert_array_equal(rows[..., 0], data.values[:20, 2:4])


def test_out_of_range(folder):
    for index in (-1, 20):
        with pytest.raises(IndexError, match="train has 20 samples"):
            Shards.open(folder).read("hr", "train", [index])


def test_unknown_split_and_role(tmp_path, data):
    description = perfect_prog(
        write(tmp_path / "a.nc", data), splits=Splits(fractions=(0.5, 0.5, 0.0))
    )
    shards = Shards.open(prepare(description, scale=2, cache_dir=tmp_path / "c"))
    with pytest.raises(InputError, match="no split test; there are train, validation"):
        shards.size("test")
    with pytest.raises(InputError, match="no predictors fields"):
        shards.read("predictors", "train", [0])
    assert shards.scaling["predictors"].mean.shape == (0,)
    assert shards.static.shape == (6, 8, 0)


def test_shards_are_ordinary_cf_files(folder, data):
    with xr.open_dataset(folder / "train" / "hr-00001-of-00005.nc") as shard:
        np.testing.assert_array_equal(shard.t.values, data.values[4:8])
        np.testing.assert_array_equal(shard.time.values, data.time.values[4:8])
        np.testing.assert_array_equal(shard.lat.values, data.lat.values)
        assert shard.t.attrs["units"] == "K"
        assert shard.lat.attrs["standard_name"] == "latitude"
        assert shard.t.encoding["contiguous"]


@pytest.mark.parametrize("wide", [False, True], ids=["bands", "row by row"])
def test_windows_of_samples(folder, data, monkeypatch, wide):
    monkeypatch.setattr(stored_field, "BAND", 2 * 8 * 4)  # two rows at once
    if wide:
        monkeypatch.setattr(stored_field, "WIDE", 8)
    shards, out = Shards.open(folder), np.zeros((2, 3, 1, 1), np.float32)
    windows = [(slice(2, 5), slice(6, 7)), (slice(0, 3), slice(7, 8))]
    shards.read_into(out, "hr", "train", [13, 4], windows)
    np.testing.assert_array_equal(out[0, ..., 0], data.values[13, 2:5, 6:7])
    np.testing.assert_array_equal(out[1, ..., 0], data.values[4, 0:3, 7:8])


def test_a_shard_cut_short_beneath_its_reader_ends_with_a_line(folder):
    shards = Shards.open(folder)
    path = folder / "train" / "hr-00000-of-00005.nc"
    os.truncate(path, 100)
    with pytest.raises(RunError, match=r"hr-00000-of-00005\.nc: was cut to 100 bytes while it"):
        shards.read("hr", "train", [3])
    with pytest.raises(RunError, match="was cut to 100 bytes"):
        shards.series("hr", "train", slice(0, 2))


def test_a_shard_removed_beneath_its_reader_is_still_read(folder, data):
    shards = Shards.open(folder)
    (folder / "train" / "hr-00000-of-00005.nc").unlink()
    np.testing.assert_array_equal(shards.read("hr", "train", [3])[0, ..., 0], data.values[3])


def test_truncation_is_noticed_at_open(folder):
    path = folder / "validation" / "lr-00000-of-00003.nc"
    os.truncate(path, path.stat().st_size - 1)
    with pytest.raises(InputError, match=r"lr-00000-of-00003\.nc: has \d+ bytes, expected"):
        Shards.open(folder)
    path.unlink()
    with pytest.raises(InputError, match="is missing, expected"):
        Shards.open(folder)


def test_changed_bytes_are_noticed_by_verify(folder):
    shards = Shards.open(folder)
    shards.verify()
    path = folder / "test" / "hr-00000-of-00003.nc"
    with path.open("r+b") as file:
        file.seek(-2, os.SEEK_END)
        file.write(b"\x55")
    with pytest.raises(
        InputError, match=r"hr-00000-of-00003\.nc: damaged, its checksum differs at byte 0"
    ):
        shards.verify()


def test_no_cache_there(tmp_path):
    with pytest.raises(InputError, match=r"no prepared data there \(manifest.json is missing"):
        Shards.open(tmp_path)


@pytest.mark.parametrize("text", ["{", '{"format": 99}'])
def test_manifest_of_another_kind(folder, text):
    (folder / "manifest.json").write_text(text)
    with pytest.raises(InputError, match=r"prepares? (it )?again"):
        Shards.open(folder)


def test_windows_of_time_end_at_gaps(tmp_path):
    times = np.datetime64("2001-01-01", "ns") + np.timedelta64(1, "h") * np.r_[0:10, 30:40]
    description = perfect_prog(
        write(tmp_path / "a.nc", field(times)), splits=Splits(fractions=(1, 0, 0))
    )
    shards = Shards.open(prepare(description, scale=2, cache_dir=tmp_path / "c"))
    assert shards.segments("train").tolist() == [0] * 10 + [1] * 10


def anonymous_memory() -> int:
    """Bytes of this process that no file backs."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("RssAnon"))


def test_reading_everything_keeps_nothing(tmp_path):
    n = 500
    times = np.datetime64("2001-01-01", "ns") + np.arange(n) * np.timedelta64(1, "h")
    data = field(times, np.arange(128) * 0.25, np.arange(256) * 0.25)
    description = perfect_prog(write(tmp_path / "a.nc", data), splits=Splits(fractions=(1, 0, 0)))
    shards = Shards.open(prepare(description, scale=2, cache_dir=tmp_path / "c"))
    shards.read("hr", "train", [0])
    before = anonymous_memory()
    batch = np.empty((10, 128, 256, 1), np.float32)
    for start in range(0, n, 10):
        shards.read_into(batch, "hr", "train", np.arange(start, start + 10))
    assert data.nbytes > 64e6
    assert anonymous_memory() - before < 8e6
