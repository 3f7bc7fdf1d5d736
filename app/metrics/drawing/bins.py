"""Figure on value bins: errors by the size of the truth, and the bias of quantiles."""

from __future__ import annotations

from textwrap import wrap

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from app.arrays import Array
from app.metrics.climate import LEVELS, MIN_DAYS, BinScores
from app.metrics.drawing.style import letter, look, open_frame
from app.metrics.metric import Result
from app.metrics.names import BASE
from app.metrics.table import MODEL

SHOWN = (MODEL, BASE, "linear", "bicubic", "bcsd")
LOOKS = look(SHOWN)
BAR = 0.8  # of the room of a bin
NOTE_WIDTH = 80  # characters


def bins_chart(scores: BinScores, result: Result) -> Figure:
    """RMSE by bin with 95 % intervals on the left, bias of pooled quantiles on the right.

    Bins of too few days are left out, and the whole left panel where all are.
    """
    shown = [name for name in SHOWN if name in scores.candidates]
    unit, called = result.subject.unit, result.subject.called
    held = np.flatnonzero(scores.scored)
    if held.size:
        figure = Figure(figsize=(9.4, 3.7), layout="constrained")
        left, right = figure.subplots(1, 2, width_ratios=(3, 2))
        _bars(left, scores, shown, held)
        left.set_ylabel(f"RMSE [{unit}]", fontsize=8)
        letter((left, right))
        open_frame(left, "y")
    else:
        figure = Figure(figsize=(5.2, 3.7), layout="constrained")
        right = figure.subplots()
    for name in shown:
        bias = scores.quantiles[scores.candidates.index(name)] - scores.truth_quantiles
        own = LOOKS[name]
        right.plot(
            range(len(LEVELS)), bias, marker=own.marker, ms=4, **own.line, label=called(name)
        )
    right.axhline(0, color="black", lw=1.0)
    right.set_xticks(range(len(LEVELS)), [f"P{100 * level:g}" for level in LEVELS], fontsize=7)
    right.set_ylabel(f"quantile less that of the truth [{unit}]", fontsize=8)
    right.set_title("quantiles over time and space", fontsize=9)
    right.legend(fontsize=7, frameon=False)
    open_frame(right, "y")
    figure.suptitle(f"{result.subject.variable.name}: scores by value", fontsize=10)
    return figure


def _bars(axes: Axes, scores: BinScores, shown: list[str], held: Array) -> None:
    """Bars of the bins that are scored, and who the others are."""
    width = BAR / len(shown)
    bounded = False
    for i, name in enumerate(shown):
        k = scores.candidates.index(name)
        place = np.arange(len(held)) + (i - (len(shown) - 1) / 2) * width
        rmse, low, high = (v[k, held] for v in (scores.rmse, scores.rmse_low, scores.rmse_high))
        axes.bar(place, rmse, width, color=LOOKS[name].colour)
        ends = np.maximum(np.vstack([rmse - low, high - rmse]), 0)
        axes.errorbar(place, rmse, yerr=ends, fmt="none", color="black", lw=0.8)
        bounded |= bool(np.isfinite(ends).any())
    labels = [f"{_label(scores.bins[b])}\n{scores.days[b]} days" for b in held]
    axes.set_xticks(range(len(labels)), labels, fontsize=6.5)
    axes.set_title("by bins of the true value" + ", with 95 % intervals" * bounded, fontsize=9)
    left_out = [_label(scores.bins[b]).replace("\n", " ") for b in np.flatnonzero(~scores.scored)]
    if left_out:
        text = f"not scored, on fewer than {MIN_DAYS} days: {', '.join(left_out)}"
        axes.set_xlabel("\n".join(wrap(text, NOTE_WIDTH)), fontsize=6.5)


def _label(bin_: tuple[str, float, float]) -> str:
    name, low, high = bin_
    if name.startswith("above_p"):
        return f"P{name.removeprefix('above_p')} up\n≥ {low:.3g}"
    if np.isinf(low):
        return f"< {high:.3g}"
    return f"≥ {low:.3g}" if np.isinf(high) else f"{low:.3g} to {high:.3g}"
