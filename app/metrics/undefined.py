"""Why scores have no value: constant fields, dry or short periods do not allow them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from app.metrics.accumulate import VariableScores
from app.metrics.table import Row

ENDS = ("_low", "_high")  # of intervals, which have a note of their own
CONSTANT = "the truth is the same everywhere and always"
BANDS = "the truth or the prediction has no variance in some band of wavelengths"
REASONS = {
    "nrmse": CONSTANT,
    "relative_bias": "the mean of the truth is 0",
    "pearson": "truth or prediction is the same in all cells of each sample",
    "spearman": "truth or prediction is the same in all cells of each sample",
    "pearson_time": "truth or prediction does not change in time in any cell",
    "spearman_time": "truth or prediction does not change in time in any cell",
    "psnr": "no sample has an error",
    "ssim": "no window has half its weight on valid cells",
    "log_spectral_distance": BANDS,
    "power_ratio_high": BANDS,
    "power_worst_high": BANDS,
    "spread_skill": "the mean of the members has no error",
    "spread_skill_2x2": "the mean of the members has no error",
    "wet_intensity": "nothing of the prediction is wet",
    "brier_skill_wet": "the truth is always wet, or never",
    "residual_lag1": "the prediction less bicubic does not vary, or no times follow each other",
}
OF_RANGE = ("psnr", "ssim", "log_spectral_distance", "power_ratio_high", "power_worst_high")
SKILL = "skill_vs_"


def undefined_note(rows: Sequence[Row], scores: VariableScores, label: str) -> str | None:
    """One line on the scores of the model that have no value, by reason; None if all have one.

    `rows`: of one predictand, their names ending in `label`.
    """
    model = scores.candidates[0]
    metrics: dict[str, list[str]] = {}
    for row in rows:
        name = row.metric.removesuffix(label)
        value = row.values.get(model, (np.nan, np.nan))[0]
        if row.values and not np.isfinite(value) and not name.endswith(ENDS):
            metrics.setdefault(_reason(name, scores), []).append(name)
    if not metrics:
        return None
    parts = [f"{', '.join(names)}: {reason}" for reason, names in metrics.items()]
    return f"the model has no value (–) of {'; of '.join(parts)}"


def _reason(name: str, scores: VariableScores) -> str:
    if name in OF_RANGE and not scores.range.width:
        return CONSTANT
    if name.startswith(SKILL):
        return f"{name.removeprefix(SKILL)} has no error"
    return REASONS.get(name, "too few valid values")
