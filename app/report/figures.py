"""The figures of an evaluation: example maps, error maps, and scores by candidate."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from app.grids import Grid
from app.metrics.results import Evaluation, VariableResult
from app.metrics.table import MODEL, Table
from app.report.bins import bins_chart
from app.report.distribution import rank_chart, reliability_chart, spectra_chart
from app.report.maps import (
    Scale,
    colour_bar,
    diverging,
    draw_field,
    frame,
    panel_figure,
    pick,
    sequential,
)
from app.report.members import ensemble_maps
from app.report.style import colour, open_frame, save_figure, title

DPI = 160


def draw_figures(evaluation: Evaluation, folder: str | Path) -> list[Path]:
    """Draw maps.png, rmse_map.png and scores.png into the folder.

    With them spectra.png where any sample is complete and varies in space, rank_histogram.png and
    members.png where there are members, with wet_reliability.png for precipitation, and bins.png
    where the training values differ. With several predictands each has its own, maps_tas.png and
    so on. Returns the paths.
    """
    paths = []
    for result in evaluation.variables:
        suffix = f"_{result.variable.name}" if result.label else ""
        drawn = {
            "maps": example_maps(result, evaluation.grid),
            "rmse_map": rmse_maps(result, evaluation.grid, evaluation.table),
            "scores": score_chart(result, evaluation.table),
        }
        if result.spectra is not None and result.spectra.varied:
            drawn["spectra"] = spectra_chart(result, result.spectra, evaluation.table)
        if result.rank_histogram is not None:
            drawn["rank_histogram"] = rank_chart(result, result.rank_histogram, evaluation.table)
        if result.example.members is not None:
            drawn["members"] = ensemble_maps(result, evaluation.grid)
        if result.wet_probability is not None:
            drawn["wet_reliability"] = reliability_chart(result, result.wet_probability)
        if result.bins is not None:
            drawn["bins"] = bins_chart(result, result.bins)
        for name, figure in drawn.items():
            path = Path(folder) / f"{name}{suffix}.png"
            save_figure(figure, path, DPI)
            paths.append(path)
    return paths


def _units(result: VariableResult) -> str:
    return result.variable.units or "1"


def example_maps(result: VariableResult, grid: Grid) -> Figure:
    """Fields of the sample with the median error above, their errors below."""
    fields, variable = result.example.fields, result.variable
    shown = [name for name in ("bicubic", "linear", MODEL) if name in fields]
    figure, axes = panel_figure(grid, 2, len(shown) + 1)
    known = np.isfinite(fields["truth"])  # what lies beyond must not stretch the scale
    values = sequential([field[known] for field in pick(fields, "truth", *shown)])
    errors = {name: fields[name] - fields["truth"] for name in shown}
    error_scale = diverging(errors.values())
    draw_field(axes[0, 0], fields["truth"], grid, values, "truth")
    _draw_coarse(axes[1, 0], result, values)
    for column, name in enumerate(shown, start=1):
        draw_field(axes[0, column], fields[name], grid, values, title(name))
        rmse = _area_rmse(errors[name], grid)
        text = f"{title(name)} − truth (RMSE {rmse:.3g})"
        draw_field(axes[1, column], errors[name], grid, error_scale, text)
    for panel in axes.flat:
        frame(panel, grid)
    colour_bar(figure, axes[0], values, f"{variable.name} [{_units(result)}]")
    colour_bar(figure, axes[1], error_scale, f"error [{_units(result)}]")
    figure.suptitle(
        f"{variable.name}, {result.example.time}: the sample of the prediction's median RMSE",
        fontsize=10,
    )
    return figure


def _area_rmse(error: np.ndarray, grid: Grid) -> float:
    """Area-weighted root mean square of a field of errors."""
    valid = np.isfinite(error)
    if not valid.any():
        return np.nan
    squares = np.square(error[valid], dtype=np.float64)
    return float(np.sqrt(np.average(squares, weights=grid.cell_areas()[valid])))


def _draw_coarse(axes: Axes, result: VariableResult, values: Scale) -> None:
    """The low-resolution field on its own grid; an empty panel where there is none to show."""
    example = result.example
    if example.coarse is None:
        axes.set_axis_off()
    else:
        draw_field(axes, example.coarse, example.coarse_grid, values, "low resolution")


def rmse_maps(result: VariableResult, grid: Grid, table: Table) -> Figure:
    """RMSE over time of the prediction and of the linear regression, and which is better."""
    rmse = dict(zip(result.candidates, result.maps["rmse"], strict=True))
    shown = [name for name in ("linear", MODEL) if name in rmse]
    figure, axes = panel_figure(grid, 1, 3 if "linear" in rmse else 1)
    scale = sequential(pick(rmse, *shown))
    for panel, name in zip(axes[0], shown, strict=False):
        overall = table.value(f"rmse{result.label}", name)
        draw_field(panel, rmse[name], grid, scale, f"{title(name)} (overall {overall:.3g})")
        frame(panel, grid)
    unit = _units(result)
    colour_bar(figure, axes[0, : len(shown)], scale, f"RMSE [{unit}]")
    if "linear" in rmse:
        difference = rmse[MODEL] - rmse["linear"]
        gain = diverging([difference])
        draw_field(axes[0, 2], difference, grid, gain, "prediction − linear regression")
        frame(axes[0, 2], grid)
        colour_bar(figure, [axes[0, 2]], gain, f"RMSE difference [{unit}], blue: better")
    figure.suptitle(f"{result.variable.name}: root mean square error over time", fontsize=10)
    return figure


def score_chart(result: VariableResult, table: Table) -> Figure:
    """RMSE of every candidate with its 95 % interval, and how it spreads over the samples."""
    figure = Figure(figsize=(8.2, 0.42 * len(result.candidates) + 1.5), layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True)
    positions = np.arange(len(result.candidates))[::-1]
    colours = [colour(name) for name in result.candidates]
    _bars(left, result, table, positions, colours)
    _violins(right, result.sample_rmse, positions, colours)
    names = [title(name) for name in result.candidates]
    left.set_title("over the period, with 95 % interval", fontsize=9)
    right.set_title("of each sample, with quartiles", fontsize=9)
    for axes in (left, right):
        axes.set_xlabel(f"RMSE [{_units(result)}]", fontsize=8)
        axes.set_xlim(left=0)
        open_frame(axes, "x")
    left.set_yticks(positions, names, fontsize=8)
    figure.suptitle(f"{result.variable.name}: root mean square error", fontsize=10)
    return figure


def _bars(
    axes: Axes, result: VariableResult, table: Table, positions: np.ndarray, colours: list[str]
) -> None:
    for position, name, paint in zip(positions, result.candidates, colours, strict=True):
        rmse, low, high = (
            table.value(f"{metric}{result.label}", name)
            for metric in ("rmse", "rmse_low", "rmse_high")
        )
        axes.barh(position, rmse, color=paint, height=0.62)
        if np.isfinite(low):
            spread = np.maximum([[rmse - low], [high - rmse]], 0.0)
            axes.errorbar(rmse, position, xerr=spread, color="black", capsize=2.5, lw=1)
        end = high if np.isfinite(high) else rmse
        axes.annotate(
            f"{rmse:.3g}",
            (end, position),
            xytext=(4, 0),
            textcoords="offset points",
            va="center",
            fontsize=7,
        )
    axes.margins(x=0.14)


def _violins(
    axes: Axes, sample_rmse: np.ndarray, positions: np.ndarray, colours: list[str]
) -> None:
    """Densities of the per-sample RMSE; a line where all samples are alike."""
    for position, series, paint in zip(positions, sample_rmse, colours, strict=True):
        values = series[np.isfinite(series)]
        if len(values) > 1 and np.ptp(values) > 0:
            parts = axes.violinplot(
                values, [position], orientation="horizontal", widths=0.8, showextrema=False
            )
            bodies: Any = parts["bodies"]
            for body in bodies:
                body.set(facecolor=paint, alpha=0.55, edgecolor="none")
        low, middle, high = np.percentile(values, (25, 50, 75))
        axes.plot([low, high], [position, position], color="black", lw=2.5, solid_capstyle="butt")
        axes.plot(middle, position, "o", color="white", markeredgecolor="black", markersize=4)
