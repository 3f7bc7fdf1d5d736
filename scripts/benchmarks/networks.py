"""The networks that are timed: one description, from which each program makes its own."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

SCALE = 4
CELLS = 64  # fine cells a side


@dataclass(frozen=True)
class Network:
    """A network of one kind.

    flags: what makes it here, beside `COMMON`. sizes: what makes it in PyTorch. dl4ds: name of the
    function of DL4DS that makes it, with its arguments; none where there is no counterpart. within:
    share of the weights by which its number there may differ. batch: samples a step.
    """

    kind: str
    flags: tuple[str, ...]
    sizes: dict[str, Any]
    dl4ds: tuple[str, dict[str, Any]] | None = None
    within: float = 0.01
    batch: int = 32
    frames: int | None = None


COMMON = (
    *("--data=synthetic", "--variable=t2m", f"--scale={SCALE}", "--recipe=dl4ds"),
    *("--dropout_rate=0", "--loss=mae", "--notensorboard"),
)
RESNET = ("--backbone=resnet", "--upsampling=spc", "--n_blocks=6", "--n_filters=8")
OBLONG = (CELLS // 2, 2 * CELLS)  # as many cells: the unet of DL4DS fails on squares
LR_SIZE = (CELLS // SCALE, CELLS // SCALE)
PLAIN = {"n_channels": 1, "n_aux_channels": 0, "n_filters": 8}
NETWORKS = {
    "resnet-spc": Network(
        "resnet",
        (*RESNET, "--wide_head=false"),
        {"filters": 8, "blocks": 6, "wide": False},
    ),
    "resnet-spc, wide head": Network(
        "resnet",
        (*RESNET, "--wide_head=true"),
        {"filters": 8, "blocks": 6, "wide": True},
        (
            "net_postupsampling",
            {
                **PLAIN,
                "backbone_block": "resnet",
                "upsampling": "spc",
                "scale": SCALE,
                "lr_size": LR_SIZE,
                "n_blocks": 6,
            },
        ),
    ),
    "unet-pin": Network(
        "unet",
        (
            *("--backbone=unet", "--upsampling=pin", "--n_blocks=4", "--n_filters=8"),
            "--decoder_upsampling=spc",
        ),
        {"filters": 8, "depth": 4},
        (
            "unet_pin",
            {
                **PLAIN,
                "backbone_block": "unet",
                "n_blocks": 4,
                "hr_size": OBLONG,
                "decoder_upsampling": "spc",
            },
        ),
    ),
    "convnet-spc in time": Network(
        "recurrent",
        (
            *("--backbone=convnet", "--upsampling=spc", "--n_blocks=2", "--n_filters=8"),
            *("--time_window=4", "--nobidirectional"),
        ),
        {"filters": 8, "blocks": 2},
        (
            "recnet_postupsampling",
            {
                **PLAIN,
                "backbone_block": "convnet",
                "upsampling": "spc",
                "scale": SCALE,
                "lr_size": LR_SIZE,
                "time_window": 4,
                "n_blocks": 2,
            },
        ),
        within=0.06,  # both steps of its spc share their weights, its last transition is narrower
        batch=8,
        frames=4,
    ),
    "diffusion U-Net": Network(
        "denoiser",
        (
            *("--trainer=DiffusionTrainer", "--n_channels=16", "--unet_blocks=1"),
            *("--channel_multipliers=1,2,2", "--attention_levels=F,F,T"),
        ),
        {"channels": 16, "multipliers": (1, 2, 2), "attention": (False, False, True), "blocks": 1},
        batch=8,
    ),
}


@dataclass(frozen=True)
class Task:
    """A network to be trained on one constant batch, as a competitor is told of it."""

    network: str
    threads: int
    precision: str = "float32"
    extra: dict[str, Any] = field(default_factory=dict)

    def told(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "network": self.network,
            "threads": self.threads,
            "precision": self.precision,
            **self.extra,
        }
