"""One figure of a sweep: the scores of every group of runs, and of the baselines."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from app.metrics.drawing.style import (
    LINEAR_COLOUR,
    MODEL_COLOUR,
    OTHER_COLOUR,
    open_frame,
    save_figure,
    title,
)
from app.metrics.table import MODEL
from app.sweep.results import Group, Scores

PANELS = {
    "mae": "MAE",
    "rmse": "RMSE",
    "pearson": "Pearson correlation",
    "ssim": "SSIM",
    "psnr": "PSNR (dB)",
}
DPI = 160
INCHES = {"panel": 2.0, "row": 0.26, "frame": 1.0, "names": 1.8}


def draw_comparison(groups: Sequence[Group], baselines: Scores, folder: Path) -> list[Path]:
    """Draw comparison.png, or comparison_NAME.png of every predictand; the paths."""
    done = [group for group in groups if group.finished]
    labels = [
        metric.removeprefix("rmse")
        for metric in dict.fromkeys(m for group in done for m in group.finished[0].scores)
        if metric == "rmse" or metric.startswith("rmse[")
    ]
    paths = []
    for label in labels:
        suffix = f"_{label.strip('[]')}" if label else ""
        paths.append(folder / f"comparison{suffix}.png")
        save_figure(comparison_figure(done, baselines, label), paths[-1], DPI)
    return paths


def comparison_figure(groups: Sequence[Group], baselines: Scores, label: str = "") -> Figure:
    """A panel a score; a row a group or baseline.

    Thick bars are the standard deviation over samples, dots the runs of single seeds.
    """
    rows = len(groups) + len(baselines)
    size = (
        INCHES["names"] + INCHES["panel"] * len(PANELS),
        INCHES["frame"] + INCHES["row"] * rows,
    )
    figure = Figure(figsize=size, layout="constrained")
    panels = figure.subplots(1, len(PANELS), sharey=True, squeeze=False)[0]
    for axes, (metric, name) in zip(panels, PANELS.items(), strict=True):
        _draw_groups(axes, groups, metric + label)
        _draw_baselines(axes, baselines, metric + label, len(groups))
        axes.set_title(name, fontsize=8)
        open_frame(axes, "x")
    names = [*(group.label for group in groups), *map(title, baselines)]
    panels[0].set_yticks(range(rows), names, fontsize=7)
    panels[0].invert_yaxis()
    figure.supxlabel(
        "bars: standard deviation over samples; dots: single runs of different seeds", fontsize=7
    )
    return figure


def _draw_groups(axes: Axes, groups: Sequence[Group], metric: str) -> None:
    for row, group in enumerate(groups):
        mean, std, _ = group.score(metric)
        axes.errorbar(mean, row, xerr=std, color=MODEL_COLOUR, alpha=0.35, lw=4)
        runs = [r.scores[metric][MODEL][0] for r in group.finished if metric in r.scores]
        axes.plot(runs, np.full(len(runs), row), "o", color=MODEL_COLOUR, ms=3)


def _draw_baselines(axes: Axes, baselines: Scores, metric: str, first: int) -> None:
    for row, (name, scores) in enumerate(baselines.items(), start=first):
        if metric in scores:
            mean, std = scores[metric]
            colour = LINEAR_COLOUR if name == "linear" else OTHER_COLOUR
            axes.errorbar(mean, row, xerr=std, color=colour, alpha=0.35, lw=4)
            axes.plot(mean, row, "o", color=colour, ms=3)
