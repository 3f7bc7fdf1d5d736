"""The table of six rows that stands below the sentences."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from app.arrays import Json
from app.metrics.climatic.extremes import Extremes
from app.metrics.climatic.variability import DETAIL, IN_TIME
from app.metrics.climatic.wet import WET_RATIO
from app.metrics.names import OWN
from app.metrics.probabilistic.ensemble import SPREAD_SKILL
from app.metrics.table import GAP, aligned
from app.metrics.temporal.restoration import NAME
from app.metrics.temporal.series import FLICKER
from app.metrics.verdict.estimate import Estimate
from app.metrics.verdict.estimate import numbers as numbers_of
from app.metrics.verdict.findings import scored
from app.metrics.verdict.rivals import Errors, Rivals, crps_of

if TYPE_CHECKING:
    from app.metrics.metric import Result

ROWS = 6
WIDTH = 100  # characters
DASH = "–"


@dataclass(frozen=True)
class Column:
    """A score of the table of all: its head, its row there, decimals, and what it means."""

    head: str
    row: str
    decimals: int = 2
    meaning: str = ""


@dataclass(frozen=True)
class Brief:
    """The main scores of the candidates that matter most: text, and numbers by candidate.

    meanings: of the columns.
    """

    heads: tuple[str, ...]
    lines: tuple[tuple[str, ...], ...]
    numbers: dict[str, Json]
    meanings: tuple[str, ...]

    def __str__(self) -> str:
        lines = [self.heads, *self.lines]
        widths = [max(len(line[column]) for line in lines) for column in range(len(self.heads))]
        body = [aligned(line, widths, left=1) for line in lines]
        return "\n".join([body[0], "-" * max(map(len, body)), *body[1:]])


def brief_of(result: Result, errors: Errors, rivals: Rivals) -> Brief:
    """Six candidates by their main scores, as many columns as fit."""
    names, crps = _shown(errors, rivals), crps_of(result)
    columns = [(result.subject.variable.name, [result.subject.called(n) for n in names], "")]
    numbers: dict[str, Json] = {name: {} for name in names}
    for one, plain in ((errors, crps is not None), (crps, False)):
        if one is None:
            continue
        found = [one.of(name) for name in names]
        shown = [numbers_of((e.value,))[0] if plain else e.text() for e in found]
        columns.append((f"{one.short} [{one.unit}]", shown, ""))
        for name, estimate in zip(names, found, strict=True):
            numbers[name][one.short] = estimate.as_json()
    for column in _columns(result, _decimals(columns[1][1][0])):
        estimates = {name: scored(result, column.row, name) for name in names}
        if any(estimate.known for estimate in estimates.values()):
            shown = [_plain(estimate, column.decimals) for estimate in estimates.values()]
            columns.append((column.head, shown, column.meaning))
            for name, estimate in estimates.items():
                numbers[name][column.row] = estimate.as_json()
    columns = columns[: _fitting(columns)]
    heads, cells, meanings = zip(*columns, strict=True)
    lines = tuple(zip(*cells, strict=True))
    return Brief(heads, lines, numbers, tuple(filter(None, meanings)))


def _shown(errors: Errors, rivals: Rivals) -> list[str]:
    """The model's own, the best of each kind, and the next best; by their error."""
    own = [name for name in OWN if name in errors.candidates]
    must = [name for name in (*rivals.best, rivals.climatology) if name is not None]
    by_error = sorted(errors.candidates, key=lambda name: errors.of(name).value)
    more = [name for name in by_error if name not in (*own, *must)]
    kept = {*must, *more[: max(0, ROWS - len(own) - len(must))]}
    return own + [name for name in by_error if name in kept]


def _columns(result: Result, decimals: int) -> list[Column]:
    """What there may be; `decimals`: of the error."""
    extremes, unit = result.metric(Extremes), result.subject.unit
    sign = {"above": ">", "below": "<"}
    tails = [
        Column(head := f"{sign[side]} P{p}", row, meaning=f"{head}: values {side} the truth's")
        for row, side, p in (() if extremes is None else extremes.tails)
    ]
    return [
        Column("restored", NAME, meaning="restored: of the error of linear interpolation"),
        Column(f"bias [{unit}]", "bias", decimals + 1),
        Column("corr.", "pearson_time", 3, "corr.: in time"),
        Column("spread", SPREAD_SKILL, meaning="spread: to the error of the mean"),
        Column("wet", WET_RATIO, meaning="wet: how often"),
        *tails,
        Column("detail", DETAIL, meaning="detail: differences between neighbouring cells"),
        Column("std", IN_TIME, meaning="std: standard deviation in time"),
        Column("pace", FLICKER, meaning="pace: changes of pace in time"),
    ]


def _decimals(number: str) -> int:
    """Of a number as text, an interval behind it or not."""
    return len(number.partition(" ")[0].partition(".")[2]) if "e" not in number else 0


def _plain(estimate: Estimate, decimals: int) -> str:
    return f"{estimate.value + 0.0:z.{decimals}f}" if estimate.known else DASH


def _fitting(columns: Sequence[tuple[str, list[str], str]]) -> int:
    """How many columns from the left a line of WIDTH characters has room for."""
    widths = [max(map(len, (head, *cells))) + len(GAP) for head, cells, _ in columns]
    return int(np.searchsorted(np.cumsum(widths), WIDTH + len(GAP), side="right"))
