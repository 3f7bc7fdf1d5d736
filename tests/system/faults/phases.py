"""The phases of an experiment: what runs in each, from which state, and when it is reached."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from app.running.atomic import read_json

CHECKPOINT_STEPS = 2
EPOCHS = 2
STAGES = ("prepare", "train", "test", "metrics")
FLAGS = (
    *("--variable=t2m", "--scale=4"),
    *("--n_filters=2", "--n_blocks=1", "--batch_size=4", "--threads=1", "--notensorboard"),
    *("--rank_timeout=30", "--launch_timeout=90", "--save_path=run", "--cache_dir=cache"),
)
KINDS = {
    "supervised": (
        *(f"--epochs={EPOCHS}", "--dropout_rate=0.2", "--normalization=bn", "--ema_decay=0.9"),
        f"--checkpoint_every={CHECKPOINT_STEPS}",
    ),
    "ensemble": (
        *("--epochs=1", "--trainer=DiffusionTrainer", "--first_guess=bilinear", "--n_channels=4"),
        *("--channel_multipliers=1,2", "--attention_levels=F,F", "--unet_blocks=1"),
        *("--members=4", "--sampling_steps=6", "--sampler=ddpm", "--noise_lag1_correlation=0.8"),
    ),
    "sweep": (
        *("--epochs=1", f"--checkpoint_every={CHECKPOINT_STEPS}"),
        *("--sweep=seed=1,2", "--sweep_stages=train"),
    ),
}

Reached = Callable[[Path, float], bool]


@dataclass(frozen=True)
class Phase:
    """Kills in it come up to `spread_s` after `reached` of the run folder and the kill's chance.

    stages: what the killed command runs; before: the stages whose results it finds. spread_s:
    None for up to the end of the command, as long as that took undisturbed.
    """

    stages: tuple[str, ...]
    before: tuple[str, ...]
    reached: Reached
    spread_s: float | None = None
    kind: str = "supervised"


def status(run: Path) -> dict[str, object]:
    """What status.json says; empty where it cannot be read."""
    found = read_json(run / "status.json")
    return found if isinstance(found, dict) else {}


def _in_stage(stage: str) -> Reached:
    return lambda run, _: status(run).get("stage") == stage


def _in_training(run: Path, _: float) -> bool:
    return (run / "checkpoints" / "last").exists()


def _in_checkpoint(run: Path, chance: float) -> bool:
    """A checkpoint is being written, after as many others as the chance says."""
    folder = run / "checkpoints"
    names = os.listdir(folder) if folder.is_dir() else []
    wanted = CHECKPOINT_STEPS * (1 + int(chance * 4))
    return any(int(name[6:14]) >= wanted for name in names if name.startswith(".step-"))


def _in_validation(run: Path, chance: float) -> bool:
    facts = status(run)
    epoch = 1 + int(chance * EPOCHS)
    return facts.get("phase") == "validation" and int(str(facts.get("epoch", 0))) >= epoch


def _there(pattern: str) -> Reached:
    return lambda run, _: any(run.glob(pattern))


def _in_sweep(run: Path, chance: float) -> bool:
    """The first or the second member has begun."""
    return len(list(run.glob("*/log.txt"))) > int(chance * 2)


PHASES = {
    "prepare": Phase(("prepare",), (), _in_stage("prepare")),
    "train": Phase(("train",), ("prepare",), _in_training),
    "validation": Phase(("train",), ("prepare",), _in_validation, 0.03),
    "checkpoint": Phase(("train",), ("prepare",), _in_checkpoint, 0.006),
    "test": Phase(("test",), ("prepare", "train"), _in_stage("test")),
    "drawing": Phase(("test",), ("prepare", "train"), _there(".y_hat.nc.*"), kind="ensemble"),
    "metrics": Phase(("metrics",), ("prepare", "train", "test"), _there(".metrics.*"), 0.5),
    "report": Phase(("metrics",), ("prepare", "train", "test"), _there(".metrics.*/*.csv")),
    "sweep": Phase(("sweep",), (), _in_sweep, 12.0, kind="sweep"),
}
