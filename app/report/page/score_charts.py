"""Charts of what the stage metrics has written: scales, distribution, probability, hours."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from app.arrays import Array
from app.data.times import DAY, Stamps
from app.metrics.drawing.style import Look, look
from app.metrics.names import BASE
from app.metrics.table import MODEL
from app.metrics.verdict.estimate import Estimate
from app.report.learning import learning_curve
from app.report.page.charts import (
    TRUTH,
    Axis,
    Chart,
    Line,
    bar_chart,
    interval_chart,
    line_chart,
    spread_widely,
)
from app.report.page.maps import labelled
from app.report.page.run_facts import Predictand, RunFacts, numbers
from app.report.page.svg import inline, page_style
from app.report.page.tables import COLUMNS, Cell, Row, SortableTable

# Candidates of charts, as far as there are any: all together no line would be seen.
SHOWN = (MODEL, BASE, "linear", "bicubic", "bcsd", "cubic", "optical_flow", "climatology")
SPECTRAL = SHOWN[:-1]
SMOOTH = "too smooth"
BY_PERIOD = ("period [h]", "Variance by period", "changes too little")
DECIBEL = 10.0
RANGE = (-30.0, 10.0)  # dB, as of the figures of spectra
JUDGED_BY = ("crps", "rmse", "restoration_rate", "mae")  # the first that has intervals
SEASONS = ("DJF", "MAM", "JJA", "SON")
HOUR, MONTHS = 3600, 12
ALL = "all"  # seasons together
RELATIVE = Axis("frequency ÷ a flat histogram's", flat=1.0)
Samples = tuple[Stamps, Array, Array]
LOOKS = look(SHOWN)


@dataclass(frozen=True)
class Source:
    """One line of a chart: what readers call it, whose it is, and how it looks."""

    name: str
    run: RunFacts
    candidate: str
    look: Look

    def samples(self, predictand: Predictand) -> Samples | None:
        """Times, squares (n,) and weights (n,); None where there are none by sample."""
        samples, names = self.run.samples, [f"{n}{predictand.label}" for n in ("squares", "weight")]
        if samples is None or not all(name in samples for name in names):
            return None
        if self.candidate not in samples["candidate"].values:
            return None
        squares = samples[names[0]].sel(candidate=self.candidate).values
        return Stamps.of(samples["time"].values), squares, samples[names[1]].values

    def score(self, metric: str, predictand: Predictand) -> Estimate:
        """A score of the table; NaN where there is none."""
        own = self.run.scores_of(predictand).get(metric, {})
        return own.get(self.candidate, Estimate(np.nan))


def sources_of(run: RunFacts) -> list[Source]:
    """The candidates of one run that charts show."""
    there = () if run.table is None else run.table.candidates
    return [Source(run.called(n), run, n, LOOKS[n]) for n in SHOWN if n in there]


@dataclass(frozen=True)
class Spectrum:
    """A table of variances: its columns, and what is said of them.

    lacking: what is wrong where a candidate has less than the truth. bands: into how many, each the
    mean of its points, points that are too many are gathered.
    """

    table: str
    field: str
    column: str
    variance: str
    label: str
    title: str
    lacking: str
    bands: int = 0

    def points(self, run: RunFacts, predictand: Predictand, candidate: str) -> tuple[Array, Array]:
        """Points (n,) of a candidate, or of the truth."""
        rows = [r for r in run.rows(self.table, predictand) if r[self.field] == candidate]
        x, y = numbers(rows, self.column), numbers(rows, self.variance)
        return banded(x, y, self.bands) if 0 < self.bands < len(x) else (x, y)


SPECTRA = (
    Spectrum(
        *("spectra", "field", "wavelength_km", "variance"),
        *("wavelength [km]", "Variance by scale", SMOOTH),
    ),
    Spectrum("spectrum_in_time", "field", "period_h", "variance", *BY_PERIOD),
    Spectrum("time_spectrum", "candidate", "period_hours", "power", *BY_PERIOD, 40),
)


def banded(x: Array, y: Array, count: int) -> tuple[Array, Array]:
    """Means of points (n,) in bands of x that are as wide on a logarithmic axis."""
    edges = np.geomspace(x.min(), x.max(), count + 1)[1:-1]
    band = np.searchsorted(edges, x)
    held = np.bincount(band, minlength=count)
    known = held > 0
    found = [np.bincount(band, own, count)[known] / held[known] for own in (np.log(x), y)]
    return np.exp(found[0]), found[1]


def spectra(sources: Sequence[Source], predictand: Predictand, salt: str) -> list[Chart]:
    """Variance by wavelength and by period, and its ratio to the truth's."""
    found: list[Chart] = []
    for told in SPECTRA:
        table, what = told.table, told.title
        points = {s.name: told.points(s.run, predictand, s.candidate) for s in sources}
        there = [s for s in sources if len(points[s.name][0]) and s.candidate in SPECTRAL]
        if not there:
            continue
        x, truth = told.points(there[0].run, predictand, "truth")
        own = [Line(s.name, *points[s.name], s.look) for s in there]
        across = Axis(told.label, log=True, reversed=True)
        upwards = Axis(f"variance in band [{predictand.squared}]", log=True)
        lines = [Line("truth", x, truth, TRUTH), *own]
        found.append(line_chart(what, lines, across, upwards, f"{salt}-{table}"))
        ratios = [replace(one, y=decibels(one.y, truth)) for one in own if len(one.y) == len(truth)]
        upwards = Axis("10·log₁₀(P / P of the truth) [dB]", flat=0.0)
        found.append(
            line_chart(
                f"{what}, ratio to the truth's",
                ratios,
                across,
                upwards,
                f"{salt}-{table}-ratio",
                caption=f"Below 0: {told.lacking}.",
            )
        )
    return found


def season_spectra(run: RunFacts, predictand: Predictand, salt: str) -> list[Chart]:
    """Variance by wavelength over the truth's, of the run's own fields, season by season."""
    rows = run.rows("season_spectra", predictand)
    seasons = list(dict.fromkeys(row["season"] for row in rows))
    looks, lines = look(seasons), []
    for season in seasons:
        own = [row for row in rows if row["season"] == season]
        model, truth = ([r for r in own if r["candidate"] == n] for n in (MODEL, "truth"))
        ratio = decibels(numbers(model, "power"), numbers(truth, "power"))
        if np.isfinite(ratio).any():
            lines.append(Line(season, numbers(model, "wavelength_km"), ratio, looks[season]))
    if not lines:
        return []
    return [
        line_chart(
            "Variance by scale and season, ratio to the truth's",
            lines,
            Axis("wavelength [km]", log=True, reversed=True),
            Axis("10·log₁₀(P / P of the truth) [dB]", flat=0.0),
            f"{salt}-seasons",
            caption=f"Of {run.called(MODEL)}. Below 0: {SMOOTH}.",
        )
    ]


def decibels(power: Array, truth: Array) -> Array:
    """Ratio in dB, within what is worth a look."""
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = DECIBEL * np.log10(power / truth)
    result: Array = np.clip(ratio, *RANGE)
    return result


def quantiles(sources: Sequence[Source], predictand: Predictand, salt: str) -> list[Chart]:
    """Quantiles of the candidates over those of the truth."""
    lines = []
    for source in sources:
        rows = source.run.rows("qq", predictand) or source.run.rows("quantiles", predictand)
        own = [row for row in rows if row["candidate"] == source.candidate]
        if own and source.candidate in SPECTRAL:
            x, y = numbers(own, "truth"), numbers(own, "value")
            lines.append(Line(source.name, x, y, source.look))
    if not lines:
        return []
    log = all(spread_widely(values) for line in lines for values in (line.x, line.y))
    return [
        line_chart(
            "Q–Q: quantiles of all values",
            lines,
            Axis(labelled("quantile of the truth", predictand.unit), log=log),
            Axis(labelled("quantile of the candidate", predictand.unit), log=log),
            f"{salt}-qq",
            diagonal=True,
            marked=True,
        )
    ]


def probability(run: RunFacts, predictand: Predictand, salt: str) -> list[Chart]:
    """Rank histogram and reliability of an ensemble."""
    return [*_ranks(run, predictand, salt), *_reliability(run, predictand, salt)]


def _ranks(run: RunFacts, predictand: Predictand, salt: str) -> list[Chart]:
    rows = run.rows("rank_histogram", predictand)
    seasons = dict.fromkeys(row["season"] for row in rows)
    shares = {s: numbers([r for r in rows if r["season"] == s], "share") for s in seasons}
    across, upwards = Axis("rank of the truth among the members", whole=True), RELATIVE
    found = []
    if ALL in shares:
        own = shares.pop(ALL)
        note = "High at both ends: too narrow an ensemble; high in the middle: too wide."
        values = own * len(own)
        found.append(bar_chart("Rank histogram", values, across, upwards, f"{salt}-ranks", note))
    if len(shares) > 1:
        looks = look(list(shares))
        lines = [
            Line(season, np.arange(len(own)).astype(float), own * len(own), looks[season])
            for season, own in shares.items()
        ]
        name = "Rank histogram by season"
        found.append(line_chart(name, lines, across, upwards, f"{salt}-ranks-season", marked=True))
    return found


def _reliability(run: RunFacts, predictand: Predictand, salt: str) -> list[Chart]:
    """How often an event is there where the members say so: of wet cells, or of any threshold."""
    found = {}
    rows = run.rows("wet_reliability", predictand)
    if rows:
        found["wet"] = numbers(rows, "probability"), numbers(rows, "wet_share_of_truth")
    rows = [r for r in run.rows("reliability", predictand) if r["candidate"] == MODEL]
    for threshold in dict.fromkeys(row["threshold"] for row in rows):
        own = [row for row in rows if row["threshold"] == threshold]
        found[f"above {threshold}"] = numbers(own, "probability"), numbers(own, "observed")
    looks, lines = look(list(found)), []
    for name, (told, seen) in found.items():
        known = np.isfinite(told) & np.isfinite(seen)
        if known.sum() > 2:  # members, not the yes and no of one field
            lines.append(Line(name, told[known], seen[known], looks[name]))
    if not lines:
        return []
    return [
        line_chart(
            "Reliability of probabilities" + (f": {lines[0].name}" if len(lines) == 1 else ""),
            lines,
            Axis("share of members with the event"),
            Axis("share of the truth with the event"),
            f"{salt}-reliability",
            caption="On the dashed line the members' share is the probability.",
            diagonal=True,
            marked=True,
        )
    ]


def strata(run: RunFacts, predictand: Predictand) -> SortableTable | None:
    """RMSE by land and sea, height, season and regions, where it was asked for."""
    rows = [r for r in run.rows("strata", predictand) if r["by"] not in ("hour", "month")]
    if not rows or run.table is None:
        return None
    names = [n for n in run.table.candidates if n in SHOWN]
    groups = dict.fromkeys((row["by"], row["group"]) for row in rows)
    lines = []
    for by, group in groups:
        own = {r["candidate"]: r for r in rows if (r["by"], r["group"]) == (by, group)}
        values = numbers([own.get(n, {}) for n in names], "rmse")
        lines.append(Row(f"{by}: {group}", tuple(Cell.of(Estimate(float(v))) for v in values)))
    heads = tuple((run.called(n), "") for n in names)
    caption = labelled(f"RMSE of {predictand.name} by place and time", predictand.unit)
    return SortableTable(caption, "Where and when", heads, tuple(lines))


def grouped_rmse(squares: Array, weight: Array, group: Array, count: int) -> Array:
    """RMSE (g,) of the samples (n,) of each group; NaN of groups without any."""
    sums = np.bincount(group, np.nan_to_num(squares), count)
    weights = np.bincount(group, weight, count)
    with np.errstate(divide="ignore", invalid="ignore"):
        result: Array = np.sqrt(sums / np.where(weights > 0, weights, np.nan))
    return result


def by_hour(sources: Sequence[Source], predictand: Predictand, salt: str) -> list[Chart]:
    """Error by hour of the day, of data with several hours."""
    lines, score = [], "RMSE"
    for source in sources:
        found = source.samples(predictand)
        if found is not None:
            stamps, squares, weight = found
            hour = stamps.seconds % DAY // HOUR
            rmse = grouped_rmse(squares, weight, hour, DAY // HOUR)
            hours = np.unique(hour)
            lines.append(Line(source.name, hours.astype(float), rmse[hours], source.look))
            continue
        rows = source.run.rows("by_hour", predictand)
        mae, score = numbers(rows, f"mae_{source.candidate}"), "MAE"
        if np.isfinite(mae).any():
            lines.append(Line(source.name, numbers(rows, "hour"), mae, source.look))
    lines = [line for line in lines if len(line.x) > 1]
    if not lines:
        return []
    axes = Axis("hour (UTC)", whole=True), Axis(labelled(score, predictand.unit))
    return [line_chart(f"{score} by hour of the day", lines, *axes, f"{salt}-hour", marked=True)]


def by_season(sources: Sequence[Source], predictand: Predictand) -> SortableTable | None:
    """Error by season, of data with several seasons."""
    rows = []
    for source in sources:
        found = source.samples(predictand)
        if found is None:
            continue
        stamps, squares, weight = found
        months = np.array([int(stamps.text(i)[5:7]) for i in range(len(stamps))])
        season = months % MONTHS // 3
        if len(np.unique(season)) > 1:
            rmse = grouped_rmse(squares, weight, season, len(SEASONS))
            cells = tuple(Cell.of(Estimate(float(value))) for value in rmse)
            rows.append(Row(source.name, cells, "own" if source.candidate == MODEL else "baseline"))
    if not rows:
        return None
    caption = labelled(f"RMSE of {predictand.name} by season", predictand.unit)
    return SortableTable(caption, "Candidate", tuple((s, "") for s in SEASONS), tuple(rows))


def errors_chart(sources: Sequence[Source], predictand: Predictand, salt: str) -> list[Chart]:
    """The score that says most, of every candidate with its interval, the best first."""
    found = {m: {s.name: s.score(m, predictand) for s in sources} for m in JUDGED_BY}
    having = [m for m, own in found.items() if any(score.known for score in own.values())]
    if not having:
        return []
    bounded = [m for m in having if any(score.bounded for score in found[m].values())]
    metric = (bounded or having)[0]
    column = next(one for one in COLUMNS if one.metric == metric)
    ordered = sorted(found[metric].items(), key=lambda pair: column.sort_key(pair[1].value))
    return [
        interval_chart(
            f"{column.head} of the candidates",
            dict(ordered),
            {s.name: s.look for s in sources},
            labelled(column.meaning, predictand.unit if column.with_unit else ""),
            f"{salt}-errors",
            "Bars: 95 % intervals.",
        )
    ]


def learning(run: RunFacts) -> list[Chart]:
    """Losses and learning rate by epoch, of each stage."""
    found = []
    for stage, columns in run.histories.items():
        epochs, loss, validation = (columns[n] for n in ("epoch", "loss", "val_loss"))
        if len(epochs) < 2 or not np.isfinite(loss).any():
            continue
        name = f"Learning curve {stage.replace('_', ' ')}".rstrip()
        alt = f"{name}: training loss from {loss[0]:.4g} to {loss[-1]:.4g} in {len(epochs)} epochs"
        if np.isfinite(validation).any():
            best = int(np.nanargmin(validation))
            alt += f"; lowest validation loss {validation[best]:.4g} after epoch {epochs[best]:g}"
        with page_style():
            picture = inline(learning_curve(columns, ""), f"{alt}.", f"learning-{stage}")
        found.append(Chart(name, picture))
    return found


def validation(runs: Sequence[RunFacts], looks: Mapping[str, Look]) -> list[Chart]:
    """Validation losses of several runs by epoch."""
    lines = []
    for run in runs:
        columns = run.histories.get("")
        if columns is not None and np.isfinite(columns["val_loss"]).sum() > 1:
            lines.append(Line(run.name, columns["epoch"], columns["val_loss"], looks[run.name]))
    if not lines:
        return []
    log = spread_widely(np.concatenate([line.y for line in lines]))
    axes = Axis("epoch", whole=True), Axis("validation loss", log=log)
    note = "They compare where data, loss and scaling are the same."
    return [line_chart("Validation loss", lines, *axes, "validation", caption=note)]
