"""Where points lie along the rows and columns of a grid with 2-D coordinates."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from app.arrays import Array
from app.grids import sphere
from app.grids.grid import Grid
from app.grids.sphere import cross

SAME_PLACE = 0.1  # of a cell, within which axes of two grids lead to one place on the sphere
OUTSIDE = 1e-9  # of a cell: points this far beyond its sides are still in it
MAX_STEPS = 200  # cells walked through in search of a point
NEWTON_STEPS = 6
NOWHERE = -10.0  # cells: a position outside every grid


@dataclass(frozen=True, eq=False)
class Axis:
    """Increasing cell centres and edges along one axis, and the points to interpolate to.

    `period`: the length of a closed circle.
    """

    centres: Array
    edges: Array
    points: Array
    period: float | None = None


def with_axes(grid: Grid) -> Grid:
    """The grid with numbers of rows and columns as its axes, where it has no axes of its own."""
    if grid.rectilinear or (grid.y is not None and grid.x is not None):
        return grid
    rows, columns = (np.arange(size, dtype=float) for size in grid.shape)
    return replace(grid, y=rows, x=columns, y_edges=None, x_edges=None)


def shared_axes(source: Grid, target: Grid) -> tuple[Axis, Axis] | None:
    """Rows and columns of two grids cut from one plane: one projection, or blocks of cells.

    None unless the axes of the target, followed on the source, lead to the target's latitudes
    and longitudes.
    """
    if source.rectilinear or target.rectilinear:
        return None
    y = _increasing(source.y, source.y_edges, target.y)
    x = _increasing(source.x, source.x_edges, target.x)
    if y is None or x is None:
        return None
    rows, columns = (np.interp(a.points, a.edges, np.arange(len(a.edges))) for a in (y, x))
    inside = np.logical_and.outer(
        *((a.edges[0] <= a.points) & (a.points <= a.edges[-1]) for a in (y, x))
    )
    places = _bilinear(source.corners, *np.meshgrid(rows, columns, indexing="ij"))
    apart = np.linalg.norm(places - sphere.unit_vectors(target.lat, target.lon), axis=-1)
    if not inside.any() or apart[inside].max() > SAME_PLACE * np.radians(source.spacing):
        return None
    points = np.meshgrid(y.points, x.points, indexing="ij")
    return replace(y, points=points[0].ravel()), replace(x, points=points[1].ravel())


def _increasing(centres: Array | None, edges: Array | None, points: Array | None) -> Axis | None:
    if centres is None or points is None:
        return None
    if edges is None:
        if len(centres) < 2:
            return None
        edges = sphere.midpoint_edges(centres)
    sign = 1.0 if edges[-1] > edges[0] else -1.0
    axis = Axis(sign * centres, sign * edges, sign * points)
    return axis if (np.diff(axis.edges) > 0).all() else None


def _bilinear(lattice: Array, rows: Array, columns: Array) -> Array:
    """Unit vectors at fractional positions in a lattice (m, n, 3) of them."""
    i = np.minimum(rows.astype(np.intp), lattice.shape[0] - 2)
    j = np.minimum(columns.astype(np.intp), lattice.shape[1] - 2)
    s, t = (rows - i)[..., None], (columns - j)[..., None]
    south = (1 - t) * lattice[i, j] + t * lattice[i, j + 1]
    north = (1 - t) * lattice[i + 1, j] + t * lattice[i + 1, j + 1]
    return sphere.normalised((1 - s) * south + s * north)


def index_axes(source: Grid, target: Grid) -> tuple[Axis, Axis]:
    """Rows and columns of the source as numbers, and the target cells' places among them.

    A place is found between the four centres around it; half a cell outside the outermost
    centres the grid ends, unless its columns close a circle.
    """
    points = sphere.unit_vectors(source.lat, source.lon)
    closed = sphere.closes(points)
    ring = sphere.extend(points, 1, 1, 0, step=0.5)
    if closed:
        ring = np.concatenate([ring[:, -1:], ring, ring[:, :1]], axis=1)
    else:
        ring = sphere.extend(ring, 1, 1, 1, step=0.5)
    places = np.stack(located(ring, sphere.unit_vectors(*target.mesh()).reshape(-1, 3)))
    known = np.isfinite(places).all(axis=0)
    axes = []
    for size, place, around in zip(source.shape, places, (False, closed), strict=True):
        beyond = 1.0 if around else 0.5
        numbers = np.concatenate([[-beyond], np.arange(size), [size - 1 + beyond]])
        at = np.interp(place, np.arange(size + 2.0), numbers)
        at = np.where(known, at, NOWHERE)
        period = float(size) if around else None
        axes.append(Axis(np.arange(float(size)), np.arange(size + 1) - 0.5, at, period))
    return axes[0], axes[1]


def located(lattice: Array, points: Array) -> tuple[Array, Array]:
    """Fractional row and column of points (n, 3) in a lattice (m, k, 3); NaN outside.

    Walks from the nearest inner vertex from cell to cell towards the point. On the plane that
    touches the sphere at the point, where great circles are straight (gnomonic), the sides of a
    cell are those of its neighbours, so that no point falls between two cells.
    """
    last = np.array(lattice.shape[:2]) - 2
    inner = lattice[1:-1, 1:-1]
    _, nearest = cKDTree(inner.reshape(-1, 3)).query(points)
    cell = 1 + np.stack(np.unravel_index(nearest, inner.shape[:2]), axis=1)
    place = np.full((len(points), 2), np.nan)
    active = np.arange(len(points))
    for _ in range(MAX_STEPS):
        within = _within(lattice, cell[active], points[active])
        inside = ((within >= -OUTSIDE) & (within <= 1 + OUTSIDE)).all(axis=1)
        place[active[inside]] = cell[active[inside]] + within[inside]
        active, within = active[~inside], within[~inside]
        step = (within > 1 + OUTSIDE).astype(np.intp) - (within < -OUTSIDE)
        moved = np.clip(cell[active] + step, 0, last)
        stays = (moved == cell[active]).all(axis=1)
        cell[active] = moved
        active = active[~stays]
        if not len(active):
            break
    return place[:, 0], place[:, 1]


def _within(lattice: Array, cell: NDArray[np.intp], points: Array) -> Array:
    """Shares (n, 2) along rows and columns of cells at which points lie: inverse bilinear."""
    plane = _gnomonic(points)
    i, j = cell.T
    south_west, south_east, north_west, north_east = (
        plane(lattice[i + di, j + dj]) for di, dj in np.ndindex(2, 2)
    )
    up, east = north_west - south_west, south_east - south_west
    twist = north_east - north_west - east
    s, t = np.full(len(points), 0.5), np.full(len(points), 0.5)
    for _ in range(NEWTON_STEPS):
        missed = south_west + s[:, None] * up + t[:, None] * east + (s * t)[:, None] * twist
        by_s, by_t = up + t[:, None] * twist, east + s[:, None] * twist
        area = cross(by_s, by_t)
        area = np.where(np.abs(area) < np.finfo(float).tiny, np.finfo(float).tiny, area)
        s = np.clip(s - cross(missed, by_t) / area, -9, 9)
        t = np.clip(t - cross(by_s, missed) / area, -9, 9)
    return np.stack([s, t], axis=1)


def _gnomonic(centre: Array) -> Callable[[Array], Array]:
    """Projection of each vector (n, 3) onto the plane that touches the sphere at its centre."""
    axis = np.eye(3)[np.argmin(np.abs(centre), axis=1)]
    east = sphere.normalised(np.cross(axis, centre))
    north = np.cross(centre, east)

    def plane(vectors: Array) -> Array:
        depth = np.maximum(np.sum(vectors * centre, axis=1), OUTSIDE)
        along = np.stack([np.sum(vectors * east, axis=1), np.sum(vectors * north, axis=1)], axis=1)
        result: Array = along / depth[:, None]
        return result

    return plane
