"""The fine grid and its coarse partner: padding, cropping and coarsening."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from app.arrays import Array, Json
from app.errors import InputError
from app.grids import sphere
from app.grids.grid import Grid

BLOCK_CELLS = 1 << 22  # fine cells coarsened at once: bounds the float64 working copies


@dataclass(frozen=True, eq=False)
class Geometry:
    """The fine target grid and its coarse partner: blocks of scale × scale fine cells.

    The fine extent is padded at its end to a multiple of the scale, and by `halo` coarse cells
    on every side. A block at the end that padding completes is a smaller coarse cell: it holds,
    and is centred on, the real fine cells alone, of which it is the mean.
    """

    fine: Grid
    scale: int
    halo: int = 0

    @classmethod
    def build(cls, fine: Grid, scale: int, halo: int = 0) -> Geometry:
        """Checked against the grid; InputError for a scale below 1 or larger than the grid."""
        whole = isinstance(scale, int | np.integer) and not isinstance(scale, bool)
        if not whole or scale < 1:
            raise InputError(f"scale is {scale!r}, expected a whole number of at least 1")
        if scale > min(fine.shape):
            raise InputError(
                f"scale {scale} is larger than the grid of {fine.shape[0]}×{fine.shape[1]} cells"
            )
        if halo < 0:
            raise InputError(f"halo is {halo}, expected 0 or more coarse cells")
        return cls(fine, int(scale), int(halo))

    @property
    def pad(self) -> tuple[int, int, int, int]:
        """Fine cells added (top, bottom, left, right); "top" is before the first row."""
        around = self.halo * self.scale
        rows, columns = (-size % self.scale for size in self.fine.shape)
        return around, rows + around, around, columns + around

    @property
    def fine_shape(self) -> tuple[int, int]:
        return self.fine.shape

    @property
    def padded_shape(self) -> tuple[int, int]:
        """Fine cells (H, W) with the padding."""
        top, bottom, left, right = self.pad
        return self.fine.shape[0] + top + bottom, self.fine.shape[1] + left + right

    @property
    def coarse_shape(self) -> tuple[int, int]:
        """Coarse cells (h, w) with the halo."""
        return self.padded_shape[0] // self.scale, self.padded_shape[1] // self.scale

    @property
    def _inner_shape(self) -> tuple[int, int]:
        """Coarse cells that hold at least one real fine cell."""
        return self.coarse_shape[0] - 2 * self.halo, self.coarse_shape[1] - 2 * self.halo

    @property
    def inner(self) -> NDArray[np.bool_]:
        """Coarse cells (h, w) that hold at least one fine cell; the others are the halo."""
        inner = np.zeros(self.coarse_shape, bool)
        height, width = self._inner_shape
        inner[self.halo : self.halo + height, self.halo : self.halo + width] = True
        return inner

    def fine_cells(self, coarse: Array) -> Array:
        """What is known of coarse cells (..., h, w), for each of their fine ones (..., y, x)."""
        whole = coarse.repeat(self.scale, axis=-2).repeat(self.scale, axis=-1)
        return self.crop(whole)

    @cached_property
    def coarse(self) -> Grid:
        """The coarse grid (h, w), continued into the halo with the fine grid's edge spacing.

        A block that the fine grid fills in part ends with it: its centre and edges are those of
        the fine cells there are, as its mean is.
        """
        return _coarse_rectilinear(self) if self.fine.rectilinear else _coarse_curvilinear(self)

    def weights(self) -> Array:
        """Relative cell areas (H, W) of the padded fine grid, 0 in the padding."""
        return self.pad_field(self.fine.cell_areas(), fill=0.0)

    def pad_field(
        self, fields: Array, fill: float = np.nan, axes: tuple[int, int] = (-2, -1)
    ) -> Array:
        """Fields with (y, x) on `axes` → (H, W), `fill` in the padding."""
        top, bottom, left, right = self.pad
        widths = [(0, 0)] * fields.ndim
        widths[axes[0]], widths[axes[1]] = (top, bottom), (left, right)
        return np.pad(fields, widths, constant_values=fill)

    def crop(self, fields: Array, axes: tuple[int, int] = (-2, -1)) -> Array:
        """Fields with (H, W) on `axes` → (y, x), a view."""
        top, _, left, _ = self.pad
        kept: list[slice] = [slice(None)] * fields.ndim
        kept[axes[0]] = slice(top, top + self.fine.shape[0])
        kept[axes[1]] = slice(left, left + self.fine.shape[1])
        return fields[tuple(kept)]

    def coarsen(self, fields: ArrayLike, min_valid_fraction: float = 0.5) -> NDArray[np.float32]:
        """Area-weighted block means over valid cells: (..., y, x) → (..., h, w) float32.

        NaN where fewer than `min_valid_fraction` of a block's cells within the fine grid are
        valid. Blocks without any such cell take the value of the nearest block that has one,
        or across the date line where the grid closes the circle.
        """
        values = np.asarray(fields)
        flat = values.reshape(-1, *self.fine.shape)
        means = np.empty((len(flat), *self._inner_shape), np.float32)
        step = max(1, BLOCK_CELLS // (self.fine.shape[0] * self.fine.shape[1]))
        for start in range(0, len(flat), step):
            part = slice(start, start + step)
            means[part] = self._block_means(flat[part], min_valid_fraction)
        rows, columns = self._nearest_inner
        shape = (*values.shape[:-2], *self.coarse_shape)
        return (means if not self.halo else means[:, rows[:, None], columns]).reshape(shape)

    @cached_property
    def _nearest_inner(self) -> tuple[Array, Array]:
        """For every coarse row and column, the inner one that it takes its value from."""
        (h, w), (inner_h, inner_w) = self.coarse_shape, self._inner_shape
        rows, columns = np.arange(h) - self.halo, np.arange(w) - self.halo
        wraps = self.fine.periodic and self.fine.shape[1] % self.scale == 0
        columns = columns % inner_w if wraps else np.clip(columns, 0, inner_w - 1)
        return np.clip(rows, 0, inner_h - 1), columns

    @cached_property
    def _inner_areas(self) -> Array:
        result: Array = self._pad_to_blocks(self.fine.cell_areas()[None], 0.0)[0]
        return result

    def _pad_to_blocks(self, fields: Array, fill: float) -> Array:
        rows, columns = (-size % self.scale for size in self.fine.shape)
        if not rows and not columns:
            return fields
        return np.pad(fields, ((0, 0), (0, rows), (0, columns)), constant_values=fill)

    def _block_sums(self, cells: Array) -> Array:
        """Sums over blocks: (n, inner H, inner W) → (n, inner h, inner w)."""
        h, w = self._inner_shape
        bands = cells.reshape(len(cells), h, self.scale, -1).sum(axis=2)
        result: Array = bands.reshape(len(cells), h, w, self.scale).sum(axis=3)
        return result

    def _block_means(self, fields: Array, min_valid_fraction: float) -> Array:
        areas = self._inner_areas
        valid = np.isfinite(fields)
        if valid.all():
            sums = self._block_sums(self._pad_to_blocks(fields, 0.0) * areas)
            return sums / self._block_sums(areas[None])
        sums = self._block_sums(self._pad_to_blocks(np.where(valid, fields, 0.0), 0.0) * areas)
        valid = self._pad_to_blocks(valid, False)
        total = self._block_sums(valid * areas)
        present = self._block_sums((areas > 0)[None])
        enough = self._block_sums(valid) >= min_valid_fraction * present
        enough &= total > 0
        return np.where(enough, sums / np.where(enough, total, 1.0), np.nan)

    def describe(self) -> str:
        """One line for the log: sizes, what is padded, and cells smaller than the others."""
        (y, x), (h, w) = self.fine.shape, self.coarse_shape
        line = f"fine grid {y}×{x}, scale {self.scale}, coarse grid {h}×{w}"
        if any(self.pad):
            top, bottom, left, right = self.pad
            line += (
                f"; padded to {self.padded_shape[0]}×{self.padded_shape[1]} by {top} + {bottom} "
                f"rows and {left} + {right} columns (masked)"
            )
        smaller = [
            f"{size % self.scale} of {self.scale} {name}"
            for size, name in zip(self.fine.shape, ("rows", "columns"), strict=True)
            if size % self.scale
        ]
        if smaller:
            line += (
                f"; coarse cells at the end of the grid hold only {' and '.join(smaller)} and "
                "stand at their centre; networks place them as if whole"
            )
        return line

    def to_dict(self) -> Json:
        """JSON-able."""
        return {"fine": self.fine.to_dict(), "scale": self.scale, "halo": self.halo}

    @classmethod
    def from_dict(cls, stored: Json) -> Geometry:
        """The geometry that `to_dict` came from."""
        return cls(Grid.from_dict(stored["fine"]), stored["scale"], stored["halo"])


def _block_edges(size: int, scale: int, halo: int) -> NDArray[np.intp]:
    """Fine cells from the start of the padded axis to each edge of a coarse cell."""
    blocks = -(-size // scale)
    edges = np.arange(blocks + 2 * halo + 1) * scale
    edges[halo + blocks] = halo * scale + size
    return edges


def _axes_edges(geometry: Geometry) -> list[NDArray[np.intp]]:
    return [_block_edges(size, geometry.scale, geometry.halo) for size in geometry.fine_shape]


def _coarse_rectilinear(geometry: Geometry) -> Grid:
    fine, (rows, columns) = geometry.fine, _axes_edges(geometry)
    top, bottom, left, right = geometry.pad
    lat, lon = fine.edges
    lat = sphere.extended_edges(lat, top, bottom)[rows]
    lon = sphere.extended_edges(lon, left, right)[columns]
    return Grid(
        lat=(lat[:-1] + lat[1:]) / 2,
        lon=(lon[:-1] + lon[1:]) / 2,
        dims=fine.names,
        names=fine.names,
        lat_edges=lat,
        lon_edges=lon,
        attrs={name: fine.attrs[name] for name in fine.names if name in fine.attrs},
    )


def _coarse_curvilinear(geometry: Geometry) -> Grid:
    fine, (rows, columns) = geometry.fine, _axes_edges(geometry)
    top, bottom, left, right = geometry.pad
    points = _padded(sphere.unit_vectors(fine.lat, fine.lon), geometry)[: rows[-1], : columns[-1]]
    sums = np.add.reduceat(np.add.reduceat(points, rows[:-1], axis=0), columns[:-1], axis=1)
    lat, lon = sphere.lat_lon(sums)
    centre = (fine.lon.min() + fine.lon.max()) / 2
    lon += sphere.CIRCLE * np.round((centre - lon) / sphere.CIRCLE)
    corners = _padded(fine.corners, geometry)[rows[:, None], columns]
    lat_edges, lon_edges = sphere.lat_lon(corners)
    y, y_edges = _coarse_axis(fine.y, fine.y_edges, rows, (top, bottom))
    x, x_edges = _coarse_axis(fine.x, fine.x_edges, columns, (left, right))
    return replace(
        fine,
        flipped=False,
        flipped_columns=False,
        lat=lat,
        lon=lon,
        y=y,
        x=x,
        lat_edges=lat_edges,
        lon_edges=lon_edges,
        y_edges=y_edges,
        x_edges=x_edges,
    )


def _padded(points: Array, geometry: Geometry) -> Array:
    """Unit vectors (y, x, 3) carried on over the padding."""
    top, bottom, left, right = geometry.pad
    return sphere.extend(sphere.extend(points, top, bottom, 0), left, right, 1)


def _coarse_axis(
    centres: Array | None, edges: Array | None, at: NDArray[np.intp], around: tuple[int, int]
) -> tuple[Array | None, Array | None]:
    """Centres and edges of the coarse cells along an axis of the fine grid's own."""
    if centres is None:
        return None, None
    edges = sphere.midpoint_edges(centres) if edges is None else edges
    edges = sphere.extended_edges(edges, *around)[at]
    return (edges[:-1] + edges[1:]) / 2, edges
