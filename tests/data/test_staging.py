"""Shards on a node's own disk: copied once, whole, however many processes ask."""

import shutil
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from app.data import staging
from app.data.staging import staged
from app.room import NoRoom


@pytest.fixture
def shards(tmp_path):
    folder = tmp_path / "cache" / "abc"
    folder.mkdir(parents=True)
    (folder / "manifest.json").write_text("{}")
    (folder / "hr.nc").write_bytes(bytes(1000))
    return folder


def test_nobody_goes_on_before_the_copy_is_whole(shards, tmp_path, monkeypatch):
    """Four local ranks at once, while the copy takes its time."""
    copies, original = [], shutil.copytree

    def slow(source, target):
        copies.append(target)
        time.sleep(0.3)
        return original(source, target)

    monkeypatch.setattr(staging.shutil, "copytree", slow)

    def one_rank(_):
        folder = staged(shards, tmp_path / "node")
        return (folder / "hr.nc").stat().st_size, (folder / "manifest.json").is_file()

    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(one_rank, range(4)))
    assert found == [(1000, True)] * 4
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
