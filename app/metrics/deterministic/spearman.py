"""Spearman's rank correlation of many series at once, with gaps."""

from __future__ import annotations

import numpy as np

from app.arrays import Array


def correlate(a: Array, b: Array) -> Array:
    """Correlation along the last axis of centred values; NaN where either is constant."""
    covariance = np.einsum("...n,...n->...", a, b)
    spread = np.sqrt(np.einsum("...n,...n->...", a, a) * np.einsum("...n,...n->...", b, b))
    return np.where(spread > 0, covariance / np.where(spread > 0, spread, 1.0), np.nan)
