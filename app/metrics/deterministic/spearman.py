"""Spearman's rank correlation of many series at once, with gaps."""

from __future__ import annotations

import numpy as np
from scipy.stats import rankdata

from app.arrays import Array


def centred_ranks(values: Array, valid: Array) -> Array:
    """Ranks along the last axis among the valid values, their mean subtracted; 0 elsewhere.

    Ties share their mean rank. Shape and mask (…, n).
    """
    ranks = rankdata(np.where(valid, values, np.inf), axis=-1)
    count = valid.sum(axis=-1, keepdims=True)
    # invalid values sort last, so the valid ones hold ranks 1 … count whatever their ties
    return np.where(valid, ranks - (count + 1) / 2, 0.0)


def correlate(a: Array, b: Array) -> Array:
    """Correlation along the last axis of centred values; NaN where either is constant."""
    covariance = np.einsum("...n,...n->...", a, b)
    spread = np.sqrt(np.einsum("...n,...n->...", a, a) * np.einsum("...n,...n->...", b, b))
    return np.where(spread > 0, covariance / np.where(spread > 0, spread, 1.0), np.nan)
