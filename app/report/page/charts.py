"""Charts of lines and bars, each with a sentence that tells what it shows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

from app.arrays import Array
from app.metrics.drawing.style import MODEL_COLOUR, Look, open_frame
from app.metrics.verdict.estimate import Estimate
from app.report.page.svg import inline, page_style

SIZE = (4.6, 3.2)  # inches
SMALL = 8  # points
LEGEND_COLUMNS = 2
MANY_DECADES = 1e3  # ratio of values beyond which powers of ten alone are marked
WIDE_RANGE = 20.0  # ratio of values beyond which they stand on a logarithmic axis
TRUTH = Look("#000000", width=2.2, layer=3.5, marker="")


@dataclass(frozen=True)
class Line:
    """One line: its name for readers, its points (n,) and how it looks."""

    name: str
    x: Array
    y: Array
    look: Look


@dataclass(frozen=True)
class Axis:
    """What stands at an axis; `flat`: a value that is drawn across."""

    label: str
    log: bool = False
    reversed: bool = False
    whole: bool = False
    flat: float | None = None


@dataclass(frozen=True)
class Chart:
    """A chart as it stands in the page."""

    title: str
    picture: Markup
    caption: str = ""


def line_chart(
    title: str,
    lines: Sequence[Line],
    x: Axis,
    y: Axis,
    salt: str,
    *,
    caption: str = "",
    diagonal: bool = False,
    marked: bool = False,
) -> Chart:
    """Lines over one axis; diagonal: with the line where both axes are equal."""
    with page_style():
        figure = Figure(figsize=SIZE, layout="constrained")
        axes = figure.subplots()
        for line in lines:
            marker = line.look.marker if marked else ""
            axes.plot(line.x, line.y, label=line.name, marker=marker, ms=3, **line.look.line)
        _dress(axes, x, y)
        if diagonal:
            ends = _ends(lines)
            axes.plot(ends, ends, color=TRUTH.colour, lw=1.0, ls="--", zorder=1)
        _legend(figure, axes)
        return Chart(title, inline(figure, _in_words(title, lines, x, y), salt), caption)


def bar_chart(title: str, values: Array, x: Axis, y: Axis, salt: str, caption: str = "") -> Chart:
    """Bars of values (n,) at 0, 1, …"""
    with page_style():
        figure = Figure(figsize=SIZE, layout="constrained")
        axes = figure.subplots()
        axes.bar(np.arange(len(values)), values, width=0.9, color=MODEL_COLOUR)
        _dress(axes, x, y)
        axes.set_ylim(bottom=0)
        told = ", ".join(f"{value:.2g}" for value in values)
        alt = f"{title}. {y.label} by {x.label}: {told}."
        return Chart(title, inline(figure, alt, salt), caption)


def interval_chart(
    title: str,
    scores: Mapping[str, Estimate],
    looks: Mapping[str, Look],
    label: str,
    salt: str,
    caption: str = "",
) -> Chart:
    """A dot and its interval for each name, the first at the top."""
    names = [name for name, score in scores.items() if score.known]
    with page_style():
        figure = Figure(figsize=(SIZE[0], 0.28 * len(names) + 0.8), layout="constrained")
        axes = figure.subplots()
        for row, name in enumerate(names):
            score, look = scores[name], looks[name]
            if score.bounded:
                axes.plot([score.low, score.high], [row, row], color=look.colour, lw=3, alpha=0.4)
            axes.plot(score.value, row, look.marker, color=look.colour, ms=5)
        axes.set_yticks(range(len(names)), names, fontsize=SMALL)
        axes.invert_yaxis()
        axes.set_xlabel(label, fontsize=SMALL)
        open_frame(axes, "x")
        told = "; ".join(f"{name} {scores[name].text()}" for name in names)
        return Chart(title, inline(figure, f"{title}. {label}: {told}.", salt), caption)


def _dress(axes: Axes, x: Axis, y: Axis) -> None:
    for axis, told, flat in ((axes.xaxis, x, axes.axvline), (axes.yaxis, y, axes.axhline)):
        name = axis.axis_name
        axes.set(**{f"{name}label": told.label})
        axis.label.set_fontsize(SMALL)
        if told.log:
            axes.set(**{f"{name}scale": "log"})
            low, high = axis.get_data_interval()
            few = low > 0 and high < MANY_DECADES * low
            axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0) if few else (1.0,)))
            axis.set_minor_formatter(NullFormatter())
            axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        if told.whole:
            axis.set_major_locator(MaxNLocator(integer=True))
        if told.reversed:
            axis.set_inverted(True)
        if told.flat is not None:
            flat(told.flat, color=TRUTH.colour, lw=1.0, ls="--", zorder=1)
    open_frame(axes, "both")


def _legend(figure: Figure, axes: Axes) -> None:
    handles, labels = axes.get_legend_handles_labels()
    if len(handles) > 1:
        figure.legend(
            handles,
            labels,
            loc="outside lower center",
            ncols=LEGEND_COLUMNS,
            fontsize=SMALL - 1,
            frameon=False,
        )


def _ends(lines: Sequence[Line]) -> list[float]:
    values = np.concatenate([np.concatenate([line.x, line.y]) for line in lines])
    return [float(np.nanmin(values)), float(np.nanmax(values))]


def _in_words(title: str, lines: Sequence[Line], x: Axis, y: Axis) -> str:
    """What the lines show: each from its first to its last point."""
    parts = []
    for line in lines:
        known = np.flatnonzero(np.isfinite(line.y))
        if len(known):
            a, b = known[0], known[-1]
            parts.append(
                f"{line.name}: {line.y[a]:.3g} at {line.x[a]:.4g}, "
                f"{line.y[b]:.3g} at {line.x[b]:.4g}"
            )
    return f"{title}. {y.label} over {x.label}. {'; '.join(parts)}."


def spread_widely(values: Array) -> bool:
    """Whether positive values span so much that a logarithmic axis shows them better."""
    known = values[np.isfinite(values)]
    return bool(known.size and known.min() > 0 and known.max() > WIDE_RANGE * known.min())
