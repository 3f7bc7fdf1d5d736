"""Downscaling in time: the network, and what it learns from."""

from __future__ import annotations

from dataclasses import dataclass

from app.options.bounds import BELOW_ONE, COUNT, SHARE, WEIGHT, WIDTH, Bounds
from app.options.option import Options, option
from app.options.readers import or_empty


@dataclass(frozen=True)
class FlowOptions(Options):
    """The network between known frames."""

    flow: bool = option(True, "Flow module beside the encoder-decoder.")
    flow_filters: tuple[int, ...] = option(
        (16, 24, 32),
        "Width of each level of the flow module, finest first.",
        bounds=Bounds(1, WIDTH),
    )
    context_frames: int = option(
        0,
        "Known frames seen beyond each end of an interval, 0 or 1: with 1 the cubic "
        "instead of the linear interpolation in time is corrected, and motion may speed "
        "up and slow down.",
        bounds=SHARE,
    )
    sun_response: tuple[float, ...] = option(
        None,
        "Hours within which the field follows the sun, such as 1,8: what the "
        "interpolation in time misses of its course is added in each cell as far as known "
        "frames show it.",
        bounds=Bounds(0, 1e4),
        read=or_empty,
        kind="floats",
        unit="h",
    )


@dataclass(frozen=True)
class TripleOptions(Options):
    """The triples of known frames, and the epochs on them."""

    pretrain_epochs: int = option(
        60,
        "Epochs on triples of known frames; with --coherence_epochs they sum to --epochs.",
        bounds=Bounds(0, COUNT),
    )
    coherence_epochs: int = option(
        20,
        "Further epochs that also ask for coherence in time.",
        bounds=Bounds(0, COUNT),
        free=True,
    )
    max_triplet_span: int = option(
        2,
        "Longest interval between the outer frames of a triple, in input steps, 2 to 4.",
        bounds=Bounds(2, 4),
        aliases=("pretrain_span",),
    )
    coherence_weight: float = option(
        1.0, "Weight of coherence beside the triples' loss.", bounds=Bounds(0, WEIGHT)
    )
    flow_tv_weight: float = option(
        0.01,
        "Weight of the total variation of the flow, or without it of the correction.",
        bounds=Bounds(0, WEIGHT),
        aliases=("smooth_space",),
    )
    smooth_time: float = option(
        0.01, "Weight of the second difference in time.", bounds=Bounds(0, WEIGHT)
    )
    composite_subset: str = option(
        "index",
        "Triples to train on: of the most rapid changes, as many at random, or all.",
        choices=("index", "random", "all"),
    )
    composite_quantile: float = option(
        0.3, "Share of slowest triples that index leaves out.", bounds=BELOW_ONE
    )


@dataclass(frozen=True)
class TemporalConfig(FlowOptions, TripleOptions):
    """The network beside the model flags, and which triples it learns from."""
