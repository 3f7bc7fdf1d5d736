"""First-order conservative weights (target cells, source cells): overlaps of cells."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import chain

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.spatial import cKDTree

from app.arrays import Array
from app.grids import sphere
from app.grids.grid import Grid
from app.grids.sphere import CIRCLE, POLE, cross

NEGLIGIBLE = 1e-9  # shares of a cell below are rounding
TARGETS_AT_ONCE = 1 << 10
PAIRS_AT_ONCE = 1 << 17  # some 1 KiB of working copies each
TRIANGLES = ((0, 1, 2), (0, 2, 3))  # of a quadrilateral's corners


def conservative_weights(source: Grid, target: Grid) -> sparse.csr_matrix:
    """Overlaps of cells as shares of the target's area.

    Exact in sin φ and λ between rectilinear grids. Elsewhere cells are quadrilaterals between
    their corners, joined by straight lines on an equal-area plane (Lambert) that touches the
    sphere at the target cell: a 1° cell at 50° N then has its edge 0.001° from the parallel.
    """
    if source.rectilinear and target.rectilinear:
        return _between_rectilinear(source, target)
    return _between_quadrilaterals(_cells(source), _cells(target))


def _between_rectilinear(source: Grid, target: Grid) -> sparse.csr_matrix:
    (lat, lon), (target_lat, target_lon) = source.edges, target.edges
    height = [np.sin(np.radians(np.clip(e, -POLE, POLE))) for e in (lat, target_lat)]
    rows = _overlaps(*height)
    centre, target_centre = (lon[0] + lon[-1]) / 2, (target_lon[0] + target_lon[-1]) / 2
    shift = CIRCLE * np.round((centre - target_centre) / CIRCLE)
    columns = sum(_overlaps(lon, target_lon + shift + CIRCLE * turn) for turn in (-1, 0, 1))
    matrix = sparse.kron(sparse.csr_matrix(rows), sparse.csr_matrix(columns), format="csr")
    matrix.eliminate_zeros()
    return matrix


def _overlaps(source: Array, target: Array) -> Array:
    """Share of each target interval that each source interval covers (targets, sources)."""
    upper = np.minimum(target[1:, None], source[None, 1:])
    lower = np.maximum(target[:-1, None], source[None, :-1])
    size = np.diff(target)[:, None]
    overlap = np.clip(upper - lower, 0.0, None)
    shares = np.divide(overlap, size, out=np.zeros_like(overlap), where=size > 0)
    return np.where(shares < NEGLIGIBLE, 0.0, shares)


def _cells(grid: Grid) -> Array:
    """Unit vectors (cells, 4, 3) of the corners of every cell, in turn around it."""
    corners = grid.corners
    around = (corners[:-1, :-1], corners[:-1, 1:], corners[1:, 1:], corners[1:, :-1])
    result: Array = np.stack(around, axis=2).reshape(-1, 4, 3)
    return result


def _between_quadrilaterals(source: Array, target: Array) -> sparse.csr_matrix:
    shape = len(target), len(source)
    parts = [(_shares(source[s], target[t]), t, s) for t, s in _neighbours(source, target)]
    if not parts:
        return sparse.csr_matrix(shape)
    share, rows, columns = (np.concatenate(part) for part in zip(*parts, strict=True))
    kept = share >= NEGLIGIBLE
    entries = (share[kept], (rows[kept], columns[kept]))
    return sparse.coo_matrix(entries, shape).tocsr()


def _neighbours(
    source: Array, target: Array
) -> Iterator[tuple[NDArray[np.intp], NDArray[np.intp]]]:
    """Blocks of pairs (target, source) whose circumscribed circles meet."""
    centre, radius = _circles(source)
    target_centre, target_radius = _circles(target)
    tree, widest = cKDTree(centre), radius.max()
    for start in range(0, len(target), TARGETS_AT_ONCE):
        block = slice(start, start + TARGETS_AT_ONCE)
        near = tree.query_ball_point(target_centre[block], target_radius[block] + widest)
        count = [len(found) for found in near]
        t = start + np.repeat(np.arange(len(near)), count)
        s = np.fromiter(chain.from_iterable(near), np.intp, sum(count))
        apart = np.linalg.norm(centre[s] - target_centre[t], axis=1)
        meet = apart <= radius[s] + target_radius[t]
        t, s = t[meet], s[meet]
        for first in range(0, len(t), PAIRS_AT_ONCE):
            some = slice(first, first + PAIRS_AT_ONCE)
            yield t[some], s[some]


def _circles(cells: Array) -> tuple[Array, Array]:
    centre = sphere.normalised(cells.sum(axis=1))
    return centre, np.linalg.norm(cells - centre[:, None], axis=2).max(axis=1)


def _shares(source: Array, target: Array) -> Array:
    """Share of each target cell that its source cell covers: both (n, 4, 3) → (n,)."""
    plane = _equal_area(sphere.normalised(target.sum(axis=1)))
    cell, onto = plane(source), plane(target)
    covered = sum(_common_area(cell, onto[:, list(corners)]) for corners in TRIANGLES)
    area = np.abs(_signed_area(onto))
    return np.divide(np.abs(covered), area, out=np.zeros(len(area)), where=area > 0)


def _equal_area(centre: Array) -> Callable[[Array], Array]:
    """Lambert's azimuthal projection about each centre (n, 3)."""
    axis = np.eye(3)[np.argmin(np.abs(centre), axis=1)]
    east = sphere.normalised(np.cross(axis, centre))
    basis = np.stack([east, np.cross(centre, east)], axis=2)

    def plane(vectors: Array) -> Array:
        depth = 1 + np.einsum("nvk,nk->nv", vectors, centre)
        result: Array = (vectors @ basis) * np.sqrt(2 / np.maximum(depth, NEGLIGIBLE))[..., None]
        return result

    return plane


def _common_area(cells: Array, triangles: Array) -> Array:
    """Area that cells (n, 4, 2) share with triangles (n, 3, 2), with the sign of both turns."""
    turn = np.sign(_signed_area(triangles))
    corners = np.where(turn[:, None, None] < 0, triangles[:, ::-1], triangles)
    ahead = np.roll(corners, -1, axis=1)
    side = cross((ahead - corners)[:, :, None], cells[:, None] - corners[:, :, None])
    area = np.where((side >= 0).all(axis=(1, 2)), _signed_area(cells), 0.0)
    cut = ~((side >= 0).all(axis=(1, 2)) | (side <= 0).all(axis=2).any(axis=1))
    polygon = cells[cut]
    for corner in range(3):
        polygon = _clipped(polygon, corners[cut, corner], ahead[cut, corner])
    area[cut] = _signed_area(polygon)
    result: Array = turn * area
    return result


def _clipped(polygons: Array, start: Array, end: Array) -> Array:
    """Polygons (n, v, 2) cut to the left of lines from start to end (n, 2): (n, 2v, 2).

    Corners on the right move to their feet on the line. The outline then runs along the line
    between the points where it crosses, perhaps to and fro, which adds no area.
    """
    along = (end - start)[:, None]
    side = cross(along, polygons - start[:, None])
    length = np.maximum((along**2).sum(axis=2), np.finfo(float).tiny)
    normal = np.stack([-along[..., 1], along[..., 0]], axis=2)
    right = side < 0
    kept = polygons - np.where(right, side / length, 0.0)[..., None] * normal
    crosses = right != np.roll(right, -1, axis=1)
    share = np.divide(
        side, side - np.roll(side, -1, axis=1), out=np.zeros_like(side), where=crosses
    )
    meeting = polygons + share[..., None] * (np.roll(polygons, -1, axis=1) - polygons)
    second = np.where(crosses[..., None], meeting, kept)
    result: Array = np.stack([kept, second], axis=2).reshape(len(polygons), -1, 2)
    return result


def _signed_area(polygons: Array) -> Array:
    """Area (n,) of polygons (n, v, 2), positive where they turn anticlockwise."""
    shifted = polygons - polygons[:, :1]
    result: Array = cross(shifted, np.roll(shifted, -1, axis=1)).sum(axis=1) / 2
    return result
