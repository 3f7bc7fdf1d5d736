"""Every option, once; the command line, flagfiles, --help, and the experiment they describe."""

from app.options.data import time_steps
from app.options.experiment import Experiment, SweepConfig
from app.options.flag import Flag, as_text
from app.options.from_flags import build, build_sweep
from app.options.model import JOIN, ModelConfig, StackConfig
from app.options.overwriting import check_clearing
from app.options.reader import given_names, parse, value_of, without
from app.options.table import DATA_WAYS, FLAGS_BY_NAME, FREE_FLAGS, SECTIONS
from app.options.training import (
    AMOUNT_LOSS,
    SamplingConfig,
    TrainingConfig,
    TransferConfig,
)
from app.options.use import InferenceConfig, LaunchConfig, MachineConfig
from app.options.writer import as_flagfile, help_text

__all__ = [
    "AMOUNT_LOSS",
    "DATA_WAYS",
    "FLAGS_BY_NAME",
    "FREE_FLAGS",
    "JOIN",
    "SECTIONS",
    "Experiment",
    "Flag",
    "InferenceConfig",
    "LaunchConfig",
    "MachineConfig",
    "ModelConfig",
    "SamplingConfig",
    "StackConfig",
    "SweepConfig",
    "TrainingConfig",
    "TransferConfig",
    "as_flagfile",
    "as_text",
    "build",
    "build_sweep",
    "check_clearing",
    "given_names",
    "help_text",
    "parse",
    "time_steps",
    "value_of",
    "without",
]
