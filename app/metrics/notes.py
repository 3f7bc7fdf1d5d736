"""What stands below the score table: the data behind it and the definitions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.baselines.base import split_size
from app.data.description import Variable
from app.data.times import Stamps
from app.metrics.accumulate import VariableScores
from app.metrics.bootstrap import MIN_BLOCKS, RESAMPLES, block_length

if TYPE_CHECKING:
    from app.data.shards import Shards

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
    "skill_vs_X: 1 - rmse / rmse of X. _low, _high: 95 % interval",
)


def notes(
    shards: Shards,
    split: str,
    variables: tuple[Variable, ...],
    scores: list[VariableScores],
    members: int,
) -> tuple[str, ...]:
    """Footer lines."""
    lines = [_period(shards, name) for name in ("train", "validation", split)]
    for variable, score in zip(variables, scores, strict=True):
        lines.append(
            f"{variable.name} ({variable.units or '1'}): {int(score.count.sum())} of "
            f"{score.offered} valid truth values scored, {int((score.count > 0).sum())} grid "
            f"points; ssim at {int(score.centres.sum())} window centres; truth from "
            f"{score.range.low:.5g} to {score.range.high:.5g}"
        )
    if members > 1:
        lines.append(f"model: mean of {members} members")
    length = block_length(shards.times(split))
    blocks = f" of {RESAMPLES} moving-block resamples, blocks of {length} samples"
    if shards.size(split) < MIN_BLOCKS * length:
        blocks = f": none, the period is shorter than {MIN_BLOCKS} blocks of {length} samples"
    return (*lines, *DEFINITIONS[:-1], f"{DEFINITIONS[-1]}{blocks}.")


def _period(shards: Shards, split: str) -> str:
    if not split_size(shards, split):
        return f"{split}: no samples"
    times = Stamps.of(shards.times(split))
    return f"{split}: {len(times)} samples, {times.span().replace('T', ' ')}"
