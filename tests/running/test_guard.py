"""What surrounds the stages of a command: its locks, its status, and an end that says so."""

import errno
import json
import os
import shutil
from pathlib import Path

import pytest

from app import options
from app.errors import InputError, RunError
from app.ranks import Ranks
from app.running import status
from app.running.atomic import write_bytes
from app.running.disk_space import NoRoom
from app.running.guard import Guard

DATA = ("--data=synthetic", "--variable=t2m", "--scale=2")


def guard(folder: Path, *argv: str) -> Guard:
    words, values = options.parse(["test", *DATA, f"--save_path={folder}", *argv])
    return Guard(options.build(words, values), Ranks())


def state(folder: Path) -> str:
    return json.loads((folder / "status.json").read_text("utf-8"))["state"]


def test_two_runs_do_not_write_the_same_output(tmp_path: Path) -> None:
    output = f"--output={tmp_path / 'out.nc'}"
    with guard(tmp_path / "a", output):
        assert (tmp_path / ".out.nc.lock").exists()
        with (
            pytest.raises(InputError, match=r"^--output=.*out\.nc: .* works on this file$"),
            guard(tmp_path / "b", output),
        ):
            pass
        assert not (tmp_path / "b").exists()
        with guard(tmp_path / "c", f"--output={tmp_path / 'other.nc'}"):
            pass
    assert not (tmp_path / ".out.nc.lock").exists()
    with guard(tmp_path / "b", output):
        pass


def test_a_run_folder_removed_beneath_its_run_ends_it(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    watched = guard(folder)

    def work() -> None:
        with watched:
            watched.begin("test")
            shutil.rmtree(folder)
            watched.check_folder()

    with pytest.raises(RunError, match="the folder was removed, or another job"):
        work()
    assert not folder.exists()


def test_the_state_is_failed_on_a_full_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, content: bytes) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))

    watched = guard(tmp_path)

    def work() -> None:
        with watched:
            watched.begin("test")
            assert state(tmp_path) == status.RUNNING
            monkeypatch.setattr(Path, "write_bytes", full)
            write_bytes(tmp_path / "x.csv", b"abc")

    with pytest.raises(NoRoom, match=r"x\.csv: no space left on the file system \(3 bytes"):
        work()
    assert state(tmp_path) == status.FAILED
    monkeypatch.undo()
    with guard(tmp_path) as again:
        again.begin("test")
    assert state(tmp_path) == status.FINISHED
    assert {p.name for p in tmp_path.iterdir()} == {"status.json"}


def test_a_lock_that_does_not_fit_is_no_refusal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with guard(tmp_path) as before:
        before.begin("test")
    monkeypatch.setattr(os, "write", lambda *_: 1)  # as on a disk that is all but full
    with pytest.raises(NoRoom, match=r"\.lock: no space left"), guard(tmp_path):
        pass
    assert {p.name for p in tmp_path.iterdir()} == {"status.json"}
    assert state(tmp_path) == status.FAILED


@pytest.mark.parametrize("before", [None, status.FINISHED, status.INTERRUPTED, status.FAILED])
def test_a_refusal_leaves_the_status_as_it_was(before: str | None, tmp_path: Path) -> None:
    """To the byte and to its time, by which job scripts tell what their own call has left."""
    path = tmp_path / "status.json"
    if before is not None:
        path.write_text(json.dumps({"state": before, "epoch": 3}))
        os.utime(path, ns=(10**18, 10**18 + 7))

    def refused(*, epoch: int | None = None) -> None:
        with guard(tmp_path) as watched:
            watched.begin("test")
            assert state(tmp_path) == status.RUNNING
            if epoch is not None:
                watched.status.update(epoch=epoch)
            raise InputError("no such file")

    with pytest.raises(InputError):
        refused()
    assert path.exists() == (before is not None)
    if before is not None:
        assert path.read_text() == json.dumps({"state": before, "epoch": 3})
        assert path.stat().st_mtime_ns == 10**18 + 7
    with pytest.raises(InputError):
        refused(epoch=4)
    assert state(tmp_path) == status.FAILED
