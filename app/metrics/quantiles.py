"""Quantiles of many series at once, with gaps."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from app.arrays import Array


def last_axis_quantile(values: Array, share: float) -> Array:
    """Quantile (…) of the values (…, n) that are no NaN, NaN where all are.

    Linear between order statistics, at (n - 1)·share + 1: type 7 of Hyndman and Fan (1996),
    doi:10.1080/00031305.1996.10473566
    """
    result: Array = last_axis_quantiles(values, (share,))[0]
    return result


def last_axis_quantiles(values: Array, shares: Sequence[float]) -> Array:
    """Likewise several quantiles (q, …)."""
    ranked = np.sort(values, axis=-1)  # NaN last
    count = ranked.shape[-1] - np.isnan(ranked).sum(axis=-1, keepdims=True)
    return between_ranks(ranked, count, shares)


def between_ranks(ranked: Array, count: Array, shares: Sequence[float] | Array) -> Array:
    """Quantiles (q, …) of values in order (…, n), of which so many (…, 1) are known."""
    position = np.maximum(count - 1, 0) * np.asarray(shares, np.float64)
    lower = np.floor(position).astype(np.int64)
    upper = np.ceil(position).astype(np.int64)
    low, high = (np.take_along_axis(ranked, i, axis=-1).astype(np.float64) for i in (lower, upper))
    return np.moveaxis(low + (position - lower) * (high - low), -1, 0)
