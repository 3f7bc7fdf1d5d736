"""Every option, once, by section: dataclasses whose fields are the flags."""

from __future__ import annotations

from dataclasses import replace

from app.options import (
    cordex,
    data,
    diffusion,
    inference,
    machine,
    network,
    run,
    sampling,
    scored_files,
    scoring,
    stack,
    sweep,
    temporal,
    training,
)
from app.options.option import Option, Options, options_of

# In the order of --help and of experiment.cfg.
GROUPS: dict[str, tuple[type[Options], ...]] = {
    "EXPERIMENT": (
        *(run.StageOptions, run.FolderOptions, run.RecipeOptions),
        *(run.KeepingOptions, run.ReportingOptions),
    ),
    "DATA": (
        *(data.SourceOptions, data.TransformOptions, data.CoverageOptions),
        *(data.PredictandOptions, data.ExtentOptions, data.CacheOptions),
    ),
    "DOWNSCALING": (
        *(sampling.PairOptions, sampling.CuttingOptions),
        *(sampling.FrameOptions, sampling.StepOptions),
    ),
    "MODEL": (
        *(network.NetworkOptions, stack.StackNetworkOptions),
        *(training.DiscriminatorOptions, temporal.FlowOptions),
    ),
    "DIFFUSION": (diffusion.DiffusionConfig,),
    "TRAINING": (
        *(training.LossOptions, training.MemberOptions),
        *(stack.StackTrainingOptions, training.TransferConfig),
        *(sampling.BatchOptions, training.DescentOptions, temporal.TripleOptions),
    ),
    "INFERENCE": (inference.PredictionOptions, data.ModuleOptions),
    "SCORING": (scored_files.ScoredFileOptions, scoring.ScoringConfig),
    "MACHINE": (machine.MachineConfig, machine.LaunchConfig, machine.IgnoredOptions),
    "SWEEP": (sweep.SweepOptions,),
    "CORDEX": (cordex.CordexOptions,),
}
# None of their options changes what is learnt.
FREE_GROUPS = {
    *(run.StageOptions, run.FolderOptions, data.CacheOptions, inference.PredictionOptions),
    *(machine.LaunchConfig, machine.IgnoredOptions, sweep.SweepOptions),
    *(scored_files.ScoredFileOptions, scoring.ScoringConfig, cordex.CordexOptions),
}
SECTIONS: dict[str, tuple[Option, ...]] = {
    section: tuple(
        replace(one, free=one.free or group in FREE_GROUPS)
        for group in groups
        for one in options_of(group)
    )
    for section, groups in GROUPS.items()
}
FLAGS_BY_NAME: dict[str, Option] = {one.name: one for part in SECTIONS.values() for one in part}
# With the names that flags had before, which still read.
KNOWN = FLAGS_BY_NAME | {alias: one for one in FLAGS_BY_NAME.values() for alias in one.aliases}
# Flags that may differ between two calls on one run folder.
FREE_FLAGS = frozenset(name for name, one in FLAGS_BY_NAME.items() if one.free)


def main_name(name: str) -> str:
    """The name that a flag has today, of any that it had; other names as they are."""
    return KNOWN[name].name if name in KNOWN else name
