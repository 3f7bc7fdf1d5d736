"""Score tables in pandas."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from app.metrics.table import MODEL, Table


def as_frame(table: Table) -> pd.DataFrame:
    """A row a metric: its unit, value and spread over samples, of the one candidate there is.

    `attrs`: `title`; `units` by metric; `definitions`, a list of lines.
    """
    rows = [
        {"metric": row.metric, "unit": row.unit, "value": value, "spread": spread}
        for row in table.rows
        for value, spread in [row.values.get(MODEL, (float("nan"), float("nan")))]
    ]
    frame = pd.DataFrame(rows, columns=["metric", "unit", "value", "spread"]).set_index("metric")
    return _described(frame, table.title, list(table.notes))


def read_table(folder: Path) -> pd.DataFrame:
    """The table that the stage metrics has written to a folder.

    A row a metric; columns `unit`, then the model and the baselines, each with its spread over
    samples as NAME_std. `attrs` as those of `as_frame`.
    """
    frame = pd.read_csv(folder / "summary.csv", index_col="metric")
    lines = (folder / "summary.txt").read_text("utf-8").splitlines()
    start = next(i for i, line in enumerate(lines) if line.split()[:2] == ["metric", "unit"])
    title, _, _, rule, *lines = lines[start - 2 :]
    end = lines.index(rule)
    units = pd.read_csv(folder / "definitions.csv", index_col="metric")["units"]
    frame.insert(0, "unit", units.astype(str))
    notes: list[str] = []
    for line in filter(None, lines[end + 1 :]):
        if line.startswith(" ") and notes:
            notes[-1] += f" {line.strip()}"
        else:
            notes.append(line)
    return _described(frame, title, notes)


def _described(frame: pd.DataFrame, title: str, notes: list[str]) -> pd.DataFrame:
    frame.attrs = {"title": title, "units": frame["unit"].to_dict(), "definitions": notes}
    return frame
