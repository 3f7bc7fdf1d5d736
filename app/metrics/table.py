"""The score table: rows of metrics, columns of candidates."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from textwrap import wrap

import numpy as np

from app.running.atomic import write_text

MODEL = "model"  # the candidate that is the run's own, beside the baselines
GAP = "  "
NOTES_WIDTH = 100  # characters of a line of notes


@dataclass(frozen=True)
class Row:
    """One metric: its unit, and mean and standard deviation by candidate."""

    metric: str
    unit: str
    values: dict[str, tuple[float, float]]

    def labelled(self, label: str) -> Row:
        """The same row of one predictand among several, `label` behind its name."""
        return Row(self.metric + label, self.unit, self.values)


@dataclass(frozen=True)
class Table:
    """Scores of all candidates with what a reader needs to trust them."""

    title: str
    candidates: tuple[str, ...]
    rows: tuple[Row, ...]
    notes: tuple[str, ...]

    def value(self, metric: str, candidate: str = MODEL) -> float:
        """One score; NaN where the candidate has none."""
        row = next(row for row in self.rows if row.metric == metric)
        return row.values.get(candidate, (np.nan, np.nan))[0]

    def write_csv(self, path: Path) -> None:
        """One line per metric; columns `metric`, then name and name_std of every candidate."""
        header = ["metric"]
        for name in self.candidates:
            header += [name, f"{name}_std"]
        out = io.StringIO()
        writer = csv.writer(out)
        writer.writerow(header)
        for row in self.rows:
            pairs = [row.values.get(name, (np.nan, np.nan)) for name in self.candidates]
            writer.writerow([row.metric, *(_number(v, 8) for pair in pairs for v in pair)])
        write_text(path, out.getvalue())

    def __str__(self) -> str:
        """Aligned plain text: title, table, notes."""
        lines = [["metric", "unit", *self.candidates]]
        for row in self.rows:
            cells = [_cell(row.values.get(name)) for name in self.candidates]
            lines.append([row.metric, row.unit, *cells])
        widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
        body = [aligned(line, widths) for line in lines]
        rule = "-" * len(body[0])
        notes = [wrap(note, NOTES_WIDTH, subsequent_indent=GAP) for note in self.notes]
        lines_below = [line for note in notes for line in note]
        return "\n".join([self.title, "", body[0], rule, *body[1:], rule, *lines_below, ""])


def _number(value: float, digits: int = 4) -> str:
    return "" if np.isnan(value) else f"{value:.{digits}g}"


def _cell(pair: tuple[float, float] | None) -> str:
    """The value, a dash where there is none.

    Spreads over samples stand in the CSV alone: beside a value they would be taken for its
    uncertainty.
    """
    return "–" if pair is None or np.isnan(pair[0]) else _number(pair[0])


def aligned(cells: Iterable[str], widths: list[int], left: int = 2) -> str:
    """Names, the first so many cells, to the left, numbers to the right."""
    pairs = list(zip(cells, widths, strict=True))
    names = [cell.ljust(width) for cell, width in pairs[:left]]
    return GAP.join([*names, *(cell.rjust(width) for cell, width in pairs[left:])]).rstrip()
