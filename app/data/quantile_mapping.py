"""Quantile mapping: values of one distribution given those of another at the same rank."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from app.arrays import Array

LEVELS = np.concatenate([[0.0], np.linspace(0.005, 0.985, 99), [0.99, 0.995, 0.999, 1.0]])
LEAST = 1e-9  # of the largest quantile, below which a ratio to a quantile says nothing
LARGEST_RATIO = 10.0  # of a value to the quantile of the same rank


def quantiles(values: Array) -> Array:
    """Quantiles (Q, …) at LEVELS of values (n, …) along the first axis; gaps are left out."""
    flat = np.asarray(values, "float64").reshape(len(values), -1)
    found = np.full((len(LEVELS), flat.shape[1]), np.nan)
    for cell, series in enumerate(flat.T):
        known = series[np.isfinite(series)]
        if known.size:
            found[:, cell] = np.quantile(known, LEVELS)
    return found.reshape(len(LEVELS), *values.shape[1:])


def mapped(values: Array, own: Array, wanted: Array, ratio: bool) -> Array:
    """Values (n, …) of the distribution `own` (Q, …) as those of `wanted` (Q, …), cell by cell.

    Beyond the largest quantile the correction there goes on: as a factor of ratio variables,
    else as a shift. The smallest value goes to the smallest, so that dry stays dry.
    """
    return _by_cell(values, own, wanted, partial(_map_cell, ratio=ratio))


def delta_mapped(values: Array, own: Array, reference: Array, wanted: Array, ratio: bool) -> Array:
    """Quantile delta mapping: the change of each quantile against the reference is kept.

    With τ the rank of x in `own`, the source's later distribution: wanted(τ) · x / reference(τ)
    for ratio variables, wanted(τ) + x - reference(τ) for others; all quantiles (Q, …).
    Reference: Cannon et al. 2015, doi:10.1175/JCLI-D-14-00754.1.
    """
    both = np.concatenate([reference, wanted])
    return _by_cell(values, own, both, partial(_delta_cell, ratio=ratio))


def _by_cell(values: Array, own: Array, wanted: Array, function: Callable[..., Array]) -> Array:
    shape, flat = values.shape, np.asarray(values, "float64").reshape(len(values), -1)
    out = np.full(flat.shape, np.nan)
    parts = own.reshape(len(own), -1), wanted.reshape(len(wanted), -1)
    for cell in range(flat.shape[1]):
        columns = [part[:, cell] for part in parts]
        if all(np.isfinite(column).all() for column in columns):
            out[:, cell] = function(flat[:, cell], *columns)
    return out.reshape(shape).astype(np.float32)


def _map_cell(x: Array, own: Array, wanted: Array, ratio: bool) -> Array:
    out = np.where(x <= own[0], wanted[0], np.interp(x, own, wanted))
    if ratio:
        beyond = x * (wanted[-1] / own[-1] if own[-1] > 0 else 1.0)
    else:
        beyond = x + wanted[-1] - own[-1]
        out = np.where(x < own[0], x + wanted[0] - own[0], out)
    return np.where(np.isnan(x), np.nan, np.where(x > own[-1], beyond, out))


def _delta_cell(x: Array, own: Array, both: Array, ratio: bool) -> Array:
    reference, wanted = np.split(both, 2)
    rank = np.where(x <= own[0], 0.0, np.interp(x, own, LEVELS))
    before = np.interp(rank, LEVELS, reference)
    target = np.interp(rank, LEVELS, wanted)
    if not ratio:
        return target + x - before
    known = before > LEAST * reference.max()
    change = np.divide(x, before, out=np.ones_like(x), where=known)
    return np.where(np.isnan(x), np.nan, target * np.minimum(change, LARGEST_RATIO))
