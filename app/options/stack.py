"""A stack of super-resolution stages."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from app.options.bounds import COUNT, RATE, Bounds, above
from app.options.option import Options, option, registered
from app.options.readers import whole_numbers
from app.options.rules import Rule

MAX_FILTERS, MAX_FACTOR, MAX_KERNEL = 2**16, 1000, 255
JOIN = "join"


@dataclass(frozen=True)
class StackNetworkOptions(Options):
    """The stages of a stack and their networks."""

    sr_factors: tuple[int, ...] = option(
        None,
        "Factors of the stages, coarse to fine, with commas; default: prime factors of --scale.",
        read=whole_numbers(2, MAX_FACTOR),
    )
    sr_network: str = option(
        "srcnn",
        "Network of a stage: three convolutions, or that of the flags of MODEL.",
        choices=("srcnn", "backbone"),
    )
    sr_interpolation: str = registered(
        "bilinear", "Interpolation before a stage's network.", registry="interpolation"
    )
    srcnn_filters: tuple[int, ...] = option(
        "64,32", "Filters of an SRCNN's layers but the last.", read=whole_numbers(1, MAX_FILTERS)
    )
    srcnn_kernels: tuple[int, ...] = option(
        "9,1,5", "Kernel sizes of an SRCNN's layers.", read=whole_numbers(1, MAX_KERNEL)
    )
    srcnn_lr_multipliers: tuple[float, ...] = option(
        (1.0, 1.0, 0.1),
        "Multiples of --learning_rate for an SRCNN's layers.",
        bounds=above(0, 1e6),
        aliases=("srcnn_rates",),
    )
    srcnn_residual: bool = option(False, "An SRCNN corrects the interpolated predictand.")


@dataclass(frozen=True)
class StackTrainingOptions(Options):
    """Which stages of a stack are trained, and the training of all together."""

    sr_stage: str | None = option(
        None,
        "Train this stage alone, counted from 1, or join those that are trained; default: "
        "all stages, then join.",
        free=True,
    )
    finetune_joint: int = option(
        0,
        "Epochs of the joined stages end to end.",
        bounds=Bounds(0, COUNT),
        free=True,
    )
    finetune_rate: float | None = option(
        None,
        "Learning rate of --finetune_joint; default: a tenth of --learning_rate.",
        bounds=above(0, RATE),
    )


@dataclass(frozen=True)
class StackConfig(StackNetworkOptions, StackTrainingOptions):
    """A stack of super-resolution stages."""

    rules: ClassVar[tuple[Rule[StackConfig], ...]] = (
        Rule(
            lambda s: len(s.srcnn_kernels) != s.layers,
            "--srcnn_kernels={srcnn_kernels} with --srcnn_filters={srcnn_filters}: expected a size "
            "for each layer and one for the last, {layers} in all",
        ),
        Rule(
            lambda s: len(s.srcnn_lr_multipliers) != s.layers,
            "--srcnn_lr_multipliers={srcnn_lr_multipliers}: expected {layers} numbers, one for "
            "each layer",
        ),
        Rule(
            lambda s: s.sr_stage is not None and s.sr_stage not in s.choices,
            "--sr_stage={sr_stage}: expected one of {listed}",
        ),
    )

    @property
    def layers(self) -> int:
        """Layers of an SRCNN."""
        return len(self.srcnn_filters) + 1

    @property
    def choices(self) -> tuple[str, ...]:
        """What --sr_stage may name."""
        return (*map(str, range(1, len(self.sr_factors) + 1)), JOIN)

    @property
    def listed(self) -> str:
        return ", ".join(self.choices)

    @property
    def numbers(self) -> tuple[int, ...]:
        """The stages that are to be trained, counted from 1."""
        every = tuple(range(1, len(self.sr_factors) + 1))
        if self.sr_stage is None:
            return every
        return () if self.sr_stage == JOIN else (int(self.sr_stage),)

    @property
    def joins(self) -> bool:
        """Whether the stages are to be joined."""
        return self.sr_stage in (None, JOIN)
