"""history.csv grows by a row an epoch, and is whole whatever was done to it meanwhile."""

import csv
import math
from pathlib import Path

import pytest

from app.training.history import HistoryFile, remake_history

ROWS = [{"epoch": float(n), "loss": 1 / n} for n in range(1, 6)]


def read(path: Path) -> list[dict[str, float]]:
    with path.open(newline="", encoding="utf-8") as file:
        return [{k: float(v) for k, v in row.items()} for row in csv.DictReader(file)]


def rounded(rows: list[dict[str, float]]) -> list[dict[str, float]]:
    return [{k: float(f"{v:.6g}") for k, v in row.items()} for row in rows]


def test_one_row_is_written_an_epoch(tmp_path: Path) -> None:
    path = tmp_path / "history.csv"
    file = HistoryFile(path)
    inodes = set()
    for n in range(1, len(ROWS) + 1):
        file.keep(ROWS[:n])
        assert read(path) == rounded(ROWS[:n])
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
    assert read(path) == rounded(ROWS[:3])


def test_epochs_that_were_gone_back_are_replaced(tmp_path: Path) -> None:
    path = tmp_path / "history.csv"
    HistoryFile(path).keep(ROWS[:4])
    file = HistoryFile(path)  # of a resumed run, whose checkpoint knows two epochs
    file.keep(ROWS[:3])
    assert read(path) == rounded(ROWS[:3])


def test_epochs_are_whole_numbers_and_others_have_six_digits(tmp_path: Path) -> None:
    path = tmp_path / "history.csv"
    HistoryFile(path).keep([{"epoch": 12.0, "loss": 1 / 3, "rate": 1234567.8, "val": math.nan}])
    assert path.read_text().split() == ["epoch,loss,rate,val", "12,0.333333,1.23457e+06,nan"]


@pytest.mark.parametrize(
    ("content", "stays"),
    [
        ("epoch,loss\r\n1.0,1.0\r\n2.0,0.5\r\n3.0,0.3333333333333333\r\n", True),
        ("epoch,loss\r\n1,1\r\n2,0.5\r\n", False),
        ("epoch,loss\r\n1,1\r\n2,0.5\r\n3,\r\n", False),
        ("epoch,loss\r\n1,1\r\n2,0.5\r\n3,0.4\r\n", False),
        ("", False),
    ],
)
def test_file_is_made_again_where_its_numbers_are_others(
    content: str, stays: bool, tmp_path: Path
) -> None:
    path = tmp_path / "history.csv"
    path.write_bytes(content.encode())
    remake_history(path, ROWS[:3])
    assert (path.read_bytes() == content.encode()) == stays
    assert [row["epoch"] for row in read(path)] == [1, 2, 3]
