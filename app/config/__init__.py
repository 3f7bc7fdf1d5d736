"""The experiment as frozen dataclasses, built once from the flags; nothing below reads flags."""

from app.config.data import time_steps
from app.config.experiment import Experiment, SweepConfig, stage_path
from app.config.from_flags import build, build_sweep
from app.config.model import JOIN, ModelConfig, StackConfig
from app.config.overwriting import check_clearing
from app.config.training import (
    AMOUNT_LOSS,
    DIFFUSION,
    STACK_TRAINER,
    SamplingConfig,
    TrainingConfig,
    TransferConfig,
)
from app.config.use import InferenceConfig, LaunchConfig, MachineConfig

__all__ = [
    "AMOUNT_LOSS",
    "DIFFUSION",
    "JOIN",
    "STACK_TRAINER",
    "Experiment",
    "InferenceConfig",
    "LaunchConfig",
    "MachineConfig",
    "ModelConfig",
    "SamplingConfig",
    "StackConfig",
    "SweepConfig",
    "TrainingConfig",
    "TransferConfig",
    "build",
    "build_sweep",
    "check_clearing",
    "stage_path",
    "time_steps",
]
