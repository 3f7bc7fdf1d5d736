"""Prepared data that are not as they were written are noticed, and made again."""

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from shard_helpers import field, perfect_prog, write

from app.data.shards import Shards
from app.data.shards.prepare import prepare
from app.errors import Damage, InputError
from app.integrity import ALWAYS, NEVER, OPEN

HR = "train/hr-00000-of-00001.nc"


def prepared(place: Path) -> Path:
    return prepare(perfect_prog(str(place / "a.nc")), scale=2, cache_dir=place / "c")


@pytest.fixture
def place(tmp_path):
    """A folder with data, and the one that they were prepared in."""
    write(tmp_path / "a.nc", field(40))
    return tmp_path, prepared(tmp_path)


def flip(path: Path, byte: int) -> None:
    content = bytearray(path.read_bytes())
    content[byte] ^= 1
    path.write_bytes(content)


def contents(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def middle(path: Path) -> int:
    return path.stat().st_size // 2


@pytest.mark.parametrize(
    "damage",
    [
        lambda folder: flip(folder / "manifest.json", 1000),
        lambda folder: (folder / "manifest.json").write_text("[]"),
        lambda folder: (folder / "manifest.json").write_bytes(b""),
        lambda folder: flip(folder / "scaling.nc", middle(folder / "scaling.nc")),
        lambda folder: flip(folder / "static.nc", middle(folder / "static.nc")),
        lambda folder: os.truncate(folder / HR, 100),
        lambda folder: (folder / HR).unlink(),
    ],
    ids=["flip", "list", "empty", "scaling", "static", "cut", "gone"],
)
def test_what_is_seen_at_once_is_prepared_again(place, damage) -> None:
    source, folder = place
    before = contents(folder)
    damage(folder)
    assert contents(folder) != before
    with pytest.raises(InputError):
        Shards.open(folder)
    assert prepared(source) == folder
    assert contents(folder) == before
    assert [path.name for path in folder.parent.iterdir()] == [folder.name]


def test_fields_are_compared_beside_the_work_and_prepared_again(place) -> None:
    source, folder = place
    before = contents(folder)
    flip(folder / HR, middle(folder / HR))
    Shards.open(folder, NEVER).confirm()
    shards = Shards.open(prepared(source), OPEN)
    with pytest.raises(Damage, match=r"hr-00000-of-00001.nc: damaged, its checksum differs at"):
        shards.confirm()
    with pytest.raises(Damage, match="The same command prepares the data again"):
        shards.check_files()
    assert Shards.open(prepared(source), OPEN).confirm() is None
    assert contents(folder) == before


def test_always_compares_what_is_read(place) -> None:
    folder = place[1]
    shards = Shards.open(folder, ALWAYS)
    shards.confirm()
    assert np.isfinite(shards.read("hr", "train", [3])).all()
    flip(folder / HR, middle(folder / HR))
    shards.check_files()  # which was compared before
    with pytest.raises(Damage, match="damaged, its checksum differs at byte 0"):
        shards.read("hr", "train", [3])
    with pytest.raises(InputError, match="no prepared data there"):
        Shards.open(folder)


def test_a_manifest_of_wrong_types_is_damaged(place) -> None:
    folder = place[1]
    manifest = json.loads((folder / "manifest.json").read_text())
    seal = manifest.pop("crc32c")
    assert len(seal) == 8
    for key, value in (("has_times", 3), ("splits", []), ("geometry", {}), ("other", 1)):
        (folder / "manifest.json").write_text(json.dumps({**manifest, key: value}))
        with pytest.raises(InputError, match=r"manifest.json: damaged") as refusal:
            Shards.open(folder)
        assert "\n" not in str(refusal.value)
    for entry in manifest["files"].values():
        del entry["blocks"]  # as folders from before there were any
    (folder / "manifest.json").write_text(json.dumps(manifest))
    Shards.open(folder, ALWAYS).confirm()
    shutil.copy(folder / HR, folder / "static.nc")
    with pytest.raises(InputError, match=r"static.nc: has \d+ bytes"):
        Shards.open(folder)
