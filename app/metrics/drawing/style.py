"""How candidates look in all figures."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Literal

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from app.metrics.table import MODEL
from app.running.atomic import write_bytes

MODEL_COLOUR, LINEAR_COLOUR, OTHER_COLOUR = "#c1440e", "#1f4e79", "#9aa5b1"
TITLES = {MODEL: "prediction", "linear": "linear regression", "bcsd": "BCSD"}


def colour(name: str) -> str:
    """Colour of a candidate: the prediction and its rival stand out."""
    return {MODEL: MODEL_COLOUR, "linear": LINEAR_COLOUR}.get(name, OTHER_COLOUR)


def title(name: str) -> str:
    """A candidate's name for readers."""
    return TITLES.get(name, name.replace("_", " "))


def save_figure(figure: Figure, path: Path, dpi: int) -> None:
    """Write a PNG that is there whole or not at all."""
    content = io.BytesIO()
    figure.savefig(content, format="png", dpi=dpi)
    write_bytes(path, content.getbuffer())


def open_frame(axes: Axes, grid_axis: Literal["x", "y", "both"]) -> None:
    """Grid lines along one axis ("x", "y" or "both") under the data, no lines above and right."""
    axes.grid(axis=grid_axis, color="0.9")
    axes.set_axisbelow(True)
    axes.tick_params(labelsize=7)
    axes.spines[["top", "right"]].set_visible(False)
