"""Sparse interpolation weights (target cells, source cells) between two grids."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.spatial import Delaunay, QhullError, cKDTree

from app.errors import InputError
from app.grids import sphere
from app.grids.grid import Grid
from app.grids.sphere import CIRCLE, POLE, Array

KEYS_A = -0.5  # Keys (1981): the one value that reproduces quadratics
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
    lat, lon = np.clip(lat, -POLE, POLE).ravel(), lon.ravel()
    rows = _taps(lat, source.lat, lat_edges, method, False)
    columns = _taps(_eastward(lon, lon_edges[0]), source.lon, lon_edges, method, source.periodic)
    index = rows.index[:, :, None] * source.shape[1] + columns.index[:, None, :]
    weight = rows.weight[:, :, None] * columns.weight[:, None, :]
    weight[~(rows.inside & columns.inside)] = 0.0
    cells = source.shape[0] * source.shape[1]
    return _matrix(index.reshape(lat.size, -1), weight.reshape(lat.size, -1), cells)


def _eastward(lon: Array, west: float) -> Array:
    """Longitudes shifted by multiples of 360 to lie at or east of `west`."""
    shifted = west + (lon - west) % CIRCLE
    return np.where(shifted > west + CIRCLE - EDGE_TOLERANCE, shifted - CIRCLE, shifted)


def _taps(points: Array, centres: Array, edges: Array, method: str, periodic: bool) -> Taps:
    inside = (points >= edges[0] - EDGE_TOLERANCE) & (points <= edges[-1] + EDGE_TOLERANCE)
    if periodic:
        inside = np.ones_like(inside)
    n = len(centres)
    if method == "nearest":
        index = np.clip(np.searchsorted(edges, points, side="right") - 1, 0, n - 1)
        return Taps(index[:, None], np.ones((len(points), 1)), inside)
    if periodic:
        around = np.concatenate([centres[-1:] - CIRCLE, centres, centres[:1] + CIRCLE])
        position = np.interp(points, around, np.arange(-1.0, n + 1))
    else:
        position = np.interp(points, centres, np.arange(float(n)))
    lower = np.floor(position).astype(np.intp)
    if not periodic:
        lower = np.maximum(np.minimum(lower, n - 2), 0)
    kernel = _linear if method == "bilinear" or n < 2 else _cubic
    index, weight = kernel(lower, np.asarray(position - lower, np.float64))
    if periodic:
        return Taps(index % n, weight, inside)
    if kernel is _cubic:
        index, weight = _fold_ends(index, weight, n)
    return Taps(np.clip(index, 0, n - 1), weight, inside)


def _linear(lower: NDArray[np.intp], t: Array) -> tuple[NDArray[np.intp], Array]:
    return np.stack([lower, lower + 1], 1), np.stack([1 - t, t], 1)


def _cubic(lower: NDArray[np.intp], t: Array) -> tuple[NDArray[np.intp], Array]:
    """Cubic convolution (Keys 1981, doi:10.1109/TASSP.1981.1163711, eq. 4 with a = -1/2)."""
    a = KEYS_A
    weight = np.stack(
        [
            a * t * (1 - t) ** 2,
            1 + t**2 * ((a + 2) * t - (a + 3)),
            t * (-a + (2 * a + 3) * t - (a + 2) * t**2),
            a * t**2 * (1 - t),
        ],
        axis=1,
    )
    return lower[:, None] + np.arange(-1, 3), weight


def _fold_ends(index: NDArray[np.intp], weight: Array, n: int) -> tuple[NDArray[np.intp], Array]:
    """Weights of taps beyond the ends, moved to the cells that they are extrapolated from.

    Keys' boundary value 3c₀ - 3c₁ + c₂ keeps quadratics exact up to the ends; with two cells,
    2c₀ - c₁.
    """
    rule = np.array([3.0, -3.0, 1.0]) if n > 2 else np.array([2.0, -1.0, 0.0])
    weight = weight.copy()
    before, after = index[:, 0] < 0, index[:, 3] >= n
    first, last = weight[before, 0], weight[after, 3]
    weight[before, 0] = 0.0
    weight[after, 3] = 0.0
    weight[before, 1:] += first[:, None] * rule
    weight[after, 2::-1] += last[:, None] * rule
    return index, weight


def _matrix(index: NDArray[np.intp], weight: Array, cells: int) -> sparse.csr_matrix:
    weight = np.where(np.abs(weight) < NEGLIGIBLE, 0.0, weight)
    targets, taps = index.shape
    rows = np.repeat(np.arange(targets), taps)
    matrix = sparse.coo_matrix((weight.ravel(), (rows, index.ravel())), (targets, cells)).tocsr()
    matrix.eliminate_zeros()
    return matrix


def curvilinear_weights(source: Grid, target: Grid, method: str) -> sparse.csr_matrix:
    """Weights of "nearest" or "bilinear" from 2-D coordinates.

    Bilinear is linear within the triangles of a Delaunay triangulation of the centres, on a
    stereographic plane about the grid's middle, where it equals the triangulation on the
    sphere. A ring of points half a cell outside carries the outer cells' values to their edges.
    """
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
    ring = sphere.extend(sphere.extend(points, 1, 1, 0, step=0.5), 1, 1, 1, step=0.5)
    owner = np.pad(np.arange(shape[0] * shape[1]).reshape(shape), 1, mode="edge").ravel()
    on_ring = np.pad(np.zeros(shape, bool), 1, constant_values=True).ravel()
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
    area = _cross(b - a, c - a)
    area = np.where(np.abs(area) < SMALLEST_AREA, SMALLEST_AREA, area)
    second, third = _cross(points - a, c - a) / area, _cross(b - a, points - a) / area
    return np.stack([1 - second - third, second, third], axis=1)


def _cross(a: Array, b: Array) -> Array:
    return a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]


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
        return 2 * (vectors @ basis) / depth[:, None]


def _plane_about(points: Array) -> Stereographic:
    mean = points.reshape(-1, 3).mean(axis=0)
    around = np.linalg.norm(mean) > NEGLIGIBLE
    return Stereographic(sphere.normalised(mean) if around else points[0, 0])
