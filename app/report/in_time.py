"""Figures of frames filled in between known ones, and an animation beside the truth."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.animation import FuncAnimation, PillowWriter
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from app.data.times import DAY
from app.metrics.drawing.maps import colour_bar, draw_field, frame, panel_figure, sequential
from app.metrics.drawing.style import MODEL_COLOUR, open_frame, save_figure
from app.metrics.in_time import CANDIDATES, TimeEvaluation, TimeResult, TimeScorer
from app.metrics.table import MODEL
from app.running.disk_space import writing

DPI = 110
COLOURS = {
    MODEL: MODEL_COLOUR,
    "linear": "#1f4e79",
    "nearest": "#9aa5b1",
    "cubic": "#2e7d4f",
    "optical_flow": "#b8901c",
}
TITLES = {MODEL: "prediction", "linear": "linear in time", "optical_flow": "optical flow"}
FRAMES = 37  # of the animation, at most
PER_SECOND = 5  # frames


def draw_time_figures(evaluation: TimeEvaluation, folder: Path) -> list[Path]:
    """Draw restoration.png, by_hour.png, spectrum_in_time.png and animation.gif; their paths.

    Without the spectrum where nothing changes in time.
    """
    paths = []
    for c, result in enumerate(evaluation.variables):
        suffix = f"_{result.variable.name}" if result.label else ""
        drawn = {
            "restoration": _rates(evaluation, result),
            "by_hour": _by_hour(result),
        }
        if (result.power > 0).any():  # else nothing changes in time, and logarithms show nothing
            drawn["spectrum_in_time"] = _spectrum(result)
        for name, figure in drawn.items():
            path = folder / f"{name}{suffix}.png"
            save_figure(figure, path, DPI)
            paths.append(path)
        paths.append(_animate(evaluation.scorer, c, folder / f"animation{suffix}.gif"))
    return paths


def _title(name: str) -> str:
    return TITLES.get(name, name)


def _rates(evaluation: TimeEvaluation, result: TimeResult) -> Figure:
    """Restoration rate of every candidate with its interval."""
    figure = Figure(figsize=(6.4, 2.8), layout="constrained")
    axes = figure.subplots()
    for position, name in enumerate(reversed(CANDIDATES)):
        rate, low, high = (
            evaluation.table.value(f"restoration_rate{end}{result.label}", name)
            for end in ("", "_low", "_high")
        )
        axes.barh(position, rate, color=COLOURS[name], height=0.6)
        if np.isfinite(low):
            reach = np.maximum([[rate - low], [high - rate]], 0.0)
            axes.errorbar(rate, position, xerr=reach, color="black", capsize=2.5, lw=1)
    axes.set_yticks(range(len(CANDIDATES)), [_title(n) for n in reversed(CANDIDATES)], fontsize=8)
    axes.set_xlabel("1 − Σ|x̂ − x| / Σ|x_linear − x| over withheld frames", fontsize=8)
    axes.set_title(f"{result.variable.name}: restoration rate, 95 % interval", fontsize=9)
    open_frame(axes, "x")
    return figure


def _by_hour(result: TimeResult) -> Figure:
    """Mean absolute error by hour of the day."""
    figure = Figure(figsize=(6.4, 3.2), layout="constrained")
    axes = figure.subplots()
    for k, name in enumerate(CANDIDATES):
        mae = result.by_hour["mae"][:, k]
        hours = np.flatnonzero(np.isfinite(mae))
        axes.plot(hours, mae[hours], "o-", ms=3, color=COLOURS[name], label=_title(name))
    axes.set_xlabel("hour of the day (UTC)", fontsize=8)
    axes.set_ylabel(f"mean absolute error [{result.variable.units or '1'}]", fontsize=8)
    axes.set_title(f"{result.variable.name}: withheld frames by hour", fontsize=9)
    axes.legend(fontsize=7, frameon=False)
    open_frame(axes, "both")
    return figure


def _spectrum(result: TimeResult) -> Figure:
    """Variance by period of truth and candidates."""
    figure = Figure(figsize=(6.4, 3.2), layout="constrained")
    axes = figure.subplots()
    axes.loglog(result.periods, result.power[0], color="black", lw=2, label="truth")
    for k, name in enumerate(CANDIDATES, start=1):
        axes.loglog(result.periods, result.power[k], color=COLOURS[name], lw=1, label=_title(name))
    axes.set_xlabel("period [h]", fontsize=8)
    axes.set_ylabel(f"variance [({result.variable.units or '1'})²]", fontsize=8)
    axes.set_title(f"{result.variable.name}: spectrum in time", fontsize=9)
    axes.legend(fontsize=7, frameon=False)
    open_frame(axes, "both")
    return figure


def _animate(scorer: TimeScorer, channel: int, path: Path) -> Path:
    """Truth, linear interpolation and prediction side by side through the first day or so."""
    rows = _first_rows(scorer)
    fields = scorer.fields(rows)[..., channel]
    shown = {
        "truth": scorer.truth(rows)[..., channel],
        "linear in time": fields[CANDIDATES.index("linear")],
        "prediction": fields[CANDIDATES.index(MODEL)],
    }
    scale = sequential([shown["truth"]])
    figure, axes = panel_figure(scorer.grid, 1, len(shown))
    FigureCanvasAgg(figure)
    variable = scorer.variables[channel]
    colour_bar(figure, axes[0], scale, f"{variable.name} [{variable.units or '1'}]")

    def draw(number: int) -> list:
        for panel, (name, series) in zip(axes[0], shown.items(), strict=True):
            panel.clear()
            draw_field(panel, series[number], scorer.grid, scale, name)
            frame(panel, scorer.grid)
        row = int(rows[number])
        known = "" if scorer.scored[row] else " (known)"
        time = scorer.axis.stamps.text(row).replace("T", " ")
        figure.suptitle(f"{time}{known}", fontsize=9)
        return []

    animation = FuncAnimation(figure, draw, frames=len(rows), blit=False)
    with writing(path):
        animation.save(str(path), writer=PillowWriter(fps=PER_SECOND), dpi=70)
    return path


def _first_rows(scorer: TimeScorer) -> np.ndarray:
    """Rows of the axis of the first day, whole units of it."""
    axis = scorer.axis
    most = min(FRAMES, max(scorer.steps.parts, DAY // scorer.steps.target_step + 1))
    units = np.unique(axis.unit[:most])
    return np.flatnonzero(axis.unit <= units[-1])[: most + scorer.steps.parts]
