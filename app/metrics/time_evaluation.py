"""The scores of frames filled in between known ones, against those that were withheld."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from app.arrays import Array
from app.baselines.base import BLOCK_BYTES
from app.baselines.time import METHODS, baseline
from app.data.contract import PreparedData
from app.data.description import TimeSteps
from app.data.shards.time_plan import WITHHELD, all_summed
from app.data.streaming.triples import read_frames
from app.data.time_axis import NONE, time_axis
from app.data.wet import wet_limit
from app.distributed.exchange import ALONE, Exchange
from app.durations import duration_text
from app.errors import InputError
from app.metrics.catalogue import metrics_of
from app.metrics.contest import Contest, Scored, compared_in
from app.metrics.files import write_tables
from app.metrics.ground import Ground
from app.metrics.metric import Result, TimeSubject, TruthRange
from app.metrics.notes import effective
from app.metrics.prediction import DatasetPrediction
from app.metrics.scores import Scores
from app.metrics.table import MODEL, Table
from app.metrics.verdict import verdict_of
from app.options.scoring import DEFAULT, ScoringConfig

HELD = 8  # arrays held in scoring, beside one a candidate
CANDIDATES = (
    "linear, nearest, cubic (spline), optical_flow (both frames moved along the motion that the "
    "flow module begins with, and blended): what needs no training."
)


@dataclass(frozen=True, eq=False)
class TimeEvaluation(Scores):
    """Verdict and table, and what the figures are drawn from."""

    variables: tuple[Result, ...]
    contest: TimeContest


class TimeContest(Contest):
    """A prediction, and what needs no training, on the new time axis of the test period."""

    names = (MODEL, *METHODS)
    layers = len(names)
    split = "test"

    def __init__(
        self,
        shards: PreparedData,
        prediction: Path,
        steps: TimeSteps,
        scoring: ScoringConfig = DEFAULT,
        exchange: Exchange = ALONE,
    ) -> None:
        self.exchange = exchange
        self.shards, self.steps, self.scoring = shards, steps, scoring
        self.variables, self.grid = shards.variables["hr"], shards.geometry.fine
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
        self.scored = (self.axis.known == NONE) & there
        self.samples = len(self.axis)
        self.times = self.axis.stamps.decode()
        self.prediction = DatasetPrediction(prediction, self.variables, self.grid, self.times)
        self.blocks = self._blocks()

    def read(self, rows: Array) -> Array:
        """Known frames of the predictands (B, k, y, x, C)."""
        return read_frames(self.shards, "test", rows)[..., : len(self.variables)]

    def truth(self, indices: Array) -> Array:
        known, withheld = self.axis.known[indices], self.truth_rows[indices]
        fields = read_frames(self.shards, WITHHELD, withheld)[..., : len(self.variables)]
        own = known != NONE
        fields[own] = self.read(known[own][:, None])[:, 0]
        return fields

    def fields(self, indices: Array) -> Array:
        axis = self.axis.take(indices)
        found = [self.prediction.read(indices)]
        found += [baseline(name, axis, self.read, self.known) for name in METHODS]
        return np.stack([field.astype(np.float32) for field in found])

    def _blocks(self) -> list[Array]:
        """Rows of the axis in whole units, bounded in memory."""
        y, x = self.grid.shape
        most = max(1, BLOCK_BYTES // (8 * y * x * len(self.variables) * (self.layers + HELD)))
        most = min(most, -(-self.samples // self.exchange.ranks.size))
        firsts = np.append(np.flatnonzero(np.diff(self.axis.unit, prepend=-1)), len(self.axis))
        blocks, start = [], 0
        for end, following in zip(firsts[1:], [*firsts[2:], None], strict=True):
            if following is None or following - firsts[start] > most:
                blocks.append(np.arange(firsts[start], end))
                start = int(np.searchsorted(firsts, end))
        return blocks

    def subjects(self, ranges: list[TruthRange]) -> list[Scored]:
        area, summed, found = self.grid.cell_areas(), all_summed(self.variables), []
        for channel, (variable, truth) in enumerate(zip(self.variables, ranges, strict=True)):
            subject = TimeSubject(
                variable,
                self.names,
                self.times,
                self.grid,
                area,
                truth,
                axis=self.axis,
                steps=self.steps,
                scored=self.scored,
                ground=Ground.of(self.shards.variables.get("static", ()), self.shards.static),
                wet=wet_limit(variable, self.steps.target_step if summed else None),
                scoring=self.scoring,
            )
            metrics = metrics_of(subject, "time_metric")
            label = f"[{variable.name}]" if len(self.variables) > 1 else ""
            found.append(Scored(channel, list(range(self.layers)), subject, metrics, label))
        return found

    def check(self, scored: Scored) -> None:
        if not scored.errors.weight.any():
            raise InputError(f"{scored.subject.variable.name}: no withheld value left to score")


def evaluate_in_time(
    shards: PreparedData,
    prediction: Path,
    folder: Path,
    steps: TimeSteps,
    scoring: ScoringConfig = DEFAULT,
    exchange: Exchange = ALONE,
) -> TimeEvaluation | None:
    """Score a prediction and what needs no training; write summary.csv, summary.txt, by_hour.csv.

    Every candidate is scored on the same values: where it, the others and the truth are known.
    The ranks of `exchange` share the work; the first writes the files, the others return None.
    Raises InputError where there is no withheld truth, or the prediction does not fit.
    """
    folder.mkdir(parents=True, exist_ok=True)
    contest = TimeContest(shards, prediction, steps, scoring, exchange)
    found = contest.run(folder)
    if found is None:
        return None
    metrics = dict.fromkeys(type(metric) for one in found for metric in one.metrics)
    worth = [
        f"{one.subject.variable.name}: {line}"
        for one in found
        for line in effective(one.confidence.rows, one.subject, one.label)
    ]
    notes = [*worth, *(line for metric in metrics for line in metric.definitions), CANDIDATES]
    span = f"{duration_text(steps.input_step)} to {duration_text(steps.target_step)}"
    title = f"Scores of {int(contest.scored.sum())} withheld frames of the test period, {span}"
    rows = tuple(row for one in found for row in one.confidence.rows)
    table = Table(title, contest.names, rows, tuple(notes))
    results = tuple(Result(one.subject, one.errors, one.metrics, one.label, table) for one in found)
    evaluation = TimeEvaluation(
        table, verdict_of(title, results), results, contest, **compared_in(found)
    )
    write_tables(folder, evaluation, results)
    return evaluation
