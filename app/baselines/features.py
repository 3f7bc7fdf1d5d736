"""The design matrix of the regression: what a coarse cell knows about its fine cells."""

from __future__ import annotations

import numpy as np

from app.arrays import Array

LR_RADIUS = 1  # coarse cells each side, where nothing else is said: a 3×3 neighbourhood
N_HARMONICS = 4  # hour of the day and day of the year, where nothing else is said


def n_features(
    lr_channels: int,
    predictors: int,
    predictor_radius: int,
    lr_radius: int = LR_RADIUS,
    n_harmonics: int = N_HARMONICS,
) -> int:
    """K: neighbourhoods, harmonics and the constant."""
    lr = lr_channels * (2 * lr_radius + 1) ** 2
    return lr + predictors * (2 * predictor_radius + 1) ** 2 + n_harmonics + 1


def neighbourhood(fields: Array, radius: int, rows: slice) -> Array:
    """Values around each cell of the given rows; edges are replicated.

    (n, h, w, C) → (n, rows, w, C·(2r+1)²), channel-major, then south to north and west to east.
    """
    side = 2 * radius + 1
    padded = np.pad(fields, ((0, 0), (radius, radius), (radius, radius), (0, 0)), mode="edge")
    band = padded[:, rows.start : rows.stop + 2 * radius]
    n, height, w, channels = band.shape
    h = height - 2 * radius
    cells = [band[:, dy : dy + h, dx : w - 2 * radius + dx] for dy, dx in np.ndindex(side, side)]
    result: Array = np.stack(cells, axis=-1).reshape(n, h, w - 2 * radius, channels * side**2)
    return result


def design(
    inputs: Array,
    harmonics: Array,
    lr_channels: int,
    predictor_radius: int,
    rows: slice,
    constant: float = 1.0,
    lr_radius: int = LR_RADIUS,
) -> Array:
    """Feature array (n, rows, w, K), float64, from gap-free coarse inputs (n, h, w, Cin).

    Order: low-resolution channels with the cells around (3×3 at radius 1), predictors with
    theirs, the harmonics (n, T), the constant.
    """
    near = neighbourhood(inputs[..., :lr_channels], lr_radius, rows)
    beside = neighbourhood(inputs[..., lr_channels:], predictor_radius, rows)
    n, h, w, n_near = near.shape
    behind = n_near + beside.shape[-1]
    x = np.empty((n, h, w, behind + harmonics.shape[-1] + 1))
    x[..., :n_near] = near
    x[..., n_near:behind] = beside
    x[..., behind:-1] = harmonics[:, None, None]
    x[..., -1] = constant
    return x
