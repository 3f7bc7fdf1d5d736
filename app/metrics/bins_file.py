"""Scores by value bins on disk: tables for readers, and sums by sample for comparisons."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import xarray as xr

from app.atomic import write_text
from app.data.times import Stamps
from app.metrics.bins import LEVELS, BinScores
from app.metrics.results import VariableResult
from app.netcdf_file import write_dataset

BIN_COLUMNS = ("variable", "bin", "lower", "upper", "unit", "days", "share", "candidate")
SCORES = ("rmse", "rmse_low", "rmse_high", "mae", "bias")
QUANTILE_COLUMNS = ("variable", "unit", "level", "truth", "candidate", "value", "bias")


def write_bins(folder: Path, results: Iterable[VariableResult], times: Stamps) -> None:
    """bins.csv, quantiles.csv and, with the sums by sample, bins.nc; none without bins."""
    found = [(result, result.bins) for result in results if result.bins is not None]
    if not found:
        return
    bins = [row for result, scores in found for row in _bin_rows(result, scores)]
    write_text(folder / "bins.csv", _as_csv((*BIN_COLUMNS, *SCORES), bins))
    rows = [row for result, scores in found for row in _quantile_rows(result, scores)]
    write_text(folder / "quantiles.csv", _as_csv(QUANTILE_COLUMNS, rows))
    _write_sums(folder / "bins.nc", found, times)


def _bin_rows(result: VariableResult, scores: BinScores) -> Iterable[list[object]]:
    unit = result.variable.units or "1"
    for b, (name, low, high) in enumerate(scores.bins):
        head = [result.variable.name, name, low, high, unit, scores.days[b], scores.share[b]]
        for k, candidate in enumerate(scores.candidates):
            yield [*head, candidate, *(getattr(scores, score)[k, b] for score in SCORES)]


def _quantile_rows(result: VariableResult, scores: BinScores) -> Iterable[list[object]]:
    unit = result.variable.units or "1"
    for q, level in enumerate(LEVELS):
        truth = scores.truth_quantiles[q]
        for k, candidate in enumerate(scores.candidates):
            value = scores.quantiles[k, q]
            yield [result.variable.name, unit, level, truth, candidate, value, value - truth]


def _as_csv(columns: tuple[str, ...], rows: Iterable[list[object]]) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([_text(value) for value in row] for row in rows)
    return out.getvalue()


def _text(value: object) -> str:
    if isinstance(value, float | np.floating):
        return "" if np.isnan(value) else f"{value:.6g}"
    return str(value)


def _write_sums(path: Path, found: list[tuple[VariableResult, BinScores]], times: Stamps) -> None:
    content: dict[str, xr.DataArray] = {}
    for result, scores in found:
        name = result.variable.name
        dims = (f"{name}_candidate", f"{name}_bin", "time")
        coordinates = {
            dims[0]: list(scores.candidates),
            dims[1]: [label for label, _, _ in scores.bins],
        }
        for kind in ("squares", "absolute"):
            content[f"{name}_{kind}"] = xr.DataArray(getattr(scores, kind), coordinates, dims)
        content[f"{name}_weight"] = xr.DataArray(scores.weight, dims=dims[1:])
        content[f"{name}_days"] = xr.DataArray(scores.days, dims=dims[1])
    dataset = xr.Dataset(content)
    dataset["seconds"] = ("time", times.seconds, {"long_name": f"since 1970, {times.calendar}"})
    write_dataset(dataset, path)
