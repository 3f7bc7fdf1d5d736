"""From sums to scores: the rows of the table and the maps per grid point."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from app.data.description import Variable
from app.metrics.accumulate import SPREAD_FLOOR, VariableScores
from app.metrics.arithmetic import centre, divide, over_space, spread
from app.metrics.bootstrap import block_length, interval, resampled_sums
from app.metrics.distribution import DistributionScores
from app.metrics.distribution_rows import (
    ensemble_rows,
    extreme_rows,
    persistence_rows,
    quantile_rows,
    spectrum_rows,
    wet_rows,
)
from app.metrics.table import Row

REFERENCES = ("bicubic", "linear")
PERCENT = 100.0
ROUNDING = 1e-6  # of the values: errors of interpolation in float32 are smaller

Values = dict[str, tuple[float, float]]


def truth_spread(scores: VariableScores) -> float:
    """Area-weighted standard deviation of the truth over time and space; 0 for mere rounding."""
    total = scores.weight.sum()
    mean = (scores.area * scores.truth["sum"]).sum() / total
    variance = (scores.area * scores.truth["squares"]).sum() / total - mean**2
    floor = (SPREAD_FLOOR * (abs(mean) + abs(scores.range.mean))) ** 2
    return float(np.sqrt(variance)) if variance > floor else 0.0


def sample_rmse(scores: VariableScores) -> np.ndarray:
    """RMSE of every sample over space: (k, n)."""
    return np.sqrt(divide(scores.sample["squares"], scores.weight))


def total_rmse(scores: VariableScores) -> np.ndarray:
    """Root of the area-weighted mean over time and space: (k,)."""
    return np.sqrt(scores.sample["squares"].sum(axis=1) / scores.weight.sum())


def gridpoint_maps(scores: VariableScores) -> dict[str, np.ndarray]:
    """Scores over time of every grid point, each (k, y, x), NaN where nothing was scored."""
    count = scores.count
    cell = {name: divide(sums, count) for name, sums in scores.cell.items()}
    truth = {name: divide(sums, count) for name, sums in scores.truth.items()}
    variance = truth["squares"] - truth["sum"] ** 2
    own = cell["sum_squares"] - cell["sum"] ** 2
    covariance = cell["products"] - truth["sum"] * cell["sum"]
    origin = abs(scores.range.mean)
    floor = (SPREAD_FLOOR * (np.abs(truth["sum"]) + origin)) ** 2
    own_floor = (SPREAD_FLOOR * (np.abs(cell["sum"]) + origin)) ** 2
    varies = (variance > floor) & (own > own_floor)
    rmse = np.sqrt(cell["squares"])
    return {
        "mae": cell["absolute"],
        "rmse": rmse,
        "bias": cell["error"],
        "nrmse": divide(rmse, np.sqrt(np.where(variance > floor, variance, 0.0))),
        "pearson": divide(covariance, np.sqrt(np.where(varies, variance * own, 0.0))),
        "spearman": scores.spearman,
    }


def error_rows(scores: VariableScores, variable: Variable, label: str) -> Iterator[Row]:
    """MAE, RMSE, bias and their normalised forms."""
    total, names, unit = scores.weight.sum(), scores.candidates, variable.units or "1"

    def row(metric: str, row_unit: str, means: np.ndarray, per_sample: np.ndarray) -> Row:
        pairs = zip(means, map(spread, per_sample), strict=True)
        values = {name: (float(m), s) for name, (m, s) in zip(names, pairs, strict=True)}
        return Row(metric + label, row_unit, values)

    absolute, error = scores.sample["absolute"], scores.sample["error"]
    rmse, rmse_n = total_rmse(scores), sample_rmse(scores)
    bias, bias_n = error.sum(axis=1) / total, divide(error, scores.weight)
    yield row("mae", unit, absolute.sum(axis=1) / total, divide(absolute, scores.weight))
    yield row("rmse", unit, rmse, rmse_n)
    yield row("bias", unit, bias, bias_n)
    deviation = truth_spread(scores)
    yield row("nrmse", "1", divide(rmse, deviation), divide(rmse_n, deviation))
    if variable.kind == "ratio":
        mean = scores.truth_sum.sum() / total + scores.range.mean
        relative = PERCENT * divide(bias, mean)
        yield row("relative_bias", "%", relative, PERCENT * divide(bias_n, mean))


def similarity_rows(
    scores: VariableScores, maps: dict[str, np.ndarray], label: str
) -> Iterator[Row]:
    """Correlations over space and over time, PSNR and SSIM."""
    mse = sample_rmse(scores) ** 2
    with np.errstate(divide="ignore"):
        # an exact sample has no finite ratio and is left out of the mean
        psnr = 10 * np.log10(divide(np.full_like(mse, scores.range.width**2), mse))
    samples = {**scores.sample, "psnr": psnr}
    order = (("pearson", "1"), ("spearman", "1"), ("psnr", "dB"), ("ssim", "1"))
    for metric, unit in order:
        values = {
            name: (centre(series), spread(series))
            for name, series in zip(scores.candidates, samples[metric], strict=True)
        }
        yield Row(metric + label, unit, values)
        if metric in maps:
            temporal = {
                name: over_space(scores.area, field)
                for name, field in zip(scores.candidates, maps[metric], strict=True)
            }
            yield Row(f"{metric}_time{label}", "1", temporal)


def interval_rows(scores: VariableScores, times: np.ndarray, unit: str, label: str) -> list[Row]:
    """Ends of the RMSE's interval, and skill over the references with theirs."""
    columns = np.column_stack([scores.sample["squares"].T, scores.weight])
    drawn = resampled_sums(columns, block_length(times))
    rmse = total_rmse(scores)
    resampled = None if drawn is None else np.sqrt(divide(drawn[:, :-1], drawn[:, -1:]))
    rows = _with_interval("rmse", unit, label, scores.candidates, rmse, resampled)[1:]
    for reference in REFERENCES:
        if reference in scores.candidates:
            r = scores.candidates.index(reference)
            floor = ROUNDING * abs(scores.range.mean)
            skill = 1 - _against(rmse, rmse[r], floor)
            again = None
            if resampled is not None:
                again = 1 - _against(resampled, resampled[:, [r]], floor)
            name = f"skill_vs_{reference}"
            rows += _with_interval(name, "1", label, scores.candidates, skill, again)
    return rows


def _against(rmse: np.ndarray, reference: np.ndarray, floor: float) -> np.ndarray:
    """Ratio to the reference's RMSE, NaN where that is no more than rounding."""
    return divide(rmse, np.where(reference > floor, reference, 0.0))


def _with_interval(
    metric: str,
    unit: str,
    label: str,
    candidates: tuple[str, ...],
    values: np.ndarray,
    resampled: np.ndarray | None,
) -> list[Row]:
    """Rows of a score and its 95 % interval; the ends are NaN without resamples."""
    nothing = (np.nan, np.nan)
    ends = [
        nothing if resampled is None or np.isnan(resampled[:, k]).all() else interval(column)
        for k, column in enumerate(resampled.T if resampled is not None else values)
    ]
    columns = {
        metric: list(values),
        f"{metric}_low": [low for low, _ in ends],
        f"{metric}_high": [high for _, high in ends],
    }
    return [
        Row(
            name + label, unit, {c: (float(v), np.nan) for c, v in zip(candidates, vs, strict=True)}
        )
        for name, vs in columns.items()
    ]


def summarise(
    scores: VariableScores,
    variable: Variable,
    times: np.ndarray,
    several: bool,
    distribution: DistributionScores | None = None,
) -> tuple[list[Row], dict[str, np.ndarray]]:
    """All rows of one predictand, and its maps."""
    label = f"[{variable.name}]" if several else ""
    maps = gridpoint_maps(scores)
    errors = list(error_rows(scores, variable, label))
    similarity = list(similarity_rows(scores, maps, label))
    intervals = interval_rows(scores, times, variable.units or "1", label)
    ends = [row for row in intervals if row.metric.startswith("rmse")]
    skill = [row for row in intervals if row.metric.startswith("skill")]
    probabilistic: list[Row] = []
    if distribution is not None:
        probabilistic = ensemble_rows(scores, distribution, variable, label)
        probabilistic += quantile_rows(distribution, variable, label)
        similarity += spectrum_rows(distribution, label)
        similarity += wet_rows(distribution, variable, label)
        similarity += extreme_rows(distribution, variable, label)
        similarity += persistence_rows(distribution, label)
    return [*errors[:2], *ends, *errors[2:], *probabilistic, *similarity, *skill], maps
