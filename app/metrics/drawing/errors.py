"""Figures on errors: maps of the RMSE over time, and the RMSE of every candidate."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from app.arrays import Array
from app.metrics.drawing.maps import (
    colour_bar,
    diverging,
    draw_field,
    frame,
    panel_figure,
    pick,
    sequential,
)
from app.metrics.drawing.style import colour, letter, open_frame
from app.metrics.drawing.units import with_unit
from app.metrics.table import MODEL

if TYPE_CHECKING:
    from app.metrics.metric import Result

FAR_OFF = 2.5  # times the median RMSE of the candidates
ROOM = 1.25  # of what is furthest out, to the end of a cut axis


def rmse_maps(fields: Array, result: Result) -> Figure:
    """RMSE over time (k, y, x) of the prediction and the linear regression; which is better."""
    grid, unit = result.subject.grid, result.subject.unit
    rmse = dict(zip(result.subject.candidates, fields, strict=True))
    shown = [name for name in ("linear", MODEL) if name in rmse]
    figure, axes = panel_figure(grid, 1, 3 if "linear" in rmse else 1)
    scale = sequential(pick(rmse, *shown))
    for panel, name in zip(axes[0], shown, strict=False):
        overall = result.value("rmse", name)
        text = f"{result.subject.called(name)} (overall {with_unit(overall, unit)})"
        draw_field(panel, rmse[name], grid, scale, text)
    colour_bar(figure, axes[0, : len(shown)], scale, f"RMSE [{unit}]")
    if "linear" in rmse:
        difference = rmse[MODEL] - rmse["linear"]
        gain = diverging([difference])
        draw_field(axes[0, 2], difference, grid, gain, "prediction − linear regression")
        colour_bar(figure, [axes[0, 2]], gain, f"RMSE difference [{unit}], blue: better")
    for panel in axes.flat:
        frame(panel, grid)
        result.subject.ground.draw(panel, grid)
    letter(axes.flat, inside=True)
    figure.suptitle(
        f"{result.subject.variable.name}: root mean square error over time", fontsize=10
    )
    return figure


def score_chart(sample_rmse: Array, result: Result) -> Figure:
    """RMSE of every candidate with its 95 % interval, and that of the samples (k, n)."""
    figure = Figure(
        figsize=(8.2, 0.42 * len(result.subject.candidates) + 1.5), layout="constrained"
    )
    left, right = figure.subplots(1, 2, sharey=True)
    positions = np.arange(len(result.subject.candidates))[::-1]
    colours = [colour(name) for name in result.subject.candidates]
    bounded = _bars(left, result, positions, colours)
    _violins(right, sample_rmse, positions, colours)
    names = [result.subject.called(name) for name in result.subject.candidates]
    left.set_title("over the period" + ", with 95 % interval" * bounded, fontsize=9)
    right.set_title("of each sample, with quartiles", fontsize=9)
    letter((left, right))
    for axes in (left, right):
        axes.set_xlabel(f"RMSE [{result.subject.unit}]", fontsize=8)
        open_frame(axes, "x")
    rmse = np.array([result.value("rmse", name) for name in result.subject.candidates])
    _cut(left, rmse, rmse, positions)
    _cut(right, rmse, np.nanpercentile(sample_rmse, 99, axis=1), positions)
    left.set_yticks(positions, names, fontsize=8)
    figure.suptitle(f"{result.subject.variable.name}: root mean square error", fontsize=10)
    return figure


def _cut(axes: Axes, rmse: Array, reach: Array, positions: Array) -> None:
    """Cut the axis where one candidate, by far the worst, would press the others together.

    rmse (k,): tells who is so far off; reach (k,): how far each is drawn.
    """
    axes.set_xlim(left=0)
    kept = rmse <= FAR_OFF * np.nanmedian(rmse)
    end = ROOM * float(np.nanmax(reach[kept])) if kept.any() else 0.0
    if kept.all() or not end > 0:
        return
    axes.set_xlim(0, end)
    for position, value in zip(positions[~kept], rmse[~kept], strict=True):
        axes.annotate(
            f"{value:#.3g} ▸",
            (end, position),
            xytext=(-3, 0),
            textcoords="offset points",
            ha="right",
            va="center",
            fontsize=7,
            bbox={"facecolor": "white", "alpha": 0.8, "edgecolor": "none", "pad": 1.0},
        )


def _bars(axes: Axes, result: Result, positions: Array, colours: list[str]) -> bool:
    """Bars with intervals, where there are any: whether there are."""
    bounded = False
    for position, name, paint in zip(positions, result.subject.candidates, colours, strict=True):
        rmse, low, high = (result.value(row, name) for row in ("rmse", "rmse_low", "rmse_high"))
        axes.barh(position, rmse, color=paint, height=0.62)
        if np.isfinite(low):
            bounded = True
            spread = np.maximum([[rmse - low], [high - rmse]], 0.0)
            axes.errorbar(rmse, position, xerr=spread, color="black", capsize=2.5, lw=1)
        end = high if np.isfinite(high) else rmse
        axes.annotate(
            f"{rmse:#.3g}",
            (end, position),
            xytext=(4, 0),
            textcoords="offset points",
            va="center",
            fontsize=7,
            annotation_clip=True,
        )
    axes.margins(x=0.14)
    return bounded


def _violins(axes: Axes, sample_rmse: Array, positions: Array, colours: list[str]) -> None:
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
