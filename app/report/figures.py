"""The figures of an evaluation: maps of an example, and what the metrics draw."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from app.metrics.arithmetic import area_rmse
from app.metrics.drawing.maps import (
    colour_bar,
    diverging,
    draw_field,
    frame,
    panel_figure,
    pick,
    subject_scale,
)
from app.metrics.drawing.style import letter, save_figure
from app.metrics.drawing.units import HARD, with_unit
from app.metrics.evaluate import Evaluation
from app.metrics.metric import FieldResult, Result
from app.metrics.table import MODEL
from app.report.members import ensemble_maps

DPI = 160


def draw_figures(evaluation: Evaluation, folder: str | Path, kind: str = "png") -> list[Path]:
    """Draw maps.png, members.png where there are members, and the figures of all metrics.

    With several predictands each has its own, maps_tas.png and so on. `kind`: png, pdf or svg.
    Returns the paths.
    """
    paths = []
    for result in evaluation.variables:
        drawn = {"maps": example_maps(result)}
        if result.example.members is not None:
            drawn["members"] = ensemble_maps(result)
        paths += save_figures(result, drawn, Path(folder), DPI, kind)
    return paths


def save_figures(
    result: Result, drawn: dict[str, Figure], folder: Path, dpi: int, kind: str
) -> list[Path]:
    """Save figures that are drawn, and those of a predictand's metrics; their paths."""
    for metric in result.metrics:
        drawn = drawn | metric.figures(result)
    paths = [folder / f"{name}{result.suffix}.{kind}" for name in drawn]
    for path, figure in zip(paths, drawn.values(), strict=True):
        save_figure(figure, path, dpi)
    return paths


def example_maps(result: FieldResult) -> Figure:
    """Fields of the sample with the median error above, their errors below.

    Without a low resolution to show, the room below the truth is for what the prediction changes
    of the linear regression; with nothing but a prediction, three panels stand in a row.
    """
    subject, fields = result.subject, result.example.fields
    grid, unit, coarse = subject.grid, subject.unit, result.example.coarse
    shown = [name for name in ("bicubic", "linear", MODEL) if name in fields]
    known = np.isfinite(fields["truth"])  # what lies beyond must not stretch the scale
    values = subject_scale(subject, [field[known] for field in pick(fields, "truth", *shown)])
    errors = {name: fields[name] - fields["truth"] for name in shown}
    error_scale = diverging(errors.values())
    in_a_row = coarse is None and len(shown) == 1
    figure, axes = panel_figure(grid, 1 if in_a_row else 2, 3 if in_a_row else len(shown) + 1)
    above = axes[0, :2] if in_a_row else axes[0]
    below = axes[0, 2:] if in_a_row else axes[1, 1:]
    for panel, name in zip(above, ("truth", *shown), strict=True):
        draw_field(panel, fields[name], grid, values, subject.called(name))
    for panel, name in zip(below, shown, strict=True):
        rmse = with_unit(area_rmse(errors[name], grid.cell_areas()), unit)
        text = f"{subject.called(name)} − truth (RMSE{HARD}{rmse})"
        draw_field(panel, errors[name], grid, error_scale, text)
    if coarse is not None:
        draw_field(axes[1, 0], coarse, result.example.coarse_grid, values, "low resolution")
    elif not in_a_row:
        change = fields[MODEL] - fields[shown[-2]]
        text = f"prediction − {subject.called(shown[-2])}"
        draw_field(axes[1, 0], change, grid, error_scale, text)
    for panel in axes.flat:
        frame(panel, grid)
        subject.ground.draw(panel, grid, relief=panel in above)
    letter(axes.flat, inside=True)
    colour_bar(figure, above, values, f"{subject.variable.name} [{unit}]")
    colour_bar(figure, below if in_a_row else axes[1], error_scale, f"error [{unit}]")
    which = f"{result.example.time}: the sample of the prediction's median RMSE"
    figure.suptitle(f"{subject.variable.name}, {which}", fontsize=10)
    return figure
