"""The experiment as frozen dataclasses, built once from the flags; nothing below reads flags."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from itertools import pairwise
from pathlib import Path
from typing import Any, TypeVar

from app import flags
from app.data.description import DataDescription, TimeSteps
from app.data.patches import Patches
from app.data.read_description import from_files, from_module, from_yaml, with_transform
from app.durations import NEVER, Interval, seconds_of
from app.errors import InputError
from app.registry import unknown

STAGES = ("prepare", "train", "test", "metrics", "check", "list", "status")
STAGE_FLAGS = ("train", "test", "metrics")
DATA_ROOT_VARIABLE = "FINESCALE_DATA"
DATA_ROOT_DEFAULT = Path("../shared/data")
DEBUG_EPOCHS = 2
DEBUG_STEPS = 6
DEBUG_MEMBERS = 2
DEBUG_SAMPLING_STEPS = 2
SWEEP_FLAGS = frozenset(flag.name for flag in flags.SECTIONS["SWEEP"])
DIFFUSION = "DiffusionTrainer"
STACK_TRAINER = "DeepSDTrainer"
JOIN = "join"
IN_TIME = "TemDeepTrainer"
DEFAULT_SCALE = 2
SPACE_ALONE = (
    *("patch_size", "constraint", "first_guess", "init_from", "halo", "input_noise"),
    *("localcon_layer", "normalization", "attention", "members", "tile_size", "ensemble"),
    *("output_activation", "data_module", "trained_epochs", "coordinate_channels", "time_window"),
    *("dense_alpha", "left_out_fold"),
)  # flags without a meaning for downscaling in time
SPATIAL_ONLY = ("unet", "convnext")
TRAINERS_OF_WINDOWS = ("SupervisedTrainer", "CGANTrainer")
AMOUNT_LOSS = "bernoulli_gamma"
DENSE_LOSSES = ("mse", "mae", "huber")
DENSE_TRAINERS = ("SupervisedTrainer", "CGANTrainer", STACK_TRAINER)


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
    constraint: str = "none"
    time_window: int | None = None
    bidirectional: bool = True

    def __post_init__(self) -> None:
        if self.time_window is not None:
            _at_least("time_window", self.time_window, 2)
            if self.backbone in SPATIAL_ONLY:
                raise InputError(
                    f"--backbone={self.backbone} with --time_window={self.time_window}: this "
                    "backbone takes spatial samples only; expected convnet, resnet or densenet"
                )
        _at_least("n_filters", self.n_filters, 1)
        _at_least("n_blocks", self.n_blocks, 1)
        _at_least("first_guess_radius", self.first_guess_radius, 1)
        if not 0 <= self.dropout_rate < 1:
            raise InputError(f"--dropout_rate={self.dropout_rate}: expected 0 <= rate < 1")
        if self.backbone == "unet" and self.upsampling != "pin":
            raise InputError(
                f"--backbone=unet with --upsampling={self.upsampling}: unet works on the fine "
                "grid and needs --upsampling=pin"
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
        if self.scale != 1:  # no refinement in space: downscaling in time
            _at_least("scale", self.scale, 2)
        _at_least("halo", self.halo, 0)
        _at_least("batch_size", self.batch_size, 1)
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
        if not 0 <= self.min_land_fraction <= 1:
            raise InputError(
                f"--min_land_fraction={self.min_land_fraction}: expected a share from 0 to 1"
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
        _at_least("epochs", self.epochs, 1)
        _at_least("pretrain_epochs", self.pretrain_epochs, 0)
        _at_least("coherence_epochs", self.coherence_epochs, 0)
        for name in ("coherence_weight", "smooth_space", "smooth_time"):
            value = getattr(self, name)
            if not 0 <= value < math.inf:
                raise InputError(f"--{name}={value}: expected 0 or more")
        if not 0 <= self.trained_epochs < self.epochs:
            raise InputError(
                f"--trained_epochs={self.trained_epochs} with --epochs={self.epochs}: expected "
                "0 <= trained_epochs < epochs, which counts them in"
            )
        if not 0 < self.huber_delta < math.inf:
            raise InputError(f"--huber_delta={self.huber_delta}: expected a number above 0")
        self._check_quantiles()
        self._check_dense()
        if not 0 <= self.input_noise < math.inf:
            raise InputError(f"--input_noise={self.input_noise}: expected 0 or more")
        _at_least("patience", self.patience, 1)
        _at_least("checkpoints_frequency", self.checkpoints_frequency, 0)
        _at_least("seed", self.seed, 0)
        _at_least("warmup_steps", self.warmup_steps, -1)
        self._check_rates("learning_rate", self.learning_rate)
        self._check_discriminator()
        if not 0 <= self.ema < 1:
            raise InputError(f"--ema={self.ema}: expected 0 <= decay < 1")
        if self.weight_decay < 0:
            raise InputError(f"--weight_decay={self.weight_decay}: expected 0 or more")
        if self.gradient_clip < 0:
            raise InputError(f"--gradient_clip={self.gradient_clip}: expected 0 or more")

    @property
    def predicted_quantiles(self) -> tuple[float, ...]:
        """The levels that are predicted; none of them with other losses."""
        return self.quantiles if self.loss == "quantile" else ()

    def _check_quantiles(self) -> None:
        levels = ",".join(map(str, self.quantiles))
        rising = all(a < b for a, b in pairwise(self.quantiles))
        if not (self.quantiles and self.quantiles[0] > 0 and self.quantiles[-1] < 1 and rising):
            raise InputError(f"--quantiles={levels}: expected rising levels between 0 and 1")
        if self.loss == "quantile" and self.trainer != "SupervisedTrainer":
            raise InputError(
                f"--loss=quantile with --trainer={self.trainer}: expected SupervisedTrainer; "
                "no other one trains several quantiles"
            )

    def _check_dense(self) -> None:
        if not 0 <= self.dense_alpha < math.inf:
            raise InputError(f"--dense_alpha={self.dense_alpha}: expected 0 or more")
        if not 0 < self.dense_epsilon <= 1:
            raise InputError(f"--dense_epsilon={self.dense_epsilon}: expected 0 < epsilon <= 1")
        if not self.dense_alpha:
            return
        if self.loss not in DENSE_LOSSES:
            raise InputError(
                f"--dense_alpha={self.dense_alpha} with --loss={self.loss}: expected one of "
                f"{', '.join(DENSE_LOSSES)}, whose cells can be weighed"
            )
        if self.trainer not in DENSE_TRAINERS:
            raise InputError(
                f"--dense_alpha={self.dense_alpha} with --trainer={self.trainer}: expected one of "
                f"{', '.join(DENSE_TRAINERS)}"
            )

    def _check_rates(self, name: str, values: tuple[float, ...]) -> None:
        rates = ",".join(map(str, values))
        if len(values) not in (1, 2) or min(values) <= 0:
            raise InputError(f"--{name}={rates}: expected one or two rates above 0")
        if self.lr_schedule == "cosine" and len(values) == 2:
            raise InputError(f"--lr_schedule=cosine with --{name}={rates}: expected one rate")

    def _check_discriminator(self) -> None:
        _at_least("n_disc_filters", self.n_disc_filters, 1)
        _at_least("n_disc_blocks", self.n_disc_blocks, 1)
        if self.disc_learning_rate is not None:
            self._check_rates("disc_learning_rate", self.disc_learning_rate)
        if not 0 <= self.disc_dropout_rate < 1:
            raise InputError(
                f"--disc_dropout_rate={self.disc_dropout_rate}: expected 0 <= rate < 1"
            )
        if self.pixel_loss_weight < 0:
            raise InputError(f"--pixel_loss_weight={self.pixel_loss_weight}: expected 0 or more")


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
        _at_least("n_channels", self.n_channels, 1)
        _at_least("unet_blocks", self.unet_blocks, 1)
        if self.regression_folds != 0:
            _at_least("regression_folds", self.regression_folds, 2)
        levels, attending = len(self.channel_multipliers), len(self.is_attention)
        if levels != attending:
            raise InputError(
                f"--is_attention: expected one of T, F for each of the {levels} levels of "
                f"--channel_multipliers, received {attending}"
            )
        if min(self.channel_multipliers) < 1:
            raise InputError(
                f"--channel_multipliers={','.join(map(str, self.channel_multipliers))}: expected "
                "whole numbers from 1 up"
            )
        if not 0 < self.sigma_min < self.sigma_max < math.inf:
            raise InputError(
                f"--sigma_min={self.sigma_min} with --sigma_max={self.sigma_max}: expected "
                "0 < sigma_min < sigma_max"
            )
        if not 0 < self.noise_log_std < math.inf:
            raise InputError(f"--noise_log_std={self.noise_log_std}: expected a number above 0")
        if self.fold_regressions and (
            self.regression_from is None or len(self.fold_regressions) < 2
        ):
            raise InputError(
                f"--fold_regressions={','.join(self.fold_regressions)}: expected two runs or more, "
                "beside --regression_from"
            )
        if self.min_snr < 0:
            raise InputError(f"--min_snr={self.min_snr}: expected 0 or more")


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
        for factor in self.factors:
            _at_least("sr_factors", factor, 2)
        for count in self.filters:
            _at_least("srcnn_filters", count, 1)
        for size in self.kernels:
            _at_least("srcnn_kernels", size, 1)
        if len(self.kernels) != len(self.filters) + 1:
            raise InputError(
                f"--srcnn_kernels={_joined(self.kernels)} with --srcnn_filters="
                f"{_joined(self.filters)}: expected a size for each layer and one for the last, "
                f"{len(self.filters) + 1} in all"
            )
        if len(self.srcnn_rates) != len(self.kernels) or min(self.srcnn_rates) <= 0:
            raise InputError(
                f"--srcnn_rates={_joined(self.srcnn_rates)}: expected {len(self.kernels)} numbers "
                "above 0, one for each layer"
            )
        _at_least("finetune_joint", self.finetune_joint, 0)
        if self.finetune_rate is not None and self.finetune_rate <= 0:
            raise InputError(f"--finetune_rate={self.finetune_rate}: expected a rate above 0")
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


@dataclass(frozen=True)
class TemporalConfig:
    """Downscaling in time: the network beside the model flags, and which triples it learns from.

    One field per flag, with the flag's name.
    """

    flow: bool = True
    flow_filters: tuple[int, ...] = (16, 24, 32)
    context_frames: int = 0
    pretrain_span: int = 2
    composite_subset: str = "index"
    composite_quantile: float = 0.3

    def __post_init__(self) -> None:
        if min(self.flow_filters, default=0) < 1:
            widths = ",".join(map(str, self.flow_filters))
            raise InputError(f"--flow_filters={widths}: expected widths of 1 or more")
        for name, (low, high) in {"context_frames": (0, 1), "pretrain_span": (2, 4)}.items():
            value = getattr(self, name)
            if not low <= value <= high:
                raise InputError(f"--{name}={value}: expected {low} to {high}")
        if not 0 <= self.composite_quantile < 1:
            raise InputError(
                f"--composite_quantile={self.composite_quantile}: expected 0 <= share < 1"
            )


@dataclass(frozen=True)
class InferenceConfig:
    """What is predicted, by which model and to which file."""

    model: str | None = None
    temporal_model: str | None = None
    ensemble: tuple[str, ...] = ()
    members: int = 1
    predict_quantiles: tuple[float, ...] | None = None
    write_members: bool = True
    write_quantiles: tuple[float, ...] = ()
    sampler: str = "heun"
    sampling_steps: int = 18
    ddim_eta: float = 0.0
    noise_correlation: float = 0.0
    tile_size: int | None = None
    tile_overlap: int = 32
    input: tuple[str, ...] = ()
    input_grid: str = "trained"
    input_correction: str = "none"
    input_reference: tuple[str, ...] = ()
    inference_save_fname: str | None = None
    inference_array_in_hr: bool = False

    def __post_init__(self) -> None:
        _at_least("members", self.members, 1)
        _at_least("sampling_steps", self.sampling_steps, 1)
        if not 0 <= self.ddim_eta <= 1:
            raise InputError(f"--ddim_eta={self.ddim_eta}: expected 0 to 1")
        if not 0 <= self.noise_correlation < 1:
            raise InputError(
                f"--noise_correlation={self.noise_correlation}: expected 0 <= correlation < 1"
            )
        if self.write_quantiles and (
            min(self.write_quantiles) < 0 or max(self.write_quantiles) > 1
        ):
            quantiles = ",".join(map(str, self.write_quantiles))
            raise InputError(f"--write_quantiles={quantiles}: expected numbers from 0 to 1")
        if (self.input_correction != "none" or self.input_reference) and not self.input:
            raise InputError(
                f"--input_correction={self.input_correction}: expected --input, the files that are "
                "to be corrected"
            )
        if self.input_correction != "none" and self.input_grid == "own":
            raise InputError(
                f"--input_correction={self.input_correction} with --input_grid=own: the training "
                "climate is known on the trained grid alone; leave one of them out"
            )
        if self.input_reference and self.input_correction == "none":
            raise InputError(
                "--input_reference without --input_correction: nothing is to be corrected; "
                "expected quantile_mapping or trend_preserving"
            )
        levels = self.predict_quantiles
        if levels is not None:
            rising = all(a < b for a, b in pairwise(levels))
            if not (levels and levels[0] > 0 and levels[-1] < 1 and rising):
                raise InputError(
                    f"--predict_quantiles={_joined(levels)}: expected rising levels between 0 and 1"
                )
            if self.members > 1:
                raise InputError(
                    f"--predict_quantiles with --members={self.members}: quantiles stand in the "
                    "place of members; leave one of them out"
                )
        _at_least("tile_overlap", self.tile_overlap, 0)
        if self.tile_size is not None and self.tile_size <= 2 * self.tile_overlap:
            raise InputError(
                f"--tile_size={self.tile_size} with --tile_overlap={self.tile_overlap}: expected "
                "tiles larger than twice their overlap"
            )
        if self.input_grid == "own" and not self.input:
            raise InputError("--input_grid=own without --input: expected files that have a grid")
        if self.temporal_model and (self.members > 1 or self.ensemble):
            raise InputError(
                "--temporal_model with --members or --ensemble: a model in time follows one field; "
                "leave one of them out"
            )
        if self.model and self.ensemble:
            raise InputError("--model and --ensemble: expected one of them")


@dataclass(frozen=True)
class MachineConfig:
    """What the run may use of the machine."""

    device: str | None = None
    precision: str = "float32"
    threads: int | None = None
    time_limit: float | None = None  # seconds
    gpu_memory_growth: bool = True

    def __post_init__(self) -> None:
        if self.threads is not None:
            _at_least("threads", self.threads, 1)


@dataclass(frozen=True)
class LaunchConfig:
    """How ranks find each other, and how long they wait (in seconds)."""

    network_interface: str | None = None
    launch_timeout: int = 300
    rank_timeout: int = 600

    def __post_init__(self) -> None:
        _at_least("launch_timeout", self.launch_timeout, 1)
        _at_least("rank_timeout", self.rank_timeout, 1)


@dataclass(frozen=True)
class Experiment:
    """One experiment; `flags` are the resolved values, kept for the run folder.

    test_data: what is predicted and scored, where that is not `data`.
    """

    stages: tuple[str, ...]
    save_path: Path
    cache_dir: Path
    stage_to: Path | None
    data: DataDescription | None
    test_data: DataDescription | None
    sampling: SamplingConfig
    model: ModelConfig
    training: TrainingConfig
    diffusion: DiffusionConfig
    stack: StackConfig
    transfer: TransferConfig
    temporal: TemporalConfig
    inference: InferenceConfig
    machine: MachineConfig
    launch: LaunchConfig
    overwrite: bool
    verify: bool
    flags: dict[str, Any]

    @property
    def guarded_path(self) -> Path:
        """The folder that this run alone may write to: stages of a stack may run side by side."""
        stage = self.stack.sr_stage
        if self.training.trainer == STACK_TRAINER and stage not in (None, JOIN):
            return stage_path(self.save_path, int(stage or 0))
        return self.save_path

    runs: tuple[Path, ...] = ()  # whose status is wanted

    @property
    def in_time(self) -> bool:
        """Whether the run downscales in time instead of in space."""
        return self.training.trainer == IN_TIME


@dataclass(frozen=True)
class SweepConfig:
    """A sweep: its folder, what its members share, and how they are run.

    spec: text of --sweep. shared: the command line that all members have in common;
    given_flags: the flags named in it.
    """

    save_path: Path
    spec: str | None
    stages: tuple[str, ...]
    shared: tuple[str, ...]
    given_flags: frozenset[str]
    jobs: int
    threads: int | None
    submit: bool
    sbatch_options: str
    dry_run: bool
    collect: bool
    overwrite: bool

    def __post_init__(self) -> None:
        _at_least("jobs", self.jobs, 1)
        if self.collect == bool(self.spec):
            raise InputError(
                "sweep: expected --sweep='FLAG=VALUE,VALUE;…' or --sweep=FILE.yml to run one, or "
                "--collect to read what has run"
            )
        if self.sbatch_options and not self.submit:
            raise InputError("--sbatch_options without --submit: nothing is given to sbatch")


def build_sweep(words: tuple[str, ...], values: dict[str, Any], argv: Sequence[str]) -> SweepConfig:
    """The sweep of a command line; its members are checked when they are expanded."""
    if words != ("sweep",):
        others = ", ".join(word for word in words if word != "sweep")
        raise InputError(
            f"sweep with {others}: expected sweep alone; --sweep_stages says what members run"
        )
    stages = _stages(_listed(values["sweep_stages"]), values)
    return SweepConfig(
        save_path=_path(values["save_path"]),
        spec=values["sweep"],
        stages=stages,
        shared=flags.without(argv, SWEEP_FLAGS),
        given_flags=flags.given_names(argv) - SWEEP_FLAGS - {"flagfile"},
        jobs=values["jobs"],
        threads=values["threads"],
        submit=values["submit"],
        sbatch_options=values["sbatch_options"] or "",
        dry_run=values["dry_run"],
        collect=values["collect"],
        overwrite=values["overwrite"],
    )


def stage_path(run: Path, number: int) -> Path:
    """Folder of one stage of a stack within that of the run."""
    return run / "stages" / f"stage_{number}"


def build(words: tuple[str, ...], values: dict[str, Any]) -> Experiment:
    """The experiment of a command line, refused in one line where it cannot work."""
    runs = words[1:] if words[:1] == ("status",) else ()
    stages = _stages(words[:1] if runs else words, values)
    experiment = Experiment(
        stages=stages,
        save_path=_path(values["save_path"]),
        cache_dir=_path(values["cache_dir"]),
        stage_to=_path(values["stage_to"]) if values["stage_to"] else None,
        data=None,
        test_data=None,
        sampling=_sampling(values),
        model=_part(ModelConfig, values),
        training=_part(
            TrainingConfig,
            values,
            checkpoint_every=_checkpoint_every(values),
            **_epochs(values),
            left_out_fold=_fold(values),
        ),
        diffusion=_part(
            DiffusionConfig,
            values,
            channel_multipliers=_whole_numbers(values, "channel_multipliers"),
            is_attention=_truths(values, "is_attention"),
            fold_regressions=_listed(values["fold_regressions"]),
        ),
        stack=_stack(values),
        transfer=_part(TransferConfig, values),
        temporal=_part(TemporalConfig, values),
        inference=_part(
            InferenceConfig,
            values,
            input=_listed(values["input"]),
            input_reference=_listed(values["input_reference"]),
            ensemble=_listed(values["ensemble"]),
            write_quantiles=values["write_quantiles"] or (),
            **_debug_inference(values),
        ),
        machine=_part(MachineConfig, values, time_limit=_time_limit(values)),
        launch=_part(LaunchConfig, values),
        overwrite=values["overwrite"],
        verify=values["verify"],
        flags=values,
        runs=tuple(_path(name) for name in runs) or (_path(values["save_path"]),),
    )
    _check_pairs(experiment)
    if _data_wanted(stages, values):
        data = with_transform(_data(values), values["transform"], values["transform_scale"])
        _check_splits(data, stages)
        if experiment.in_time:
            data = replace(data, time_steps=time_steps(values))
        experiment = replace(experiment, data=data, test_data=_test_data(values))
    return experiment


def _stack(values: dict[str, Any]) -> StackConfig:
    """The stages of the flags; without --sr_factors one for each prime factor of the scale."""
    given = values["sr_factors"]
    factors = _whole_numbers(values, "sr_factors") if given else _prime_factors(values["scale"])
    debug = {"finetune_joint": min(values["finetune_joint"], 1)} if values["debug"] else {}
    return _part(
        StackConfig,
        values,
        factors=factors,
        filters=_whole_numbers(values, "srcnn_filters"),
        kernels=_whole_numbers(values, "srcnn_kernels"),
        **debug,
    )


def _prime_factors(number: int) -> tuple[int, ...]:
    factors, rest, factor = [], number, 2
    while rest > 1:
        while rest % factor == 0:
            factors.append(factor)
            rest //= factor
        factor += 1
    return tuple(factors)


def _stages(words: tuple[str, ...], values: dict[str, Any]) -> tuple[str, ...]:
    for word in words:
        if word not in STAGES:
            raise InputError(unknown("stage", word, STAGES))
    chosen = words or tuple(name for name in STAGE_FLAGS if values[name])
    if not chosen:
        raise InputError("no stage to run: --train, --test and --metrics are all false")
    return tuple(stage for stage in STAGES if stage in chosen)


def _checkpoint_every(values: dict[str, Any]) -> Interval:
    interval = Interval.of(values["checkpoint_every"])
    if interval is None:
        raise InputError(
            f"--checkpoint_every={values['checkpoint_every']}: expected steps (500) or a time "
            "(90s, 10min, 1h, 00:10:00)"
        )
    return interval


def _time_limit(values: dict[str, Any]) -> float | None:
    text = values["time_limit"]
    seconds = None if text is None else seconds_of(text)
    if text is not None and not seconds:
        raise InputError(f"--time_limit={text}: expected a time (90min, 3h, 02:00:00, 1-00:00:00)")
    return seconds


def _sampling(values: dict[str, Any]) -> SamplingConfig:
    scale = values["scale"]
    if values["trainer"] == IN_TIME and scale == DEFAULT_SCALE:
        scale = 1
    steps = DEBUG_STEPS if values["debug"] else None
    return _part(SamplingConfig, values, scale=scale, max_steps=steps)


def _epochs(values: dict[str, Any]) -> dict[str, int]:
    """What --epochs comes to in debug runs, and where it is the sum of two stages."""
    if values["trainer"] == IN_TIME:
        stages = [values["pretrain_epochs"], values["coherence_epochs"]]
        if values["debug"]:
            stages = [min(1, epochs) for epochs in stages]
        if not sum(stages):
            raise InputError("--pretrain_epochs=0 with --coherence_epochs=0: nothing to train")
        names = ("pretrain_epochs", "coherence_epochs", "epochs")
        return dict(zip(names, (*stages, sum(stages)), strict=True))
    return {"epochs": values["trained_epochs"] + DEBUG_EPOCHS} if values["debug"] else {}


def _debug_inference(values: dict[str, Any]) -> dict[str, int]:
    """Few members and few steps to draw them; both are what inference takes long for."""
    bounds = {"members": DEBUG_MEMBERS, "sampling_steps": DEBUG_SAMPLING_STEPS}
    return {n: min(values[n], bound) for n, bound in bounds.items()} if values["debug"] else {}


def _data_wanted(stages: tuple[str, ...], values: dict[str, Any]) -> bool:
    """Files under --input with a trained model need no description of training data."""
    if set(stages) <= {"list", "status"}:
        return False
    return not (values["input"] and set(stages) == {"test"})


def _data(values: dict[str, Any]) -> DataDescription:
    """The description from whichever of the three ways was taken."""
    given = [name for name in ("data_config", "data", "data_module") if values[name]]
    if len(given) != 1:
        received = " and ".join(f"--{name}" for name in given) or "none of them"
        raise InputError(
            "data: expected exactly one of --data_config=FILE.yml, --data=FILES with --variable, "
            f"or --data_module=FILE.py; received {received}"
        )
    explicit = values["paired_samples"] == "explicit"
    if values["data_module"]:
        return from_module(values["data_module"], explicit, values["inference_array_in_hr"])
    if values["data"]:
        if explicit:
            raise InputError(
                "--paired_samples=explicit with --data: explicit pairs need low-resolution data; "
                "name it under low_resolution in a --data_config"
            )
        return from_files(values["data"], values["variable"], values["static"])
    description = from_yaml(values["data_config"], data_root(values["data_root"]))
    if explicit and description.low_resolution is None:
        raise InputError(
            f"--paired_samples=explicit: {values['data_config']} has no low_resolution source"
        )
    return description if explicit else replace(description, low_resolution=None)


def _check_splits(data: DataDescription, stages: tuple[str, ...]) -> None:
    """Every stage has its period; a data module says so itself."""
    if data.module is not None:
        return
    wanted = {
        "train": ("train", "validation"),
        "test": ("test",),
        "metrics": ("test",),
    }
    for stage, names in wanted.items():
        missing = [name for name in names if name not in data.splits.asked]
        if stage in stages and missing:
            raise InputError(
                f"splits: the stage {stage} needs a {missing[0]} period; the data description "
                f"has {', '.join(data.splits.asked) or 'none'}"
            )


def _test_data(values: dict[str, Any]) -> DataDescription | None:
    """The same sources in the other pairing; None where test and training agree."""
    if values["test_pairs"] in (None, values["paired_samples"]):
        return None
    data = _data({**values, "paired_samples": values["test_pairs"]})
    return with_transform(data, values["transform"], values["transform_scale"])


def data_root(given: str | None) -> str:
    """The folder of real data: flag, environment, or the usual place beside the checkout."""
    return given or os.environ.get(DATA_ROOT_VARIABLE) or str(DATA_ROOT_DEFAULT)


def _check_pairs(experiment: Experiment) -> None:
    """Combinations of parts that exclude one another."""
    model, sampling = experiment.model, experiment.sampling
    tied = [
        name
        for name, used in (
            ("--localcon_layer", model.localcon_layer),
            ("--first_guess=linear", model.first_guess == "linear"),
        )
        if used
    ]
    if sampling.patch_size is not None and tied:
        raise InputError(
            f"{' and '.join(tied)} with --patch_size={sampling.patch_size}: weights that belong "
            "to grid points need the whole domain; leave --patch_size out"
        )
    trainer = experiment.training.trainer
    if sampling.time_window is not None and trainer not in TRAINERS_OF_WINDOWS:
        raise InputError(
            f"--trainer={trainer} with --time_window={sampling.time_window}: this trainer takes "
            f"spatial samples only; expected one of {', '.join(TRAINERS_OF_WINDOWS)}"
        )
    _check_source(experiment)
    _check_amounts(experiment)
    if experiment.training.trainer == STACK_TRAINER:
        _check_stack(experiment)
    _check_quantiles(experiment)
    if experiment.training.trainer == DIFFUSION:
        _check_diffusion(experiment)
    _check_time(experiment)
    if experiment.inference.input and "metrics" in experiment.stages:
        raise InputError("metrics with --input: data without truth cannot be scored")


def _check_amounts(experiment: Experiment) -> None:
    """What the parameters of a distribution cannot be combined with."""
    model, training = experiment.model, experiment.training
    if training.loss != AMOUNT_LOSS:
        return
    for name, used in (
        (f"--trainer={training.trainer}", training.trainer != "SupervisedTrainer"),
        (f"--first_guess={model.first_guess}", model.first_guess != "none"),
        (f"--constraint={model.constraint}", model.constraint != "none"),
        (f"--output_activation={model.output_activation}", model.output_activation is not None),
        (f"--dropout_variant={model.dropout_variant}", model.dropout_variant.startswith("mc")),
    ):
        if used:
            raise InputError(
                f"{name} with --loss={AMOUNT_LOSS}: the network's output are a probability, a "
                "shape and a scale; leave one of them out"
            )


def _check_stack(experiment: Experiment) -> None:
    """What a stack of stages cannot be combined with."""
    stack, model = experiment.stack, experiment.model
    if math.prod(stack.factors) != experiment.sampling.scale:
        raise InputError(
            f"--sr_factors={_joined(stack.factors)} with --scale={experiment.sampling.scale}: "
            f"expected factors whose product is the scale, here it is {math.prod(stack.factors)}"
        )
    for name, used in (
        (f"--first_guess={model.first_guess}", model.first_guess != "none"),
        (f"--output_activation={model.output_activation}", model.output_activation is not None),
        ("--localcon_layer", model.localcon_layer),
        (f"--init_from={experiment.transfer.init_from}", experiment.transfer.init_from is not None),
        ("--nosave", not experiment.training.save),
    ):
        if used:
            raise InputError(
                f"{name} with --trainer={STACK_TRAINER}: the stages are trained on their own and "
                "joined; leave it out"
            )
    others = [stage for stage in experiment.stages if stage in ("test", "metrics")]
    if stack.sr_stage not in (None, JOIN) and "train" in experiment.stages and others:
        raise InputError(
            f"--sr_stage={stack.sr_stage} with the stage {others[0]}: one stage of a stack "
            "predicts nothing yet; expected the stage train alone"
        )


def _check_quantiles(experiment: Experiment) -> None:
    if not experiment.training.predicted_quantiles:
        return
    if experiment.model.constraint != "none":
        raise InputError(
            f"--loss=quantile with --constraint={experiment.model.constraint}: block means of "
            "quantiles are no coarse values; leave one of them out"
        )
    if experiment.inference.members > 1 and "train" in experiment.stages:
        raise InputError(
            f"--loss=quantile with --members={experiment.inference.members}: quantiles have no "
            "members; expected 1"
        )


def _check_diffusion(experiment: Experiment) -> None:
    model, diffusion = experiment.model, experiment.diffusion
    if model.output_activation is not None:
        raise InputError(
            f"--output_activation={model.output_activation} with --trainer={DIFFUSION}: members "
            "are drawn with both signs in encoded space; leave it out"
        )
    regression = diffusion.regression_from
    if regression is not None and model.first_guess != "none":
        raise InputError(
            f"--regression_from={regression} with --first_guess={model.first_guess}: expected one "
            "of them"
        )
    if regression is not None and experiment.sampling.patch_size is not None:
        raise InputError(
            f"--regression_from={regression} with --patch_size={experiment.sampling.patch_size}: "
            "the trained model sees the whole domain; leave one of them out"
        )
    if diffusion.instance_norm and model.first_guess == "none" and regression is None:
        raise InputError(
            "--instance_norm with --first_guess=none: there is no field to take the mean and "
            "standard deviation of; expected --first_guess=bilinear, bicubic or linear"
        )
    if diffusion.regression_folds and model.first_guess != "linear":
        raise InputError(
            f"--regression_folds={diffusion.regression_folds} with --first_guess="
            f"{model.first_guess}: nothing is fitted; expected --first_guess=linear"
        )
    if diffusion.target_scaling == "pixel" and experiment.sampling.patch_size is not None:
        raise InputError(
            f"--target_scaling=pixel with --patch_size={experiment.sampling.patch_size}: scaling "
            "that belongs to grid points needs the whole domain; use domain"
        )


def _check_time(experiment: Experiment) -> None:
    """What goes with downscaling in time, and what only with it."""
    values, scale = experiment.flags, experiment.sampling.scale
    if not experiment.in_time:
        if scale < 2:
            raise InputError(f"--scale={scale}: expected 2 or more, or --trainer={IN_TIME}")
        if experiment.inference.temporal_model and "metrics" in experiment.stages:
            raise InputError(
                "metrics with --temporal_model: the chain's new times have no scores; run the "
                "stage test alone, and metrics for each of both models"
            )
        return
    if scale != 1:
        raise InputError(
            f"--scale={scale} with --trainer={IN_TIME}: it trains in time alone; train a model in "
            "space too and join them by test --model=SPACE_RUN --temporal_model=TIME_RUN"
        )
    if experiment.training.predicted_quantiles:
        raise InputError(
            f"--loss=quantile with --trainer={IN_TIME}: expected a loss of fields, such as mae"
        )
    defaults = {name: flag.default for name, flag in flags.FLAGS_BY_NAME.items()}
    spatial = [name for name in SPACE_ALONE if values[name] != defaults[name]]
    if spatial:
        raise InputError(
            f"--{spatial[0]}={values[spatial[0]]} with --trainer={IN_TIME}: not made for "
            "downscaling in time; leave it out"
        )


def time_steps(values: dict[str, Any]) -> TimeSteps:
    """The steps asked for; InputError where one does not divide the other."""
    from app.data.times import duration  # imports pandas

    seconds = {}
    for name in ("input_step", "target_step"):
        if values[name] is None:
            raise InputError(f"--trainer={IN_TIME}: expected --{name}, such as --{name}=1h")
        seconds[name] = duration(values[name], f"--{name}")
    steps = TimeSteps(**seconds, gaps=values["gap_policy"])
    if steps.target_step < 1 or steps.input_step % steps.target_step or steps.parts < 2:
        raise InputError(
            f"--target_step={values['target_step']} with --input_step={values['input_step']}: "
            "expected a part of the input step, such as a third"
        )
    return steps


def _check_source(experiment: Experiment) -> None:
    """The model to start from must outlive the run folder, which --overwrite empties."""
    given, folder = experiment.transfer.init_from, experiment.save_path.resolve()
    if given is not None and _path(given).resolve().is_relative_to(folder):
        raise InputError(
            f"--init_from={given}: lies in --save_path={experiment.save_path}; expected a run "
            "folder of its own for the new run"
        )


Part = TypeVar("Part")


def _part(kind: type[Part], values: dict[str, Any], **changed: Any) -> Part:
    """A config dataclass from the flags of the same names."""
    names = [field.name for field in fields(kind) if field.name not in changed]  # type: ignore[arg-type]
    return kind(**{name: values[name] for name in names}, **changed)


def _listed(text: str | None) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",")) if text else ()


def _whole_numbers(values: dict[str, Any], name: str) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in _listed(values[name]))
    except ValueError as error:
        raise InputError(
            f"--{name}={values[name]}: expected whole numbers with commas between"
        ) from error


def _fold(values: dict[str, Any]) -> tuple[int, int] | None:
    """k and K of "k/K"."""
    text = values["left_out_fold"]
    if text is None:
        return None
    number, _, folds = text.partition("/")
    if not (number.isdigit() and folds.isdigit() and 1 <= int(number) <= int(folds) > 1):
        raise InputError(f"--left_out_fold={text}: expected k/K with 1 <= k <= K and K above 1")
    return int(number), int(folds)


def _truths(values: dict[str, Any], name: str) -> tuple[bool, ...]:
    meanings = {"t": True, "true": True, "f": False, "false": False}
    parts = _listed(values[name])
    if any(part.lower() not in meanings for part in parts):
        raise InputError(f"--{name}={values[name]}: expected T or F with commas between")
    return tuple(meanings[part.lower()] for part in parts)


def _joined(values: tuple[Any, ...]) -> str:
    return ",".join(map(str, values))


def _path(text: str) -> Path:
    return Path(os.path.expandvars(text)).expanduser()


def _at_least(name: str, value: int, least: int) -> None:
    if value < least:
        raise InputError(f"--{name}={value}: expected {least} or more")
