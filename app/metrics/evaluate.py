"""The scores of a prediction and of the baselines against the truth, in two streaming passes."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr
from absl import logging

from app.baselines.base import BLOCK_BYTES, Baseline, split_size, time_blocks
from app.baselines.catalogue import fit_baselines
from app.baselines.interpolation import coarse_view, find_twins, read_coarse
from app.data.times import Stamps, modal_step
from app.data.wet import wet_limit
from app.errors import InputError
from app.grids import to_canonical
from app.metrics.catalogue import metrics_of
from app.metrics.climate import training_climate
from app.metrics.errors import Errors
from app.metrics.files import write_files
from app.metrics.metric import Band, Block, Example, Metric, Result, Subject, TruthRange
from app.metrics.notes import notes
from app.metrics.prediction import Prediction
from app.metrics.table import MODEL, Table
from app.running.disk_space import scratch

if TYPE_CHECKING:
    from app.data.shards import Shards
    from app.grids import Grid

INTERPOLATED = (
    "nearest",
    "bilinear",
    "bicubic",
    "bicubic_orography",
    "bias_corrected",
    "quantile_mapping",
    "bcsd",
)  # these need a low-resolution twin
Undo = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True, eq=False)
class Evaluation:
    """The table, and what the figures of every predictand are drawn from."""

    table: Table
    variables: tuple[Result, ...]
    grid: Grid

    def __str__(self) -> str:
        return str(self.table)


@dataclass(frozen=True, eq=False)
class _Scored:
    """One predictand: its channel, its candidates among all, its metrics, errors first."""

    channel: int
    keep: list[int]
    subject: Subject
    metrics: tuple[Metric, ...]

    @property
    def errors(self) -> Errors:
        first = self.metrics[0]
        assert isinstance(first, Errors)
        return first


class _Scorer:
    """One evaluation: candidates that give fields, sums that take them."""

    def __init__(
        self,
        shards: Shards,
        prediction: Prediction,
        baselines: list[Baseline],
        undo: Undo | None,
        mask: np.ndarray | None,
        split: str,
        accumulation: int | None,
    ) -> None:
        self.shards, self.prediction, self.baselines = shards, prediction, baselines
        self.accumulation = accumulation
        self.undo, self.mask, self.split = undo, mask, split
        self.names = (MODEL, *(baseline.name for baseline in baselines))
        self.members = prediction.members if prediction.members > 1 else 0
        self.quantiles = prediction.quantiles
        # fields held of every sample and predictand
        self.layers = len(self.names) + (self.members or len(self.quantiles))
        self.variables = shards.variables["hr"]
        self.samples = shards.size(split)
        self.shape = shards.geometry.fine_shape
        y, x = self.shape
        # scoring holds some ten arrays per candidate, and fewer per member, at a time
        self.blocks = list(time_blocks(self.samples, y * x * self.layers * len(self.variables)))

    def truth(self, indices: np.ndarray) -> np.ndarray:
        """Truth (n, y, x, C), NaN where the mask leaves it out."""
        truth = self.shards.read("hr", self.split, indices)
        return truth if self.mask is None else np.where(self.mask[..., None], truth, np.nan)

    def fields(self, indices: np.ndarray) -> np.ndarray:
        """All candidates (k, n, y, x, C) float32, then the members, if several, or quantiles."""
        layers = self.prediction.read_layers(indices)
        fields = [self.prediction.field_of(layers)]
        for baseline in self.baselines:
            field = baseline.predict(indices, self.split)
            fields.append(np.asarray(self.undo(field) if self.undo else field, dtype=np.float32))
        return np.stack([*fields, *(layers if self.members or self.quantiles else ())])

    def parted(self, layers: np.ndarray, scored: _Scored) -> tuple[np.ndarray, np.ndarray | None]:
        """A predictand's own candidates (k, n, y, x), and what follows (L, n, y, x), if any."""
        behind = layers[len(self.names) :, ..., scored.channel]
        return layers[scored.keep, ..., scored.channel], behind if len(behind) else None

    def truth_ranges(self) -> list[TruthRange]:
        """Mean and range of each predictand's truth."""
        c = len(self.variables)
        total, count = np.zeros(c), np.zeros(c, dtype=np.int64)
        low, high = np.full(c, np.inf), np.full(c, -np.inf)
        for indices in self.blocks:
            truth = self.truth(indices)
            valid = np.isfinite(truth)
            axes = (0, 1, 2)
            total += np.where(valid, truth, 0.0).sum(axis=axes, dtype=np.float64)
            count += valid.sum(axis=axes)
            low = np.minimum(low, np.where(valid, truth, np.inf).min(axis=axes))
            high = np.maximum(high, np.where(valid, truth, -np.inf).max(axis=axes))
        for variable, valid_count in zip(self.variables, count, strict=True):
            if not valid_count:
                raise InputError(
                    f"{variable.name}: the {self.split} split holds no valid truth to score against"
                )
        return [
            TruthRange(float(s / n), float(a), float(b))
            for s, n, a, b in zip(total, count, low, high, strict=True)
        ]

    def subjects(self) -> list[_Scored]:
        """Every predictand with the candidates that give it, and metrics without any sums yet."""
        times, grid = self.shards.times(self.split), self.shards.geometry.fine
        seconds, area = Stamps.of(times).seconds, grid.cell_areas()
        consecutive = None
        if self.shards.has_times:
            consecutive = np.diff(seconds) == modal_step(seconds)
        climates = training_climate(self.shards, self.undo)
        found = []
        for c, (variable, twin, truth, climate) in enumerate(
            zip(self.variables, find_twins(self.shards), self.truth_ranges(), climates, strict=True)
        ):
            keep = [
                k
                for k, name in enumerate(self.names)
                if twin is not None or name not in INTERPOLATED
            ]
            subject = Subject(
                variable,
                tuple(self.names[k] for k in keep),
                times,
                grid,
                area,
                truth,
                members=self.members,
                quantiles=self.quantiles,
                wet=wet_limit(variable, self.accumulation),
                climate=climate,
                consecutive=consecutive,
            )
            found.append(_Scored(c, keep, subject, metrics_of(subject)))
        return found

    def run(self, scratch_folder: Path) -> list[_Scored]:
        """Sums of every predictand: blocks of time first, then bands of rows."""
        found = self.subjects()
        shape = (self.layers, self.samples, *self.shape, len(self.variables))
        with scratch(scratch_folder, shape) as stored:
            for indices in self.blocks:
                truth, layers = self.truth(indices), self.fields(indices)
                stored[:, indices[0] : indices[-1] + 1] = layers
                for scored in found:
                    own = truth[..., scored.channel], *self.parted(layers, scored)
                    block = Block(scored.subject, indices, *own)
                    for metric in scored.metrics:
                        metric.add(block)
            for scored in found:
                self._check(scored)
            self._add_series(found, stored)
        return found

    def _add_series(self, found: list[_Scored], stored: np.ndarray) -> None:
        """Scores that need the whole period of a grid point: ranks and extremes over time."""
        y, x = self.shape
        step = max(1, BLOCK_BYTES // (8 * self.samples * x * self.layers))
        for start in range(0, y, step):
            rows = slice(start, min(y, start + step))
            truth = self.shards.series("hr", self.split, rows)
            if self.mask is not None:
                truth = np.where(self.mask[rows, :, None], truth, np.nan)
            for scored in found:
                own = truth[..., scored.channel], *self.parted(stored[:, :, rows], scored)
                band = Band(scored.subject, np.arange(rows.start, rows.stop), *own)
                for metric in scored.metrics:
                    metric.add_series(band)

    def _check(self, scored: _Scored) -> None:
        """Nothing left to score is an error that names the candidate to blame."""
        name, errors = scored.subject.variable.name, scored.errors
        if not errors.weight.any():
            worst = scored.subject.candidates[int(errors.missing.argmax())]
            raise InputError(
                f"{name}: no value left to score, {worst} is missing at "
                f"{errors.missing.max()} of {errors.offered} valid truth values"
                + (f" ({self.prediction.where})" if worst == MODEL else "")
            )
        if errors.missing[0]:
            logging.warning(
                "%s: %s has no value at %d of %d valid truth values; these are not scored",
                name,
                self.prediction.where,
                errors.missing[0],
                errors.offered,
            )

    def example(self, scored: _Scored) -> Example:
        """The fields of the sample with the median model RMSE."""
        c, rmse = scored.channel, scored.errors.sample_rmse[0]
        ordered = np.argsort(rmse)[: np.isfinite(rmse).sum()]
        index = ordered[(len(ordered) - 1) // 2 : (len(ordered) - 1) // 2 + 1]
        layers = self.fields(index)
        candidates, behind = self.parted(layers, scored)
        fields = {"truth": self.truth(index)[0, ..., c]}
        fields |= dict(zip(scored.subject.candidates, candidates[:, 0], strict=True))
        members = behind[:, 0] if self.members and behind is not None else None
        twin = find_twins(self.shards)[c]
        coarse = None
        if twin is not None and self.undo is None:
            coarse = read_coarse(self.shards, index, self.split)[0, ..., twin]
        time = Stamps.of(self.shards.times(self.split)).text(int(index[0])).replace("T", " ")
        return Example(time, fields, coarse, coarse_view(self.shards)[0], members)


def canonical_mask(mask: np.ndarray, grid: Grid) -> np.ndarray:
    """Mask (y, x) as True where scored: neither 0 nor NaN.

    It lies as the user's files do (first row north where they run southward).
    """
    if np.shape(mask) != grid.shape:
        raise InputError(
            f"mask: shape {np.shape(mask)}, expected that of the fine grid {grid.shape}"
        )
    given = xr.DataArray(np.asarray(mask, dtype=np.float64), dims=grid.dims)
    values = to_canonical(given, grid).values
    return np.isfinite(values) & (values != 0)


def evaluate(
    shards: Shards,
    prediction: str | Path | xr.Dataset,
    out_folder: str | Path,
    *,
    undo: Undo | None = None,
    mask: np.ndarray | None = None,
    candidates: Iterable[str] | None = None,
    split: str = "test",
    accumulation: int | None = None,
) -> Evaluation:
    """Score a prediction and the baselines, and write summary.csv, .txt, gridpoint.nc, samples.nc.

    `prediction`: y_hat.nc or an opened dataset, one variable per predictand on the fine grid in
    any orientation, holding all times of the split; of members the mean is scored as a field,
    and all of them as an ensemble; of quantiles that nearest to the median, and all of them by
    their pinball loss and coverage. `undo` maps baseline fields (n, y, x, C), fitted on scaled
    data, back to the truth's units. `mask` (y, x): where to score. `candidates`: baselines
    beside the model, None for those that suit the data. `accumulation`: seconds over which
    amounts of precipitation are summed.
    Memory is bounded by a block of time; all candidates' fields and members pass through a
    temporary file in `out_folder` once, for the ranks over time. Raises InputError where the
    prediction does not fit the truth.
    """
    if not split_size(shards, split):
        raise InputError(f"split {split!r} holds no samples to score")
    folder = Path(out_folder)
    folder.mkdir(parents=True, exist_ok=True)
    grid, times = shards.geometry.fine, shards.times(split)
    opened = Prediction(prediction, shards.variables["hr"], grid, times)
    try:
        where = None if mask is None else canonical_mask(mask, grid)
        baselines = fit_baselines(shards, candidates)
        scorer = _Scorer(shards, opened, baselines, undo, where, split, accumulation)
        evaluation = _assemble(scorer, scorer.run(folder))
    finally:
        opened.close()
    write_files(folder, evaluation.table, evaluation.variables, grid)
    return evaluation


def _assemble(scorer: _Scorer, found: list[_Scored]) -> Evaluation:
    labels = [f"[{one.subject.variable.name}]" if len(found) > 1 else "" for one in found]
    rows = [
        row.labelled(label)
        for one, label in zip(found, labels, strict=True)
        for metric in one.metrics
        for row in metric.rows(one.errors)
    ]
    metrics = [(one.subject, one.metrics) for one in found]
    footer = notes(scorer.shards, scorer.split, metrics, scorer.prediction, rows)
    table = Table(f"Scores on the {scorer.split} period", scorer.names, tuple(rows), footer)
    results = tuple(
        Result(one.subject, one.errors, one.metrics, label, table, scorer.example(one))
        for one, label in zip(found, labels, strict=True)
    )
    return Evaluation(table, results, scorer.shards.geometry.fine)
