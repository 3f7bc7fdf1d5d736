"""Checkpoints survive whatever interrupts their writing."""

import os
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from app.errors import RunError
from app.training.checkpoints import POINTER, Checkpoint, load, load_facts, save
from app.training.history import remake_history


@dataclass
class Progress:
    """What facts may hold."""

    epoch: int = 0
    total_steps: int = 0
    history: list[dict[str, float]] = field(default_factory=list)


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


@pytest.mark.parametrize("name", ["arrays.npz", "facts.json"])
def test_no_flipped_byte_of_a_checkpoint_is_taken(tmp_path: Path, name: str) -> None:
    """It falls back to the one before, or what is read is the same."""
    for step in (2, 4):
        save(tmp_path, step, checkpoint(step))
    path, older = tmp_path / "step-00000004" / name, 0
    whole = path.read_bytes()
    for byte in range(0, len(whole), 7):
        changed = bytearray(whole)
        changed[byte] ^= 16
        path.write_bytes(changed)
        loaded = load(tmp_path, Progress)
        assert loaded is not None
        step = loaded.facts["total_steps"]
        older += step == 2
        assert loaded.facts == {"total_steps": step}
        np.testing.assert_array_equal(loaded.arrays["weights"], np.full(3, step, "float32"))
    assert older > len(whole) // 7 - 8


@pytest.mark.parametrize("pointer", ["[]", "", "step-00000009", "../elsewhere", "\udcff"])
def test_a_damaged_pointer_is_not_followed(tmp_path: Path, pointer: str) -> None:
    for step in (2, 4):
        save(tmp_path, step, checkpoint(step))
    (tmp_path / POINTER).write_text(pointer, encoding="utf-8", errors="surrogateescape")
    loaded = load(tmp_path)
    assert loaded is not None
    assert loaded.facts["total_steps"] == 4


def test_facts_of_wrong_types_are_no_position(tmp_path: Path) -> None:
    save(tmp_path, 2, checkpoint(2))
    for content in ('{"epoch": "three"}', '{"unknown": 1}', '{"history": [3]}', "[]"):
        (tmp_path / "step-00000002" / "facts.json").write_text(content)
        assert load(tmp_path, Progress) is None
        assert load_facts(tmp_path, Progress) is None


def test_checkpoints_without_checksums_are_taken(tmp_path: Path) -> None:
    save(tmp_path, 2, checkpoint(2))
    (tmp_path / "step-00000002" / "facts.json").write_text('{"total_steps": 3}')
    loaded = load(tmp_path)
    assert loaded is not None
    assert loaded.facts == {"total_steps": 3}


def test_history_is_made_again_where_it_differs(tmp_path: Path) -> None:
    rows = [{"epoch": 1.0, "loss": 0.25}, {"epoch": 2.0, "loss": 0.125}]
    path = tmp_path / "history.csv"
    for damage in (None, b"", b"[]", b"epoch,loss\r\n1.0,0.75\r\n", b"\xff"):
        if damage is not None:
            path.write_bytes(damage)
        remake_history(path, rows)
        assert path.read_bytes() == b"epoch,loss\r\n1,0.25\r\n2,0.125\r\n"
    remake_history(tmp_path / "none.csv", [])
    assert not (tmp_path / "none.csv").exists()
