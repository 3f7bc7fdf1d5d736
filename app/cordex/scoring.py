"""Scores of a submission where the tree has a truth: the protocol's, and the change signal."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from app.arrays import Array
from app.cordex import protocol
from app.cordex.places import Places
from app.cordex.template import TIME, opened
from app.cordex.tree import TestFile
from app.cordex.validation import Submission
from app.door.guest import run_as_guest
from app.errors import InputError
from app.metrics.protocols.cordex_ml_bench import NAME
from app.report.page.run_facts import read_rows
from app.running.atomic import write_text

KEYS = ("domain", "experiment", "period", "condition", "gcm")
MODEL = "model"
CHANGES = (*KEYS, "variable", "unit", "truth", "prediction", "mean_abs_bias")
BLOCK_VALUES = 2**24  # read at once


@dataclass(frozen=True)
class Pair:
    """A prediction and its truth."""

    experiment: str
    test: TestFile
    prediction: Path
    truth: Path

    @property
    def keys(self) -> tuple[str, ...]:
        test = self.test
        return test.domain, self.experiment, test.period, test.condition, test.gcm


def score(submission: Submission, places: Places, verbose: bool) -> str:
    """Write scores.csv and changes.csv; a table of the latter as text.

    InputError where no prediction has a truth.
    """
    pairs = list(pairs_of(submission))
    if not pairs:
        raise InputError(
            f"{submission.tree.folder}: no truth beside the predictors of a prediction; the real "
            "tree has none, a made one does"
        )
    rows = [row for pair in pairs for row in _scores(pair, places, verbose)]
    columns = list(dict.fromkeys(name for row in rows for name in row))
    _write(
        places.scores / "scores.csv", columns, [[row.get(c, "") for c in columns] for row in rows]
    )
    changes = list(changes_of(pairs))
    _write(places.scores / "changes.csv", CHANGES, changes)
    lines = [f"{len(rows)} scores and {len(changes)} changes in {places.scores}"]
    lines += [
        f"  {' '.join(map(str, row[:6]))}: change {row[8]:.3g} {row[6]}, truth {row[7]:.3g}"
        for row in changes
    ]
    return "\n".join(lines)


def pairs_of(submission: Submission) -> Iterator[Pair]:
    for domain in submission.domains:
        for experiment in submission.experiments:
            for test in submission.tree.tests(domain):
                path = submission.folder / test.prediction(experiment)
                if test.truth is not None and path.is_file():
                    yield Pair(experiment, test, path, test.truth)


def _scores(pair: Pair, places: Places, verbose: bool) -> Iterator[dict[str, str]]:
    """The protocol's diagnostics of both targets."""
    for target in protocol.TARGETS:
        folder = places.scores.joinpath(*pair.keys, target)
        flags = {
            "truth": pair.truth,
            "prediction": pair.prediction,
            "variable": target,
            "protocol": NAME,
            "save_path": folder,
            "overwrite": True,
        }
        if target == "pr":
            flags |= {"units": "mm day-1", "kind": "ratio", "valid_min": 0.0}
        run_as_guest(["metrics"], flags, verbose=verbose)
        for row in read_rows(folder / "metrics" / f"{NAME}.csv"):
            if row["candidate"] == MODEL:
                own = {name: value for name, value in row.items() if name != "candidate"}
                yield dict(zip(KEYS, pair.keys, strict=True)) | own


def changes_of(pairs: list[Pair]) -> Iterator[list[Any]]:
    """Change of the mean from the historical period, of the truth and of the prediction.

    Rain in percent of the historical mean of the domain, temperature in K.
    """
    means = {pair.keys: _Means(pair) for pair in pairs}
    for keys, future in means.items():
        past = means.get((*keys[:2], protocol.HISTORICAL, *keys[3:]))
        if past is None or past is future:
            continue
        for target in protocol.TARGETS:
            truth = future.truth[target] - past.truth[target]
            own = future.own[target] - past.own[target]
            unit = "K"
            if target == "pr":
                truth, own, unit = (
                    100 * truth / past.truth[target].mean(),
                    100 * own / past.own[target].mean(),
                    "%",
                )
            bias = float(np.abs(own - truth).mean())
            yield [*keys, target, unit, float(truth.mean()), float(own.mean()), bias]


class _Means:
    """Means over time and members of each cell, of truth and prediction."""

    def __init__(self, pair: Pair) -> None:
        self.truth = {name: _mean(pair.truth, name) for name in protocol.TARGETS}
        self.own = {name: _mean(pair.prediction, name) for name in protocol.TARGETS}


def _mean(path: Path, name: str) -> Array:
    with opened(path) as file:
        variable = file[name]
        axis = variable.dimensions.index(TIME)
        count = variable.shape[axis]
        step = max(1, BLOCK_VALUES // max(1, variable.size // max(1, count)))
        total = np.zeros(variable.shape[-2:])
        for start in range(0, count, step):
            part = [slice(None)] * variable.ndim
            part[axis] = slice(start, start + step)
            block = np.asarray(variable[tuple(part)], np.float64)
            total += block.reshape(-1, *variable.shape[-2:]).sum(axis=0)
        layers = variable.size // (count * total.size)
        mean: Array = total / (count * layers)
        return mean


def _write(path: Path, columns: tuple[str, ...] | list[str], rows: list[list[Any]]) -> None:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(rows)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, text.getvalue())
