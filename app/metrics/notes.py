"""What stands below the score table: the data behind it and the definitions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from app.baselines.base import split_size
from app.data.description import Variable
from app.data.times import Stamps
from app.data.units import HOUR
from app.metrics.accumulate import VariableScores
from app.metrics.bootstrap import MIN_BLOCKS, RESAMPLES, block_length
from app.metrics.distribution import DistributionScores
from app.metrics.spectra import MIN_BANDS
from app.metrics.table import Row
from app.metrics.undefined import undefined_note

if TYPE_CHECKING:
    from app.data.shards import Shards
    from app.metrics.prediction import Prediction

DEFINITIONS = (
    "Values: those where the truth and all candidates are valid. Weights: cell areas (difference"
    " of the sine of latitude), mean 1.",
    "mae, rmse, bias: area-weighted mean over time and space of |e|, e², e = prediction - truth;"
    " the root of rmse comes last. nrmse: rmse / standard deviation of the truth over time and"
    " space. relative_bias: 100 · bias / mean of the truth.",
    "± of these and of pearson, spearman, psnr, ssim: standard deviation over samples of the"
    " sample's own score over space.",
    "pearson (area-weighted), spearman (unweighted): mean over samples of the correlation over"
    " space; _time: area-weighted mean ± standard deviation over grid points of the correlation"
    " over time.",
    "psnr: mean over samples of 10·log10(range² / mse), samples without error left out. ssim:"
    " Gaussian window 11 cells, σ 1.5, k1 0.01, k2 0.03, population moments, renormalised over"
    " valid cells, at centres with at least half the weight valid. range: of the truth over the"
    " period scored.",
)
ENSEMBLE = (
    "crps: mean |x - y| - sum |x - x'| / (2M(M - 1)) over members x, x' and truth y (fair"
    " estimator); that of a single field is its mae, so that the row compares.",
    "spread_skill: sqrt((M + 1)/M · area-weighted mean of the members' unbiased variance) / rmse"
    " of their mean; 1 for a reliable ensemble, below 1 too little spread. reliability_index:"
    " Σ|f - 1/(M + 1)| over the M + 1 ranks of the truth among the members, in %, 0 where all are"
    " as frequent; shares f area-weighted, ties at random.",
)
POOLED = "_2x2: of area-weighted means over 2 × 2 cells, blocks not scored in every cell left out."
QUANTILES = (
    "pinball_τ: area-weighted mean of max(τ·e, (τ - 1)·e), e = truth - quantile τ; a single field"
    " stands for every quantile. coverage_τ: share of the truth at or below the quantile, τ where"
    " it is right; coverage_central: from the lowest to the highest quantile, both included."
)
SPECTRA = (
    "log_spectral_distance: root of the mean over bands of (10·log10(P_truth / P))²."
    " power_ratio_high: mean of 10·log10(P / P_truth) over the third of the bands with the shortest"
    " waves, below 0 too smooth; power_worst_high: of the band there that is furthest off. P: mean"
    " over samples of the variance in each band of isotropic wavenumber, from the discrete cosine"
    " transform (Denis et al. 2002) of samples where truth and all candidates have every value;"
    " bands as wide as the wavenumber of twice the shorter side, up to the Nyquist wavenumber of"
    " the coarser spacing."
)
WET = (
    "wet_frequency: area-weighted share of values that are wet; ± over samples. wet_intensity:"
    " area-weighted mean of the wet values. brier_wet: area-weighted mean of (p - o)², p the share"
    " of wet members, o whether the truth is wet; brier_skill_wet: 1 - that / that of always"
    " telling the truth's share."
)
EXTREMES = (
    "p99_bias: area-weighted mean ± standard deviation over grid points of the 99th percentile"
    " over time (linear between order statistics) less that of the truth."
)
PERSISTENCE = (
    "residual_lag1: autocorrelation over one time step of the field less bicubic, each cell's mean"
    " over time taken off, covariance and variances summed over cells (and members)."
)
INTERVALS = "skill_vs_X: 1 - rmse / rmse of X. _low, _high: 95 % interval"


def notes(
    shards: Shards,
    split: str,
    variables: tuple[Variable, ...],
    sums: list[tuple[VariableScores, DistributionScores]],
    prediction: Prediction,
    rows: Sequence[Row] = (),
) -> tuple[str, ...]:
    """Footer lines; `rows` are those of the table."""
    lines = [_period(shards, name) for name in ("train", "validation", split)]
    for variable, (score, distribution) in zip(variables, sums, strict=True):
        lines.append(
            f"{variable.name} ({variable.units or '1'}): {int(score.count.sum())} of "
            f"{score.offered} valid truth values scored, {int((score.count > 0).sum())} grid "
            f"points; ssim at {int(score.centres.sum())} window centres; truth from "
            f"{score.range.low:.5g} to {score.range.high:.5g}"
        )
        lines.append(_spectra_note(variable, distribution))
        lines += _wet_note(variable, distribution)
        lines += _persistence_note(variable, distribution)
        label = f"[{variable.name}]" if len(variables) > 1 else ""
        missing = undefined_note([r for r in rows if r.metric.endswith(label)], score, label)
        lines += [f"{variable.name}: {missing}"] if missing else []
    members = prediction.members
    if members > 1:
        lines.append(
            f"model: mean of {members} members, valid where all are; crps, spread_skill and"
            " reliability_index are of the members, spectra, wet_frequency and p99_bias means of"
            " theirs"
        )
    lines += _quantiles_note(prediction)
    length = block_length(shards.times(split))
    blocks = f" of {RESAMPLES} moving-block resamples, blocks of {length} samples"
    if shards.size(split) < MIN_BLOCKS * length:
        blocks = f": none, the period is shorter than {MIN_BLOCKS} blocks of {length} samples"
    definitions = [*DEFINITIONS, *(ENSEMBLE if members > 1 else ()), POOLED, SPECTRA]
    if prediction.quantiles:
        definitions.insert(len(DEFINITIONS), QUANTILES)
    if any(distribution.wet_limit is not None for _, distribution in sums):
        definitions.append(WET)
    if any(distribution.persistence is not None for _, distribution in sums):
        definitions.append(PERSISTENCE)
    return (*lines, *definitions, EXTREMES, f"{INTERVALS}{blocks}.")


def _quantiles_note(prediction: Prediction) -> list[str]:
    """Which quantile stands for the field, and what the central interval should hold."""
    levels = prediction.quantiles
    if not levels:
        return []
    line = f"model: the quantile {levels[prediction.central]:g}, nearest to the median, as a field"
    if len(levels) > 1:
        line += (
            f"; the central interval from {levels[0]:g} to {levels[-1]:g} should cover"
            f" {levels[-1] - levels[0]:.4g}"
        )
    return [line]


def _spectra_note(variable: Variable, distribution: DistributionScores) -> str:
    spectrum = distribution.spectrum
    waves = spectrum.bands.wavelengths
    if len(waves) < MIN_BANDS:
        return f"{variable.name}: no spectra, the grid is too small"
    if not spectrum.samples:
        return f"{variable.name}: no spectra, no sample has all values of the domain"
    spectra = spectrum.result()
    if spectra is None or not np.isfinite(spectra.truth).any():
        return f"{variable.name}: no spectra, the truth does not vary in space"
    return (
        f"{variable.name}: spectra of the {spectrum.samples} of {len(distribution.weight)} samples"
        f" that are complete, {len(waves)} bands of wavelength {waves[0]:.4g} to {waves[-1]:.4g} km"
    )


def _persistence_note(variable: Variable, distribution: DistributionScores) -> list[str]:
    if distribution.persistence is None:
        return []
    found = distribution.persistence.correlations[0]
    value = f"is {found:.4g}" if np.isfinite(found) else "has no value, it does not vary in time"
    return [f"{variable.name}: residual_lag1 of the truth {value}"]


def _wet_note(variable: Variable, distribution: DistributionScores) -> list[str]:
    """What counts as wet and how much of the truth does, or why nothing can be said."""
    limit, unit = distribution.wet_limit, variable.units or "1"
    if limit is None:
        return []
    if distribution.wet is None:
        return [
            f"{variable.name}: no wet_frequency, the period that its amounts in {unit} are summed"
            " over is not known; a rate such as mm day-1 needs none"
        ]
    wet = distribution.wet
    share = wet.truth.sum() / distribution.weight.sum()
    own = "" if variable.wet_threshold is not None else " (1 mm day-1)"
    summed = "" if limit.accumulation is None else f" in {limit.accumulation / HOUR:g} h"
    of_truth = "nothing of the truth"
    if share > 0:
        intensity = wet.truth_amount.sum() / wet.truth.sum()
        of_truth = f"of the truth a share of {share:.4g}, of {intensity:.4g} {unit} on average"
    return [f"{variable.name}: wet from {limit.value:.4g} {unit}{summed}{own} up; {of_truth}"]


def _period(shards: Shards, split: str) -> str:
    if not split_size(shards, split):
        return f"{split}: no samples"
    times = Stamps.of(shards.times(split))
    return f"{split}: {len(times)} samples, {times.span().replace('T', ' ')}"
