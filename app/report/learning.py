"""The figure of a training: its losses by epoch."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from app.arrays import Array
from app.metrics.drawing.style import BLUE, VERMILLION, letter, open_frame, save_figure

DPI = 160
HISTORY = "history.csv"
LOSSES = {"loss": ("training", BLUE, "--"), "val_loss": ("validation", VERMILLION, "-")}
COLUMNS = ("epoch", *LOSSES, "learning_rate", "samples_per_s", "seconds")
FEW = 40  # epochs that are marked one by one
DECADE = 10.0


def draw_learning_curves(run: Path, folder: Path, kind: str = "png") -> list[Path]:
    """Draw learning_curve.png of a run, and of a stack one of each stage; their paths."""
    paths = draw_learning_curve(run / HISTORY, folder / f"learning_curve.{kind}")
    for history in sorted(run.glob(f"stages/*/{HISTORY}")):
        name = f"learning_curve_{history.parent.name}.{kind}"
        paths += draw_learning_curve(history, folder / name)
    return paths


def draw_learning_curve(history: Path, path: Path) -> list[Path]:
    """Draw a history.csv; nothing where there is none, or a single epoch."""
    columns = read_history(history)
    if len(columns["epoch"]) < 2 or not np.isfinite(columns["loss"]).any():
        return []
    stage = history.parent.name.replace("_", " ") if history.parent.parent.name == "stages" else ""
    save_figure(learning_curve(columns, f"learning curve {stage}".rstrip()), path, DPI)
    return [path]


def read_history(path: Path) -> dict[str, Array]:
    """Columns (e,) of a history.csv, NaN where a number is missing; empty without the file."""
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
    except OSError:
        rows = []
    return {name: _column(rows, name) for name in COLUMNS}


def _column(rows: list[dict[str, str]], name: str) -> Array:
    """The numbers of a column, NaN where there are none."""
    return np.array([_number(row.get(name)) for row in rows])


def _number(text: str | None) -> float:
    try:
        return float(text or "nan")
    except ValueError:  # of a row that a kill has cut short
        return np.nan


def learning_curve(columns: dict[str, Array], title: str = "learning curve") -> Figure:
    """Losses (e,) by epoch with the best validation marked, and the learning rate below."""
    figure = Figure(figsize=(6.4, 4.2), layout="constrained")
    axes, below = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    epochs, marker = columns["epoch"], "o" if len(columns["epoch"]) <= FEW else ""
    for name, (label, colour, dash) in LOSSES.items():
        if np.isfinite(columns[name]).any():
            axes.plot(
                epochs, columns[name], marker=marker, ms=3, color=colour, ls=dash, label=label
            )
    validation = columns["val_loss"]
    if np.isfinite(validation).any():
        best = int(np.nanargmin(validation))
        axes.plot(
            epochs[best],
            validation[best],
            "o",
            ms=8,
            mfc="none",
            color="black",
            label=f"lowest: {validation[best]:.4g} after epoch {epochs[best]:g}",
        )
    losses = np.concatenate([columns[name] for name in LOSSES])
    losses = losses[np.isfinite(losses)]
    if losses.min() > 0 and losses.max() > DECADE * losses.min():
        axes.set_yscale("log")
    axes.set_ylabel("loss [of scaled values]", fontsize=8)
    axes.legend(fontsize=7, frameon=False)
    below.plot(epochs, columns["learning_rate"], color="0.3", drawstyle="steps-mid")
    below.set_ylabel("learning rate [1]", fontsize=8)
    below.set_xlabel("epoch", fontsize=8)
    below.xaxis.set_major_locator(MaxNLocator(integer=True))
    letter((axes, below))
    for each in (axes, below):
        open_frame(each, "both")
    figure.suptitle(title, fontsize=10)
    return figure
