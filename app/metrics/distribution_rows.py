"""The table's rows on members, quantiles, scales, wet cells and extremes."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np

from app.data.description import Variable
from app.metrics.accumulate import VariableScores
from app.metrics.arithmetic import divide, over_space, spread
from app.metrics.distribution import DistributionScores
from app.metrics.ensemble import crps_of
from app.metrics.table import Row


def ensemble_rows(
    scores: VariableScores, distribution: DistributionScores, variable: Variable, label: str
) -> list[Row]:
    """CRPS of all candidates, spread and reliability of the members, those of 2×2 means too.

    Without members the absolute error of 2×2 means alone.
    """
    ensemble, pooled = distribution.ensemble, distribution.pooled
    unit, model = variable.units or "1", scores.candidates[0]
    means = partial(_means, scores.candidates)
    rows = []
    if ensemble is not None:
        crps = crps_of(scores.sample["absolute"], ensemble)
        rows += [
            Row(f"crps{label}", unit, means(crps, scores.weight)),
            Row(f"spread_skill{label}", "1", {model: (ensemble.spread_skill, np.nan)}),
            Row(f"reliability_index{label}", "%", {model: (ensemble.reliability_index, np.nan)}),
        ]
    if not pooled.weight.any():
        return rows
    if pooled.ensemble is None:
        return [*rows, Row(f"mae_2x2{label}", unit, means(pooled.absolute, pooled.weight))]
    ratio = {model: (pooled.ensemble.spread_skill, np.nan)}
    return [
        *rows,
        Row(f"crps_2x2{label}", unit, means(pooled.crps, pooled.weight)),
        Row(f"spread_skill_2x2{label}", "1", ratio),
    ]


def quantile_rows(distribution: DistributionScores, variable: Variable, label: str) -> list[Row]:
    """Pinball loss of all candidates, coverage of the quantiles; none without quantiles."""
    sums = distribution.quantiles
    if sums is None:
        return []
    weight = distribution.weight
    rows, model = [], distribution.candidates[0]
    for level, series in zip(sums.levels, sums.pinball, strict=True):
        values = _means(distribution.candidates, series, weight)
        rows.append(Row(f"pinball_{level:g}{label}", variable.units or "1", values))
    for level, covered in zip(sums.levels, sums.covered, strict=True):
        rows.append(Row(f"coverage_{level:g}{label}", "1", {model: _mean(covered, weight)}))
    if len(sums.levels) > 1:
        rows.append(Row(f"coverage_central{label}", "1", {model: _mean(sums.central, weight)}))
    return rows


def persistence_rows(distribution: DistributionScores, label: str) -> list[Row]:
    """Lag-1 autocorrelation of what candidates add to the bicubic interpolation."""
    if distribution.persistence is None:
        return []
    values = distribution.persistence.correlations[1:]
    # the reference less itself has none
    plain = {n: v for n, v in _plain(distribution, values).items() if np.isfinite(v[0])}
    return [Row(f"residual_lag1{label}", "1", plain)]


def spectrum_rows(distribution: DistributionScores, label: str) -> list[Row]:
    """Distances of the spectra; blank where no field is complete."""
    spectra = distribution.spectrum.result()
    columns = dict.fromkeys(("log_spectral_distance", "power_ratio_high", "power_worst_high"))
    if spectra is not None:
        columns = {name: getattr(spectra, name)() for name in columns}
    return [
        Row(name + label, "dB", {} if values is None else _plain(distribution, values))
        for name, values in columns.items()
    ]


def _mean(sums: np.ndarray, weight: np.ndarray) -> tuple[float, float]:
    """Weighted mean of per-sample sums (n,), and its spread over samples."""
    return float(sums.sum() / weight.sum()), spread(divide(sums, weight))


def _means(
    candidates: Sequence[str], sums: np.ndarray, weight: np.ndarray
) -> dict[str, tuple[float, float]]:
    return {name: _mean(own, weight) for name, own in zip(candidates, sums, strict=True)}


def _plain(distribution: DistributionScores, values: np.ndarray) -> dict[str, tuple[float, float]]:
    pairs = zip(distribution.candidates, values, strict=True)
    return {name: (float(value), np.nan) for name, value in pairs}


def wet_rows(distribution: DistributionScores, variable: Variable, label: str) -> list[Row]:
    """Share of wet cells of precipitation, and the mean amount of one; blank where the unit does
    not tell what is wet.
    """
    if distribution.wet_limit is None:
        return []
    values, amounts = {}, {}
    if distribution.wet is not None:
        values = _means(distribution.candidates, distribution.wet.candidates, distribution.weight)
        total = distribution.wet.candidates.sum(axis=1)
        amounts = _plain(distribution, divide(distribution.wet.amounts.sum(axis=1), total))
    rows = [
        Row(f"wet_frequency{label}", "1", values),
        Row(f"wet_intensity{label}", variable.units or "1", amounts),
    ]
    if distribution.wet_probability is not None:
        model, sums = distribution.candidates[0], distribution.wet_probability
        rows.append(Row(f"brier_wet{label}", "1", {model: (sums.score, np.nan)}))
        rows.append(Row(f"brier_skill_wet{label}", "1", {model: (sums.skill, np.nan)}))
    return rows


def extreme_rows(distribution: DistributionScores, variable: Variable, label: str) -> list[Row]:
    """Error of the 99th percentile over time, mean over grid points."""
    errors = distribution.extreme - distribution.truth_extreme
    values = {
        name: over_space(distribution.area, field)
        for name, field in zip(distribution.candidates, errors, strict=True)
    }
    return [Row(f"p99_bias{label}", variable.units or "1", values)]
