"""Map panels: fields on their own grids, with shared scales and missing cells in grey."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from textwrap import wrap
from typing import TYPE_CHECKING

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Colormap, Normalize
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from app.arrays import Array, Json
from app.grids import Grid

if TYPE_CHECKING:
    from app.metrics.metric import Subject

SEQUENTIAL, AMOUNTS, DIVERGING = "viridis", "YlGnBu", "RdBu_r"
MISSING_GREY = "0.82"
ROBUST = (0.5, 99.5)  # percentiles that bound a colour scale; beyond them the bar has arrows
PANEL_WIDTH, PANEL_HEIGHT = 3.1, 5.2  # inches, at most
NARROWEST, TALLEST = 1.5, 4.0  # inches; height of a panel over its width, at most
LETTERS_AN_INCH, TICKS_AN_INCH = 13, 1.6  # that a title and an axis have room for
TITLE_ROOM, BAR_ROOM = 0.32, 1.2  # inches above a row of panels, and beside them
FLATTEST = 0.25  # height of a panel over its width, at least
MAX_STRETCH = 4.0  # a degree of latitude drawn at most so many times a degree of longitude
MAX_TICKS = 5


@dataclass(frozen=True)
class Scale:
    """A colour scale shared by several panels."""

    low: float
    high: float
    colours: str
    extend: str

    @property
    def norm(self) -> Normalize:
        return Normalize(self.low, self.high)

    @property
    def colormap(self) -> Colormap:
        return colormaps[self.colours].with_extremes(bad=MISSING_GREY)


def _finite(fields: Iterable[Array]) -> Array:
    values = np.concatenate([np.ravel(field) for field in fields])
    values = values[np.isfinite(values)]
    return values if values.size else np.zeros(1)


def _extend(values: Array, low: float, high: float) -> str:
    below, above = bool(values.min() < low), bool(values.max() > high)
    return {(0, 0): "neither", (1, 0): "min", (0, 1): "max", (1, 1): "both"}[below, above]


def sequential(fields: Iterable[Array]) -> Scale:
    """Scale of values: the bulk of all fields together."""
    values = _finite(fields)
    low, high = (float(end) for end in np.percentile(values, ROBUST))
    high = high if high > low else low + 1.0
    return Scale(low, high, SEQUENTIAL, _extend(values, low, high))


def subject_scale(subject: Subject, fields: Iterable[Array]) -> Scale:
    """Scale of a predictand's values; of amounts, where 0 is light, as nothing is there."""
    return subject_colours(subject.variable.kind, fields)


def subject_colours(kind: str | None, fields: Iterable[Array]) -> Scale:
    """Likewise, of a variable of a kind."""
    scale = sequential(fields)
    return replace(scale, colours=AMOUNTS) if kind == "ratio" else scale


def diverging(fields: Iterable[Array]) -> Scale:
    """Scale of errors: symmetric, so that no error is white."""
    values = _finite(fields)
    bound = float(np.percentile(np.abs(values), ROBUST[1])) or 1.0
    return Scale(-bound, bound, DIVERGING, _extend(values, -bound, bound))


def _degrees(positive: str, negative: str) -> FuncFormatter:
    def text(value: float, _: int) -> str:
        value = (value + 180) % 360 - 180 if positive == "E" else value
        return f"{abs(value):g}°{positive if value > 0 else negative if value < 0 else ''}"

    return FuncFormatter(text)


def paint(axes: Axes, field: Array, grid: Grid, scale: Scale) -> None:
    """The cells of a field (y, x) in longitude and latitude, missing ones in grey."""
    masked = np.ma.masked_invalid(field)  # type: ignore[no-untyped-call]
    style: Json = {"cmap": scale.colormap, "norm": scale.norm, "rasterized": True}
    if grid.rectilinear:
        lat, lon = grid.edges
        axes.pcolormesh(lon, lat, masked, **style)
    else:
        axes.pcolormesh(grid.lon, grid.lat, masked, shading="nearest", **style)
    axes.set_facecolor(MISSING_GREY)


def draw_field(axes: Axes, field: Array, grid: Grid, scale: Scale, title: str) -> None:
    """One map panel in longitude and latitude, a degree of each as long as it is on the ground."""
    paint(axes, field, grid, scale)
    axes.set_aspect(stretch(grid))
    width = _panel_width(axes)
    axes.set_title("\n".join(wrap(title, max(8, int(LETTERS_AN_INCH * width)))), fontsize=9)
    axes.xaxis.set_major_formatter(_degrees("E", "W"))
    axes.yaxis.set_major_formatter(_degrees("N", "S"))
    ticks = int(np.clip(TICKS_AN_INCH * width, 1, MAX_TICKS))
    for axis, most in ((axes.xaxis, ticks), (axes.yaxis, MAX_TICKS)):
        axis.set_major_locator(MaxNLocator(most, steps=[1, 2, 3, 5, 10]))
    axes.tick_params(labelsize=7, length=2)
    axes.label_outer()


def _panel_width(axes: Axes) -> float:
    """Inches of a panel among others of its row, as `panel_figure` gives them."""
    spec = axes.get_subplotspec()
    figure = axes.get_figure(root=True)
    if spec is None or figure is None:
        return PANEL_WIDTH
    return float(figure.get_figwidth() - BAR_ROOM) / spec.get_gridspec().ncols


def stretch(grid: Grid) -> float:
    """Ratio of a degree of latitude to one of longitude at the middle of the domain."""
    middle = np.radians(float(grid.lat.min() + grid.lat.max()) / 2)
    return float(min(MAX_STRETCH, 1 / max(np.cos(middle), 1e-9)))


def frame(axes: Axes, grid: Grid) -> None:
    """Cut a panel to the extent of the fine grid, so that all panels show the same area."""
    if grid.rectilinear:
        lat, lon = grid.edges
        axes.set_xlim(lon.min(), lon.max())
        axes.set_ylim(lat.min(), lat.max())
    else:
        half = 0.5 / max(grid.shape)  # of the extent: about half a cell beyond the centres
        axes.set_xlim(*_widened(grid.lon, half))
        axes.set_ylim(*_widened(grid.lat, half))


def _widened(values: Array, share: float) -> tuple[float, float]:
    margin = share * float(np.ptp(values))
    return float(values.min()) - margin, float(values.max()) + margin


def panel_shape(grid: Grid) -> float:
    """Height over width of a panel that shows the domain, within what a page has room for."""
    lat, lon = grid.edges if grid.rectilinear else (grid.lat, grid.lon)
    shape = float(lat.max() - lat.min()) * stretch(grid) / float(lon.max() - lon.min())
    return float(np.clip(shape, FLATTEST, TALLEST))


def panel_figure(grid: Grid, rows: int, columns: int) -> tuple[Figure, Array]:
    """A figure whose panels have the shape of the domain; axes (rows, columns)."""
    shape = panel_shape(grid)
    width = float(np.clip(PANEL_HEIGHT / shape, NARROWEST, PANEL_WIDTH))
    height = width * shape
    title = TITLE_ROOM * PANEL_WIDTH / width  # of narrow panels in several lines
    size = (columns * width + BAR_ROOM, rows * (0.97 * height + title) + 0.5)
    figure = Figure(figsize=size, layout="constrained")
    return figure, figure.subplots(rows, columns, squeeze=False, sharex=True, sharey=True)


def colour_bar(figure: Figure, axes: Iterable[Axes], scale: Scale, label: str) -> None:
    """One bar for several panels."""
    mappable = ScalarMappable(norm=scale.norm, cmap=scale.colormap)
    bar = figure.colorbar(mappable, ax=list(axes), extend=scale.extend, shrink=0.9, pad=0.02)
    bar.set_label(label, fontsize=8)
    bar.ax.tick_params(labelsize=7)


def pick(fields: Mapping[str, Array], *names: str) -> list[Array]:
    """Those of the named fields that there are."""
    return [fields[name] for name in names if name in fields]
