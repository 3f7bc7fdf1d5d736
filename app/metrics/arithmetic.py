"""Ratios, means and spreads that leave out what is not known."""

from __future__ import annotations

import numpy as np


def divide(a: np.ndarray, b: np.ndarray | float) -> np.ndarray:
    """a / b, NaN where b is 0."""
    b = np.asarray(b, dtype=np.float64)
    return np.where(b != 0, a / np.where(b != 0, b, 1.0), np.nan)


def spread(values: np.ndarray) -> float:
    """Population standard deviation of the finite values."""
    finite = values[np.isfinite(values)]
    return float(finite.std()) if finite.size else np.nan


def centre(values: np.ndarray) -> float:
    """Mean of the finite values."""
    finite = values[np.isfinite(values)]
    return float(finite.mean()) if finite.size else np.nan


def over_space(area: np.ndarray, field: np.ndarray) -> tuple[float, float]:
    """Area-weighted mean and standard deviation of a map's finite cells."""
    weights = np.where(np.isfinite(field), area, 0.0)
    if not weights.any():
        return np.nan, np.nan
    values = np.nan_to_num(field)
    mean = np.average(values, weights=weights)
    return float(mean), float(np.sqrt(np.average((values - mean) ** 2, weights=weights)))
