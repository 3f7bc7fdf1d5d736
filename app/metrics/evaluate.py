"""The scores of a prediction and of the baselines against the truth, in two streaming passes."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr
from absl import logging

from app.atomic import write_text
from app.baselines.base import BLOCK_BYTES, Baseline, split_size, time_blocks
from app.baselines.catalogue import fit_baselines
from app.baselines.interpolation import coarse_view, find_twins, read_coarse
from app.data.times import Stamps, modal_step
from app.data.wet import wet_limit
from app.errors import InputError
from app.grids import to_canonical
from app.metrics.accumulate import TruthRange, VariableScores
from app.metrics.bins import BinSums, training_climate
from app.metrics.bins_file import write_bins
from app.metrics.distribution import DistributionScores
from app.metrics.gridpoint import write_gridpoint
from app.metrics.notes import notes
from app.metrics.prediction import Prediction
from app.metrics.results import Evaluation, Example, VariableResult
from app.metrics.samples import write_samples
from app.metrics.spectra import Bands
from app.metrics.summary import sample_rmse, summarise
from app.metrics.table import MODEL, Row, Table
from app.room import scratch

if TYPE_CHECKING:
    from app.data.description import Variable
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
Sums = tuple[VariableScores, DistributionScores]


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
        self.times = Stamps.of(shards.times(split))
        self.samples = shards.size(split)
        self.shape = shards.geometry.fine_shape
        y, x = self.shape
        # scoring holds some ten arrays per candidate, and fewer per member, at a time
        self.blocks = list(time_blocks(self.samples, y * x * self.layers * len(self.variables)))
        self.climate = training_climate(shards, undo)

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

    def parted(
        self, layers: np.ndarray, keep: list[int], c: int
    ) -> tuple[np.ndarray, np.ndarray | None]:
        """A predictand's own candidates (k, n, y, x), and what follows (L, n, y, x), if any."""
        behind = layers[len(self.names) :, ..., c]
        return layers[keep, ..., c], behind if len(behind) else None

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

    def kept(self) -> list[list[int]]:
        """Candidates of each predictand: those that give it at all."""
        return [
            [k for k, name in enumerate(self.names) if twin is not None or name not in INTERPOLATED]
            for twin in find_twins(self.shards)
        ]

    def run(self, scratch_folder: Path) -> list[Sums]:
        """Sums of every predictand: blocks of time first, then bands of rows for the ranks."""
        kept, sums = self.kept(), self._empty_sums()
        shape = (self.layers, self.samples, *self.shape, len(self.variables))
        with scratch(scratch_folder, shape) as stored:
            for indices in self.blocks:
                truth, layers = self.truth(indices), self.fields(indices)
                stored[:, indices[0] : indices[-1] + 1] = layers
                for c, ((score, distribution), keep) in enumerate(zip(sums, kept, strict=True)):
                    fields, behind = self.parted(layers, keep, c)
                    score.add(indices, truth[..., c], fields)
                    distribution.add(indices, truth[..., c], fields, behind)
            self._check([score for score, _ in sums])
            self._add_series(sums, kept, stored)
        return sums

    def _empty_sums(self) -> list[Sums]:
        area = self.shards.geometry.fine.cell_areas()
        bands = Bands.of(self.shards.geometry.fine)
        seconds = Stamps.of(self.shards.times(self.split)).seconds
        pairs = np.diff(seconds) == modal_step(seconds) if self.shards.has_times else None
        sums: list[Sums] = []
        for variable, keep, found in zip(
            self.variables, self.kept(), self.truth_ranges(), strict=True
        ):
            names = tuple(self.names[k] for k in keep)
            distribution = DistributionScores(
                names,
                self.samples,
                area,
                bands=bands,
                origin=found.mean,
                members=self.members,
                levels=self.quantiles,
                wet=wet_limit(variable, self.accumulation),
                pairs=pairs,
                bins=self._empty_bins(len(sums), names),
            )
            sums.append((VariableScores(names, self.samples, area, found), distribution))
        return sums

    def _empty_bins(self, c: int, names: tuple[str, ...]) -> BinSums | None:
        """Sums by value bins of a predictand; None where its training values are all alike."""
        climate = self.climate[c]
        return None if climate is None else BinSums(names, self.samples, climate)

    def _add_series(self, sums: list[Sums], kept: list[list[int]], stored: np.ndarray) -> None:
        """Scores that need the whole period of a grid point: ranks and extremes over time."""
        y, x = self.shape
        step = max(1, BLOCK_BYTES // (8 * self.samples * x * self.layers))
        for start in range(0, y, step):
            rows = slice(start, min(y, start + step))
            truth = self.shards.series("hr", self.split, rows)
            if self.mask is not None:
                truth = np.where(self.mask[rows, :, None], truth, np.nan)
            for c, ((score, distribution), keep) in enumerate(zip(sums, kept, strict=True)):
                fields, behind = self.parted(stored[:, :, rows], keep, c)
                score.add_rows(rows, truth[..., c], fields)
                distribution.add_rows(rows, truth[..., c], fields, behind)

    def _check(self, scores: list[VariableScores]) -> None:
        """Nothing left to score is an error that names the candidate to blame."""
        for variable, score in zip(self.variables, scores, strict=True):
            if not score.weight.any():
                worst = score.candidates[int(score.missing.argmax())]
                raise InputError(
                    f"{variable.name}: no value left to score, {worst} is missing at "
                    f"{score.missing.max()} of {score.offered} valid truth values"
                    + (f" ({self.prediction.where})" if worst == MODEL else "")
                )
            if score.missing[0]:
                logging.warning(
                    "%s: %s has no value at %d of %d valid truth values; these are not scored",
                    variable.name,
                    self.prediction.where,
                    score.missing[0],
                    score.offered,
                )

    def example(self, c: int, scores: VariableScores, keep: list[int]) -> Example:
        """The fields of the sample with the median model RMSE."""
        rmse = sample_rmse(scores)[0]
        ordered = np.argsort(rmse)[: np.isfinite(rmse).sum()]
        index = ordered[(len(ordered) - 1) // 2 : (len(ordered) - 1) // 2 + 1]
        layers = self.fields(index)
        candidates, behind = self.parted(layers, keep, c)
        fields = {"truth": self.truth(index)[0, ..., c]}
        fields |= dict(zip(scores.candidates, candidates[:, 0], strict=True))
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
        sums = scorer.run(folder)
        evaluation = _assemble(scorer, sums, times)
    finally:
        opened.close()
    evaluation.table.write_csv(folder / "summary.csv")
    write_text(folder / "summary.txt", str(evaluation.table))
    write_gridpoint(folder / "gridpoint.nc", evaluation.variables, grid)
    labels = [result.label for result in evaluation.variables]
    scored = [(label, *pair) for label, pair in zip(labels, sums, strict=True)]
    write_samples(folder / "samples.nc", scored, times)
    write_bins(folder, evaluation.variables, Stamps.of(times))
    return evaluation


def _assemble(scorer: _Scorer, sums: list[Sums], times: np.ndarray) -> Evaluation:
    several = len(scorer.variables) > 1
    rows: list[Row] = []
    results = []
    for c, (variable, (score, distribution)) in enumerate(zip(scorer.variables, sums, strict=True)):
        own_rows, maps = summarise(score, variable, times, several, distribution)
        rows += own_rows
        results.append(_result(scorer, c, variable, several, (score, distribution), maps))
    title = f"Scores on the {scorer.split} period"
    footer = notes(scorer.shards, scorer.split, scorer.variables, sums, scorer.prediction, rows)
    table = Table(title, scorer.names, tuple(rows), footer)
    return Evaluation(table, tuple(results), scorer.shards.geometry.fine)


def _result(
    scorer: _Scorer,
    c: int,
    variable: Variable,
    several: bool,
    sums: Sums,
    maps: dict[str, np.ndarray],
) -> VariableResult:
    """What the figures of one predictand need."""
    score, distribution = sums
    keep = [scorer.names.index(name) for name in score.candidates]
    ensemble = distribution.ensemble
    return VariableResult(
        variable,
        score.candidates,
        f"[{variable.name}]" if several else "",
        sample_rmse(score),
        maps,
        scorer.example(c, score, keep),
        spectra=distribution.spectrum.result(),
        rank_histogram=None if ensemble is None else ensemble.shares,
        wet_probability=distribution.wet_probability,
        bins=None if distribution.bins is None else distribution.bins.result(scorer.times),
    )
