"""From the values of flags to an experiment, or a sweep."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace

from app.data.description import Source
from app.data.reading.plain_description import statics
from app.errors import InputError
from app.options.chosen import method_named
from app.options.combinations import COMBINATIONS
from app.options.data import DataConfig
from app.options.description import (
    check_splits,
    data_wanted,
    described,
    scored_of,
    test_data_of,
)
from app.options.diffusion import DiffusionConfig
from app.options.experiment import Experiment
from app.options.inference import InferenceConfig
from app.options.machine import LaunchConfig, MachineConfig
from app.options.network import ModelConfig
from app.options.option import Values, options_of
from app.options.overwriting import check_output, check_overwriting
from app.options.reader import given_names, without
from app.options.readers import folder, listed, path
from app.options.rules import refuse
from app.options.run import StageOptions
from app.options.sampling import SamplingConfig
from app.options.scoring import ScoringConfig
from app.options.stack import StackConfig
from app.options.sweep import SweepConfig, SweepOptions
from app.options.temporal import TemporalConfig
from app.options.training import TrainingConfig, TransferConfig
from app.options.words import STAGES
from app.registry import unknown

STAGE_FLAGS = tuple(one.name for one in options_of(StageOptions))
SWEEP_FLAGS = frozenset(one.name for one in options_of(SweepOptions))
# What a debug run does at most; its epochs come on top of those trained before.
DEBUG_EPOCHS, DEBUG_STEPS = 2, 6
DEBUG_MOST = {"members": 2, "sampling_steps": 2, "finetune_joint": 1}


def build_sweep(words: tuple[str, ...], values: Values, argv: Sequence[str]) -> SweepConfig:
    """The sweep of a command line; its members are checked when they are expanded."""
    if words != ("sweep",):
        others = ", ".join(word for word in words if word != "sweep")
        raise InputError(
            f"sweep with {others}: expected sweep alone; --sweep_stages says what members run"
        )
    stages = _stages(listed(values["sweep_stages"]), values)
    if values["output"]:
        raise InputError(
            f"sweep with --output={values['output']}: the members would write one file; each has "
            "its own in its folder"
        )
    return SweepConfig.of(
        values,
        stages=stages,
        shared=without(argv, SWEEP_FLAGS),
        given_flags=given_names(argv) - SWEEP_FLAGS - {"flagfile"},
        threads=values["threads"],
    )


def build(
    words: tuple[str, ...], values: Values, given: frozenset[str] | None = None
) -> Experiment:
    """The experiment of a command line, refused in one line where it cannot work.

    given: the flags that the user has named, in flagfiles or beside them.
    """
    runs = words[1:] if words[:1] == ("status",) else ()
    stages = _stages(words[:1] if runs else words, values)
    resolved = _resolved(values)
    experiment = Experiment.of(
        values,
        stages=stages,
        data=None,
        test_data=None,
        sampling=SamplingConfig.of(resolved, max_steps=DEBUG_STEPS if values["debug"] else None),
        model=ModelConfig.of(values),
        training=TrainingConfig.of(resolved),
        diffusion=DiffusionConfig.of(values),
        stack=StackConfig.of(resolved),
        transfer=TransferConfig.of(values),
        temporal=TemporalConfig.of(resolved),
        scored=scored_of(values, stages),
        inference=InferenceConfig.of(resolved, statics=_own_statics(values)),
        scoring=ScoringConfig.of(values),
        machine=MachineConfig.of(values),
        launch=LaunchConfig.of(values),
        flags=values,
        given=given,
        status_of=tuple(map(path, runs)) or (folder(values["save_path"], "save_path"),),
    )
    experiment.method.refuse(experiment)
    refuse(COMBINATIONS, experiment)
    if data_wanted(experiment):
        asked = DataConfig.of(values)
        data = described(asked)
        check_splits(data, stages)
        data = experiment.method.described(data, experiment.inference)
        experiment = replace(experiment, data=data, test_data=test_data_of(asked))
    check_overwriting(experiment)
    check_output(experiment)
    return experiment


def _resolved(values: Values) -> Values:
    """The flags with what they come to in debug runs, and for the method of training."""
    debug = {}
    if values["debug"]:
        debug = {name: min(values[name], most) for name, most in DEBUG_MOST.items()}
        debug["epochs"] = values["trained_epochs"] + DEBUG_EPOCHS
    factors = values["sr_factors"] or ",".join(map(str, _prime_factors(values["scale"])))
    return {
        **values,
        **debug,
        "sr_factors": factors,
        **method_named(values["trainer"]).resolve(values),
    }


def _prime_factors(number: int) -> tuple[int, ...]:
    factors, rest, factor = [], number, 2
    while rest > 1:
        while rest % factor == 0:
            factors.append(factor)
            rest //= factor
        factor += 1
    return tuple(factors)


def _stages(words: tuple[str, ...], values: Values) -> tuple[str, ...]:
    for word in words:
        if word not in STAGES and os.path.isfile(word):
            raise InputError(
                f"{word}: a file where a stage is expected; several files are one value, with "
                "commas or as a pattern in quotes, such as --data='*.nc'"
            )
        if word not in STAGES:
            raise InputError(unknown("stage", word, STAGES))
    chosen = words or tuple(name for name in STAGE_FLAGS if values[name])
    if not chosen:
        raise InputError("no stage to run: --train, --test and --metrics are all false")
    return tuple(stage for stage in STAGES if stage in chosen)


def _own_statics(values: Values) -> tuple[Source, ...]:
    """The static fields of the region that a trained model is taken to."""
    if values["input_grid"] != "own" or not values["static"]:
        return ()
    return statics(values["static"])
