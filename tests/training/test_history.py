"""history.csv grows by a row an epoch, and is whole whatever was done to it meanwhile."""

import csv
from pathlib import Path

import pytest

from app.training.history import HistoryFile

ROWS = [{"epoch": float(n), "loss": 1 / n} for n in range(1, 6)]


def read(path: Path) -> list[dict[str, float]]:
    with path.open(newline="", encoding="utf-8") as file:
        return [{k: float(v) for k, v in row.items()} for row in csv.DictReader(file)]


def test_one_row_is_written_an_epoch(tmp_path: Path) -> None:
    path = tmp_path / "history.csv"
    file = HistoryFile(path)
    inodes = set()
    for n in range(1, len(ROWS) + 1):
        file.keep(ROWS[:n])
        assert read(path) == ROWS[:n]
        inodes.add(path.stat().st_ino)
    assert len(inodes) == 1  # never replaced by another file


@pytest.mark.parametrize(
    "content", [b"", b"epoch,loss\r\n1.0,", None], ids=["empty", "cut", "gone"]
)
def test_file_that_was_changed_is_written_whole(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "history.csv"
    file = HistoryFile(path)
    file.keep(ROWS[:1])
    file.keep(ROWS[:2])
    path.unlink()
    if content is not None:
        path.write_bytes(content)
    file.keep(ROWS[:3])
    assert read(path) == ROWS[:3]


def test_epochs_that_were_gone_back_are_replaced(tmp_path: Path) -> None:
    path = tmp_path / "history.csv"
    HistoryFile(path).keep(ROWS[:4])
    file = HistoryFile(path)  # of a resumed run, whose checkpoint knows two epochs
    file.keep(ROWS[:3])
    assert read(path) == ROWS[:3]
