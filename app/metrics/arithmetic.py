"""Ratios, means and spreads that leave out what is not known."""

from __future__ import annotations

import numpy as np

from app.arrays import Array


def divide(a: Array, b: Array | float) -> Array:
    """a / b, NaN where b is 0."""
    b = np.asarray(b, dtype=np.float64)
    return np.where(b != 0, a / np.where(b != 0, b, 1.0), np.nan)


def spread(values: Array) -> float:
    """Population standard deviation of the finite values."""
    finite = values[np.isfinite(values)]
    return float(finite.std()) if finite.size else np.nan


def centre(values: Array) -> float:
    """Mean of the finite values."""
    finite = values[np.isfinite(values)]
    return float(finite.mean()) if finite.size else np.nan


def over_space(area: Array, field: Array) -> tuple[float, float]:
    """Area-weighted mean and standard deviation of a map's finite cells."""
    weights = np.where(np.isfinite(field), area, 0.0)
    if not weights.any():
        return np.nan, np.nan
    values = np.nan_to_num(field)
    mean = np.average(values, weights=weights)
    return float(mean), float(np.sqrt(np.average((values - mean) ** 2, weights=weights)))


def area_rmse(error: Array, area: Array) -> float:
    """Area-weighted root mean square of a field of errors (y, x); NaN where none is known."""
    known = np.isfinite(error)
    if not known.any():
        return np.nan
    squares = np.square(error[known], dtype=np.float64)
    return float(np.sqrt(np.average(squares, weights=area[known])))
