"""Figure on wet members: how far their share is to be believed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.figure import Figure

from app.arrays import Array
from app.metrics.drawing.style import MODEL_COLOUR, letter, open_frame

if TYPE_CHECKING:
    from app.metrics.metric import Result


def reliability_chart(
    share: Array, told: Array, found: Array, wet: float, result: Result
) -> Figure:
    """How often it is wet where the members say so, and how often they say what.

    By bins of the probability: share of values, mean probability, wet share of the truth; `wet`:
    that of the whole period.
    """
    figure = Figure(figsize=(4.6, 4.4), layout="constrained")
    axes, below = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    known = np.isfinite(told)
    letter((axes, below))
    axes.plot([0, 1], [0, 1], color="black", lw=1.2, ls="--")
    axes.axhline(wet, color="0.6", lw=1.0)
    axes.plot(told[known], found[known], marker="o", ms=4, color=MODEL_COLOUR)
    axes.set_ylim(0, 1)
    axes.set_ylabel("wet share of the truth [1]", fontsize=8)
    axes.set_title(
        f"Brier score {result.value('brier_wet'):.3g}, skill {result.value('brier_skill_wet'):.3g}",
        fontsize=9,
    )
    bins, members = len(share), result.subject.members
    if bins == members + 1:  # one for each share that there can be
        centres, width = np.arange(bins) / members, 1 / members
    else:
        centres, width = (np.arange(bins) + 0.5) / bins, 1 / bins
    below.bar(centres, share, width=0.9 * width, color=MODEL_COLOUR, alpha=0.85)
    below.set_ylabel("share of values [1]", fontsize=8)
    below.set_xlabel("share of wet members [1]", fontsize=8)
    for each in (axes, below):
        open_frame(each, "y")
    figure.suptitle(
        f"{result.subject.variable.name}: reliability of the wet probability", fontsize=10
    )
    return figure
