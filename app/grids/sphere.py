"""Points, edges and areas on the sphere: the geometry under every grid."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from app.arrays import Array

CIRCLE = 360.0  # degrees
POLE = 90.0  # degrees
CLOSING_GAP = 1.5  # a circle is closed where its last gap is at most this many spacings
COINCIDENT = 1e-12  # radians: points closer have no direction from one to the other


def unit_vectors(lat: ArrayLike, lon: ArrayLike) -> Array:
    """Points in degrees as Cartesian unit vectors (..., 3), free of poles and date line."""
    phi, lam = np.radians(np.asarray(lat, float)), np.radians(np.asarray(lon, float))
    phi, lam = np.broadcast_arrays(phi, lam)
    return np.stack([np.cos(phi) * np.cos(lam), np.cos(phi) * np.sin(lam), np.sin(phi)], -1)


def lat_lon(vectors: Array) -> tuple[Array, Array]:
    """Degrees of vectors (..., 3) of any length; longitudes in (-180, 180]."""
    x, y, z = np.moveaxis(vectors, -1, 0)
    return np.degrees(np.arctan2(z, np.hypot(x, y))), np.degrees(np.arctan2(y, x))


def normalised(vectors: Array) -> Array:
    """The vectors scaled to length 1."""
    result: Array = vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)
    return result


def extended_edges(edges: Array, before: int, after: int) -> Array:
    """Edges of a 1-D axis continued by whole cells as wide as the outermost ones."""
    first, last = edges[1] - edges[0], edges[-1] - edges[-2]
    head = edges[0] - first * np.arange(before, 0, -1)
    tail = edges[-1] + last * np.arange(1, after + 1)
    return np.concatenate([head, edges, tail])


def midpoint_edges(centres: Array) -> Array:
    """Cell edges halfway between centres; the outer cells are symmetric about theirs."""
    if len(centres) < 2:
        raise ValueError("edges cannot be told from a single centre")
    inner = (centres[:-1] + centres[1:]) / 2
    return np.concatenate([[2 * centres[0] - inner[0]], inner, [2 * centres[-1] - inner[-1]]])


def latitude_edges(lat: Array) -> Array:
    """Edges of ascending latitudes; an outer cell that nearly meets the pole reaches it.

    Gaussian grids end short of the pole although nothing else covers the cap.
    """
    edges = midpoint_edges(lat)
    half_first, half_last = lat[0] - edges[0], edges[-1] - lat[-1]
    if edges[0] + POLE <= half_first:
        edges[0] = -POLE
    if POLE - edges[-1] <= half_last:
        edges[-1] = POLE
    return edges


def extend(points: Array, before: float, after: float, axis: int, *, step: float = 1.0) -> Array:
    """Unit vectors (y, x, 3) continued along great circles, `step` cells at a time.

    `before` and `after` count the points added on each side; the spacing is that of the
    outermost pair (spherical linear interpolation beyond its ends).
    """
    rows = np.moveaxis(points, axis, 0)
    head = [_beyond(rows[1], rows[0], step * k) for k in range(int(before), 0, -1)]
    tail = [_beyond(rows[-2], rows[-1], step * k) for k in range(1, int(after) + 1)]
    return np.moveaxis(np.stack([*head, *rows, *tail]), 0, axis)


def closes(points: Array) -> bool:
    """Whether the last column of unit vectors (y, x, 3) is a neighbour of the first."""
    gap = np.linalg.norm(points[:, 0] - points[:, -1], axis=-1)
    spacing = np.median(np.linalg.norm(np.diff(points, axis=1), axis=-1), axis=1)
    return points.shape[1] > 2 and bool(np.median(gap - CLOSING_GAP * spacing) <= 0)


def _beyond(inner: Array, outer: Array, steps: float) -> Array:
    angle = np.arctan2(
        np.linalg.norm(np.cross(inner, outer), axis=-1), np.sum(inner * outer, axis=-1)
    )[..., None]
    apart = np.sin(angle) > COINCIDENT
    sine = np.where(apart, np.sin(angle), 1.0)
    beyond = (np.sin((1 + steps) * angle) * outer - np.sin(steps * angle) * inner) / sine
    return np.where(apart, beyond, outer)


def corners_between(points: Array) -> Array:
    """Corners (y+1, x+1, 3) of the cells around unit vectors (y, x, 3): means of four centres."""
    ring = extend(extend(points, 1, 1, 0), 1, 1, 1)
    return normalised(ring[:-1, :-1] + ring[:-1, 1:] + ring[1:, :-1] + ring[1:, 1:])


def cell_areas(corners: Array) -> Array:
    """Areas in steradians (y, x) of spherical quadrilaterals with the corners (y+1, x+1, 3)."""
    a, b = corners[:-1, :-1], corners[:-1, 1:]
    c, d = corners[1:, 1:], corners[1:, :-1]
    return _triangle_areas(a, b, c) + _triangle_areas(a, c, d)


def _triangle_areas(a: Array, b: Array, c: Array) -> Array:
    """Solid angle of spherical triangles (Van Oosterom and Strackee 1983, eq. 8)."""
    volume = np.abs(np.sum(a * np.cross(b, c), axis=-1))
    dots = np.sum(a * b, axis=-1) + np.sum(b * c, axis=-1) + np.sum(c * a, axis=-1)
    result: Array = 2 * np.arctan2(volume, 1 + dots)
    return result


def cross(a: Array, b: Array) -> Array:
    """Cross product of vectors in a plane, `(…, 2)`: twice the area of the triangle they span."""
    product: Array = a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0]
    return product
