"""From one grid to another: sparse weights, built once and applied to any number of fields."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse

from app.errors import InputError
from app.grids import interpolation, overlap
from app.grids.grid import Grid

METHODS = ("nearest", "bilinear", "bicubic", "conservative")
CLEARLY_FINER = 0.75  # of the target's spacing, below which a source is averaged over cells
MIN_WEIGHT = 0.5  # share of a target cell's weight that must be valid
WEIGHT_TOLERANCE = 1e-5  # float32 sums of weights fall short of one half by about this much
BLOCK_VALUES = 1 << 22  # source values regridded at once: bounds the working copies


@dataclass(frozen=True, eq=False)
class Regridder:
    """Weights (target cells, source cells), rows summing to the covered share of each target.

    `fallback` are bilinear weights for targets of which a cubic tap is missing.
    """

    weights: sparse.csr_matrix
    source_shape: tuple[int, int]
    target_shape: tuple[int, ...]
    method: str
    fallback: sparse.csr_matrix | None = None

    def __call__(self, fields: ArrayLike) -> NDArray[np.float32]:
        """Fields (..., ys, xs) on the source grid → (..., *target_shape).

        Weights are renormalised over valid cells; NaN where less than half the weight is valid
        and outside the source.
        """
        values = np.asarray(fields, np.float32)
        if values.shape[-2:] != self.source_shape:
            raise InputError(
                f"regridding: expected fields of {self.source_shape[0]}×{self.source_shape[1]} "
                f"cells, received {values.shape[-2:]}"
            )
        lead = values.shape[:-2]
        flat = values.reshape(-1, self.weights.shape[1])
        out = np.empty((len(flat), self.weights.shape[0]), np.float32)
        step = max(1, BLOCK_VALUES // max(self.weights.shape))
        for start in range(0, len(flat), step):
            cells = np.ascontiguousarray(flat[start : start + step].T)
            out[start : start + step] = self._apply(cells).T
        return out.reshape(*lead, *self.target_shape)

    def _apply(self, cells: NDArray[np.float32]) -> NDArray[np.float32]:
        """Source cells (ns, n) → target cells (nt, n)."""
        valid = np.isfinite(cells)
        if valid.all():
            return _weighted_mean(self.weights, cells, None)
        filled = np.where(valid, cells, np.float32(0))
        if self.fallback is None:
            return _weighted_mean(self.weights, filled, valid)
        cubic = _weighted_mean(self.weights, filled, None)
        touched = self._pattern @ (~valid).astype(np.float32) > 0
        return np.where(touched, _weighted_mean(self.fallback, filled, valid), cubic)

    @cached_property
    def _pattern(self) -> sparse.csr_matrix:
        pattern = self.weights.copy()
        pattern.data = np.ones_like(pattern.data)
        return pattern

    @property
    def covered(self) -> NDArray[np.bool_]:
        """Target cells that lie inside the source, with at least half of their weight."""
        total = np.asarray(self.weights.sum(axis=1)).reshape(self.target_shape)
        return total >= MIN_WEIGHT - WEIGHT_TOLERANCE

    @property
    def outside(self) -> float:
        """Share of target cells that lie outside the source and are always NaN."""
        return float(np.mean(~self.covered))

    def describe(self) -> str:
        """One line for the log."""
        sizes = " → ".join("×".join(map(str, s)) for s in (self.source_shape, self.target_shape))
        beyond = f"; {self.outside:.1%} of the target lies outside" if self.outside else ""
        return f"{self.method} {sizes}{beyond}"


def regridder(source: Grid, lat: ArrayLike, lon: ArrayLike, method: str) -> Regridder:
    """Regridder to points: 1-D `lat` and `lon` span a mesh, 2-D ones are (y, x), degrees.

    method "nearest", "bilinear", "bicubic" (Keys 1981, a = -0.5) or
    "conservative" (target edges halfway between the centres). InputError:
    unknown method, unsuitable grid, no target inside the source.
    """
    lat, lon = np.asarray(lat, np.float64), np.asarray(lon, np.float64)
    return regridder_between(source, Grid(lat, lon), method)


def regridder_between(source: Grid, target: Grid, method: str) -> Regridder:
    """Regridder to the cells of a grid; conservative uses the edges of both.

    "auto" takes means over cells where the source is clearly finer, because points between its
    cells would miss most of it, and is bilinear elsewhere.
    """
    if method == "auto":
        finer = source.spacing < CLEARLY_FINER * target.spacing
        method = "conservative" if finer else "bilinear"
    if method not in METHODS:
        raise InputError(f"regrid is {method!r}, expected one of {', '.join(METHODS)}")
    weights = _weights(source, target, method)
    if not weights.nnz:
        raise InputError(
            f"the grids do not overlap: source {source.extent()}; target {target.extent()}"
        )
    fallback = _weights(source, target, "bilinear") if method == "bicubic" else None
    return Regridder(weights, source.shape, target.shape, method, fallback)


def _weights(source: Grid, target: Grid, method: str) -> sparse.csr_matrix:
    if method == "conservative":
        weights = overlap.conservative_weights(source, target)
    elif source.rectilinear:
        weights = interpolation.rectilinear_weights(source, target, method)
    else:
        weights = interpolation.curvilinear_weights(source, target, method)
    return weights.astype(np.float32)


def _weighted_mean(
    weights: sparse.csr_matrix, cells: NDArray[np.float32], valid: NDArray[np.bool_] | None
) -> NDArray[np.float32]:
    """Means over valid cells (all, if None); NaN where they carry less than half the weight."""
    shares = np.ones((cells.shape[0], 1)) if valid is None else valid
    total = weights @ shares.astype(np.float32)
    enough = total >= MIN_WEIGHT - WEIGHT_TOLERANCE
    mean = (weights @ cells) / np.where(enough, total, np.float32(1))
    return np.where(enough, mean, np.float32(np.nan))
