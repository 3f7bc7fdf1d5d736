"""Figures of frames filled in between known ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.figure import Figure

from app.arrays import Array
from app.metrics.drawing.style import MODEL_COLOUR, open_frame
from app.metrics.table import MODEL

if TYPE_CHECKING:
    from app.metrics.metric import Result, Subject

COLOURS = {
    MODEL: MODEL_COLOUR,
    "linear": "#1f4e79",
    "nearest": "#9aa5b1",
    "cubic": "#2e7d4f",
    "optical_flow": "#b8901c",
}
TITLES = {MODEL: "prediction", "linear": "linear in time", "optical_flow": "optical flow"}


def _title(name: str) -> str:
    return TITLES.get(name, name)


def rates_figure(result: Result) -> Figure:
    """Restoration rate of every candidate with its interval."""
    figure = Figure(figsize=(6.4, 2.8), layout="constrained")
    axes, names = figure.subplots(), result.subject.candidates
    for position, name in enumerate(reversed(names)):
        rate, low, high = (
            result.value(f"restoration_rate{end}", name) for end in ("", "_low", "_high")
        )
        axes.barh(position, rate, color=COLOURS[name], height=0.6)
        if np.isfinite(low):
            reach = np.maximum([[rate - low], [high - rate]], 0.0)
            axes.errorbar(rate, position, xerr=reach, color="black", capsize=2.5, lw=1)
    axes.set_yticks(range(len(names)), [_title(n) for n in reversed(names)], fontsize=8)
    axes.set_xlabel("1 − Σ|x̂ − x| / Σ|x_linear − x| over withheld frames", fontsize=8)
    axes.set_title(f"{result.subject.variable.name}: restoration rate, 95 % interval", fontsize=9)
    open_frame(axes, "x")
    return figure


def hours_figure(subject: Subject, errors: Array) -> Figure:
    """Mean absolute error (24, k) by hour of the day."""
    figure = Figure(figsize=(6.4, 3.2), layout="constrained")
    axes = figure.subplots()
    for k, name in enumerate(subject.candidates):
        mae = errors[:, k]
        hours = np.flatnonzero(np.isfinite(mae))
        axes.plot(hours, mae[hours], "o-", ms=3, color=COLOURS[name], label=_title(name))
    axes.set_xlabel("hour of the day (UTC)", fontsize=8)
    axes.set_ylabel(f"mean absolute error [{subject.unit}]", fontsize=8)
    axes.set_title(f"{subject.variable.name}: withheld frames by hour", fontsize=9)
    axes.legend(fontsize=7, frameon=False)
    open_frame(axes, "both")
    return figure


def spectrum_figure(subject: Subject, periods: Array, power: Array) -> Figure:
    """Variance (k + 1, p) by period in hours, of the truth and the candidates."""
    figure = Figure(figsize=(6.4, 3.2), layout="constrained")
    axes = figure.subplots()
    axes.loglog(periods, power[0], color="black", lw=2, label="truth")
    for k, name in enumerate(subject.candidates, start=1):
        axes.loglog(periods, power[k], color=COLOURS[name], lw=1, label=_title(name))
    axes.set_xlabel("period [h]", fontsize=8)
    axes.set_ylabel(f"variance [({subject.unit})²]", fontsize=8)
    axes.set_title(f"{subject.variable.name}: spectrum in time", fontsize=9)
    axes.legend(fontsize=7, frameon=False)
    open_frame(axes, "both")
    return figure
