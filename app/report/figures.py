"""The figures of an evaluation: maps of an example, and what the metrics draw."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from app.arrays import Array
from app.grids import Grid
from app.metrics.drawing.maps import (
    Scale,
    colour_bar,
    diverging,
    draw_field,
    frame,
    panel_figure,
    pick,
    sequential,
)
from app.metrics.drawing.style import save_figure, title
from app.metrics.evaluate import Evaluation
from app.metrics.metric import FieldResult, Result
from app.metrics.table import MODEL
from app.report.members import ensemble_maps

DPI = 160


def draw_figures(evaluation: Evaluation, folder: str | Path) -> list[Path]:
    """Draw maps.png, members.png where there are members, and the figures of all metrics.

    With several predictands each has its own, maps_tas.png and so on. Returns the paths.
    """
    paths = []
    for result in evaluation.variables:
        drawn = {"maps": example_maps(result)}
        if result.example.members is not None:
            drawn["members"] = ensemble_maps(result)
        paths += save_figures(result, drawn, Path(folder), DPI)
    return paths


def save_figures(result: Result, drawn: dict[str, Figure], folder: Path, dpi: int) -> list[Path]:
    """Save figures that are drawn, and those of a predictand's metrics; their paths."""
    for metric in result.metrics:
        drawn = drawn | metric.figures(result)
    paths = [folder / f"{name}{result.suffix}.png" for name in drawn]
    for path, figure in zip(paths, drawn.values(), strict=True):
        save_figure(figure, path, dpi)
    return paths


def example_maps(result: FieldResult) -> Figure:
    """Fields of the sample with the median error above, their errors below."""
    subject, fields = result.subject, result.example.fields
    grid, name_and_unit = subject.grid, f"{subject.variable.name} [{subject.unit}]"
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
    colour_bar(figure, axes[0], values, name_and_unit)
    colour_bar(figure, axes[1], error_scale, f"error [{subject.unit}]")
    which = f"{result.example.time}: the sample of the prediction's median RMSE"
    figure.suptitle(f"{subject.variable.name}, {which}", fontsize=10)
    return figure


def _area_rmse(error: Array, grid: Grid) -> float:
    """Area-weighted root mean square of a field of errors."""
    valid = np.isfinite(error)
    if not valid.any():
        return np.nan
    squares = np.square(error[valid], dtype=np.float64)
    return float(np.sqrt(np.average(squares, weights=grid.cell_areas()[valid])))


def _draw_coarse(axes: Axes, result: FieldResult, values: Scale) -> None:
    """The low-resolution field on its own grid; an empty panel where there is none to show."""
    example = result.example
    if example.coarse is None:
        axes.set_axis_off()
    else:
        draw_field(axes, example.coarse, example.coarse_grid, values, "low resolution")
