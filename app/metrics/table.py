"""The score table: rows of metrics, columns of candidates."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from textwrap import wrap

import numpy as np

from app.metrics.sampled import Sampled
from app.running.atomic import write_text

MODEL = "model"  # the candidate that is the run's own, beside the baselines
GAP = "  "
LATEX = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "–": "--",
    **{letter: f"\\{letter}" for letter in "&%$#_{}"},
}
NOTHING = "–"
INTERVAL = "95 % interval"
CSV_DIGITS = 12  # significant ones
NOTES_WIDTH = 100  # characters of a line of notes


MEAN = "mean over the values scored"
BY_AREA = "cell areas"
AT_ONCE = "space and time at once"
PER_SAMPLE = "space within each sample"
BY_SAMPLE = f"{PER_SAMPLE}, then the mean over samples"
BY_CELL = "time within each cell, then the area-weighted mean over cells"


@dataclass(frozen=True)
class About:
    """What a score is: for readers of its name, and for those who compare it with others' scores.

    order: in which order it is reduced over space, time and members.
    """

    long_name: str
    formula: str
    estimator: str = MEAN
    weighting: str = BY_AREA
    order: str = AT_ONCE

    @property
    def of_samples(self) -> bool:
        """Whether samples are counted, not the values in them."""
        return self.order.startswith(PER_SAMPLE)


@dataclass(frozen=True)
class Row:
    """One metric: its unit, and mean and standard deviation by candidate.

    n: values, samples or years that it rests on, as its estimator says; None: the values scored.
    sampled: the sums over samples that it is made of, None where it is not.
    """

    metric: str
    unit: str
    values: dict[str, tuple[float, float]]
    n: int | None = None
    sampled: Sampled | None = field(default=None, compare=False, repr=False)

    def labelled(self, label: str) -> Row:
        """The same row of one predictand among several, `label` behind its name."""
        return replace(self, metric=self.metric + label)


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
            writer.writerow([row.metric, *(_number(v, CSV_DIGITS) for pair in pairs for v in pair)])
        write_text(path, out.getvalue())

    @property
    def cells(self) -> list[list[str]]:
        """The table as text: its head, then a line a row; of intervals that of the model alone."""
        first, *others = self.candidates
        by_name = {row.metric: row for row in self.rows}
        bounded = any(_interval_of(name) in by_name for name in by_name)
        lines = [["metric", "unit", first, *([INTERVAL] if bounded else []), *others]]
        for row in self.rows:
            if _interval_of(row.metric) in by_name:
                continue
            cell, *cells = [_cell(row.values.get(name)) for name in self.candidates]
            name, bracket, label = row.metric.partition("[")
            ends = [by_name.get(f"{name}{end}{bracket}{label}") for end in ("_low", "_high")]
            low, high = [_cell(end.values.get(first)) if end else NOTHING for end in ends]
            between = NOTHING if NOTHING in (low, high) else f"{low} to {high}"
            lines.append([row.metric, row.unit, cell, *([between] if bounded else []), *cells])
        return lines

    def write_markdown(self, path: Path) -> None:
        """The title, the table with numbers to the right, and the notes as a list."""
        head, *body = self.cells
        sides = ["---", "---", *("---:" for _ in head[2:])]
        table = [_markdown_line(line) for line in (head, sides, *body)]
        notes = [f"- {note}" for note in self.notes]
        write_text(path, "\n".join([f"# {self.title}", "", *table, "", *notes, ""]))

    def write_latex(self, path: Path) -> None:
        """The table for a paper that loads `booktabs`; the notes are comments above it."""
        head, *body = self.cells
        columns = "ll" + "r" * (len(head) - 2)
        lines = [
            *(
                f"% {line}"
                for note in (self.title, *self.notes)
                for line in wrap(note, NOTES_WIDTH)
            ),
            f"\\begin{{tabular}}{{{columns}}}",
            "\\toprule",
            _latex_line(head),
            "\\midrule",
            *map(_latex_line, body),
            "\\bottomrule",
            "\\end{tabular}",
            "",
        ]
        write_text(path, "\n".join(lines))

    def __str__(self) -> str:
        """Aligned plain text: title, table, notes."""
        lines = self.cells
        widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
        body = [aligned(line, widths) for line in lines]
        rule = "-" * len(body[0])
        notes = [wrap(note, NOTES_WIDTH, subsequent_indent=GAP) for note in self.notes]
        lines_below = [line for note in notes for line in note]
        return "\n".join([self.title, "", body[0], rule, *body[1:], rule, *lines_below, ""])


def _interval_of(metric: str) -> str:
    """The row that another one has the end of an interval of, by its name; "" for others."""
    name, bracket, label = metric.partition("[")
    for end in ("_low", "_high"):
        if name.endswith(end):
            return f"{name.removesuffix(end)}{bracket}{label}"
    return ""


def _markdown_line(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _latex_line(cells: Iterable[str]) -> str:
    return " & ".join(map(_latex, cells)) + r" \\"


def _latex(text: str) -> str:
    """Text whose special characters are escaped; a dash where there is no value."""
    return "".join(LATEX.get(letter, letter) for letter in text)


def _number(value: float, digits: int = 4) -> str:
    return "" if np.isnan(value) else f"{value:.{digits}g}"


def _cell(pair: tuple[float, float] | None) -> str:
    """The value, a dash where there is none.

    Spreads over samples stand in the CSV alone: beside a value they would be taken for its
    uncertainty.
    """
    return NOTHING if pair is None or np.isnan(pair[0]) else _number(pair[0])


def aligned(cells: Iterable[str], widths: list[int], left: int = 2) -> str:
    """Names, the first so many cells, to the left, numbers to the right."""
    pairs = list(zip(cells, widths, strict=True))
    names = [cell.ljust(width) for cell, width in pairs[:left]]
    return GAP.join([*names, *(cell.rjust(width) for cell, width in pairs[left:])]).rstrip()
