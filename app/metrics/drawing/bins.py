"""Figure on value bins: errors by the size of the truth, and the bias of quantiles."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from app.metrics.climate import LEVELS, MIN_DAYS, BinScores
from app.metrics.drawing.style import colour, open_frame, title
from app.metrics.metric import Result
from app.metrics.table import MODEL

SHOWN = (MODEL, "linear", "bicubic", "bcsd")
BAR = 0.8  # of the room of a bin
MARKERS = {MODEL: "o", "linear": "s", "bicubic": "^", "bcsd": "D"}


def bins_chart(scores: BinScores, result: Result) -> Figure:
    """RMSE by bin with 95 % intervals on the left, bias of pooled quantiles on the right."""
    figure = Figure(figsize=(9.4, 3.7), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=(3, 2))
    shown = [name for name in SHOWN if name in scores.candidates]
    unit = result.subject.unit
    _bars(left, scores, shown)
    left.set_ylabel(f"RMSE [{unit}]", fontsize=8)
    left.set_title("by bins of the true value, with 95 % intervals over days", fontsize=9)
    for name in shown:
        bias = scores.quantiles[scores.candidates.index(name)] - scores.truth_quantiles
        right.plot(
            range(len(LEVELS)),
            bias,
            marker=MARKERS[name],
            ms=4,
            lw=1.2,
            color=_colour(name, shown),
            label=title(name),
        )
    right.axhline(0, color="black", lw=1.0)
    right.set_xticks(range(len(LEVELS)), [f"P{100 * level:g}" for level in LEVELS], fontsize=7)
    right.set_ylabel(f"quantile less that of the truth [{unit}]", fontsize=8)
    right.set_title("quantiles over time and space", fontsize=9)
    right.legend(fontsize=7, frameon=False)
    for axes in (left, right):
        open_frame(axes, "y")
    figure.suptitle(f"{result.subject.variable.name}: scores by value", fontsize=10)
    return figure


def _bars(axes: Axes, scores: BinScores, shown: list[str]) -> None:
    width = BAR / len(shown)
    for i, name in enumerate(shown):
        k = scores.candidates.index(name)
        place = np.arange(len(scores.bins)) + (i - (len(shown) - 1) / 2) * width
        rmse = scores.rmse[k]
        ends = np.vstack([rmse - scores.rmse_low[k], scores.rmse_high[k] - rmse])
        axes.bar(place, rmse, width, color=_colour(name, shown))
        axes.errorbar(place, rmse, yerr=np.maximum(ends, 0), fmt="none", color="black", lw=0.8)
    labels = [
        f"{_label(bin_)}\n{days} d" + ("" if days >= MIN_DAYS else "\nnot scored")
        for bin_, days in zip(scores.bins, scores.days, strict=True)
    ]
    axes.set_xticks(range(len(labels)), labels, fontsize=6.5)


def _colour(name: str, shown: list[str]) -> str:
    greys = ("#9aa5b1", "#c8ccd2")
    rest = [other for other in shown if other not in (MODEL, "linear")]
    return greys[rest.index(name)] if name in rest else colour(name)


def _label(bin_: tuple[str, float, float]) -> str:
    name, low, high = bin_
    if name.startswith("above_p"):
        return f"P{name.removeprefix('above_p')} up\n≥ {low:.3g}"
    if np.isinf(low):
        return f"< {high:.3g}"
    return f"≥ {low:.3g}" if np.isinf(high) else f"{low:.3g} to {high:.3g}"
