"""What samples are, and how they are cut from the fields."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from app.data.description import GAP_POLICIES
from app.data.streaming.patches import Patches
from app.options.bounds import COUNT, SHARE, WIDTH, Bounds
from app.options.option import Options, option, registered
from app.options.readers import listed
from app.options.rules import Rule
from app.registry import REGISTRY


@dataclass(frozen=True)
class PairOptions(Options):
    """The method of training, and where its pairs of coarse and fine fields come from."""

    trainer: str = registered(REGISTRY.names("trainer")[0], "Training method.", common=True)
    paired_samples: str = option(
        "implicit",
        "implicit (PerfectProg): the low resolution is the coarsened predictand, in the "
        "literature perfect-model super-resolution; explicit (MOS): a second source is "
        "the low resolution, where it is a reanalysis also called perfect prognosis; predictors: "
        "the predictors alone are the input, and no coarse field of the predictand.",
        choices=("implicit", "explicit", "predictors"),
        common=True,
    )
    test_pairs: str | None = option(
        None,
        "Pairs of the stages test and metrics, if not those of the training: explicit "
        "applies a PerfectProg model to the driver.",
        choices=("implicit", "explicit"),
        free=True,
    )


@dataclass(frozen=True)
class CuttingOptions(Options):
    """How samples are cut from the fields."""

    scale: int = option(
        2,
        "Fine cells along one side of a coarse cell; downscaling in time takes the default as 1.",
        bounds=Bounds(1, 1000),
        common=True,
    )
    halo: int = option(
        0, "Coarse cells of context beyond the target's edge.", bounds=Bounds(0, 512)
    )
    patch_size: int | None = option(
        None,
        "Train on patches of this many fine cells a side.",
        bounds=Bounds(1, WIDTH),
        common=True,
    )
    patch_stride: int | None = option(
        None,
        "Fine cells between the patches there are; default: they begin at any coarse cell.",
        bounds=Bounds(1, WIDTH),
    )
    min_land_fraction: float = option(0.0, "Least share of land in a patch.", bounds=SHARE)
    land_static: str = option("lsm", "Static field that tells the share of land.")


@dataclass(frozen=True)
class FrameOptions(Options):
    """How many frames a sample has, and how they come to the fine grid before the network."""

    time_window: int | None = option(
        None,
        "Consecutive frames of a sample, all of which are predicted (spatio-temporal samples).",
        bounds=Bounds(2, 10_000),
    )
    interpolation: str = registered("inter_area", "Interpolation before the network (pin).")


@dataclass(frozen=True)
class StepOptions(Options):
    """Steps and times of downscaling in time."""

    input_step: str | None = option(None, "Time between known frames, such as 3h.")
    target_step: str | None = option(None, "Wanted time step, such as 1h.")
    target_times: tuple[str, ...] = option(
        None,
        "Wanted times instead, with commas, such as 2019-03-26T01:20,2019-03-26T02 (stage test).",
        read=listed,
        free=True,
    )
    gap_policy: str = option(
        "refuse",
        "Irregular time steps: refuse them, skip (leave gaps), or bridge (interpolate over).",
        choices=GAP_POLICIES,
    )


@dataclass(frozen=True)
class BatchOptions(Options):
    """How many samples make a step."""

    batch_size: int = option(
        32, "Samples a step on each rank.", bounds=Bounds(1, COUNT), common=True
    )


@dataclass(frozen=True)
class SamplingConfig(CuttingOptions, FrameOptions, BatchOptions):
    """How samples are cut from the fields; `max_steps` bounds every pass in debug runs."""

    max_steps: int | None = None

    rules: ClassVar[tuple[Rule[SamplingConfig], ...]] = (
        Rule(
            lambda s: s.patch_size is not None and s.parts_a_cell(s.patch_size),
            "--patch_size={patch_size}: expected a multiple of --scale={scale}",
        ),
        Rule(
            lambda s: s.patch_stride is not None and s.parts_a_cell(s.patch_stride),
            "--patch_stride={patch_stride}: expected a multiple of --scale={scale}",
        ),
        Rule(
            lambda s: s.patch_size is None and (s.patch_stride is not None or s.min_land_fraction),
            "--patch_stride and --min_land_fraction choose patches; expected --patch_size too",
        ),
    )

    def parts_a_cell(self, length: int) -> bool:
        """Whether a length in fine cells is no whole number of coarse cells."""
        return length < self.scale or length % self.scale != 0

    @property
    def patches(self) -> Patches | None:
        """The patches that are trained on; None for whole fields."""
        if self.patch_size is None:
            return None
        return Patches(self.patch_size, self.patch_stride, self.min_land_fraction, self.land_static)
