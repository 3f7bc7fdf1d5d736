"""Weighted sums over a window around each cell."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from app.arrays import Array, DType

TILE = 64  # cells


def window_sums(fields: Array, weights: Array) -> Array:
    """Sums (n, y, x) over windows around each cell, weighted along both axes alike.

    `weights` of an odd number of cells; those beyond the domain count as 0. In the fields' own
    precision, by products with the matrix of the window, tile by tile of cells along each axis.
    """
    n, y, x = fields.shape
    own = tuple(weights.tolist())
    flat, rows = fields.reshape(n * y, x), np.empty((n * y, x), fields.dtype)
    for tile, reach, matrix in _tiles(x, own, fields.dtype):
        rows[:, tile] = flat[:, reach] @ matrix
    rows, result = rows.reshape(n, y, x), np.empty((n, y, x), fields.dtype)
    for tile, reach, matrix in _tiles(y, own, fields.dtype):
        result[:, tile] = matrix.T @ rows[:, reach]
    return result


@lru_cache(maxsize=32)
def _tiles(
    cells: int, weights: tuple[float, ...], precision: DType
) -> list[tuple[slice, slice, Array]]:
    """Tiles of an axis of so many cells, what each one's windows reach, and their weights."""
    place, half = np.arange(cells), len(weights) // 2
    found = []
    for start in range(0, cells, TILE):
        stop = min(cells, start + TILE)
        low, high = max(0, start - half), min(cells, stop + half)
        offset = place[low:high, None] - place[start:stop]
        inside = np.abs(offset) <= half
        matrix = np.where(inside, np.array(weights)[np.clip(offset, -half, half) + half], 0.0)
        found.append((slice(start, stop), slice(low, high), matrix.astype(precision)))
    return found
