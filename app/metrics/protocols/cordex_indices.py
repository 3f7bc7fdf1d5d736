"""Indices of CORDEX-ML-Bench: what they make of the series of every cell.

Series (n, y, x) are float64 with NaN where their file has none; `years` are the calendar years of
the days that a season leaves. Indices are (y, x), NaN in cells without a value.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from app.arrays import Array
from app.data.units import conversion, normalise_unit
from app.data.wet import AMOUNTS, RATES
from app.metrics.climatic.days import Years, deviation_known, mean_known
from app.metrics.pairs import correlation
from app.metrics.quantiles import last_axis_quantile

HOT = 300.0  # K
WET = 1.0  # mm a day
QUANTILES = {"p02": 0.02, "p98": 0.98, "p99": 0.99}
TEMPERATURES = {"K", "degC", "degF"}
Index = Callable[[Array, Years], Array]


def mean(series: Array, years: Years) -> Array:
    return mean_known(series)


def quantile(share: float) -> Index:
    def index(series: Array, years: Years) -> Array:
        return last_axis_quantile(np.moveaxis(series, 0, -1), share)

    return index


def days_above(limit: float) -> Index:
    """Days a year above a limit; missing days are none."""

    def index(series: Array, years: Years) -> Array:
        found = years.count(series > limit).mean(axis=0)
        return np.where(np.isfinite(series).any(axis=0), found, np.nan)

    return index


def yearly_highest(series: Array, years: Years) -> Array:
    return mean_known(years.highest(series))


def yearly_lowest(series: Array, years: Years) -> Array:
    return mean_known(years.lowest(series))


def wet_mean(limit: float) -> Index:
    """Mean of the values of at least the limit."""

    def index(series: Array, years: Years) -> Array:
        return mean_known(np.where(series >= limit, series, np.nan))

    return index


def longest_run(limit: float, *, wet: bool) -> Index:
    """Mean of each year's longest run of days below the limit, or from it on."""

    def index(series: Array, years: Years) -> Array:
        chosen = series >= limit if wet else series < limit
        found = years.longest_run(chosen).mean(axis=0)
        return np.where(np.isfinite(series).any(axis=0), found, np.nan)

    return index


def lag1_correlation(series: Array, years: Years) -> Array:
    """Pearson's correlation with the series shifted by one, over the pairs that are known."""
    return correlation(series[1:], series[:-1])


def interannual(series: Array, years: Years) -> Array:
    return deviation_known(years.mean(series))


def indices_of(unit: str) -> dict[str, tuple[Index, str]]:
    """Indices that a variable of a unit has, and their units."""
    found: dict[str, tuple[Index, str]] = {"mean": (mean, unit)}
    found |= {name: (quantile(share), unit) for name, share in QUANTILES.items()}
    plain = normalise_unit(unit)
    if plain in TEMPERATURES:
        hot = float(conversion("K", plain)(np.array(HOT)))
        found["su"] = days_above(hot), "day year-1"
        found |= {"txx": (yearly_highest, unit), "txn": (yearly_lowest, unit)}
    elif plain in (*RATES, *AMOUNTS):
        limit = conversion("mm day-1" if plain in RATES else "mm", plain).factor * WET
        limit = float(np.float32(limit))  # as single as the fields are
        found |= {"rx1day": (yearly_highest, unit), "sdii": (wet_mean(limit), unit)}
        found |= {
            "cdd": (longest_run(limit, wet=False), "day"),
            "cwd": (longest_run(limit, wet=True), "day"),
        }
    return found | {"lag1_corr": (lag1_correlation, "1"), "interannual_var": (interannual, unit)}
