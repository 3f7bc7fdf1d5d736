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
)
from app.metrics.drawing.style import title
from app.metrics.metric import FieldResult

SHOWN = 4  # members
DETERMINISTIC = "linear"  # the candidate that is shown where no other field is given


def ensemble_maps(result: FieldResult, deterministic: Array | None = None) -> Figure:
    """Truth, low resolution, a deterministic field, mean and spread above; members below.

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
    above = (
        (truth, grid, "truth"),
        (example.coarse, example.coarse_grid, "low resolution"),
        (plain, grid, name),
        (mean, grid, f"mean of {len(example.members)} members"),
    )
    drawn = [(f, grid, f"member {i}") for i, f in enumerate(example.members[:SHOWN], start=1)]
    known = np.isfinite(truth)  # what lies beyond must not stretch the scale
    values = sequential([f[known] for f in (truth, mean, *example.members[:SHOWN])])
    figure, axes = panel_figure(grid, 2, SHOWN + 1)
    for panel in axes.flat:
        panel.set_axis_off()
    for row, fields in zip(axes, (above, drawn), strict=True):
        for panel, (field, own_grid, text) in zip(row, fields, strict=False):
            if field is not None:
                panel.set_axis_on()
                draw_field(panel, field, own_grid, values, text)
    unit, error = result.subject.unit, mean - truth
    last = (
        (spread, sequential([spread[known]]), "their standard deviation"),
        (error, diverging([error]), "mean − truth"),
    )
    for panel, (field, scale, text) in zip(axes[:, -1], last, strict=True):
        panel.set_axis_on()
        draw_field(panel, field, grid, scale, text)
        colour_bar(figure, [panel], scale, f"[{unit}]")
    for panel in axes.flat:
        frame(panel, grid)
    colour_bar(figure, axes[:, :-1].flat, values, f"{result.subject.variable.name} [{unit}]")
    text = f"{result.subject.variable.name}, {example.time}: the sample of the mean's median RMSE"
    figure.suptitle(text, fontsize=10)
    return figure
