"""Every option, once, by section: dataclasses whose fields are the flags."""

from __future__ import annotations

from app.options.data import (
    CacheOptions,
    CoverageOptions,
    ExtentOptions,
    ModuleOptions,
    PredictandOptions,
    SourceOptions,
    TransformOptions,
)
from app.options.diffusion import DiffusionConfig
from app.options.inference import PredictionOptions
from app.options.machine import IgnoredOptions, LaunchConfig, MachineConfig
from app.options.network import NetworkOptions
from app.options.option import Option, Options, options_of
from app.options.run import FolderOptions, KeepingOptions, ReportingOptions, StageOptions
from app.options.sampling import (
    BatchOptions,
    CuttingOptions,
    FrameOptions,
    MethodOptions,
    PairOptions,
    StepOptions,
)
from app.options.stack import StackNetworkOptions, StackTrainingOptions
from app.options.sweep import SweepOptions
from app.options.temporal import FlowOptions, TripleOptions
from app.options.training import (
    DescentOptions,
    DiscriminatorOptions,
    LossOptions,
    TransferConfig,
)

# In the order of --help and of experiment.cfg.
GROUPS: dict[str, tuple[type[Options], ...]] = {
    "EXPERIMENT": (StageOptions, FolderOptions, KeepingOptions, ReportingOptions),
    "DATA": (
        SourceOptions,
        TransformOptions,
        CoverageOptions,
        PredictandOptions,
        ExtentOptions,
        CacheOptions,
    ),
    "DOWNSCALING": (MethodOptions, PairOptions, CuttingOptions, FrameOptions, StepOptions),
    "MODEL": (NetworkOptions, StackNetworkOptions, DiscriminatorOptions, FlowOptions),
    "DIFFUSION": (DiffusionConfig,),
    "TRAINING": (
        LossOptions,
        StackTrainingOptions,
        TransferConfig,
        BatchOptions,
        DescentOptions,
        TripleOptions,
    ),
    "INFERENCE": (PredictionOptions, ModuleOptions),
    "MACHINE": (MachineConfig, LaunchConfig, IgnoredOptions),
    "SWEEP": (SweepOptions,),
}
SECTIONS: dict[str, tuple[Option, ...]] = {
    section: tuple(one for group in groups for one in options_of(group))
    for section, groups in GROUPS.items()
}
FLAGS_BY_NAME: dict[str, Option] = {one.name: one for part in SECTIONS.values() for one in part}
# Flags that may differ between two calls on one run folder: none changes what is learnt.
FREE_FLAGS = frozenset(name for name, one in FLAGS_BY_NAME.items() if one.free)
