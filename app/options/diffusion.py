"""Diffusion: the denoising network, its noise and its targets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from app.options.bounds import WEIGHT, WIDTH, Bounds, above
from app.options.option import Options, option, registered
from app.options.readers import files, truths, whole_numbers
from app.options.rules import Rule

MAX_MULTIPLIER = 1024


@dataclass(frozen=True)
class DiffusionConfig(Options):
    """The denoising network, its noise and its targets."""

    formulation: str = registered("edm", "What the denoising network is asked for, and its levels.")
    noise_schedule: str = registered("linear", "Levels of DDPM, 1000 of them.")
    noise_log_mean: float = option(
        -0.5, "Mean of log noise level in training (edm).", bounds=Bounds(-30, 30)
    )
    noise_log_std: float = option(
        1.2, "Standard deviation of the log noise level in training (edm).", bounds=above(0, 30)
    )
    sigma_min: float = option(0.004, "Lowest noise level in sampling (edm).", bounds=above(0, 1e6))
    sigma_max: float = option(80.0, "Highest noise level in sampling (edm).", bounds=above(0, 1e6))
    min_snr: float = option(
        0.0, "Bound on the weight of low noise levels; 0: none.", bounds=Bounds(0, WEIGHT)
    )
    learn_residuals: bool = option(
        True, "Draw what --first_guess leaves; else the first guess only conditions."
    )
    regression_folds: int = option(
        0,
        "Training residuals come from linear first guesses that have not seen the "
        "sample's fold, of this many; 0: from the first guess itself.",
        bounds=Bounds(0, 1000),
    )
    regression_draws: bool = option(
        False,
        "Each member has a linear first guess of its own, drawn by what those of the "
        "folds differ by; training residuals then lie half-way between theirs and the "
        "first guess's own.",
    )
    regression_from: str | None = option(None, "Trained run that gives the first guess instead.")
    fold_regressions: tuple[str, ...] = option(
        None,
        "Runs like it, with commas, the k-th of K trained with --left_out_fold=k/K: "
        "training residuals come from the one that has not seen the sample.",
        read=files,
    )
    instance_norm: bool = option(
        False, "Scale targets by mean and standard deviation of each sample's first guess."
    )
    target_scaling: str = option(
        "domain",
        "Standardise the targets over the domain, or in each grid point.",
        choices=("domain", "pixel"),
    )
    time_encoding: str = option(
        "cyclical",
        "Time features as sines and cosines, or as embedded classes (hours, twelfths).",
        choices=("cyclical", "classes"),
    )
    n_channels: int = option(
        16, "Channels that --channel_multipliers multiply.", bounds=Bounds(1, WIDTH)
    )
    channel_multipliers: tuple[int, ...] = option(
        "1,2,2,4",
        "Width of each level of the denoising U-Net.",
        read=whole_numbers(1, MAX_MULTIPLIER),
    )
    attention_levels: tuple[bool, ...] = option(
        "F,F,T,T",
        "Which of these levels have self-attention.",
        read=truths,
        aliases=("is_attention",),
    )
    unet_blocks: int = option(2, "Residual blocks on each level.", bounds=Bounds(1, 1000))
    noise_embedding: str = registered("positional", "How the network is told the noise level.")

    rules: ClassVar[tuple[Rule[DiffusionConfig], ...]] = (
        Rule(
            lambda d: d.regression_folds == 1,
            "--regression_folds={regression_folds}: expected 2 or more",
        ),
        Rule(
            lambda d: d.regression_draws and not d.regression_folds,
            "--regression_draws without --regression_folds: expected folds that tell how well the "
            "regression is known",
        ),
        Rule(
            lambda d: len(d.channel_multipliers) != len(d.attention_levels),
            "--attention_levels: expected one of T, F for each of the {levels} levels of "
            "--channel_multipliers, received {attending}",
        ),
        Rule(
            lambda d: d.sigma_min >= d.sigma_max,
            "--sigma_min={sigma_min} with --sigma_max={sigma_max}: expected sigma_min < sigma_max",
        ),
        Rule(
            lambda d: (
                d.fold_regressions and (d.regression_from is None or len(d.fold_regressions) < 2)
            ),
            "--fold_regressions={fold_regressions}: expected two runs or more, beside "
            "--regression_from",
        ),
    )

    @property
    def levels(self) -> int:
        """Levels of the denoising U-Net."""
        return len(self.channel_multipliers)

    @property
    def attending(self) -> int:
        """Levels of which it is said whether they have self-attention."""
        return len(self.attention_levels)
