"""The figure of an ensemble: some of its members beside truth, mean and spread."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from app.arrays import Array
from app.metrics.drawing.maps import (
    colour_bar,
    diverging,
    draw_field,
    frame,
    panel_figure,
    sequential,
    subject_scale,
)
from app.metrics.drawing.style import letter, title
from app.metrics.metric import FieldResult

SHOWN = 4  # panels of fields in a row, at most
DETERMINISTIC = "linear"  # the candidate that is shown where no other field is given


def ensemble_maps(result: FieldResult, deterministic: Array | None = None) -> Figure:
    """Truth, low resolution, a deterministic field and mean, as far as known, then members.

    Beside them, the spread of the members and the error of their mean.

    Of the example, the sample with the mean's median error; the last panel is that error.
    `deterministic` (y, x): another run's field, instead of the linear regression. The example
    has members.
    """
    example, grid = result.example, result.subject.grid
    assert example.members is not None
    truth, mean = example.fields["truth"], example.members.mean(axis=0)
    spread = example.members.std(axis=0, ddof=1, dtype=np.float64)
    plain, name = deterministic, "deterministic network"
    if plain is None:
        plain, name = example.fields.get(DETERMINISTIC), title(DETERMINISTIC)
    above = [
        (truth, grid, "truth"),
        (example.coarse, example.coarse_grid, "low resolution"),
        (plain, grid, name),
        (mean, grid, f"mean of {len(example.members)} members"),
    ]
    pieces = [(f, own_grid, text) for f, own_grid, text in above if f is not None]
    count = min(len(example.members), 2 * SHOWN - len(pieces))
    count -= (len(pieces) + count) % 2  # two full rows
    pieces += [(f, grid, f"member {i}") for i, f in enumerate(example.members[:count], start=1)]
    known = np.isfinite(truth)  # what lies beyond must not stretch the scale
    drawn = [f[known] for f in (truth, mean, *example.members[:count])]
    values = subject_scale(result.subject, drawn)
    columns = len(pieces) // 2
    figure, axes = panel_figure(grid, 2, columns + 1)
    for panel, (field, own_grid, text) in zip(axes[:, :-1].flat, pieces, strict=True):
        draw_field(panel, field, own_grid, values, text)
    unit, error = result.subject.unit, mean - truth
    last = (
        (spread, sequential([spread[known]]), "their standard deviation", "standard deviation"),
        (error, diverging([error]), "mean − truth", "error"),
    )
    for panel, (field, scale, text, label) in zip(axes[:, -1], last, strict=True):
        draw_field(panel, field, grid, scale, text)
        colour_bar(figure, [panel], scale, f"{label} [{unit}]")
    for panel in axes.flat:
        frame(panel, grid)
        result.subject.ground.draw(panel, grid, relief=panel not in axes[:, -1])
    letter(axes.flat, inside=True)
    colour_bar(figure, axes[:, :-1].flat, values, f"{result.subject.variable.name} [{unit}]")
    text = f"{result.subject.variable.name}, {example.time}: the sample of the mean's median RMSE"
    figure.suptitle(text, fontsize=10)
    return figure
