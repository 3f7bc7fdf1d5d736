"""Figures of an evaluation in time: those of its metrics, and an animation beside the truth."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
from matplotlib.animation import FuncAnimation, PillowWriter
from matplotlib.artist import Artist
from matplotlib.backends.backend_agg import FigureCanvasAgg

from app.arrays import Array
from app.data.times import DAY
from app.metrics.drawing.maps import colour_bar, draw_field, frame, panel_figure, subject_scale
from app.metrics.metric import Subject
from app.metrics.table import MODEL
from app.metrics.time_evaluation import TimeContest, TimeEvaluation
from app.report.figures import save_figures
from app.running.disk_space import writing

DPI = 110
FRAMES = 37  # of the animation, at most
PER_SECOND = 5  # frames

logging.getLogger("matplotlib.animation").setLevel(logging.WARNING)  # it tells of every file


def draw_time_figures(evaluation: TimeEvaluation, folder: Path, kind: str = "png") -> list[Path]:
    """Draw the figures of all metrics, and animation.gif; their paths.

    With several predictands each has its own, animation_u10.gif and so on.
    """
    paths = []
    for channel, result in enumerate(evaluation.variables):
        paths += save_figures(result, {}, folder, DPI, kind)
        path = folder / f"animation{result.suffix}.gif"
        paths.append(_animate(evaluation.contest, channel, result.subject, path))
    return paths


def _animate(contest: TimeContest, channel: int, subject: Subject, path: Path) -> Path:
    """Truth, linear interpolation and prediction side by side through the first day or so."""
    rows = _first_rows(contest)
    fields = contest.fields(rows)[..., channel]
    shown = {
        "truth": contest.truth(rows)[..., channel],
        "linear in time": fields[contest.names.index("linear")],
        "prediction": fields[contest.names.index(MODEL)],
    }
    scale = subject_scale(subject, [shown["truth"]])
    figure, axes = panel_figure(contest.grid, 1, len(shown))
    FigureCanvasAgg(figure)
    variable = contest.variables[channel]
    colour_bar(figure, axes[0], scale, f"{variable.name} [{variable.units or '1'}]")

    def draw(number: int) -> list[Artist]:
        for panel, (name, series) in zip(axes[0], shown.items(), strict=True):
            panel.clear()
            draw_field(panel, series[number], contest.grid, scale, name)
            frame(panel, contest.grid)
            subject.ground.draw(panel, contest.grid)
        row = int(rows[number])
        known = "" if contest.scored[row] else " (known)"
        time = contest.axis.stamps.text(row).replace("T", " ")
        figure.suptitle(f"{time}{known}", fontsize=9)
        return []

    animation = FuncAnimation(figure, draw, frames=len(rows), blit=False)
    with writing(path):
        animation.save(str(path), writer=PillowWriter(fps=PER_SECOND), dpi=70)
    return path


def _first_rows(contest: TimeContest) -> Array:
    """Rows of the axis of the first day, whole units of it."""
    axis = contest.axis
    most = min(FRAMES, max(contest.steps.parts, DAY // contest.steps.target_step + 1))
    units = np.unique(axis.unit[:most])
    return np.flatnonzero(axis.unit <= units[-1])[: most + contest.steps.parts]
