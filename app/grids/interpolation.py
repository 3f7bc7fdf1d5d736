"""Sparse interpolation weights (target cells, source cells) between two grids."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.spatial import Delaunay, QhullError, cKDTree

from app.arrays import Array
from app.errors import InputError
from app.grids import lattice, sphere
from app.grids.grid import Grid
from app.grids.lattice import Axis
from app.grids.sphere import CIRCLE, POLE, cross

EDGE_TOLERANCE = 5e-5  # degrees beyond the outer edge that are still inside: float32 has 3e-5
MAX_STEPS = 1000  # triangles walked through in search of a point
SMALLEST_AREA = 1e-18  # square radii (0.4 cm²): triangles below are rounding
NEGLIGIBLE = 1e-9  # weights below are rounding; kept, a NaN there would spoil the target


@dataclass(frozen=True, eq=False)
class Taps:
    """Source indices and weights (targets, taps) along one axis, and which targets are inside."""

    index: NDArray[np.intp]
    weight: Array
    inside: NDArray[np.bool_]


def rectilinear_weights(source: Grid, target: Grid, method: str) -> sparse.csr_matrix:
    """Weights of "nearest", "bilinear" or "bicubic" from a rectilinear grid.

    Beyond the outermost centres the value is that of the centre, as far as the cell's edge.
    """
    lat, lon = target.mesh()
    lat_edges, lon_edges = source.edges
    east = _eastward(lon.ravel(), lon_edges[0])
    return axis_weights(
        Axis(source.lat, lat_edges, np.clip(lat, -POLE, POLE).ravel()),
        Axis(source.lon, lon_edges, east, CIRCLE if source.periodic else None),
        method,
    )


def axis_weights(rows: Axis, columns: Axis, method: str) -> sparse.csr_matrix:
    """Weights of points, each given by its place along both axes."""
    along, across = _taps(rows, method), _taps(columns, method)
    index = along.index[:, :, None] * len(columns.centres) + across.index[:, None, :]
    weight = along.weight[:, :, None] * across.weight[:, None, :]
    weight[~(along.inside & across.inside)] = 0.0
    targets, cells = len(rows.points), len(rows.centres) * len(columns.centres)
    return _matrix(index.reshape(targets, -1), weight.reshape(targets, -1), cells)


def _eastward(lon: Array, west: float) -> Array:
    """Longitudes shifted by multiples of 360 to lie at or east of `west`."""
    shifted = west + (lon - west) % CIRCLE
    return np.where(shifted > west + CIRCLE - EDGE_TOLERANCE, shifted - CIRCLE, shifted)


def _taps(axis: Axis, method: str) -> Taps:
    points, centres, edges = axis.points, axis.centres, axis.edges
    inside = (points >= edges[0] - EDGE_TOLERANCE) & (points <= edges[-1] + EDGE_TOLERANCE)
    n = len(centres)
    if axis.period is not None:
        inside = np.ones_like(inside)
        around = centres[-2:] - axis.period, centres, centres[:2] + axis.period
        centres = np.concatenate(around)
    if method == "nearest":
        index = np.clip(np.searchsorted(edges, points, side="right") - 1, 0, n - 1)
        return Taps(index[:, None], np.ones((len(points), 1)), inside)
    kernel = _linear if method == "bilinear" or n < 2 else _cubic
    index, weight = kernel(np.clip(points, centres[0], centres[-1]), centres)
    return Taps((index - 2) % n if axis.period is not None else index, weight, inside)


def _interval(points: Array, centres: Array) -> NDArray[np.intp]:
    """Index of the centre before each point, the last but one at most."""
    before = np.searchsorted(centres, points, side="right") - 1
    return np.clip(before, 0, max(len(centres) - 2, 0)).astype(np.intp)


def _linear(points: Array, centres: Array) -> tuple[NDArray[np.intp], Array]:
    lower = _interval(points, centres)
    upper = np.minimum(lower + 1, len(centres) - 1)
    width = np.where(upper > lower, centres[upper] - centres[lower], 1.0)
    t = (points - centres[lower]) / width
    return np.stack([lower, upper], 1), np.stack([1 - t, t], 1)


def _cubic(points: Array, centres: Array) -> tuple[NDArray[np.intp], Array]:
    """Cubic convolution with a = -1/2 (Keys 1981, doi:10.1109/TASSP.1981.1163711).

    Between two centres a cubic with the slopes that parabolas through each centre and its
    neighbours have there. At even spacing these are Keys' weights (eq. 4); at any spacing
    quadratics stay exact, up to the ends, where the outer parabola is carried on.
    """
    lower = _interval(points, centres)
    n = len(centres)
    first, last = 2 * centres[0] - centres[1], 2 * centres[-1] - centres[-2]
    around = np.concatenate([[first], centres, [last]])
    before, width, after = (np.diff(around)[lower + k] for k in range(3))
    t = (points - centres[lower]) / width
    slope = t * (1 - t) ** 2 * width / (before + width)
    end_slope = -(t**2) * (1 - t) * width / (width + after)
    weight = np.stack(
        [
            -slope * width / before,
            (1 + 2 * t) * (1 - t) ** 2
            + slope * (width / before - before / width)
            - end_slope * after / width,
            t**2 * (3 - 2 * t)
            + slope * before / width
            + end_slope * (after / width - width / after),
            end_slope * width / after,
        ],
        axis=1,
    )
    return _fold_ends(lower[:, None] + np.arange(-1, 3), weight, centres, n)


def _fold_ends(
    index: NDArray[np.intp], weight: Array, centres: Array, n: int
) -> tuple[NDArray[np.intp], Array]:
    """Weights of taps beyond the ends, moved to the cells that they are extrapolated from."""
    before, after = index[:, 0] < 0, index[:, 3] >= n
    first, last = weight[before, 0], weight[after, 3]
    weight[before, 0] = 0.0
    weight[after, 3] = 0.0
    weight[before, 1:] += first[:, None] * _carried_on(centres[:3])
    weight[after, 2::-1] += last[:, None] * _carried_on(-centres[:-4:-1])
    return np.clip(index, 0, n - 1), weight


def _carried_on(centres: Array) -> Array:
    """Weights of the first cells in the value one cell before them, on their parabola.

    At even spacing Keys' boundary value 3c₀ - 3c₁ + c₂; with two cells, 2c₀ - c₁.
    """
    if len(centres) < 3:
        return np.array([2.0, -1.0, 0.0])
    a, b = np.diff(centres)
    whole = 2 * a + b
    return np.array([2 * whole / (a + b), -whole / b, 2 * a**2 / (b * (a + b))])


def _matrix(index: NDArray[np.intp], weight: Array, cells: int) -> sparse.csr_matrix:
    weight = np.where(np.abs(weight) < NEGLIGIBLE, 0.0, weight)
    targets, taps = index.shape
    rows = np.repeat(np.arange(targets), taps)
    matrix = sparse.coo_matrix((weight.ravel(), (rows, index.ravel())), (targets, cells)).tocsr()
    matrix.eliminate_zeros()
    return matrix


def curvilinear_weights(source: Grid, target: Grid, method: str) -> sparse.csr_matrix:
    """Weights of "nearest", "bilinear" or "bicubic" from 2-D coordinates.

    Along the axes where both grids have the same ones (a projection, or blocks of cells), as
    from rectilinear grids. Elsewhere bicubic runs along the source's rows and columns; bilinear
    is linear within the triangles of a Delaunay triangulation of the centres, on a
    stereographic plane about the grid's middle, where it equals the triangulation on the
    sphere. A ring of points half a cell outside carries the outer cells' values to their edges.
    """
    axes = lattice.shared_axes(source, target)
    if axes is None and method == "bicubic":
        axes = lattice.index_axes(source, target)
    if axes is not None:
        return axis_weights(*axes, method)
    cells = source.shape[0] * source.shape[1]
    points = sphere.unit_vectors(source.lat, source.lon)
    target_lat, target_lon = target.mesh()
    targets = sphere.unit_vectors(np.clip(target_lat, -POLE, POLE), target_lon).reshape(-1, 3)
    index, weight = _barycentric(points, targets)
    if method == "nearest":
        inside = weight.sum(axis=1, keepdims=True)
        _, nearest = cKDTree(points.reshape(-1, 3)).query(targets)
        return _matrix(nearest[:, None], inside, cells)
    return _matrix(index, weight, cells)


def _barycentric(points: Array, targets: Array) -> tuple[NDArray[np.intp], Array]:
    """Source cells and weights (targets, 3) of the triangles around targets; 0 outside."""
    shape = points.shape[:2]
    sides = 0 if sphere.closes(points) else 1
    ring = sphere.extend(sphere.extend(points, 1, 1, 0, step=0.5), sides, sides, 1, step=0.5)
    widths = ((1, 1), (sides, sides))
    owner = np.pad(np.arange(shape[0] * shape[1]).reshape(shape), widths, mode="edge").ravel()
    on_ring = np.pad(np.zeros(shape, bool), widths, constant_values=True).ravel()
    plane = _plane_about(points)
    mesh = _triangulated(plane(ring.reshape(-1, 3)))
    simplex, weight = locate(mesh, plane(targets))
    corners = mesh.simplices[simplex]
    index = owner[corners]
    # Triangles between ring points alone fill the bays of a boundary that is not convex.
    bay = on_ring[corners].all(axis=1) & (np.ptp(index, axis=1) > 0)
    weight[(simplex < 0) | bay] = 0.0
    return index, np.clip(weight, 0.0, 1.0)


def _triangulated(points: Array) -> Delaunay:
    try:
        return Delaunay(points)
    except QhullError as error:
        raise InputError("regrid: the source's 2-D coordinates span no area") from error


def locate(mesh: Delaunay, points: Array) -> tuple[NDArray[np.intp], Array]:
    """Triangle (n,), -1 outside the hull, and barycentric weights (n, 3) of each point.

    Walks from the nearest vertex towards the point. SciPy's own search solves one linear system
    per triangle first, which takes seconds for large grids where BLAS is threaded.
    """
    _, vertex = cKDTree(mesh.points).query(points)
    simplex = np.maximum(mesh.vertex_to_simplex[vertex], 0).astype(np.intp)
    weight = np.zeros((len(points), 3))
    active = np.arange(len(points))
    for _ in range(MAX_STEPS):
        weight[active] = _weights_in(mesh, simplex[active], points[active])
        worst = weight[active].argmin(axis=1)
        active, worst = (a[weight[active].min(axis=1) < -NEGLIGIBLE] for a in (active, worst))
        simplex[active] = mesh.neighbors[simplex[active], worst]
        active = active[simplex[active] >= 0]
        if not len(active):
            break
    simplex[active] = -1
    return simplex, weight


def _weights_in(mesh: Delaunay, simplex: NDArray[np.intp], points: Array) -> Array:
    """Barycentric weights (n, 3); of flat triangles, large ones of either sign."""
    a, b, c = np.moveaxis(mesh.points[mesh.simplices[simplex]], 1, 0)
    area = cross(b - a, c - a)
    area = np.where(np.abs(area) < SMALLEST_AREA, SMALLEST_AREA, area)
    second, third = cross(points - a, c - a) / area, cross(b - a, points - a) / area
    return np.stack([1 - second - third, second, third], axis=1)


@dataclass(frozen=True, eq=False)
class Stereographic:
    """Projection onto the plane that touches the sphere at `centre`."""

    centre: Array

    def __call__(self, vectors: Array) -> Array:
        """Unit vectors (n, 3) → plane (n, 2), in radii; the antipode is far away, not infinite."""
        axis = np.eye(3)[np.argmin(np.abs(self.centre))]
        east = sphere.normalised(np.cross(axis, self.centre))
        basis = np.stack([east, np.cross(self.centre, east)], axis=1)
        depth = np.maximum(1 + vectors @ self.centre, NEGLIGIBLE)
        result: Array = 2 * (vectors @ basis) / depth[:, None]
        return result


def _plane_about(points: Array) -> Stereographic:
    mean = points.reshape(-1, 3).mean(axis=0)
    around = np.linalg.norm(mean) > NEGLIGIBLE
    return Stereographic(sphere.normalised(mean) if around else points[0, 0])
