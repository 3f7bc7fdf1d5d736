"""Every option, once; the command line, flagfiles, --help, and the experiment they describe.

An option is a field of a frozen dataclass (`app.options.table.GROUPS`) whose name is the flag's:

    n_blocks: int = option(6, "Blocks of the backbone.", bounds=Bounds(1, 1000))

The reader of command line and flagfiles, the writer of experiment.cfg, --help, sweeps and the
`Experiment` come from these fields. A field whose value has another form than the flag's has a
`read`. What cannot go together are `rules`: rows of a condition and a message.
"""

from app.options.building import build, build_sweep
from app.options.data import DATA_WAYS
from app.options.description import time_steps
from app.options.diffusion import DiffusionConfig
from app.options.experiment import Experiment
from app.options.inference import InferenceConfig
from app.options.machine import LaunchConfig, MachineConfig
from app.options.network import ModelConfig
from app.options.option import Values, as_text
from app.options.overwriting import check_clearing
from app.options.reader import assigned_names, given_names, kept_values, parse, value_of, without
from app.options.sampling import SamplingConfig
from app.options.stack import JOIN, StackConfig
from app.options.sweep import SweepConfig
from app.options.table import FLAGS_BY_NAME, FREE_FLAGS, KNOWN, SECTIONS, main_name
from app.options.temporal import TemporalConfig
from app.options.training import AMOUNT_LOSS, TrainingConfig, TransferConfig
from app.options.writer import ALL, as_flagfile, help_text

__all__ = [
    "ALL",
    "AMOUNT_LOSS",
    "DATA_WAYS",
    "FLAGS_BY_NAME",
    "FREE_FLAGS",
    "JOIN",
    "KNOWN",
    "SECTIONS",
    "DiffusionConfig",
    "Experiment",
    "InferenceConfig",
    "LaunchConfig",
    "MachineConfig",
    "ModelConfig",
    "SamplingConfig",
    "StackConfig",
    "SweepConfig",
    "TemporalConfig",
    "TrainingConfig",
    "TransferConfig",
    "Values",
    "as_flagfile",
    "as_text",
    "assigned_names",
    "build",
    "build_sweep",
    "check_clearing",
    "given_names",
    "help_text",
    "kept_values",
    "main_name",
    "parse",
    "time_steps",
    "value_of",
    "without",
]
