"""Score tables that a reader can sort: candidates by their main scores, and all scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from app.metrics.names import OWN
from app.metrics.verdict.estimate import Estimate
from app.report.page.maps import labelled
from app.report.page.run_facts import Predictand, RunFacts, ScoreTable, numbers

LOWEST, HIGHEST, ONE, ZERO = "lowest", "highest", "nearest to 1", "nearest to 0"
DASH = "–"
Scores = Mapping[str, Mapping[str, Estimate]]  # metric → candidate → score


@dataclass(frozen=True)
class Column:
    """A main score: its row in summary.csv, its head, what is best, and what it means."""

    metric: str
    head: str
    best: str
    meaning: str
    with_unit: bool = False

    def sort_key(self, value: float) -> float:
        """Rises from the best value to the worst."""
        if not np.isfinite(value):
            return np.inf
        keys = {LOWEST: value, HIGHEST: -value, ONE: abs(value - 1), ZERO: abs(value)}
        return float(keys[self.best])


COLUMNS = (
    Column("crps", "CRPS", LOWEST, "continuous ranked probability score", True),
    Column("rmse", "RMSE", LOWEST, "root mean square error", True),
    Column("mae", "MAE", LOWEST, "mean absolute error", True),
    Column("bias", "Bias", ZERO, "mean of prediction less truth", True),
    Column("restoration_rate", "Restored", HIGHEST, "1 − MAE ÷ that of linear interpolation"),
    Column("pearson_time", "Corr.", HIGHEST, "correlation in time, mean of the cells"),
    Column("ssim", "SSIM", HIGHEST, "structural similarity"),
    Column("detail_ratio", "Detail", ONE, "differences between neighbours ÷ the truth's"),
    Column("std_ratio", "Std", ONE, "standard deviation in time ÷ the truth's"),
    Column("frequency_above_p99", "> P99", ONE, "values above the truth's P99 ÷ the truth's"),
    Column("frequency_above_p95", "> P95", ONE, "values above the truth's P95 ÷ the truth's"),
    Column("wet_frequency_ratio", "Wet", ONE, "wet values ÷ the truth's"),
    Column("spread_skill", "Spread", ONE, "spread of the members ÷ error of their mean"),
)


@dataclass(frozen=True)
class Cell:
    """Text, the number that it is sorted by, and whether it is marked as the best."""

    text: str
    key: float | None
    best: bool = False

    @property
    def value(self) -> str:
        """The text without the interval."""
        return self.text.partition(" (")[0] if self.within else self.text

    @property
    def within(self) -> str:
        """The interval in brackets, as it stands behind or below the value."""
        _, bracket, rest = self.text.partition(" (")
        return f"({rest}" if bracket and rest.endswith(")") and " to " in rest else ""

    @classmethod
    def of(cls, score: Estimate, key: float | None = None, best: bool = False) -> Cell:
        if not score.known:
            return cls(DASH, None)
        key = score.value if key is None else key
        if score.low == score.high:
            score = Estimate(score.value)
        return cls(score.text(), key if np.isfinite(key) else None, best)


@dataclass(frozen=True)
class Row:
    """A line of a table; `kind` is its class in the style sheet: own or baseline."""

    name: str
    cells: tuple[Cell, ...]
    kind: str = "baseline"
    meaning: str = ""


@dataclass(frozen=True)
class SortableTable:
    """A table of numbers with a head a column: its text and, in words, what it means."""

    caption: str
    first: str
    heads: tuple[tuple[str, str], ...]
    rows: tuple[Row, ...]
    notes: tuple[str, ...] = ()
    sortable: bool = True


def main_table(run: RunFacts, table: ScoreTable, predictand: Predictand) -> SortableTable:
    """The main scores of one predictand: a row for each candidate."""
    scores = table.labelled(predictand.label)
    columns = held_columns(scores)
    rows = tuple(
        Row(
            run.called(name),
            tuple(cell_of(column, scores, name) for column in columns),
            "own" if name in OWN else "baseline",
        )
        for name in table.candidates
        if any(scores[c.metric][name].known for c in columns)
    )
    return SortableTable(
        f"Main scores of {predictand.name}",
        "Candidate",
        heads_of(columns, predictand),
        rows,
        ("A column is sorted from its best value to its worst; in brackets 95 % intervals.",),
    )


def cell_of(column: Column, scores: Scores, candidate: str, best: bool = False) -> Cell:
    """One score of a candidate; its bias to a decimal more than its RMSE is told by."""
    own = scores.get(column.metric, {}).get(candidate, Estimate(np.nan))
    cell = Cell.of(own, column.sort_key(own.value), best)
    rmse = scores.get("rmse", {}).get(candidate, Estimate(np.nan))
    if column.metric != "bias" or not (own.known and rmse.known):
        return cell
    told = rmse.parts[0]
    if "e" in told:
        return cell
    decimals = len(told.partition(".")[2]) + 1
    return replace(cell, text=f"{own.value:z.{decimals}f}")


def held_columns(*found: Scores) -> list[Column]:
    """The main scores that any of these tables have."""
    return [c for c in COLUMNS if any(c.metric in scores for scores in found)]


def heads_of(columns: Sequence[Column], predictand: Predictand) -> tuple[tuple[str, str], ...]:
    """Names of columns with their units, and what they mean."""
    return tuple(
        (
            labelled(c.head, predictand.unit if c.with_unit else ""),
            f"{c.meaning}; best {c.best}",
        )
        for c in columns
    )


def full_table(run: RunFacts, table: ScoreTable, predictand: Predictand) -> SortableTable:
    """All scores of one predictand: a row for each metric, a column for each candidate."""
    rows = tuple(
        Row(
            labelled(metric, table.units.get(metric + predictand.label, "")),
            tuple(Cell.of(own[name]) for name in table.candidates),
            meaning=table.meanings.get(metric + predictand.label, ""),
        )
        for metric, own in table.labelled(predictand.label).items()
    )
    heads = tuple((run.called(name), "") for name in table.candidates)
    return SortableTable(f"All scores of {predictand.name}", "Score", heads, rows)


BENCH = "cordex_ml_bench"
DETAILS = (
    ("mean_bias", "mean bias", "mean over cells of the index less the truth's"),
    ("mean_relative_bias", "relative bias", "mean over cells of |bias| ÷ the truth's index"),
    ("mean_ratio", "ratio", "mean over cells of the index ÷ the truth's"),
)


def bench_table(run: RunFacts, predictand: Predictand) -> SortableTable | None:
    """Diagnostics of CORDEX-ML-Bench by season: of all candidates, and details of the run's own."""
    rows = run.rows(BENCH, predictand)
    if not rows or run.table is None:
        return None
    names = [n for n in run.table.candidates if any(row["candidate"] == n for row in rows)]
    groups = dict.fromkeys((r["season"], r["diagnostic"], r["unit"]) for r in rows)
    lines = []
    for season, diagnostic, unit in groups:
        own = {
            r["candidate"]: r
            for r in rows
            if (r["season"], r["diagnostic"]) == (season, diagnostic)
        }
        values = numbers([own.get(name, {}) for name in names], "value")
        first = [own.get(names[0], {})]
        more = [numbers(first, column)[0] for column, _, _ in DETAILS]
        cells = tuple(Cell.of(Estimate(float(value))) for value in (*values, *more))
        lines.append(Row(f"{season}: {labelled(diagnostic, unit)}", cells))
    heads = [(run.called(name), "value of the diagnostic") for name in names]
    heads += [(f"{run.called(names[0])}: {head}", meaning) for _, head, meaning in DETAILS]
    note = "Unweighted, by that benchmark's definitions; of an index the mean over cells of |bias|."
    caption = f"CORDEX-ML-Bench of {predictand.name}"
    return SortableTable(caption, "Season and diagnostic", tuple(heads), tuple(lines), (note,))
