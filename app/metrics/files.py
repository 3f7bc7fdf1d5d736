"""An evaluation on disk: the table, scores of grid points and of samples, and further tables."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from app.metrics import confidence
from app.metrics.bootstrap import RESAMPLES
from app.metrics.described import COLUMNS, definitions, map_attributes
from app.metrics.metric import Sheet
from app.running.atomic import write_json, write_text
from app.running.netcdf_file import TIME, conventional, write_dataset

# Of scores of samples: what they are, and which power of the predictand's unit they have.
SERIES = {
    "weight": ("sum of the areas of valid cells", 0),
    "absolute": ("area-weighted sum of absolute errors", 1),
    "squares": ("area-weighted sum of squared errors", 2),
    "error": ("area-weighted sum of errors", 1),
    "crps": ("area-weighted sum of the continuous ranked probability score", 1),
    "weight_2x2": ("sum of the areas of valid means of 2×2 cells", 0),
    "crps_2x2": ("area-weighted sum of the CRPS of means of 2×2 cells", 1),
    "ssim": ("structural similarity", 0),
    "pearson": ("Pearson correlation over the cells", 0),
}

MAPS = {
    "weighting": "none: over the samples of one grid point",
    "order_of_reduction": "mean over time first, then roots and ratios",
}
SUMMED = {
    "weight": "Σ a",
    "absolute": "Σ a |x̂ - x|",
    "squares": "Σ a (x̂ - x)²",
    "error": "Σ a (x̂ - x)",
    "crps": "Σ a CRPS",
    "weight_2x2": "Σ a, of 2×2 means",
    "crps_2x2": "Σ a CRPS, of 2×2 means",
}

if TYPE_CHECKING:
    from app.grids import Grid
    from app.metrics.metric import Map, Result
    from app.metrics.scores import Scores


def write_files(folder: Path, scores: Scores, results: Sequence[Result], grid: Grid) -> None:
    """Write summary and verdict, gridpoint.nc, samples.nc and what metrics have besides."""
    write_tables(folder, scores, results)
    write_gridpoint(folder / "gridpoint.nc", results, grid)
    write_samples(folder / "samples.nc", results)
    for name, parts in _datasets(results).items():
        title = f"Scores by {name}"
        write_scores(xr.merge(parts, compat="identical"), folder / f"{name}.nc", title)


def write_tables(folder: Path, scores: Scores, results: Sequence[Result]) -> None:
    """Write summary.csv, .txt, .md and .tex, verdict.json, definitions.csv and metrics' tables."""
    scores.table.write_csv(folder / "summary.csv")
    scores.verdict.write(folder)
    write_text(folder / "summary.txt", scores.text(everything=True))
    scores.table.write_markdown(folder / "summary.md")
    scores.table.write_latex(folder / "summary.tex")
    write_text(folder / "definitions.csv", _as_csv(Sheet(COLUMNS, definitions(results))))
    if scores.comparisons:
        write_comparisons(folder, scores)
    for name, sheet in _joined_tables(results).items():
        write_text(folder / f"{name}.csv", _as_csv(sheet))


def write_comparisons(folder: Path, scores: Scores) -> None:
    """Write comparisons.csv and .json: every pair of candidates by every score."""
    found = [one.as_json() for one in scores.comparisons]
    rows = [[one[name] for name in confidence.COLUMNS] for one in found]
    write_text(folder / "comparisons.csv", _as_csv(Sheet(confidence.COLUMNS, rows)))
    content = {
        "method": " ".join((confidence.__doc__ or "").split()),
        "resamples": RESAMPLES,
        "level": confidence.LEVEL,
        "sentences": list(scores.compared),
        "comparisons": found,
    }
    write_json(folder / "comparisons.json", content)


def write_scores(dataset: xr.Dataset, path: Path, title: str) -> None:
    """Write a dataset of scores as other programs take it."""
    source = f"finescale {version('finescale')}"
    told = {"source": source, "history": f"{source}: metrics", **dataset.attrs}
    write_dataset(conventional(dataset.assign_attrs(told), title), path)


def write_samples(path: Path, results: Iterable[Result]) -> None:
    """Write sums and similarities (candidate, time) of each predictand, and weights (time).

    `absolute`, `squares`, `error` and `crps` are area-weighted sums over the cells of |e|, e², e
    and the CRPS; divided by `weight` they are means, and sums over any choice of samples give the
    scores of these. `crps_2x2` and `weight_2x2` are those of 2×2 means. The CRPS of a single field
    is its absolute error.
    """
    arrays: dict[str, xr.DataArray] = {}
    times = None
    for result in results:
        times = result.subject.times
        coordinates = {"candidate": list(result.subject.candidates)}
        for metric in result.metrics:
            for name, values in metric.series(result.errors).items():
                if values.ndim == 1:
                    array = xr.DataArray(values, dims=("time",))
                else:
                    array = xr.DataArray(values, coordinates, dims=("candidate", "time"))
                arrays[name + result.label] = array.assign_attrs(_of_series(name, result))
    attributes = {"weighting": "cell areas, mean 1"}
    write_scores(xr.Dataset(arrays, {TIME: times}, attributes), path, "Scores per sample")


def _of_series(name: str, result: Result) -> dict[str, str]:
    """Long name, units, and what is known of how a score of every sample is made."""
    text, power = SERIES.get(name, (name.replace("_", " "), 0))
    unit = result.subject.unit
    units = {0: "1", 1: unit, 2: f"({unit})2"}[power if unit != "1" else 0]
    told = {"long_name": f"{text} of {result.subject.variable.name}", "units": units}
    summed = "sum" in text
    how = {
        "formula": f"{SUMMED[name]} over the cells of a sample" if name in SUMMED else text,
        "estimator": "sum over the cells" if summed else "score over the cells",
        "weighting": "cell areas, mean 1" if name != "ssim" else "none",
        "order_of_reduction": "space within each sample; time is not reduced",
        "n": str(result.samples),
    }
    return told | how


def write_gridpoint(path: Path, results: Iterable[Result], grid: Grid) -> None:
    """Write each score as (candidate, lat, lon), in the orientation of the user's files."""
    results = tuple(results)
    names = list(dict.fromkeys(n for result in results for n in result.subject.candidates))
    arrays = {
        f"{own.name}_{result.subject.variable.name}" if result.label else own.name: _on_grid(
            own, result, names, grid
        )
        for result in results
        for metric in result.metrics
        for own in metric.maps(result.errors)
    }
    attributes = {
        "weighting": "none: every score is over the samples of one grid point",
        "order_of_reduction": "mean over time first, then roots and ratios",
        "validity": "samples where the truth and every candidate are valid",
    }
    coordinates = {**grid.coords(flip=True), "candidate": names}
    write_scores(xr.Dataset(arrays, coordinates, attributes), path, "Scores per grid point")


def _on_grid(own: Map, result: Result, names: list[str], grid: Grid) -> xr.DataArray:
    values = np.full((len(names), *grid.shape), np.nan)
    values[[names.index(name) for name in result.subject.candidates]] = own.values
    attributes = {
        "long_name": f"{own.long_name} of {result.subject.variable.name}",
        "units": own.unit,
        "estimator": own.estimator,
        **MAPS,
        **map_attributes(own.name, result),
    }
    return xr.DataArray(grid.restore(values), dims=("candidate", *grid.dims), attrs=attributes)


def _joined_tables(results: Iterable[Result]) -> dict[str, Sheet]:
    """Tables by name, the rows of all predictands one after the other."""
    joined: dict[str, Sheet] = {}
    for result in results:
        for metric in result.metrics:
            for name, sheet in metric.tables().items():
                joined.setdefault(name, sheet._replace(rows=[])).rows.extend(sheet.rows)
    return joined


def _datasets(results: Iterable[Result]) -> dict[str, list[xr.Dataset]]:
    """Datasets by name, one of every predictand that has it."""
    found: dict[str, list[xr.Dataset]] = {}
    for result in results:
        for metric in result.metrics:
            for name, dataset in metric.datasets().items():
                found.setdefault(name, []).append(dataset)
    return found


def _as_csv(sheet: Sheet) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator=sheet.line_end)
    writer.writerow(sheet.columns)
    writer.writerows([_text(value) for value in row] for row in sheet.rows)
    return out.getvalue()


def _text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, float | np.floating):
        return "" if np.isnan(value) else f"{value:.6g}"
    return str(value)
