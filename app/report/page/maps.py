"""Maps as small pictures of fields alone; titles and colour bars stand beside them as text."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from app.arrays import Array
from app.grids import Grid
from app.metrics.drawing.maps import Scale, frame, paint, panel_shape
from app.metrics.ground import Ground

WIDTH = 3.6  # inches, at most
HEIGHT = 4.2  # inches, at most
DPI = 110
STOPS = 17  # colours that a bar is drawn from
LEVELS = 256  # colours that the script paints with
MARKS = 5  # numbers beside a bar


@dataclass(frozen=True)
class Bar:
    """A colour bar: its colours as CSS takes them, and the numbers beside it."""

    label: str
    colours: str
    marks: tuple[str, ...]

    @classmethod
    def of(cls, scale: Scale, label: str) -> Bar:
        stops = ",".join(palette(scale, STOPS))
        values = np.linspace(scale.low, scale.high, MARKS)
        marks = [f"{value:.3g}" for value in values + 0.0]
        if scale.extend in ("min", "both"):
            marks[0] = f"≤ {marks[0]}"
        if scale.extend in ("max", "both"):
            marks[-1] = f"≥ {marks[-1]}"
        return cls(label, f"linear-gradient(to right,{stops})", tuple(marks))


@dataclass(frozen=True)
class Picture:
    """A map: its address, which holds it, its size in pixels, a title, and what it shows."""

    title: str
    address: str
    width: int
    height: int
    alt: str
    note: str = ""


@dataclass(frozen=True)
class Panels:
    """Maps side by side that share colour bars."""

    title: str
    pictures: tuple[Picture, ...]
    bars: tuple[Bar, ...]


@dataclass(frozen=True, eq=False)
class Painter:
    """Draws fields (y, x) of one grid, all to the same size."""

    grid: Grid
    ground: Ground

    def picture(
        self,
        title: str,
        field: Array,
        scale: Scale,
        unit: str,
        *,
        grid: Grid | None = None,
        relief: bool = False,
        note: str = "",
    ) -> Picture:
        """A map of a field, on the painter's grid or on one of its own."""
        shape = panel_shape(self.grid)
        width = min(WIDTH, HEIGHT / shape)
        figure = Figure(figsize=(width, width * shape), dpi=DPI)
        axes = figure.add_axes((0.0, 0.0, 1.0, 1.0))
        paint(axes, field, grid or self.grid, scale)
        frame(axes, self.grid)
        axes.set_aspect("auto")
        self.ground.draw(axes, self.grid, relief=relief)
        axes.set_axis_off()
        axes.patch.set_visible(True)
        out = io.BytesIO()
        kind = {"lossless": True, "method": 6}
        figure.savefig(out, format="webp", dpi=DPI, pil_kwargs=kind, facecolor="0.82")
        address = f"data:image/webp;base64,{base64.b64encode(out.getvalue()).decode()}"
        x, y = (round(side * DPI) for side in figure.get_size_inches())
        return Picture(title, address, x, y, _in_words(title, field, unit), note)


def palette(scale: Scale, count: int = LEVELS) -> list[str]:
    """Colours of a scale from its lowest to its highest value, as CSS writes them."""
    return [to_hex(colour) for colour in scale.colormap(np.linspace(0, 1, count))]


def _in_words(title: str, field: Array, unit: str) -> str:
    known = field[np.isfinite(field)]
    if not known.size:
        return f"Map of {title}: no values."
    values = [f"{value:.3g}" for value in (known.min(), known.mean(), known.max())]
    within = f"from {values[0]} to {values[2]}, {values[1]} on average"
    return f"Map of {title}: {within}{'' if unit == '1' else f' {unit}'}."


def labelled(name: str, unit: str) -> str:
    """A name with its unit in brackets, where it has one."""
    return name if unit in ("", "1") else f"{name} [{unit}]"


def extent_in_words(grid: Grid) -> str:
    """The edges of a domain as readers write them: 50 to 58°N, 10°W to 2°E."""

    def named(value: float, positive: str, negative: str) -> str:
        return f"{abs(value):.4g}°{positive if value >= 0 else negative}"

    def turned(lon: float) -> float:
        return (lon + 180) % 360 - 180

    south, north = float(grid.lat.min()), float(grid.lat.max())
    west, east = turned(float(grid.lon.min())), turned(float(grid.lon.max()))
    return (
        f"{named(south, 'N', 'S')} to {named(north, 'N', 'S')}, "
        f"{named(west, 'E', 'W')} to {named(east, 'E', 'W')}"
    )


def known_of(fields: Sequence[Array]) -> list[Array]:
    """Values that a scale may be taken from."""
    return [field[np.isfinite(field)] for field in fields]
