"""What is learnt from, and how."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from app.data.streaming.patches import Patches
from app.durations import NEVER, Interval
from app.errors import InputError

DEFAULT_SCALE = 2
AMOUNT_LOSS = "bernoulli_gamma"
DENSE_LOSSES = ("mse", "mae", "huber")


@dataclass(frozen=True)
class SamplingConfig:
    """How samples are cut from the fields; `max_steps` bounds every pass in debug runs."""

    scale: int = DEFAULT_SCALE
    halo: int = 0
    patch_size: int | None = None
    time_window: int | None = None
    patch_stride: int | None = None
    min_land_fraction: float = 0.0
    land_static: str = "lsm"
    batch_size: int = 32
    max_steps: int | None = None

    def __post_init__(self) -> None:
        if self.patch_size is not None and (
            self.patch_size < self.scale or self.patch_size % self.scale
        ):
            raise InputError(
                f"--patch_size={self.patch_size}: expected a multiple of --scale={self.scale}"
            )
        if self.patch_stride is not None and (
            self.patch_stride < self.scale or self.patch_stride % self.scale
        ):
            raise InputError(
                f"--patch_stride={self.patch_stride}: expected a multiple of --scale={self.scale}"
            )
        if self.patch_size is None and (self.patch_stride is not None or self.min_land_fraction):
            raise InputError(
                "--patch_stride and --min_land_fraction choose patches; expected --patch_size too"
            )

    @property
    def patches(self) -> Patches | None:
        """The patches that are trained on; None for whole fields."""
        if self.patch_size is None:
            return None
        return Patches(self.patch_size, self.patch_stride, self.min_land_fraction, self.land_static)


@dataclass(frozen=True)
class TrainingConfig:
    """How the network is trained: one field per training flag, with the flag's name."""

    trainer: str = "SupervisedTrainer"
    loss: str = "mae"
    huber_delta: float = 1.0
    dense_alpha: float = 0.0
    dense_epsilon: float = 1e-6
    dense_on: str = "all"
    quantiles: tuple[float, ...] = (0.1, 0.5, 0.9)
    input_noise: float = 0.0
    epochs: int = 100
    trained_epochs: int = 0
    learning_rate: tuple[float, ...] = (1e-3,)
    disc_learning_rate: tuple[float, ...] | None = None
    pixel_loss_weight: float = 100.0
    n_disc_filters: int = 32
    n_disc_blocks: int = 4
    disc_dropout_rate: float = 0.4
    lr_decay_after: float = 1e5
    lr_schedule: str = "piecewise"
    lr_scaling: bool = True
    warmup_steps: int = -1
    weight_decay: float = 0.0
    ema: float = 0.0
    gradient_clip: float = 0.0
    left_out_fold: tuple[int, int] | None = None
    early_stopping: bool = False
    patience: int = 6
    min_delta: float = 0.0
    checkpoints_frequency: int = 2
    checkpoint_every: Interval = NEVER
    save: bool = True
    save_bestmodel: bool = True
    tensorboard: bool = True
    seed: int = 0
    pretrain_epochs: int = 60
    coherence_epochs: int = 20
    coherence_weight: float = 1.0
    smooth_space: float = 0.01
    smooth_time: float = 0.01

    def __post_init__(self) -> None:
        if not 0 <= self.trained_epochs < self.epochs:
            raise InputError(
                f"--trained_epochs={self.trained_epochs} with --epochs={self.epochs}: expected "
                "0 <= trained_epochs < epochs, which counts them in"
            )
        self._check_quantiles()
        self._check_dense()
        self._check_rates("learning_rate", self.learning_rate)
        if self.disc_learning_rate is not None:
            self._check_rates("disc_learning_rate", self.disc_learning_rate)

    @property
    def predicted_quantiles(self) -> tuple[float, ...]:
        """The levels that are predicted; none of them with other losses."""
        return self.quantiles if self.loss == "quantile" else ()

    def _check_quantiles(self) -> None:
        levels = ",".join(map(str, self.quantiles))
        if not all(a < b for a, b in pairwise(self.quantiles)):
            raise InputError(f"--quantiles={levels}: expected rising levels")

    def _check_dense(self) -> None:
        if not self.dense_alpha:
            return
        if self.loss not in DENSE_LOSSES:
            raise InputError(
                f"--dense_alpha={self.dense_alpha} with --loss={self.loss}: expected one of "
                f"{', '.join(DENSE_LOSSES)}, whose cells can be weighed"
            )

    def _check_rates(self, name: str, values: tuple[float, ...]) -> None:
        rates = ",".join(map(str, values))
        if len(values) not in (1, 2):
            raise InputError(f"--{name}={rates}: expected one or two rates")
        if self.lr_schedule == "cosine" and len(values) == 2:
            raise InputError(f"--lr_schedule=cosine with --{name}={rates}: expected one rate")


@dataclass(frozen=True)
class TransferConfig:
    """Which weights a fresh run takes from a trained model, and which it never changes."""

    init_from: str | None = None
    init_parts: str = "all"
    freeze: str = "none"

    def __post_init__(self) -> None:
        if self.freeze != "none" and self.init_from is None:
            raise InputError(
                f"--freeze={self.freeze} without --init_from: random weights would stay as they "
                "are; name a trained model, or leave --freeze out"
            )
