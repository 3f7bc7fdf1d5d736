"""What the files of a run folder tell a reader: flags, losses, scores, verdict, cost."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
import xarray as xr

from app import options
from app.arrays import Array, Json
from app.errors import InputError
from app.metrics.names import called
from app.metrics.temporal.restoration import NAME
from app.metrics.verdict.estimate import Estimate
from app.report.learning import HISTORY, read_history
from app.running.atomic import read_json
from app.running.run_files import FLAGFILE
from app.running.run_folder import RunFolder
from app.running.status import FILE as STATUS
from app.running.status import read_status

ENDS = ("_low", "_high")  # of intervals, whose rows stand behind the score's own
CANDIDATE_END = "_std"  # a column of this end tells that there is a candidate


@dataclass(frozen=True, eq=False)
class ScoreTable:
    """summary.csv: scores by metric and candidate; `label` is "" or "[predictand]"."""

    candidates: tuple[str, ...]
    scores: dict[str, dict[str, Estimate]]  # metric with its label → candidate → score
    units: dict[str, str]
    meanings: dict[str, str]

    @classmethod
    def read(cls, folder: Path) -> ScoreTable | None:
        """None where there is no such file, or one without rows."""
        rows = read_rows(folder / "summary.csv")
        if not rows:
            return None
        told = {row["metric"]: row for row in read_rows(folder / "definitions.csv")}
        names = tuple(name for name in rows[0] if f"{name}{CANDIDATE_END}" in rows[0])
        values = {row["metric"]: {n: _number(row[n]) for n in names} for row in rows}
        ends = {bound for name in values for bound in _bounds(name) if bound in values}
        scores = {
            metric: {n: Estimate(v, *_ends(values, metric, n)) for n, v in own.items()}
            for metric, own in values.items()
            if metric not in ends
        }
        units = {metric: row["units"] for metric, row in told.items()}
        return cls(names, scores, units, {m: row["long_name"] for m, row in told.items()})

    def labelled(self, label: str) -> dict[str, dict[str, Estimate]]:
        """Scores of one predictand, without its label."""
        return {
            metric.removesuffix(label): own
            for metric, own in self.scores.items()
            if metric.endswith(label) and (label or not metric.endswith("]"))
        }


def read_rows(path: Path) -> list[dict[str, str]]:
    """Rows of a CSV; none without the file."""
    try:
        with path.open(newline="", encoding="utf-8") as file:
            return list(csv.DictReader(file))
    except OSError:
        return []


def _bounds(metric: str) -> Iterator[str]:
    """Names of the rows of a score's interval: before the label, where there is one."""
    name, bracket, label = metric.partition("[")
    yield from (f"{name}{end}{bracket}{label}" for end in ENDS)


def _ends(values: dict[str, dict[str, float]], metric: str, candidate: str) -> list[float]:
    return [values.get(bound, {}).get(candidate, np.nan) for bound in _bounds(metric)]


def _number(text: str | None) -> float:
    try:
        return float(text or "nan")
    except ValueError:
        return np.nan


@dataclass(frozen=True)
class Predictand:
    """A variable that is scored; `label` stands behind the names of its scores."""

    name: str
    unit: str
    label: str

    @property
    def squared(self) -> str:
        return f"{self.unit}²" if " " not in self.unit else f"({self.unit})²"


@dataclass(frozen=True, eq=False)
class RunFacts:
    """One run folder, as far as its files go; what is not there is empty or None."""

    folder: Path
    name: str = ""
    notes: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, folder: Path, name: str = "") -> RunFacts:
        """InputError where the folder is none of a run, or nothing has come of the run yet."""
        marks = (FLAGFILE, STATUS, HISTORY, "metrics/summary.csv")
        if not any((folder / name).is_file() for name in marks):
            raise InputError(
                f"report: {folder} is no run folder; expected one that the stage train or test has "
                "written"
            )
        found = cls(folder, name or folder.resolve().name)
        if not (found.histories or found.table or (folder / "y_hat.nc").is_file()):
            raise InputError(
                f"report: {folder} holds no losses, prediction or scores yet; run the stages "
                "train, test and metrics first"
            )
        return found

    @property
    def metrics(self) -> Path:
        return RunFolder(self.folder).metrics

    @cached_property
    def status(self) -> Json:
        return read_status(self.folder) or {}

    @cached_property
    def provenance(self) -> Json:
        return read_json(RunFolder(self.folder).provenance) or {}

    @cached_property
    def flags(self) -> Json:
        """The values of all flags; none where the flagfile is gone or of another program."""
        try:
            return options.kept_values(RunFolder(self.folder).experiment)
        except InputError:
            return {}

    @cached_property
    def histories(self) -> dict[str, dict[str, Array]]:
        """Columns of history.csv by stage, "" for the run itself; those of at least one epoch."""
        files = [self.folder / HISTORY, *sorted(self.folder.glob(f"stages/*/{HISTORY}"))]
        stages = ["", *(path.parent.name for path in files[1:])]
        found = {stage: read_history(path) for stage, path in zip(stages, files, strict=True)}
        return {stage: own for stage, own in found.items() if len(own["epoch"])}

    @cached_property
    def table(self) -> ScoreTable | None:
        return ScoreTable.read(self.metrics)

    def scores_of(self, predictand: Predictand) -> dict[str, dict[str, Estimate]]:
        """Scores of one predictand by metric and candidate; none without a table."""
        return {} if self.table is None else self.table.labelled(predictand.label)

    def called(self, candidate: str) -> str:
        """A candidate's name for readers; of runs in time, `linear` is no regression."""
        in_time = self.table is not None and any(m.startswith(NAME) for m in self.table.scores)
        return called(candidate, in_time)

    @cached_property
    def verdict(self) -> Json | None:
        return read_json(self.metrics / "verdict.json")

    @cached_property
    def predictands(self) -> tuple[Predictand, ...]:
        """Those of the verdict, which carry labels where they are several."""
        found = (self.verdict or {}).get("variables", [])
        return tuple(
            Predictand(
                str(own["variable"]),
                str(own["unit"]),
                f"[{own['variable']}]" if len(found) > 1 else "",
            )
            for own in found
        )

    def compared(self, predictand: Predictand) -> list[str]:
        """Sentences on each score of a predictand: better than whom, worse than whom."""
        found = (read_json(self.metrics / "comparisons.json") or {}).get("sentences", [])
        names = {f"{metric}{predictand.label}" for metric in self.scores_of(predictand)}
        return [str(one) for one in found if str(one).partition(":")[0] in names]

    @cached_property
    def samples(self) -> xr.Dataset | None:
        return self._dataset("samples.nc")

    @cached_property
    def gridpoint(self) -> xr.Dataset | None:
        return self._dataset("gridpoint.nc")

    def _dataset(self, name: str) -> xr.Dataset | None:
        try:
            return xr.load_dataset(self.metrics / name, engine="netcdf4")
        except (OSError, ValueError):
            return None

    def rows(self, name: str, predictand: Predictand) -> list[dict[str, str]]:
        """Rows of a further table of metrics that are of a predictand; none without the file."""
        rows = read_rows(self.metrics / f"{name}.csv")
        return [row for row in rows if row.get("variable") == predictand.name]

    @cached_property
    def training_seconds(self) -> float:
        """Time of all epochs of all stages."""
        return float(sum(np.nansum(own["seconds"]) for own in self.histories.values()))


def numbers(rows: list[dict[str, str]], column: str) -> Array:
    """A column (n,) of a table, NaN where there is no number."""
    return np.array([_number(row.get(column)) for row in rows])
