"""How candidates look in all figures."""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from string import ascii_lowercase
from typing import Literal

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from app.arrays import Json
from app.metrics.names import BASE, title
from app.metrics.table import MODEL
from app.running.atomic import write_bytes

__all__ = ["Look", "letter", "look", "open_frame", "save_figure", "title"]

# Okabe and Ito (2008): eight colours that people of any colour vision tell apart.
BLACK, ORANGE, SKY, GREEN, YELLOW, BLUE, VERMILLION, PURPLE = (
    *("#000000", "#e69f00", "#56b4e9", "#009e73"),
    *("#f0e442", "#0072b2", "#d55e00", "#cc79a7"),
)
GREY = "#9aa5b1"
MODEL_COLOUR, LINEAR_COLOUR, OTHER_COLOUR = VERMILLION, BLUE, GREY
Dash = str | tuple[int, tuple[float, ...]]
INDIGO, WINE, OLIVE = "#332288", "#882255", "#999933"  # of Tol (2021), likewise
OTHERS = (GREEN, SKY, ORANGE, INDIGO, "#7f7f7f", WINE, OLIVE)
DASHES: tuple[Dash, ...] = ("--", ":", "-.", (0, (6, 2)), (0, (3, 1, 1, 1, 1, 1)))
MARKERS = "^DvPX<>*hp"
NO_DATE = {"pdf": {"CreationDate": None}, "svg": {"Date": None}}  # so that equal is equal


@dataclass(frozen=True)
class Look:
    """Colour, line style, width and marker of a candidate's line."""

    colour: str
    dash: Dash = "-"
    width: float = 1.4
    marker: str = "o"
    layer: float = 2.5

    @property
    def line(self) -> Json:
        """Arguments of `Axes.plot`."""
        return {"color": self.colour, "ls": self.dash, "lw": self.width, "zorder": self.layer}


FIXED = {
    MODEL: Look(VERMILLION, width=2.0, marker="o", layer=4),
    BASE: Look(PURPLE, (0, (5, 1)), 1.6, "s", 3.5),
    "linear": Look(BLUE, width=1.5, marker="s", layer=3),
}


def look(candidates: Sequence[str]) -> dict[str, Look]:
    """How each candidate looks: no two of up to 25 others share both colour and line style."""
    others = [name for name in candidates if name not in FIXED]
    found = dict(FIXED)
    for i, name in enumerate(others):
        turn = i // len(OTHERS)  # colours come again with other dashes
        dash = DASHES[(i + turn) % len(DASHES)]
        found[name] = Look(OTHERS[i % len(OTHERS)], dash, marker=MARKERS[i % len(MARKERS)])
    return {name: found[name] for name in candidates}


def colour(name: str) -> str:
    """Colour of a candidate's bar: the prediction, its base and its rival stand out."""
    return FIXED[name].colour if name in FIXED else OTHER_COLOUR


def letter(panels: Iterable[Axes], *, inside: bool = False) -> None:
    """Letters a, b, … on the panels that show something; `inside` of maps, else above."""
    letters = (ascii_lowercase[i % len(ascii_lowercase)] for i in count())
    for axes in panels:
        if not axes.axison:
            continue
        if inside:
            axes.text(
                0.02,
                0.975,
                next(letters),
                transform=axes.transAxes,
                va="top",
                fontsize=9,
                fontweight="bold",
                zorder=6,
                bbox={"facecolor": "white", "alpha": 0.8, "edgecolor": "none", "pad": 1.5},
            )
        else:
            axes.set_title(next(letters), loc="left", fontsize=9, fontweight="bold")


def save_figure(figure: Figure, path: Path, dpi: int) -> None:
    """Write a figure that is there whole or not at all, in the format that its name ends with.

    Panels are laid out first: `savefig` would draw the whole figure twice for that.
    """
    content, kind = io.BytesIO(), path.suffix.removeprefix(".")
    layout = figure.get_layout_engine()
    if layout is not None:
        figure.set_dpi(dpi)
        layout.execute(figure)
        figure.set_layout_engine("none")
    with rc_context({"svg.hashsalt": path.stem}):
        figure.savefig(content, format=kind, dpi=dpi, metadata=NO_DATE.get(kind))
    write_bytes(path, content.getbuffer())


def open_frame(axes: Axes, grid_axis: Literal["x", "y", "both"]) -> None:
    """Grid lines along one axis ("x", "y" or "both") under the data, no lines above and right."""
    axes.grid(axis=grid_axis, color="0.9")
    axes.set_axisbelow(True)
    axes.tick_params(labelsize=7)
    axes.spines[["top", "right"]].set_visible(False)
