"""A disk that is full: one line with the file and the sizes, and nothing half-made left."""

import errno
import os
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import pytest
import xarray as xr

from app.errors import RunError
from app.models.saving import save_model
from app.running import disk_space as room
from app.running import failure
from app.running.atomic import create_once, write_text
from app.running.disk_space import NoRoom, reserve, scratch, size_text, writing
from app.running.netcdf_file import write_dataset
from app.training import checkpoints

NO_SPACE = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
VALUES = np.zeros(5000)  # 39.1 KiB


def fails(*_: object, **__: object) -> None:
    raise NO_SPACE


@pytest.mark.parametrize(
    "write",
    [
        lambda folder: write_text(folder / "a.csv", "x" * 40_000),
        lambda folder: write_dataset(xr.Dataset({"a": ("n", VALUES)}), folder / "a.nc"),
        lambda folder: checkpoints.save(
            folder, 3, checkpoints.Checkpoint({"a": VALUES}, {"epoch": 1})
        ),
    ],
    ids=["text", "netcdf", "checkpoint"],
)
def test_a_file_that_does_not_fit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, write: Callable[[Path], object]
) -> None:
    monkeypatch.setattr(Path, "write_bytes", fails)
    monkeypatch.setattr(checkpoints, "_sync", fails)
    monkeypatch.setattr(xr.Dataset, "to_netcdf", fails)
    line = (
        r"^/.*(a\.csv|a\.nc|step-00000003): no space left on the file system \(.* wanted, .* left"
    )
    with pytest.raises(NoRoom, match=line):
        write(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_what_needs_more_than_is_left_is_not_begun(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "free", lambda _: 10 << 10)
    with pytest.raises(NoRoom, match=r"a\.nc: .* \(39\.1 KiB wanted, 10\.0 KiB left\)"):
        write_dataset(xr.Dataset({"a": ("n", VALUES)}), tmp_path / "a.nc")
    network = keras.Sequential([keras.layers.Input((100,)), keras.layers.Dense(100)])
    with pytest.raises(NoRoom, match=r"model\.keras: .* \(39\.5 KiB wanted, 10\.0 KiB left\)"):
        save_model(network, tmp_path / "model.keras")
    assert list(tmp_path.iterdir()) == []


def test_a_library_that_hides_the_reason_is_seen_through(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def work() -> None:
        with writing(tmp_path / "a.nc", 100):
            raise RuntimeError("NetCDF: HDF error")

    with pytest.raises(RuntimeError, match="HDF error"):
        work()  # there is room, so that it is something else
    monkeypatch.setattr(room, "reserve", fails)
    with pytest.raises(NoRoom, match=r"a\.nc: no space left"):
        work()


@pytest.mark.parametrize("supported", [True, False])
def test_space_is_reserved_and_what_is_there_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, supported: bool
) -> None:
    def refuses(*_: int) -> None:
        raise OSError(errno.EOPNOTSUPP, "not supported")

    if not supported:
        monkeypatch.setattr(os, "posix_fallocate", refuses)
    path = tmp_path / "file"
    path.write_bytes(b"begun")
    with path.open("r+b") as file:
        reserve(file.fileno(), 10_000)
    assert path.stat().st_blocks * 512 >= 10_000
    assert path.read_bytes() == b"begun".ljust(10_000, b"\0")


def test_scratch_is_refused_before_it_is_mapped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with scratch(tmp_path, (3, 4)) as array:
        array[:] = 7
        assert array.sum() == 84
    monkeypatch.setattr(room, "reserve", fails)
    with (
        pytest.raises(NoRoom, match=r"a temporary file: .* \(48 bytes wanted"),
        scratch(tmp_path, (3, 4)),
    ):
        pass
    assert list(tmp_path.iterdir()) == []


def test_an_exclusive_file_is_whole_or_not_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "write", lambda *_: 3)
    with pytest.raises(OSError, match="No space left"):
        create_once(tmp_path / "lock", {"pid": 1})
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_that_nobody_foresaw_is_told_as_such() -> None:
    def work() -> None:
        with failure.within("sweep"):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "/scratch/log.txt")

    with pytest.raises(RunError, match=r"^stage sweep: /scratch/log\.txt: no space left on the"):
        work()


@pytest.mark.parametrize(
    ("size", "text"),
    [
        *((0, "0 bytes"), (1023, "1023 bytes"), (1024, "1.0 KiB"), (150 << 20, "150 MiB")),
        *((5 * 2**40, "5.0 TiB"), (5000 * 2**40, "5000 TiB")),
    ],
)
def test_sizes(size: int, text: str) -> None:
    assert size_text(size) == text
