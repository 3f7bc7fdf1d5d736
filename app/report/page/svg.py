"""Figures of lines as SVG within a page: they take its colours, in the dark as in the light."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from markupsafe import Markup, escape
from matplotlib import rc_context
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from app.metrics.drawing import style

INK, LINES = "#010203", to_hex("0.9")  # of texts and axes, and of grid lines: both follow the page
# The colours of candidates, which the style sheet of the page lightens in the dark.
PAINTS = {
    style.BLACK: "ink",
    style.ORANGE: "orange",
    style.SKY: "sky",
    style.GREEN: "green",
    style.BLUE: "blue",
    style.VERMILLION: "vermillion",
    style.PURPLE: "purple",
    style.GREY: "grey",
    style.INDIGO: "indigo",
    style.WINE: "wine",
    style.OLIVE: "olive",
    "#7f7f7f": "grey",
    "#4c4c4c": "muted",
    INK: "ink",
    LINES: "line",
}
COLOUR = re.compile("|".join(map(re.escape, PAINTS)))
IDS = re.compile(r"""(\bid="|href="#|url\(#)([^")]+)""")
SIZE = re.compile(r'(<svg [^>]*?)width="([\d.]+)pt" height="([\d.]+)pt"')
METADATA = re.compile(r"<metadata>.*?</metadata>", re.DOTALL)
CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff]")  # what XML cannot hold


@contextmanager
def page_style() -> Iterator[None]:
    """Figures made and drawn within take the page's colours; `$` in names is no formula."""
    told: dict[Any, Any] = dict.fromkeys(
        ("text.color", "axes.labelcolor", "axes.edgecolor", "xtick.color", "ytick.color"), INK
    )
    told |= {"text.parse_math": False, "svg.fonttype": "none", "savefig.transparent": True}
    with rc_context(told):
        yield


def inline(figure: Figure, alt: str, salt: str) -> Markup:
    """A figure as an `svg` element that tells in words what it shows.

    salt: a name of its own on the page, for identifiers that are the same in every writing.
    """
    out = io.BytesIO()
    with rc_context({"svg.hashsalt": salt}):
        figure.savefig(out, format="svg", metadata={"Date": None})
    text = out.getvalue().decode()
    text = METADATA.sub("", text[text.index("<svg") :])
    text = IDS.sub(rf"\g<1>{_plain(salt)}-\g<2>", text)
    text = COLOUR.sub(lambda found: f"var(--{PAINTS[found[0]]})", text)
    told = f'role="img" aria-label="{escape(CONTROL.sub("", alt))}"'
    text = SIZE.sub(rf'\g<1>{told} class="chart" style="max-width:\g<2>pt"', text, count=1)
    return Markup(text)


def _plain(name: str) -> str:
    return re.sub(r"\W+", "-", name)
