"""Kernels of interpolation along one axis of equally spaced cells."""

from __future__ import annotations

import math

import numpy as np

from app.arrays import Array

BICUBIC_A = -0.5  # Keys 1981: third-order accurate
LANCZOS_LOBES = 3
RADII = {"bilinear": 1, "bicubic": 2, "lanczos": LANCZOS_LOBES}


def taps(position: float, method: str) -> tuple[int, Array]:
    """First source index and the weights with which source cells enter at `position`.

    `position` is in source cells, 0 being the centre of the first one; weights sum to 1.
    """
    if method in ("nearest", "inter_area"):
        return math.floor(position + 0.5), np.ones(1)
    radius = RADII[method]
    first = math.floor(position) - radius + 1
    distance = np.abs(position - np.arange(first, first + 2 * radius))
    weights = _kernel(distance, method)
    return first, weights / weights.sum()


def _kernel(distance: Array, method: str) -> Array:
    if method == "bilinear":
        return np.maximum(1.0 - distance, 0.0)
    if method == "lanczos":
        window = np.sinc(distance) * np.sinc(distance / LANCZOS_LOBES)
        return np.where(distance < LANCZOS_LOBES, window, 0.0)
    near = (BICUBIC_A + 2) * distance**3 - (BICUBIC_A + 3) * distance**2 + 1
    far = BICUBIC_A * (distance**3 - 5 * distance**2 + 8 * distance - 4)
    return np.where(distance <= 1, near, np.where(distance < 2, far, 0.0))
