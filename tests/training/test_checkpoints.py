"""Checkpoints survive whatever interrupts their writing."""

import os
from pathlib import Path

import numpy as np
import pytest

from app.errors import RunError
from app.training.checkpoints import POINTER, Checkpoint, load, save


def checkpoint(step: int) -> Checkpoint:
    return Checkpoint({"weights": np.full(3, step, "float32")}, {"total_steps": step})


def test_newest_is_loaded_and_old_ones_are_dropped(tmp_path: Path) -> None:
    for step in (2, 4, 6):
        save(tmp_path, step, checkpoint(step))
    loaded = load(tmp_path)
    assert loaded is not None
    assert loaded.facts == {"total_steps": 6}
    np.testing.assert_array_equal(loaded.arrays["weights"], np.full(3, 6, "float32"))
    assert sorted(p.name for p in tmp_path.glob("step-*")) == ["step-00000004", "step-00000006"]


def test_same_step_again_never_leaves_less_than_one(tmp_path: Path) -> None:
    """A stop during validation and the end of that epoch are the same step."""
    save(tmp_path, 2, checkpoint(1))
    for content in (2, 3):
        save(tmp_path, 4, checkpoint(content))
        loaded = load(tmp_path)
        assert loaded is not None
        assert loaded.facts == {"total_steps": content}
    assert sorted(p.name for p in tmp_path.glob("step-*")) == ["step-00000004", "step-00000004+"]


def test_abandoned_ones_of_later_steps_are_dropped(tmp_path: Path) -> None:
    for step in (2, 4, 8):
        save(tmp_path, step, checkpoint(step))
    os.truncate(tmp_path / "step-00000008" / "arrays.npz", 10)
    (tmp_path / POINTER).write_text("step-00000004\n")
    save(tmp_path, 6, checkpoint(6))
    assert sorted(p.name for p in tmp_path.glob("step-*")) == ["step-00000004", "step-00000006"]


def test_nothing_there_is_none(tmp_path: Path) -> None:
    assert load(tmp_path / "absent") is None


@pytest.mark.parametrize("name", ["arrays.npz", "facts.json"])
def test_truncated_checkpoint_falls_back_to_the_one_before(tmp_path: Path, name: str) -> None:
    for step in (2, 4):
        save(tmp_path, step, checkpoint(step))
    damaged = tmp_path / "step-00000004" / name
    os.truncate(damaged, damaged.stat().st_size // 2)
    loaded = load(tmp_path)
    assert loaded is not None
    assert loaded.facts["total_steps"] == 2


def test_folder_without_pointer_is_still_found(tmp_path: Path) -> None:
    save(tmp_path, 2, checkpoint(2))
    (tmp_path / POINTER).unlink()
    assert load(tmp_path) is not None


def test_failed_write_leaves_the_last_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save(tmp_path, 2, checkpoint(2))

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez", full)
    with pytest.raises(RunError, match="no space left on the file system"):
        save(tmp_path, 4, checkpoint(4))
    loaded = load(tmp_path)
    assert loaded is not None
    assert loaded.facts["total_steps"] == 2
    assert not list(tmp_path.glob(".step*"))
