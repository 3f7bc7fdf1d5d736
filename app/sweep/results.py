"""What the members of a sweep came to, read from their run folders."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np

from app import options
from app.arrays import Json
from app.errors import InputError
from app.metrics.table import MODEL
from app.running.run_folder import RunFolder
from app.sweep.members import SweepRun
from app.sweep.spec import FLAGFILE, SEED, Changes

SCORES = ("mae", "rmse", "bias", "crps", "pearson", "ssim", "psnr")
# Flags that say what the validation loss is a loss of: between different ones it says nothing.
LOSS_FLAGS = tuple(
    flag.name
    for section in ("DATA", "DOWNSCALING", "TRAINING")
    for flag in options.SECTIONS[section]
    if (section != "TRAINING" and flag.name not in ("cache_dir", "stage_to", "test_pairs"))
    or flag.name in ("loss", "huber_delta", "quantiles")
    or flag.name.startswith("dense_")
)

Scores = dict[str, dict[str, tuple[float, float]]]  # metric → candidate → mean, std over samples


@dataclass(frozen=True, eq=False)
class Result:
    """One member's outcome; NaN and None where there is none yet."""

    member: SweepRun
    state: str
    message: str = ""
    val_loss: float = math.nan
    seconds: float = math.nan
    parameters: int | None = None
    scores: Scores = field(default_factory=dict)

    @property
    def samples(self) -> Path:
        return RunFolder(self.member.folder).metrics / "samples.nc"

    @property
    def group(self) -> Changes:
        """The swept flags without the seed."""
        return {name: text for name, text in self.member.changes.items() if name != SEED}

    @cached_property
    def loss_kind(self) -> tuple[str, ...]:
        """Values of the flags that define the validation loss."""
        values = self.values
        return tuple(options.as_text(values[name]) for name in LOSS_FLAGS)

    @cached_property
    def values(self) -> options.Values:
        """All flags of the member."""
        return options.kept_values(self.member.flagfile)


@dataclass(frozen=True, eq=False)
class Group:
    """Members that differ in nothing but their seed; only the finished ones count."""

    changes: Changes
    results: tuple[Result, ...]

    @property
    def label(self) -> str:
        """The swept flags in short."""
        parts = [
            Path(text).stem if name == FLAGFILE else f"{name}={text}"
            for name, text in self.changes.items()
        ]
        return ", ".join(parts) or "all"

    @cached_property
    def finished(self) -> tuple[Result, ...]:
        return tuple(result for result in self.results if result.state == "finished")

    def val_loss(self) -> tuple[float, float]:
        """Mean and spread over seeds of the lowest validation loss."""
        return over_seeds([result.val_loss for result in self.finished])

    def score(self, metric: str, candidate: str = MODEL) -> tuple[float, float, float]:
        """Mean over seeds, mean over seeds of the std over samples, and std over seeds."""
        nothing = (math.nan, math.nan)
        pairs = [r.scores.get(metric, {}).get(candidate, nothing) for r in self.finished]
        mean, spread = over_seeds([value for value, _ in pairs])
        return mean, over_seeds([std for _, std in pairs])[0], spread


def over_seeds(values: Sequence[float]) -> tuple[float, float]:
    """Mean and standard deviation (n - 1) of the finite values; NaN without any, or of one."""
    finite = np.array([value for value in values if math.isfinite(value)])
    if not len(finite):
        return math.nan, math.nan
    return float(finite.mean()), float(finite.std(ddof=1)) if len(finite) > 1 else math.nan


def read_result(member: SweepRun) -> Result:
    """One member's outcome."""
    state, folder = member.state(), RunFolder(member.folder)
    history = _history(folder.history)
    return Result(
        member,
        state,
        message=member.last_line() if state == "failed" else "",
        val_loss=min((row["val_loss"] for row in history), default=math.nan),
        seconds=sum(row["seconds"] for row in history) if history else math.nan,
        parameters=_provenance(folder.path).get("parameters"),
        scores=read_scores(folder.metrics / "summary.csv") if state == "finished" else {},
    )


def grouped(results: Sequence[Result]) -> list[Group]:
    """Results by their flags other than the seed, in the order of their numbers."""
    groups: dict[str, list[Result]] = {}
    for result in results:
        groups.setdefault(json.dumps(result.group, sort_keys=True), []).append(result)
    return [Group(members[0].group, tuple(members)) for members in groups.values()]


def metrics_of(results: Sequence[Result]) -> list[str]:
    """Rows of the score tables to be shown; `rmse[tas]` and so on with several predictands."""
    found = dict.fromkeys(metric for result in results for metric in result.scores)
    return [name for score in SCORES for name in found if name.partition("[")[0] == score]


def common_baselines(results: Sequence[Result], metrics: Sequence[str]) -> Scores:
    """Candidate → metric → scores of the baselines, where all members agree on them."""
    tables = [
        {
            (name, metric): pair
            for metric in metrics
            for name, pair in result.scores.get(metric, {}).items()
            if name != MODEL
        }
        for result in results
        if result.state == "finished"
    ]
    if not tables or any(table != tables[0] for table in tables):
        return {}
    baselines: Scores = {}
    for (name, metric), pair in tables[0].items():
        baselines.setdefault(name, {})[metric] = pair
    return baselines


def read_scores(path: Path) -> Scores:
    """summary.csv as metric → candidate → (mean, std); empty where it is missing."""
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
    except OSError:
        return {}
    names = [name for name in rows[0] if f"{name}_std" in rows[0]] if rows else []
    return {
        row["metric"]: {name: (_number(row[name]), _number(row[f"{name}_std"])) for name in names}
        for row in rows
    }


def _number(text: str) -> float:
    return float(text) if text else math.nan


def _history(path: Path) -> list[dict[str, float]]:
    try:
        with path.open(newline="", encoding="utf-8") as file:
            return [{k: float(v) for k, v in row.items()} for row in csv.DictReader(file)]
    except OSError:
        return []


def _provenance(folder: Path) -> Json:
    path = folder / "provenance.json"
    try:
        result: Json = json.loads(path.read_text(encoding="utf-8"))
        return result
    except OSError:
        return {}
    except ValueError as error:
        raise InputError(f"{path}: cannot be read ({error})") from error
