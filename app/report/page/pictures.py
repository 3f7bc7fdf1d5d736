"""The maps of a page: chosen times, scores of cells, members."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import xarray as xr

from app.arrays import Array
from app.errors import InputError
from app.grids import Grid, detect_grid
from app.metrics.arithmetic import area_rmse, divide
from app.metrics.drawing.maps import Scale, diverging, sequential, subject_colours
from app.metrics.drawing.units import with_unit
from app.metrics.ground import Ground
from app.metrics.table import MODEL
from app.report.page.maps import Bar, Painter, Panels, known_of, labelled
from app.report.page.run_facts import Predictand, RunFacts
from app.report.record import PREDICTION, TRUTH, Record

RIVALS = ("linear", "bicubic", "bilinear")  # of which two are shown beside the model
MEMBERS = 6  # shown at most


@dataclass(frozen=True)
class ChosenTime:
    """A row of the record that is shown, and why."""

    row: int
    why: str


def chosen_times(run: RunFacts, record: Record, predictand: Predictand) -> list[ChosenTime]:
    """The times of the median, highest and lowest error; without errors, some even ones."""
    rows = record.judged
    errors = _sample_rmse(run, predictand)
    if errors is None or len(errors) != len(record.stamps):
        picked = rows[np.unique([len(rows) // 2, len(rows) // 6, (5 * len(rows)) // 6])]
        return [ChosenTime(int(row), "") for row in picked]
    ordered = np.argsort(errors)[: np.isfinite(errors).sum()]
    if not len(ordered):
        return []
    places = {"median error": (len(ordered) - 1) // 2, "highest error": -1, "lowest error": 0}
    found: dict[int, str] = {}
    for why, place in places.items():
        found.setdefault(int(ordered[place]), why)
    return [ChosenTime(row, why) for row, why in found.items()]


def _sample_rmse(run: RunFacts, predictand: Predictand) -> Array | None:
    """RMSE of the model at every time (n,)."""
    samples, names = run.samples, [f"{n}{predictand.label}" for n in ("squares", "weight")]
    if samples is None or not all(name in samples for name in names):
        return None
    squares = samples[names[0]].sel(candidate=MODEL).values
    weight = samples[names[1]].values
    result: Array = np.sqrt(divide(squares, weight))
    return result


def times_panels(
    record: Record, channel: int, predictand: Predictand, chosen: list[ChosenTime]
) -> list[Panels]:
    """Truth, input, prediction and its error at chosen times, in colours that are shared."""
    rows = np.array([one.row for one in chosen])
    fields = {name: own[..., channel] for name, own in record.read(rows).items()}
    fields = {n: own for n, own in fields.items() if np.isfinite(own).any()}
    known = [own for name, own in fields.items() if name in (TRUTH, PREDICTION)]
    values = subject_colours(record.variables[channel].kind, known_of(known))
    error = fields[PREDICTION] - fields[TRUTH] if {TRUTH, PREDICTION} <= fields.keys() else None
    errors = None if error is None else diverging([error])
    painter, unit = Painter(record.grid, record.ground), predictand.unit
    bars = [Bar.of(values, labelled(predictand.name, unit))]
    bars += [] if errors is None else [Bar.of(errors, labelled("error", unit))]
    area, found = record.grid.cell_areas(), []
    for i, one in enumerate(chosen):
        when = record.stamps.text(one.row).replace("T", " ")
        pictures = [
            painter.picture(name, own[i], values, unit, relief=True) for name, own in fields.items()
        ]
        if error is not None and errors is not None:
            rmse = with_unit(area_rmse(error[i], area), unit)
            picture = painter.picture("error", error[i], errors, unit, note=f"RMSE {rmse}")
            pictures.append(picture)
        text = f"{when}: {one.why}" if one.why else when
        found.append(Panels(text, tuple(pictures), tuple(bars)))
    return found


def member_panels(
    record: Record, channel: int, predictand: Predictand, chosen: ChosenTime
) -> Panels | None:
    """Some members or quantiles beside truth, mean and spread; None where there are none."""
    if record.spread is None:
        return None
    row = np.array([chosen.row])
    layers = record.spread(row)[:, 0, ..., channel]
    fields = {name: own[0, ..., channel] for name, own in record.read(row).items()}
    picked = np.unique(np.linspace(0, len(layers) - 1, MEMBERS).round().astype(int))
    shown = {record.layers[i]: layers[i] for i in picked}
    truth = fields.get(TRUTH, fields[PREDICTION])
    values = subject_colours(record.variables[channel].kind, known_of([truth, *shown.values()]))
    painter, unit = Painter(record.grid, record.ground), predictand.unit
    named = {"truth": truth, "mean or median": fields[PREDICTION], **shown}
    pictures = [painter.picture(n, f, values, unit, relief=True) for n, f in named.items()]
    deviation = layers.std(axis=0, ddof=1) if len(layers) > 1 else np.zeros_like(truth)
    spread = sequential(known_of([deviation]))
    pictures.append(painter.picture("standard deviation of the members", deviation, spread, unit))
    when = record.stamps.text(chosen.row).replace("T", " ")
    return Panels(
        f"{len(layers)} {record.layers[0].split()[0]}s at {when}",
        tuple(pictures),
        (Bar.of(values, labelled(predictand.name, unit)), Bar.of(spread, labelled("spread", unit))),
    )


@dataclass(frozen=True, eq=False)
class CellScores:
    """Scores of every cell (candidate, y, x) of one predictand."""

    grid: Grid
    scores: dict[str, xr.DataArray]

    @classmethod
    def of(cls, run: RunFacts, predictand: Predictand) -> CellScores | None:
        """None without gridpoint.nc, or with one that cannot be understood."""
        dataset = run.gridpoint
        if dataset is None:
            return None
        ending = f"_{predictand.name}" if predictand.label else ""
        try:
            grid, canonical = detect_grid(dataset, "gridpoint.nc")
            own = {
                str(name).removesuffix(ending): canonical(field)
                for name, field in dataset.data_vars.items()
                if str(name).endswith(ending) and {*grid.dims, "candidate"} <= set(field.dims)
            }
        except InputError:
            return None
        return cls(grid, own)

    def field(self, score: str, candidate: str = MODEL) -> Array | None:
        """A map (y, x); None where there is none."""
        own = self.scores.get(score)
        if own is None or candidate not in own["candidate"].values:
            return None
        values: Array = own.sel(candidate=candidate).values
        return values if np.isfinite(values).any() else None


SCORE_MAPS = (("rmse", "RMSE"), ("bias", "Bias"), ("pearson", "Correlation in time"))


def score_panels(
    run: RunFacts, cells: CellScores, ground: Ground, predictand: Predictand
) -> list[Panels]:
    """Maps of RMSE, bias and correlation of the model beside its rivals, in shared colours."""
    names = [MODEL, *[n for n in RIVALS if cells.field("rmse", n) is not None][:2]]
    painter, found = Painter(cells.grid, ground), []
    for score, text in SCORE_MAPS:
        fields = {n: own for n in names if (own := cells.field(score, n)) is not None}
        if not fields:
            continue
        unit = "1" if score == "pearson" else predictand.unit
        scale = scale_of(score, list(fields.values())[:2])
        pictures = [
            painter.picture(run.called(n), own, scale, unit, note=f"median {np.nanmedian(own):.3g}")
            for n, own in fields.items()
        ]
        found.append(Panels(text, tuple(pictures), (Bar.of(scale, labelled(text, unit)),)))
    return found


def scale_of(score: str, fields: list[Array]) -> Scale:
    """Colours of a score's maps."""
    return diverging(fields) if score == "bias" else sequential(known_of(fields))
