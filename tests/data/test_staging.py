"""Shards on a node's own disk: copied once, whole, however many processes ask."""

import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from shard_helpers import field, perfect_prog, write

from app.data.shards import staging
from app.data.shards.manifest import finished
from app.data.shards.prepare import prepare
from app.data.shards.staging import staged
from app.errors import InputError
from app.running.disk_space import NoRoom


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    folder = tmp_path_factory.mktemp("prepared")
    description = perfect_prog(write(folder / "a.nc", field(40)))
    return prepare(description, scale=2, cache_dir=folder)


@pytest.fixture
def shards(prepared, tmp_path):
    return Path(shutil.copytree(prepared, tmp_path / "cache" / "abc"))


def test_nobody_goes_on_before_the_copy_is_whole(shards, tmp_path, monkeypatch):
    """Four local ranks at once, while the copy takes its time."""
    copies, original = [], shutil.copytree

    def slow(source, target, *rest):
        copies.extend([target] if Path(target).name == "data" else [])
        time.sleep(0.2)
        return original(source, target, *rest)

    monkeypatch.setattr(staging.shutil, "copytree", slow)

    def one_rank(_):
        folder = staged(shards, tmp_path / "node")
        return (folder / "train" / "hr-00000-of-00001.nc").is_file(), finished(folder)

    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(one_rank, range(4)))
    assert found == [(True, True)] * 4
    assert len(copies) == 1
    assert [path.name for path in (tmp_path / "node").iterdir()] == ["abc"]
    assert staged(shards, tmp_path / "node").is_dir()
    assert len(copies) == 1


def test_a_copy_that_fails_fails_in_one_line(shards, tmp_path, monkeypatch):
    def full(source, target):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(staging.shutil, "copytree", full)
    with pytest.raises(NoRoom, match=r"node/\w+: no space left on the file system") as caught:
        staged(shards, tmp_path / "node")
    assert "\n" not in str(caught.value)
    monkeypatch.undo()
    assert staged(shards, tmp_path / "node").is_dir()


def flip(path, byte):
    with path.open("r+b") as file:
        file.seek(byte)
        old = file.read(1)
        file.seek(byte)
        file.write(bytes([old[0] ^ 1]))


def test_a_damaged_copy_is_made_again(shards, tmp_path):
    copy = staged(shards, tmp_path / "node")
    flip(copy / "scaling.nc", 700)
    staged(shards, tmp_path / "node")
    assert (copy / "scaling.nc").read_bytes() == (shards / "scaling.nc").read_bytes()


def test_damaged_shards_are_not_staged(shards, tmp_path):
    flip(shards / "train" / "hr-00000-of-00001.nc", 5000)
    with pytest.raises(InputError, match=r"cache/abc/train/hr-\S+: damaged, its checksum") as line:
        staged(shards, tmp_path / "node")
    assert "the same command prepares it again" in str(line.value)
    assert not (shards / "manifest.json").exists()
