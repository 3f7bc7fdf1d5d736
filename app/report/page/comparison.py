"""The page of several runs beside each other, with the baselines that each has to beat."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from itertools import combinations
from pathlib import Path

import numpy as np

from app.arrays import Array
from app.errors import InputError
from app.metrics.arithmetic import area_rmse
from app.metrics.confidence import ALIKE
from app.metrics.drawing.maps import diverging, subject_colours
from app.metrics.drawing.style import Look, look
from app.metrics.drawing.units import with_unit
from app.metrics.ground import NO_GROUND, Ground
from app.metrics.paired import SUMS_OF, Difference, adjusted, paired_differences
from app.metrics.table import MODEL
from app.metrics.verdict.estimate import Estimate
from app.report.page.charts import Chart
from app.report.page.cost import cost
from app.report.page.documents import rendered
from app.report.page.maps import Bar, Painter, Panels, known_of, labelled
from app.report.page.pictures import (
    SCORE_MAPS,
    CellScores,
    chosen_times,
    scale_of,
)
from app.report.page.run_facts import Predictand, RunFacts
from app.report.page.score_charts import (
    Source,
    by_hour,
    by_season,
    errors_chart,
    quantiles,
    spectra,
    validation,
)
from app.report.page.tables import (
    LOWEST,
    ONE,
    Cell,
    Column,
    Row,
    Scores,
    SortableTable,
    cell_of,
    heads_of,
    held_columns,
)
from app.report.record import PREDICTION, TRUTH, Record

TEMPLATE = "comparison.html.j2"
BASELINES = ("linear", "bicubic", "bilinear", "cubic", "climatology")  # shown where there are any
MOST_RUNS = 12
STAR = (
    "★: the best of the runs, where its difference from each other run, on the same resampled"
    " times, is told from 0 at 5 % for all pairs of runs together (Holm); of scores that are not"
    " compared so, where its 95 % interval overlaps none of the others'. Scores are not adjusted"
    " for each other."
)


@dataclass
class Part:
    """What is shown of one predictand."""

    predictand: Predictand
    table: SortableTable
    sentences: list[str]
    errors: list[Chart]
    charts: list[Chart]
    seasons: SortableTable | None
    times: list[tuple[Panels, ...]] = field(default_factory=list)
    cells: list[Panels] = field(default_factory=list)


def facts_of(folders: Sequence[Path]) -> list[RunFacts]:
    """The runs, called by what their paths differ in.

    InputError where there are too few or too many, or one that has no scores.
    """
    if not 2 <= len(folders) <= MOST_RUNS:
        raise InputError(
            f"--runs: received {len(folders)}; expected 2 to {MOST_RUNS} run folders with commas "
            "between"
        )
    if len({folder.resolve() for folder in folders}) < len(folders):
        raise InputError("--runs: names one folder twice; expected different ones")
    runs = [RunFacts.of(*pair) for pair in zip(folders, titles(folders), strict=True)]
    for run in runs:
        if run.table is None or not run.predictands:
            raise InputError(
                f"--runs: {run.folder} has no scores; run the stage metrics there first"
            )
    return runs


def titles(folders: Sequence[Path]) -> list[str]:
    """The shortest ends of paths that tell them apart."""
    paths = [folder.resolve() for folder in folders]
    for length in range(1, max(len(path.parts) for path in paths) + 1):
        found = [os.path.join(*path.parts[-length:]) for path in paths]
        if len(set(found)) == len(found):
            break
    return found


def comparison_page(
    runs: Sequence[RunFacts], records: Sequence[Record | None], why_none: Sequence[str]
) -> str:
    """The HTML of runs that were scored on the same truth.

    records: the test period of each, None where it cannot be read, for the reason of `why_none`.
    InputError where the runs have no predictand in common, or other samples.
    """
    shared = [p for p in runs[0].predictands if all(p in run.predictands for run in runs)]
    if not shared:
        told = "; ".join(f"{run.name} {', '.join(p.name for p in run.predictands)}" for run in runs)
        raise InputError(f"--runs: no predictand in common: {told}")
    differences, notes = _differences(runs)
    notes += [
        f"{run.name}: no maps of single times ({reason})."
        for run, reason in zip(runs, why_none, strict=True)
        if reason
    ]
    looks = look([*(run.name for run in runs), *BASELINES])
    return rendered(
        TEMPLATE,
        title=f"{len(runs)} runs compared",
        lead=[(run.name, str(run.folder)) for run in runs],
        program=f"finescale {version('finescale')}",
        notes=notes,
        star=STAR,
        parts=[_part(runs, records, one, differences, looks) for one in shared],
        learning=validation(runs, looks),
        cost=_costs(runs),
        verdicts=[(run.name, _sentences(run)) for run in runs],
    )


Pair = tuple[str, str]  # titles of two runs
Differences = dict[tuple[Pair, str], Difference]  # by the pair, and a score with its label


def _differences(runs: Sequence[RunFacts]) -> tuple[Differences, list[str]]:
    """Of every two runs whose errors are kept by sample, and what to say where they are not."""
    if any(run.samples is None for run in runs):
        return {}, ["Not every run has scores by sample: no two are compared on the same times."]
    found: Differences = {}
    for first, second in combinations(runs, 2):
        held = _held(first) & _held(second)
        scores = [score for score, names in SUMS_OF.items() if held.issuperset(names)]
        paths = [run.metrics / "samples.nc" for run in (first, second)]
        for one in paired_differences(paths[:1], paths[1:], tuple(scores)):
            found[(first.name, second.name), one.score + one.label] = one
    return dict(zip(found, adjusted(list(found.values())), strict=True)), []


def _held(run: RunFacts) -> set[str]:
    """Which sums a run has by sample, of any predictand."""
    return {str(name).partition("[")[0] for name in run.samples or ()}


def _part(
    runs: Sequence[RunFacts],
    records: Sequence[Record | None],
    predictand: Predictand,
    differences: Differences,
    looks: Mapping[str, Look],
) -> Part:
    own = [Source(run.name, run, MODEL, looks[run.name]) for run in runs]
    sources = [*own, *_baselines(runs, looks)]
    salt = f"v{predictand.name}"
    part = Part(
        predictand,
        _table(sources, predictand, differences),
        _told(runs, predictand, differences),
        errors_chart(sources, predictand, salt),
        [
            *spectra(sources, predictand, salt),
            *quantiles(sources, predictand, salt),
            *by_hour(sources, predictand, salt),
        ],
        by_season(sources, predictand),
    )
    known = {run.name: r for run, r in zip(runs, records, strict=True) if r is not None}
    if known:
        part.times = _times(runs, known, predictand)
    ground = next((record.ground for record in known.values()), NO_GROUND)
    part.cells = _cells(sources, predictand, ground)
    return part


def _baselines(runs: Sequence[RunFacts], looks: Mapping[str, Look]) -> list[Source]:
    """Ridge and interpolation, each of the first run that has it."""
    found = []
    for name in BASELINES:
        run = next((r for r in runs if r.table is not None and name in r.table.candidates), None)
        if run is not None:
            found.append(Source(run.called(name), run, name, looks[name]))
    return found


def _table(
    sources: Sequence[Source], predictand: Predictand, differences: Differences
) -> SortableTable:
    tables = {s.run.name: with_crps(s.run, predictand) for s in sources}
    columns = held_columns(*(s.run.scores_of(predictand) for s in sources))
    best = {column.metric: best_of(sources, column, predictand, differences) for column in columns}
    rows = tuple(
        Row(
            source.name,
            tuple(
                cell_of(
                    column,
                    tables[source.run.name],
                    source.candidate,
                    best[column.metric] == source.name and source.candidate == MODEL,
                )
                for column in columns
            ),
            "own" if source.candidate == MODEL else "baseline",
        )
        for source in sources
    )
    notes = (STAR, "A column is sorted from its best value to its worst.")
    caption = f"Main scores of {predictand.name}, runs first, then baselines"
    return SortableTable(caption, "Run", heads_of(columns, predictand), rows, notes)


def with_crps(run: RunFacts, predictand: Predictand) -> Scores:
    """The scores of a run; the CRPS of single fields is their absolute error."""
    scores = run.scores_of(predictand)
    return {"crps": scores.get("mae", {}), **scores}


def best_of(
    sources: Sequence[Source], column: Column, predictand: Predictand, differences: Differences
) -> str | None:
    """The run that is best by a score and told apart from every other one, if there is such a run.

    None as well where a baseline is as good.
    """
    scores = {s: s.score(column.metric, predictand) for s in sources}
    known = {s: e for s, e in scores.items() if e.known}
    runs = [s for s in known if s.candidate == MODEL]
    if len(runs) < 2:
        return None
    best = min(known, key=lambda s: column.sort_key(known[s].value))
    others = [s for s in runs if s is not best]
    metric = column.metric + predictand.label
    if best.candidate != MODEL or not all(
        _apart(best, other, column, known, differences, metric) for other in others
    ):
        return None
    return best.name


def _apart(
    best: Source,
    other: Source,
    column: Column,
    scores: Mapping[Source, Estimate],
    differences: Differences,
    metric: str,
) -> bool:
    """Whether an interval says that one run is better than another."""
    for pair, sign in (((best.name, other.name), 1), ((other.name, best.name), -1)):
        found = differences.get((pair, metric))
        if found is not None and column.best == LOWEST:
            return sign * found.value < 0 and found.conclusion != ALIKE
    own, rival = scores[best], scores[other]
    if not (own.bounded and rival.bounded):
        return False
    return _keys(own, column)[1] < _keys(rival, column)[0]


def _keys(score: Estimate, column: Column) -> tuple[float, float]:
    """The interval of a score from better to worse."""
    ends = sorted(column.sort_key(end) for end in (score.low, score.high))
    aim = 1.0 if column.best == ONE else 0.0
    within = column.best not in (LOWEST, "highest") and score.low <= aim <= score.high
    return (0.0 if within else ends[0]), ends[1]


def _told(runs: Sequence[RunFacts], predictand: Predictand, differences: Differences) -> list[str]:
    """A sentence on every two runs: better, worse, or not to be told apart."""
    ensembles = any("crps" in run.scores_of(predictand) for run in runs)
    score = "crps" if ensembles else "rmse"
    found = []
    for pair in combinations([run.name for run in runs], 2):
        if (pair, score + predictand.label) in differences:
            found.append(
                told_apart(pair, differences[pair, score + predictand.label], predictand.unit)
            )
    return found


def told_apart(pair: Pair, one: Difference, unit: str) -> str:
    """What the difference of two runs says."""
    name = one.score.upper()
    value, *ends = Estimate(one.value, one.low, one.high).parts
    shown = f"{value}{'' if unit == '1' else f' {unit}'}"
    if not ends:
        return f"{name} of {pair[0]} less that of {pair[1]}: {shown}; no interval."
    within = f"{shown} ({ends[0]} to {ends[1]})"
    if one.conclusion == ALIKE:
        return f"{pair[0]} and {pair[1]} are {ALIKE}: {name} {within}."
    return f"{pair[0]} is {one.conclusion} than {pair[1]}: {name} {within}."


def _times(
    runs: Sequence[RunFacts], records: Mapping[str, Record], predictand: Predictand
) -> list[tuple[Panels, ...]]:
    """Truth, input and predictions of all runs at one time, and their errors, in shared colours."""
    first = next(iter(records))
    record = records[first]
    run = next(one for one in runs if one.name == first)
    channel = [v.name for v in record.variables].index(predictand.name)
    unit, area = predictand.unit, record.grid.cell_areas()
    found: list[tuple[Panels, ...]] = []
    for chosen in chosen_times(run, record, predictand)[:2]:
        second = record.stamps.seconds[chosen.row]
        fields = {n: f[0, ..., channel] for n, f in record.read(np.array([chosen.row])).items()}
        shown = {n: f for n, f in fields.items() if n != PREDICTION and np.isfinite(f).any()}
        predictions = {
            name: field
            for name, own in records.items()
            if (field := _prediction(own, second, predictand.name, record.grid.shape)) is not None
        }
        truth = fields[TRUTH]
        values = subject_colours(
            record.variables[channel].kind, known_of([truth, *predictions.values()])
        )
        errors = {name: own - truth for name, own in predictions.items()}
        scale = diverging(errors.values())
        painter = Painter(record.grid, record.ground)
        above = [painter.picture(n, f, values, unit, relief=True) for n, f in shown.items()]
        above += [painter.picture(n, f, values, unit, relief=True) for n, f in predictions.items()]
        below = [
            painter.picture(
                f"{name} − truth", own, scale, unit, note=f"RMSE {_rmse(own, area, unit)}"
            )
            for name, own in errors.items()
        ]
        when = record.stamps.text(chosen.row).replace("T", " ")
        why = f": {chosen.why} of {first}" if chosen.why else ""
        bars = (
            Bar.of(values, labelled(predictand.name, unit)),
            Bar.of(scale, labelled("error", unit)),
        )
        found.append(
            (
                Panels(f"{when}{why}", tuple(above), bars[:1]),
                Panels("Errors", tuple(below), bars[1:]),
            )
        )
    return found


def _rmse(error: Array, area: Array, unit: str) -> str:
    return with_unit(area_rmse(error, area), unit)


def _prediction(record: Record, second: int, name: str, shape: tuple[int, int]) -> Array | None:
    """A run's own field at a time; None where it has none on this grid."""
    rows = np.flatnonzero(record.stamps.seconds == second)
    names = [variable.name for variable in record.variables]
    if not len(rows) or name not in names or record.grid.shape != shape:
        return None
    field: Array = record.read(rows)[PREDICTION][0, ..., names.index(name)]
    return field


def _cells(sources: Sequence[Source], predictand: Predictand, ground: Ground) -> list[Panels]:
    """Score maps of all runs and of the regression, in shared colours."""
    found = []
    read = {s.run.name: s.run for s in sources}
    scored = {name: CellScores.of(run, predictand) for name, run in read.items()}
    for score, text in SCORE_MAPS:
        fields: dict[str, Array] = {}
        grid = None
        for source in sources:
            cells = scored[source.run.name]
            own = None if cells is None else cells.field(score, source.candidate)
            if cells is None or own is None or source.candidate not in (MODEL, "linear"):
                continue
            if grid is None:
                grid = cells.grid
            if cells.grid.shape == grid.shape:
                fields[source.name] = own
        if grid is None or not fields:
            continue
        unit = "1" if score == "pearson" else predictand.unit
        scale = scale_of(score, list(fields.values()))
        painter = Painter(grid, ground)
        pictures = [
            painter.picture(n, own, scale, unit, note=f"median {np.nanmedian(own):.3g}")
            for n, own in fields.items()
        ]
        found.append(Panels(text, tuple(pictures), (Bar.of(scale, labelled(text, unit)),)))
    return found


def _costs(runs: Sequence[RunFacts]) -> SortableTable:
    """What each run cost: a row a fact, a column a run."""
    found = [dict(cost(run)) for run in runs]
    labels = dict.fromkeys(label for own in found for label in own)
    rows = tuple(
        Row(label, tuple(Cell(own.get(label, "–"), None) for own in found)) for label in labels
    )
    heads = tuple((run.name, "") for run in runs)
    return SortableTable("Cost of each run", "", heads, rows, sortable=False)


def _sentences(run: RunFacts) -> list[str]:
    """The first sentence of the verdict on each predictand."""
    found = (run.verdict or {}).get("variables", [])
    return [str(own["sentences"][0]) for own in found if own.get("sentences")]
