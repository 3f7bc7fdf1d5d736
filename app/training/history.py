"""history.csv: one row an epoch, made from what the checkpoint keeps of them."""

from __future__ import annotations

import csv
import io
from pathlib import Path

from absl import logging

from app.running.atomic import write_text

Rows = list[dict[str, float]]
DIGITS = 6  # of each number; the checkpoint keeps them whole


class HistoryFile:
    """The file of one run, which grows by a row an epoch and is written whole where it must be.

    Writing all epochs after each of them would be slow in long runs. An incomplete row, left by a
    kill or a full disk, is removed when the whole file is written next: at a start, or when the
    file's size is not what it was after the last row.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._rows = self._size = 0

    def keep(self, rows: Rows) -> None:
        """Have the file hold these rows."""
        if self._grown_by_one(rows):
            with self._path.open("ab", buffering=0) as file:
                file.write(_as_csv(rows[-1:]).partition("\n")[2].encode())
        else:
            write_text(self._path, _as_csv(rows))
        self._rows, self._size = len(rows), self._path.stat().st_size

    def _grown_by_one(self, rows: Rows) -> bool:
        try:
            size = self._path.stat().st_size
        except OSError:
            return False
        return 0 < self._rows == len(rows) - 1 and size == self._size


def remake_history(path: Path, rows: Rows) -> None:
    """Write the file again where it does not hold these rows."""
    if rows and _text_of(path) != _as_csv(rows):
        logging.info("%s: not what the checkpoint keeps; written again", path)
        write_text(path, _as_csv(rows))


def _text_of(path: Path) -> str | None:
    """What a file holds, its numbers as they are written now; None where it is no such file."""
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = [
                {name: float(text) for name, text in row.items()} for row in csv.DictReader(file)
            ]
        return _as_csv(rows)
    except (OSError, ValueError, TypeError, AttributeError, IndexError):
        return None


def _as_csv(rows: Rows) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list(rows[0]))
    writer.writeheader()
    writer.writerows({name: f"{value:.{DIGITS}g}" for name, value in row.items()} for row in rows)
    return text.getvalue()
