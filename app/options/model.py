"""Which networks: one field per flag, with the flag's name."""

from __future__ import annotations

from dataclasses import dataclass

from app.errors import InputError
from app.options.values import at_least, joined, within

SPATIAL_ONLY = ("unet", "convnext", "swin2sr", "conv_baseline")
MAX_MULTIPLIER, MAX_FILTERS, MAX_FACTOR, MAX_KERNEL = 1024, 2**16, 1000, 255
PLAIN_BLOCKS = ("swin2sr", "conv_baseline")  # these have their own normalisation, or none


@dataclass(frozen=True)
class ModelConfig:
    """Which network: one field per model flag, with the flag's name."""

    backbone: str = "resnet"
    upsampling: str = "spc"
    decoder_upsampling: str = "rc"
    normalization: str | None = None
    dropout_variant: str = "vanilla"
    dropout_rate: float = 0.2
    activation: str = "relu"
    output_activation: str | None = None
    attention: bool = False
    localcon_layer: bool = False
    n_filters: int = 8
    n_blocks: int = 6
    rc_interpolation: str = "bilinear"
    interpolation: str = "inter_area"
    first_guess: str = "none"
    first_guess_radius: int = 1
    time_features: tuple[str, ...] = ()
    coordinate_channels: bool = False
    observations: str | None = None
    constraint: str = "none"
    time_window: int | None = None
    bidirectional: bool = True

    def __post_init__(self) -> None:
        if self.time_window is not None and self.backbone in SPATIAL_ONLY:
            raise InputError(
                f"--backbone={self.backbone} with --time_window={self.time_window}: this "
                "backbone takes spatial samples only; expected convnet, resnet or densenet"
            )
        if self.backbone == "unet" and self.upsampling != "pin":
            raise InputError(
                f"--backbone=unet with --upsampling={self.upsampling}: unet works on the fine "
                "grid and needs --upsampling=pin"
            )
        if self.backbone in PLAIN_BLOCKS and (self.normalization or self.attention):
            asked = "--attention" if self.attention else f"--normalization={self.normalization}"
            raise InputError(
                f"--backbone={self.backbone} with {asked}: the blocks of this backbone are fixed; "
                "leave it out"
            )
        if self.output_activation == "crelu":
            raise InputError(
                "--output_activation=crelu doubles the output channels; expected one of "
                "elu, relu, gelu, leaky_relu, selu, softplus or none"
            )
        if self.output_activation is not None and self.first_guess != "none":
            raise InputError(
                f"--output_activation={self.output_activation} with --first_guess="
                f"{self.first_guess}: the network's output is a correction, of either sign; "
                "leave one of them out"
            )


@dataclass(frozen=True)
class DiffusionConfig:
    """The denoising network, its noise and its targets: one field per flag, with its name."""

    formulation: str = "edm"
    noise_schedule: str = "linear"
    noise_log_mean: float = -0.5
    noise_log_std: float = 1.2
    sigma_min: float = 0.004
    sigma_max: float = 80.0
    min_snr: float = 0.0
    learn_residuals: bool = True
    regression_folds: int = 0
    regression_draws: bool = False
    regression_from: str | None = None
    fold_regressions: tuple[str, ...] = ()
    instance_norm: bool = False
    target_scaling: str = "domain"
    time_encoding: str = "cyclical"
    n_channels: int = 16
    channel_multipliers: tuple[int, ...] = (1, 2, 2, 4)
    is_attention: tuple[bool, ...] = (False, False, True, True)
    unet_blocks: int = 2
    noise_embedding: str = "positional"

    def __post_init__(self) -> None:
        if self.regression_folds != 0:
            at_least("regression_folds", self.regression_folds, 2)
        if self.regression_draws and not self.regression_folds:
            raise InputError(
                "--regression_draws without --regression_folds: expected folds that tell how well "
                "the regression is known"
            )
        levels, attending = len(self.channel_multipliers), len(self.is_attention)
        if levels != attending:
            raise InputError(
                f"--is_attention: expected one of T, F for each of the {levels} levels of "
                f"--channel_multipliers, received {attending}"
            )
        within("channel_multipliers", self.channel_multipliers, 1, MAX_MULTIPLIER)
        if not self.sigma_min < self.sigma_max:
            raise InputError(
                f"--sigma_min={self.sigma_min} with --sigma_max={self.sigma_max}: expected "
                "sigma_min < sigma_max"
            )
        if self.fold_regressions and (
            self.regression_from is None or len(self.fold_regressions) < 2
        ):
            raise InputError(
                f"--fold_regressions={','.join(self.fold_regressions)}: expected two runs or more, "
                "beside --regression_from"
            )


JOIN = "join"


@dataclass(frozen=True)
class StackConfig:
    """A stack of super-resolution stages (DeepSDTrainer); `factors` are those of its stages."""

    factors: tuple[int, ...] = (2,)
    filters: tuple[int, ...] = (64, 32)
    kernels: tuple[int, ...] = (9, 1, 5)
    srcnn_rates: tuple[float, ...] = (1.0, 1.0, 0.1)
    srcnn_residual: bool = False
    sr_network: str = "srcnn"
    sr_interpolation: str = "bilinear"
    sr_stage: str | None = None
    finetune_joint: int = 0
    finetune_rate: float | None = None

    def __post_init__(self) -> None:
        within("sr_factors", self.factors, 2, MAX_FACTOR)
        within("srcnn_filters", self.filters, 1, MAX_FILTERS)
        within("srcnn_kernels", self.kernels, 1, MAX_KERNEL)
        if len(self.kernels) != len(self.filters) + 1:
            raise InputError(
                f"--srcnn_kernels={joined(self.kernels)} with --srcnn_filters="
                f"{joined(self.filters)}: expected a size for each layer and one for the last, "
                f"{len(self.filters) + 1} in all"
            )
        if len(self.srcnn_rates) != len(self.kernels):
            raise InputError(
                f"--srcnn_rates={joined(self.srcnn_rates)}: expected {len(self.kernels)} numbers, "
                "one for each layer"
            )
        known = [*map(str, range(1, len(self.factors) + 1)), JOIN]
        if self.sr_stage is not None and self.sr_stage not in known:
            raise InputError(f"--sr_stage={self.sr_stage}: expected one of {', '.join(known)}")

    @property
    def numbers(self) -> tuple[int, ...]:
        """The stages that are to be trained, counted from 1."""
        every = tuple(range(1, len(self.factors) + 1))
        if self.sr_stage is None:
            return every
        return () if self.sr_stage == JOIN else (int(self.sr_stage),)

    @property
    def joins(self) -> bool:
        """Whether the stages are to be joined."""
        return self.sr_stage in (None, JOIN)


@dataclass(frozen=True)
class TemporalConfig:
    """Downscaling in time: the network beside the model flags, and which triples it learns from.

    One field per flag, with the flag's name.
    """

    flow: bool = True
    flow_filters: tuple[int, ...] = (16, 24, 32)
    context_frames: int = 0
    pretrain_span: int = 2
    sun_response: tuple[float, ...] = ()
    composite_subset: str = "index"
    composite_quantile: float = 0.3
