"""history.csv: one row an epoch, made from what the checkpoint keeps of them."""

from __future__ import annotations

import csv
import io
from pathlib import Path

from absl import logging

from app.atomic import write_text

Rows = list[dict[str, float]]


def keep_history(path: Path, rows: Rows) -> None:
    """Replace the file by these rows."""
    write_text(path, _as_csv(rows))


def remake_history(path: Path, rows: Rows) -> None:
    """Write the file again where it does not hold these rows."""
    if not rows:
        return
    try:
        same = path.read_bytes() == _as_csv(rows).encode()
    except OSError:
        same = False
    if not same:
        logging.info("%s: not what the checkpoint keeps; written again", path)
        keep_history(path, rows)


def _as_csv(rows: Rows) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()
