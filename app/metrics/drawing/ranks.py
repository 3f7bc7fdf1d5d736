"""Figure on members: the rank histogram."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from app.arrays import Array
from app.metrics.drawing.style import MODEL_COLOUR, open_frame

if TYPE_CHECKING:
    from app.metrics.metric import Result

HISTOGRAM_TOP = 1.15  # of the tallest bar


def rank_chart(shares: Array, result: Result) -> Figure:
    """How often the truth takes each rank among the members, against a flat histogram."""
    members = len(shares) - 1
    figure = Figure(figsize=(5.2, 3.4), layout="constrained")
    axes = figure.subplots()
    relative = shares * len(shares)
    axes.bar(np.arange(len(shares)), relative, width=0.9, color=MODEL_COLOUR, alpha=0.85)
    axes.axhline(1.0, color="black", lw=1.2, ls="--")
    axes.set_ylim(0, HISTOGRAM_TOP * max(1.0, float(relative.max())))
    axes.set_xlim(-0.6, members + 0.6)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    open_frame(axes, "y")
    axes.set_xlabel("number of members below the truth", fontsize=8)
    axes.set_ylabel("frequency relative to a flat histogram [1]", fontsize=8)
    spread, index = result.value("spread_skill"), result.value("reliability_index")
    axes.set_title(f"spread/skill {spread:.3g}, reliability index {index:.3g} %", fontsize=9)
    figure.suptitle(
        f"{result.subject.variable.name}: rank histogram of {members} members", fontsize=10
    )
    return figure
