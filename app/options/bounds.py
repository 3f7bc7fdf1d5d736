"""What each flag that takes a number accepts: one row a flag.

Where nothing in the method bounds a number, the upper limit stands far beyond what was ever of use;
it keeps slips of the keyboard from ending in overflows or in days of work.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass

COUNT = 10**9
WIDTH = 2**16  # filters of a layer
WEIGHT = 1e9
RATE = 1e6  # a learning rate above is a slip
YEAR_S = 366 * 24 * 3600


@dataclass(frozen=True)
class Bounds:
    """An interval of finite numbers, each of its ends part of it or not."""

    least: float
    most: float
    with_least: bool = True
    with_most: bool = True

    def holds(self, value: float) -> bool:
        """Whether the interval contains the value; no interval contains NaN."""
        above = self.least <= value if self.with_least else self.least < value
        below = value <= self.most if self.with_most else value < self.most
        return above and below

    def around(self, name: str) -> str:
        """The interval as an inequality, such as `0 <= dropout_rate < 1`."""
        left, right = ("<=" if closed else "<" for closed in (self.with_least, self.with_most))
        return f"{self.least} {left} {name} {right} {self.most}"


def above(least: float, most: float) -> Bounds:
    """Numbers beyond `least`, up to `most`."""
    return Bounds(least, most, with_least=False)


SHARE = Bounds(0, 1)
BELOW_ONE = Bounds(0, 1, with_most=False)
WITHIN_ONE = Bounds(0, 1, with_least=False, with_most=False)

BOUNDS: dict[str, Bounds] = {
    "seed": Bounds(0, 2**32 - 1),  # what NumPy's generators take
    "transform_scale": above(0, 1e12),
    "valid_min": Bounds(-1e30, 1e30),
    "valid_max": Bounds(-1e30, 1e30),
    "missing": Bounds(-sys.float_info.max, sys.float_info.max),
    "scale": Bounds(1, 1000),
    "halo": Bounds(0, 512),
    "patch_size": Bounds(1, WIDTH),
    "patch_stride": Bounds(1, WIDTH),
    "min_land_fraction": SHARE,
    "time_window": Bounds(2, 10_000),
    "first_guess_radius": Bounds(1, 16),
    "n_filters": Bounds(1, WIDTH),
    "n_blocks": Bounds(1, 1000),
    "dropout_rate": BELOW_ONE,
    "srcnn_rates": above(0, 1e6),
    "n_disc_filters": Bounds(1, WIDTH),
    "n_disc_blocks": Bounds(1, 1000),
    "disc_dropout_rate": BELOW_ONE,
    "flow_filters": Bounds(1, WIDTH),
    "context_frames": SHARE,
    "sun_response": Bounds(0, 1e4),  # hours
    "noise_log_mean": Bounds(-30, 30),
    "noise_log_std": above(0, 30),
    "sigma_min": above(0, 1e6),
    "sigma_max": above(0, 1e6),
    "min_snr": Bounds(0, WEIGHT),
    "regression_folds": Bounds(0, 1000),
    "n_channels": Bounds(1, WIDTH),
    "unet_blocks": Bounds(1, 1000),
    "huber_delta": above(0, WEIGHT),
    "dense_alpha": Bounds(0, WEIGHT),
    "dense_epsilon": above(0, 1),
    "quantiles": WITHIN_ONE,
    "input_noise": Bounds(0, 1e6),
    "epochs": Bounds(1, COUNT),
    "trained_epochs": Bounds(0, COUNT),
    "finetune_joint": Bounds(0, COUNT),
    "finetune_rate": above(0, RATE),
    "batch_size": Bounds(1, COUNT),
    "learning_rate": above(0, RATE),
    "disc_learning_rate": above(0, RATE),
    "pixel_loss_weight": Bounds(0, WEIGHT),
    "lr_decay_after": Bounds(0, 1e18),
    "warmup_steps": Bounds(-1, COUNT),
    "weight_decay": Bounds(0, 1e6),
    "ema": BELOW_ONE,
    "gradient_clip": Bounds(0, WEIGHT),
    "patience": Bounds(1, COUNT),
    "min_delta": Bounds(0, WEIGHT),
    "checkpoints_frequency": Bounds(0, COUNT),
    "pretrain_epochs": Bounds(0, COUNT),
    "coherence_epochs": Bounds(0, COUNT),
    "pretrain_span": Bounds(2, 4),
    "coherence_weight": Bounds(0, WEIGHT),
    "smooth_space": Bounds(0, WEIGHT),
    "smooth_time": Bounds(0, WEIGHT),
    "composite_quantile": BELOW_ONE,
    "members": Bounds(1, 100_000),
    "write_quantiles": WITHIN_ONE,
    "sampling_steps": Bounds(1, 100_000),
    "ddim_eta": SHARE,
    "noise_correlation": BELOW_ONE,
    "tile_size": Bounds(1, COUNT),
    "tile_overlap": Bounds(0, COUNT),
    "threads": Bounds(1, 4096),
    "launch_timeout": Bounds(1, YEAR_S),
    "rank_timeout": Bounds(1, YEAR_S),
    "jobs": Bounds(1, 4096),
}
