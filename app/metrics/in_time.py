"""Scores of frames filled in between known ones: of the withheld frames, and of the series."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from app.baselines.base import BLOCK_BYTES
from app.baselines.time import METHODS, baseline
from app.data.description import TimeSteps, Variable
from app.data.known_frames import duration_text
from app.data.shards import Shards
from app.data.shards.time_plan import WITHHELD, all_summed
from app.data.streaming.triples import read_frames
from app.data.time_axis import NONE, TimeAxis, time_axis
from app.data.times import DAY
from app.errors import InputError
from app.grids import Grid
from app.metrics.arithmetic import divide
from app.metrics.bootstrap import block_length, interval_rows, resampled_sums
from app.metrics.prediction import Prediction
from app.metrics.series import SeriesScores
from app.metrics.table import MODEL, Row, Table
from app.running.atomic import write_text
from app.running.disk_space import scratch

CANDIDATES = (MODEL, *METHODS)
REFERENCE = "linear"
HOUR = 3600  # seconds
DEFINITIONS = (
    "restoration_rate: 1 − Σ|x̂ − x| / Σ|x_linear − x| over the withheld frames, cells weighed by "
    "area; linear interpolation in time scores 0, the truth 1. This is a definition of this "
    "program's own, not to be compared with rates published under the same name.",
    "gain_vs_cubic, gain_vs_optical_flow: restoration rate less theirs on the same resamples; low "
    "and high: ends of the 95 % interval of a moving-block bootstrap of 24 h blocks.",
    "mae_N: of the withheld frames N steps from the nearest known one.",
    "flicker: mean |second difference in time|, ratio to the truth's. autocorrelation: in time, at "
    "a lag of one step, less the truth's. power_ratio_fast: variance at periods below two "
    "intervals between known frames, ratio to the truth's. Known frames count in these three.",
    "linear, nearest, cubic (spline), optical_flow (both frames moved along the motion that the "
    "flow module begins with, and blended): what needs no training.",
)


@dataclass(frozen=True, eq=False)
class TimeResult:
    """One predictand's results for the figures."""

    variable: Variable
    label: str
    by_hour: dict[str, np.ndarray]  # restoration rate and mae: (24, k), NaN where nothing is
    periods: np.ndarray  # hours
    power: np.ndarray  # (k + 1, periods), the truth first


@dataclass(frozen=True, eq=False)
class TimeEvaluation:
    """The table, and what the figures are drawn from."""

    table: Table
    variables: tuple[TimeResult, ...]
    scorer: TimeScorer

    def __str__(self) -> str:
        return str(self.table)


class TimeScorer:
    """Truth and candidates on the new time axis of the test period."""

    def __init__(self, shards: Shards, prediction: Path, steps: TimeSteps) -> None:
        self.shards, self.steps = shards, steps
        self.variables = shards.variables["hr"]
        self.known = shards.stamps("test")
        self.axis = time_axis(self.known, steps, all_summed(self.variables))
        if WITHHELD not in shards.splits:
            raise InputError(
                f"metrics: the record has no frames every {duration_text(steps.target_step)} "
                "between the known ones of the test period; expected withheld truth"
            )
        withheld = shards.stamps(WITHHELD).seconds
        rows = np.minimum(np.searchsorted(withheld, self.axis.stamps.seconds), len(withheld) - 1)
        there = withheld[rows] == self.axis.stamps.seconds
        self.truth_rows = np.where(there, rows, NONE)
        self.prediction = Prediction(
            prediction, self.variables, shards.geometry.fine, self.axis.stamps.decode()
        )

    @property
    def grid(self) -> Grid:
        return self.shards.geometry.fine

    @cached_property
    def scored(self) -> np.ndarray:
        """(N,) which times are withheld and known to the record."""
        return (self.axis.known == NONE) & (self.truth_rows != NONE)

    def read(self, rows: np.ndarray) -> np.ndarray:
        """Known frames of the predictands (B, k, y, x, C)."""
        return read_frames(self.shards, "test", rows)[..., : len(self.variables)]

    def truth(self, rows: np.ndarray) -> np.ndarray:
        """Truth (n, y, x, C) of rows of the axis; NaN where the record has none."""
        known, withheld = self.axis.known[rows], self.truth_rows[rows]
        fields = read_frames(self.shards, WITHHELD, withheld)[..., : len(self.variables)]
        own = known != NONE
        fields[own] = self.read(known[own][:, None])[:, 0]
        return fields

    def fields(self, rows: np.ndarray) -> np.ndarray:
        """Candidates (k, n, y, x, C) float32 at rows of the axis, whole units of it."""
        axis = self.axis.take(rows)
        found = [self.prediction.read(rows)]
        found += [baseline(name, axis, self.read, self.known) for name in METHODS]
        return np.stack([field.astype(np.float32) for field in found])

    def blocks(self) -> list[np.ndarray]:
        """Rows of the axis in whole units, bounded in memory."""
        y, x = self.grid.shape
        most = max(1, BLOCK_BYTES // (8 * y * x * len(self.variables) * (len(CANDIDATES) + 8)))
        firsts = np.append(np.flatnonzero(np.diff(self.axis.unit, prepend=-1)), len(self.axis))
        blocks, start = [], 0
        for end, following in zip(firsts[1:], [*firsts[2:], None], strict=True):
            if following is None or following - firsts[start] > most:
                blocks.append(np.arange(firsts[start], end))
                start = int(np.searchsorted(firsts, end))
        return blocks


def evaluate_in_time(
    shards: Shards, prediction: Path, folder: Path, steps: TimeSteps
) -> TimeEvaluation:
    """Score a prediction and what needs no training; write summary.csv, summary.txt, by_hour.csv.

    Every candidate is scored on the same values: where it, the others and the truth are known.
    Raises InputError where there is no withheld truth, or the prediction does not fit.
    """
    folder.mkdir(parents=True, exist_ok=True)
    scorer = TimeScorer(shards, prediction, steps)
    y, x = scorer.grid.shape
    n, channels = len(scorer.axis), len(scorer.variables)
    sums = {name: np.zeros((len(CANDIDATES), n, channels)) for name in ("absolute", "squares")}
    weight = np.zeros((n, channels))
    area = scorer.grid.cell_areas()[None, :, :, None]
    shape = (len(CANDIDATES) + 1, n, y, x, channels)
    with scratch(folder, shape) as stored:
        for rows in scorer.blocks():
            layers = np.concatenate([scorer.truth(rows)[None], scorer.fields(rows)])
            stored[:, rows[0] : rows[-1] + 1] = layers
            valid = np.isfinite(layers).all(axis=0) & scorer.scored[rows][:, None, None, None]
            own = np.where(valid, area, 0.0)
            error = np.where(valid, layers[1:] - layers[:1], 0.0).astype(np.float64)
            weight[rows] = own.sum(axis=(1, 2))
            sums["absolute"][:, rows] = (own * np.abs(error)).sum(axis=(2, 3))
            sums["squares"][:, rows] = (own * error**2).sum(axis=(2, 3))
        results, table_rows = [], []
        for c, variable in enumerate(scorer.variables):
            if not weight[:, c].any():
                raise InputError(f"{variable.name}: no withheld value left to score")
            label = f"[{variable.name}]" if channels > 1 else ""
            series = SeriesScores.of(stored[..., c], scorer.axis.stamps, steps)
            parts = {name: values[..., c] for name, values in sums.items()}
            own_rows, hours = _rows(scorer, parts, weight[:, c], variable, label)
            table_rows += [*own_rows, *series.rows(CANDIDATES, label)]
            results.append(TimeResult(variable, label, hours, series.periods, series.power))
    span = f"{duration_text(steps.input_step)} to {duration_text(steps.target_step)}"
    title = f"Scores of {int(scorer.scored.sum())} withheld frames of the test period, {span}"
    evaluation = TimeEvaluation(
        Table(title, CANDIDATES, tuple(table_rows), DEFINITIONS), tuple(results), scorer
    )
    evaluation.table.write_csv(folder / "summary.csv")
    write_text(folder / "summary.txt", str(evaluation.table))
    _write_hours(folder / "by_hour.csv", results)
    return evaluation


def _rows(
    scorer: TimeScorer,
    sums: dict[str, np.ndarray],
    weight: np.ndarray,
    variable: Variable,
    label: str,
) -> tuple[list[Row], dict[str, np.ndarray]]:
    """Rows of the withheld frames' scores, and the same by hour of the day."""
    axis, unit = scorer.axis, variable.units or "1"
    absolute, squares, total = sums["absolute"], sums["squares"], weight.sum()
    rows = _with_intervals(absolute, axis, label)
    rows.append(_row(f"mae{label}", unit, absolute.sum(axis=1) / total))
    rows.append(_row(f"rmse{label}", unit, np.sqrt(squares.sum(axis=1) / total)))
    distance = _distance(axis, scorer.steps)
    for steps in np.unique(distance[scorer.scored]):
        here = distance == steps
        mae = absolute[:, here].sum(axis=1) / weight[here].sum()
        rows.append(_row(f"mae_{steps:g}{label}", unit, mae))
    hour = axis.stamps.seconds % DAY // HOUR
    by_hour = [hour == h for h in range(DAY // HOUR)]
    sums_by_hour = np.stack([absolute[:, here].sum(axis=1) for here in by_hour])
    weights = np.array([weight[here].sum() for here in by_hour])
    return rows, {
        "mae": divide(sums_by_hour, weights[:, None]),
        "restoration_rate": _rates(sums_by_hour),
    }


def _distance(axis: TimeAxis, steps: TimeSteps) -> np.ndarray:
    """Wanted steps from each time to the nearest known frame; of sums, to the nearest middle."""
    share = np.minimum(axis.theta, 1 - axis.theta)
    return np.round(share * axis.interval / steps.target_step, 3)


def _rates(absolute: np.ndarray) -> np.ndarray:
    """Restoration rates of sums (…, k) of absolute errors; NaN where linear makes none."""
    return 1 - divide(absolute, absolute[..., [CANDIDATES.index(REFERENCE)]])


def _with_intervals(absolute: np.ndarray, axis: TimeAxis, label: str) -> list[Row]:
    drawn = resampled_sums(absolute.T, block_length(axis.stamps.decode()))
    rates, again = _rates(absolute.sum(axis=1)), None if drawn is None else _rates(drawn)
    rows = _interval_rows("restoration_rate", label, rates, again)
    for rival in ("cubic", "optical_flow"):
        k = CANDIDATES.index(rival)
        paired = None if again is None else again - again[:, [k]]
        rows += _interval_rows(f"gain_vs_{rival}", label, rates - rates[k], paired)
    return rows


def _interval_rows(
    metric: str, label: str, values: np.ndarray, drawn: np.ndarray | None
) -> list[Row]:
    return [row.labelled(label) for row in interval_rows(metric, "1", CANDIDATES, values, drawn)]


def _row(metric: str, unit: str, values: np.ndarray) -> Row:
    pairs = zip(CANDIDATES, values, strict=True)
    return Row(metric, unit, {name: (float(value), np.nan) for name, value in pairs})


def _write_hours(path: Path, results: list[TimeResult]) -> None:
    """A row an hour of the day and variable: restoration rate and mae of every candidate."""
    out = io.StringIO()
    writer = csv.writer(out)
    scores = ("restoration_rate", "mae")
    columns = [f"{score}_{name}" for score in scores for name in CANDIDATES]
    writer.writerow(["variable", "hour", *columns])
    for result in results:
        for hour in range(DAY // HOUR):
            values = np.concatenate([result.by_hour[score][hour] for score in scores])
            if np.isfinite(values).any():
                writer.writerow([result.variable.name, hour, *(f"{v:.6g}" for v in values)])
    write_text(path, out.getvalue())
