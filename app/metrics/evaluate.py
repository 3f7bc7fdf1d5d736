"""The scores of a prediction and of the baselines against the truth, in two streaming passes."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr
from absl import logging

from app.arrays import Array
from app.baselines.base import Baseline, split_size, time_blocks
from app.baselines.catalogue import INTERPOLATED, UNFITTED, makers_of
from app.baselines.interpolation import coarse_view, find_twins, read_coarse
from app.baselines.together import fitted_together
from app.data.shards.scored import compare
from app.data.times import Stamps, modal_step
from app.data.wet import summed_over, wet_limit
from app.distributed.exchange import ALONE, Exchange
from app.errors import InputError
from app.grids import to_canonical
from app.metrics.catalogue import check_times, metrics_of
from app.metrics.climate import training_climate
from app.metrics.contest import Contest, Scored, compared_in
from app.metrics.deterministic.errors import Errors
from app.metrics.files import write_files
from app.metrics.ground import Ground
from app.metrics.metric import Example, FieldResult, Subject, TruthRange
from app.metrics.notes import notes
from app.metrics.prediction import DatasetPrediction, FilePrediction, Prediction
from app.metrics.regions import NO_REGIONS, Regions
from app.metrics.scores import Scores
from app.metrics.table import MODEL, Table
from app.metrics.verdict import verdict_of
from app.options.scoring import DEFAULT, ScoringConfig

if TYPE_CHECKING:
    from app.data.contract import PreparedData
    from app.data.description import ScoredFiles
    from app.grids import Grid

HELD = 2  # fields in a block besides those of candidates and members
Undo = Callable[[Array], Array]


@dataclass(frozen=True, eq=False)
class Evaluation(Scores):
    """Verdict and table, and what the figures of every predictand are drawn from."""

    variables: tuple[FieldResult, ...]
    grid: Grid


class _FieldContest(Contest):
    """A prediction and baselines against the truth of a split."""

    def __init__(
        self,
        shards: PreparedData,
        prediction: Prediction,
        baselines: list[Baseline],
        undo: Undo | None,
        mask: Array | None,
        split: str,
        accumulation: int | None,
        scoring: ScoringConfig,
        exchange: Exchange,
    ) -> None:
        self.shards, self.prediction, self.baselines = shards, prediction, baselines
        self.accumulation, self.scoring, self.exchange = accumulation, scoring, exchange
        self.regions = NO_REGIONS
        self.undo, self.mask, self.split = undo, mask, split
        self.names = (MODEL, *(baseline.name for baseline in baselines))
        self.members = prediction.members if prediction.members > 1 else 0
        self.quantiles = prediction.quantiles
        # fields held of every sample and predictand
        self.layers = len(self.names) + (self.members or len(self.quantiles))
        self.variables = shards.predictands
        self.samples = shards.size(split)
        self.grid = shards.geometry.fine
        y, x = self.grid.shape
        # scoring holds some ten arrays per candidate, and fewer per member, at a time
        # beside the candidates' the truth, and weights
        held = y * x * (self.layers + HELD) * len(self.variables)
        count = len(list(time_blocks(self.samples, held)))
        size = exchange.ranks.size  # which all have as many blocks
        self.blocks = np.array_split(
            np.arange(self.samples), min(self.samples, -(-count // size) * size)
        )

    def truth(self, indices: Array) -> Array:
        truth = self.shards.read("hr", self.split, indices)
        return truth if self.mask is None else np.where(self.mask[..., None], truth, np.nan)

    def fields(self, indices: Array) -> Array:
        layers = self.prediction.read_layers(indices)
        fields = [self.prediction.field_of(layers)]
        for baseline in self.baselines:
            field = baseline.predict(indices, self.split)
            fields.append(np.asarray(self.undo(field) if self.undo else field, dtype=np.float32))
        return np.stack([*fields, *(layers if self.members or self.quantiles else ())])

    def subjects(self, ranges: list[TruthRange]) -> list[Scored]:
        times, grid = self.shards.times(self.split), self.shards.geometry.fine
        seconds, area = Stamps.of(times).seconds, grid.cell_areas()
        consecutive = None
        if self.shards.has_times:
            consecutive = np.diff(seconds) == modal_step(seconds)
        climates = training_climate(self.shards, self.undo)
        ground = Ground.of(self.shards.variables.get("static", ()), self.shards.static)
        found = []
        for c, (variable, twin, truth, climate) in enumerate(
            zip(self.variables, find_twins(self.shards), ranges, climates, strict=True)
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
                ground=ground,
                scoring=self.scoring,
                regions=self.regions,
                scale=self.shards.geometry.scale if self.shards.variables["lr"] else 0,
                companions=tuple(other.name for other in self.variables[c + 1 :]),
            )
            label = f"[{variable.name}]" if len(self.variables) > 1 else ""
            found.append(Scored(c, keep, subject, metrics_of(subject), label))
        return found

    def check(self, scored: Scored) -> None:
        """Nothing left to score is an error that names the candidate to blame."""
        name, errors = scored.subject.variable.name, scored.metrics[0]
        assert isinstance(errors, Errors)
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

    def example(self, scored: Scored) -> Example:
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


def canonical_mask(mask: Array, grid: Grid) -> Array:
    """Mask (y, x) as True where scored: neither 0 nor NaN.

    It lies as the user's files do (first row north where they run southward).
    """
    if np.shape(mask) != grid.shape:
        raise InputError(
            f"mask: shape {np.shape(mask)}, expected that of the fine grid {grid.shape}"
        )
    given = xr.DataArray(np.asarray(mask, dtype=np.float64), dims=grid.dims)
    values = to_canonical(given, grid).values
    result: Array = np.isfinite(values) & (values != 0)
    return result


def evaluate(
    shards: PreparedData,
    prediction: str | Path | xr.Dataset | Prediction,
    out_folder: str | Path,
    *,
    undo: Undo | None = None,
    mask: Array | None = None,
    candidates: Iterable[str] | None = None,
    split: str = "test",
    accumulation: int | None = None,
    base: Callable[[], Baseline] | None = None,
    scoring: ScoringConfig = DEFAULT,
    title: str | None = None,
    exchange: Exchange = ALONE,
) -> Evaluation | None:
    """Score a prediction and the baselines, and write the files of `app.metrics.files`.

    `prediction`: y_hat.nc or an opened dataset, one variable per predictand on the fine grid in
    any orientation, holding all times of the split; of members the mean is scored as a field,
    and all of them as an ensemble; of quantiles that nearest to the median, and all of them by
    their pinball loss and coverage. `undo` maps baseline fields (n, y, x, C), fitted on scaled
    data, back to the truth's units. `mask` (y, x): where to score. `candidates`: baselines
    beside the model, None for those that suit the data. `accumulation`: seconds over which
    amounts of precipitation are summed. `base`: makes what the model's network corrects.
    `scoring`: which scores, and how. `title`: of the table.
    Memory is bounded by a block of time; truth, candidates' fields and members pass through a
    temporary file in `out_folder` once, for the ranks over time. The ranks of `exchange` share
    the baselines to be fitted, blocks of time, then rows of the grid; the first writes the files,
    the others return None.
    Raises InputError where the prediction does not fit the truth.
    """
    if not split_size(shards, split):
        raise InputError(f"split {split!r} holds no samples to score")
    folder = Path(out_folder)
    folder.mkdir(parents=True, exist_ok=True)
    grid, times = shards.geometry.fine, shards.times(split)
    if isinstance(prediction, Prediction):
        opened = prediction
    else:
        opened = DatasetPrediction(prediction, shards.predictands, grid, times)
    try:
        where = None if mask is None else canonical_mask(mask, grid)
        check_times(scoring, times)
        regions = NO_REGIONS if scoring.regions is None else Regions.read(scoring.regions, grid)
        makers = [*([base] if base else []), *makers_of(shards, candidates)]
        baselines = fitted_together(makers, shards, exchange)
        contest = _FieldContest(
            shards, opened, baselines, undo, where, split, accumulation, scoring, exchange
        )
        contest.regions = regions
        found = contest.run(folder)
        if found is None:
            return None
        evaluation = _assemble(contest, found, title)
    finally:
        opened.close()
    write_files(folder, evaluation, evaluation.variables, grid)
    return evaluation


def evaluate_files(
    asked: ScoredFiles,
    out_folder: str | Path,
    scoring: ScoringConfig = DEFAULT,
    exchange: Exchange = ALONE,
) -> Evaluation | None:
    """Score files against others, and write what `evaluate` writes.

    Baselines are the interpolations where the coarse field is given, and the climatology where an
    earlier period is. Raises InputError, in one line, where the files do not fit together.
    """
    compared = compare(asked)
    candidates = (
        *(UNFITTED if asked.coarse else ()),
        *(("climatology",) if asked.climatology else ()),
    )
    return evaluate(
        compared.data,
        FilePrediction(compared),
        out_folder,
        candidates=candidates,
        accumulation=summed_over(asked.truth.aggregate),
        scoring=scoring,
        exchange=exchange,
        title=f"Scores of {compared.where} at {compared.data.size('test')} times",
    )


def _assemble(contest: _FieldContest, found: list[Scored], title: str | None = None) -> Evaluation:
    rows = [row for one in found for row in one.confidence.rows]
    metrics = [(one.subject, one.metrics) for one in found]
    footer = notes(contest.shards, contest.split, metrics, contest.prediction, rows)
    title = title or f"Scores on the {contest.split} period"
    table = Table(title, contest.names, tuple(rows), footer)
    results = tuple(
        FieldResult(one.subject, one.errors, one.metrics, one.label, table, contest.example(one))
        for one in found
    )
    verdict = verdict_of(table.title, results)
    return Evaluation(table, verdict, results, contest.grid, **compared_in(found))
