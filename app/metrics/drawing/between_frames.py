"""Figures of frames filled in between known ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, NullLocator

from app.arrays import Array
from app.metrics.drawing.style import look, open_frame
from app.metrics.drawing.units import squared

if TYPE_CHECKING:
    from app.metrics.metric import Result, Subject

HOURS = range(0, 25, 3)  # ticks of a day
PERIODS = (1, 2, 3, 6, 12, 24, 48, 120, 240, 480, 960)  # hours, ticks of a spectrum


def rates_figure(result: Result) -> Figure:
    """Restoration rate of every candidate with its interval, where there is one."""
    called = result.subject.called
    figure = Figure(figsize=(6.4, 2.8), layout="constrained")
    axes, names, bounded = figure.subplots(), result.subject.candidates, False
    looks = look(names)
    for position, name in enumerate(reversed(names)):
        rate, low, high = (
            result.value(f"restoration_rate{end}", name) for end in ("", "_low", "_high")
        )
        axes.barh(position, rate, color=looks[name].colour, height=0.6)
        if np.isfinite(low):
            bounded = True
            reach = np.maximum([[rate - low], [high - rate]], 0.0)
            axes.errorbar(rate, position, xerr=reach, color="black", capsize=2.5, lw=1)
    axes.set_yticks(range(len(names)), [called(n) for n in reversed(names)], fontsize=8)
    axes.set_xlabel("1 − Σ|x̂ − x| / Σ|x_linear − x| over withheld frames [1]", fontsize=8)
    interval = ", 95 % interval" * bounded
    axes.set_title(f"{result.subject.variable.name}: restoration rate{interval}", fontsize=9)
    open_frame(axes, "x")
    return figure


def hours_figure(subject: Subject, errors: Array) -> Figure:
    """Mean absolute error (24, k) by hour of the day."""
    figure = Figure(figsize=(6.4, 3.2), layout="constrained")
    axes, looks = figure.subplots(), look(subject.candidates)
    for k, name in enumerate(subject.candidates):
        mae, own = errors[:, k], looks[name]
        hours = np.flatnonzero(np.isfinite(mae))
        axes.plot(
            hours, mae[hours], marker=own.marker, ms=3, **own.line, label=subject.called(name)
        )
    axes.set_xticks(HOURS)
    axes.set_xlabel("hour of the day (UTC)", fontsize=8)
    axes.set_ylabel(f"mean absolute error [{subject.unit}]", fontsize=8)
    axes.set_title(f"{subject.variable.name}: withheld frames by hour", fontsize=9)
    figure.legend(loc="outside right center", fontsize=7, frameon=False)
    open_frame(axes, "both")
    return figure


def spectrum_figure(subject: Subject, periods: Array, power: Array) -> Figure:
    """Variance (k + 1, p) by period in hours, of the truth and the candidates."""
    figure = Figure(figsize=(6.4, 3.2), layout="constrained")
    axes, looks = figure.subplots(), look(subject.candidates)
    axes.loglog(periods, power[0], color="black", lw=2, label="truth")
    for k, name in enumerate(subject.candidates, start=1):
        axes.loglog(periods, power[k], **looks[name].line, label=subject.called(name))
    axes.xaxis.set_major_locator(FixedLocator(PERIODS))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter("{x:g}")
    axes.set_xlabel("period [h]", fontsize=8)
    axes.set_ylabel(f"variance [{squared(subject.unit)}]", fontsize=8)
    axes.set_title(f"{subject.variable.name}: spectrum in time", fontsize=9)
    axes.legend(fontsize=7, frameon=False)
    open_frame(axes, "both")
    return figure
