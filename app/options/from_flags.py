"""From the values of flags to an experiment, or a sweep."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from app.data.description import Source
from app.data.reading.paths import separate
from app.data.reading.plain_description import statics
from app.durations import Interval, seconds_of
from app.errors import InputError
from app.methods.method import method_named
from app.options.checks import check_pairs
from app.options.data import check_splits, data_wanted, described, test_data_of, time_steps
from app.options.experiment import Experiment, SweepConfig
from app.options.model import DiffusionConfig, ModelConfig, StackConfig, TemporalConfig
from app.options.overwriting import check_output, check_overwriting
from app.options.reader import given_names, without
from app.options.table import SECTIONS
from app.options.training import SamplingConfig, TrainingConfig, TransferConfig
from app.options.use import InferenceConfig, LaunchConfig, MachineConfig
from app.options.values import fold, folder, listed, pairs, part, path, truths, whole_numbers
from app.registry import unknown

STAGES = ("prepare", "train", "test", "metrics", "check", "list", "status")
STAGE_FLAGS = ("train", "test", "metrics")
DEBUG_EPOCHS = 2
DEBUG_STEPS = 6
DEBUG_MEMBERS = 2
DEBUG_SAMPLING_STEPS = 2
SWEEP_FLAGS = frozenset(flag.name for flag in SECTIONS["SWEEP"])


def build_sweep(words: tuple[str, ...], values: dict[str, Any], argv: Sequence[str]) -> SweepConfig:
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
    return SweepConfig(
        save_path=folder(values, "save_path"),
        spec=values["sweep"],
        stages=stages,
        shared=without(argv, SWEEP_FLAGS),
        given_flags=given_names(argv) - SWEEP_FLAGS - {"flagfile"},
        jobs=values["jobs"],
        threads=values["threads"],
        submit=values["submit"],
        sbatch_options=values["sbatch_options"] or "",
        dry_run=values["dry_run"],
        collect=values["collect"],
        overwrite=values["overwrite"],
    )


def build(words: tuple[str, ...], values: dict[str, Any]) -> Experiment:
    """The experiment of a command line, refused in one line where it cannot work."""
    runs = words[1:] if words[:1] == ("status",) else ()
    stages = _stages(words[:1] if runs else words, values)
    resolved = _resolved(values)
    experiment = Experiment(
        stages=stages,
        save_path=folder(values, "save_path"),
        cache_dir=folder(values, "cache_dir"),
        stage_to=path(values["stage_to"]) if values["stage_to"] else None,
        data=None,
        test_data=None,
        sampling=part(SamplingConfig, resolved, max_steps=DEBUG_STEPS if values["debug"] else None),
        model=part(ModelConfig, values),
        training=part(
            TrainingConfig,
            resolved,
            checkpoint_every=_checkpoint_every(values),
            left_out_fold=fold(values),
        ),
        diffusion=part(
            DiffusionConfig,
            values,
            channel_multipliers=whole_numbers(values, "channel_multipliers"),
            is_attention=truths(values, "is_attention"),
            fold_regressions=separate(values["fold_regressions"] or ""),
        ),
        stack=_stack(values),
        transfer=part(TransferConfig, values),
        temporal=part(TemporalConfig, values, sun_response=values["sun_response"] or ()),
        inference=part(
            InferenceConfig,
            values,
            input=separate(values["input"] or ""),
            input_variables=pairs(values, "input_variables"),
            static=_own_statics(values),
            input_reference=separate(values["input_reference"] or ""),
            ensemble=separate(values["ensemble"] or ""),
            target_times=listed(values["target_times"]),
            write_quantiles=values["write_quantiles"] or (),
            **_debug_inference(values),
        ),
        machine=part(MachineConfig, values, time_limit=_time_limit(values)),
        launch=part(LaunchConfig, values),
        overwrite=values["overwrite"],
        accept_changed_data=values["accept_changed_data"],
        verify=values["verify"],
        flags=values,
        runs=tuple(path(name) for name in runs) or (folder(values, "save_path"),),
    )
    check_pairs(experiment)
    if data_wanted(stages, values):
        data = described(values)
        check_splits(data, stages)
        if experiment.in_time:
            data = replace(data, time_steps=time_steps(values))
        experiment = replace(experiment, data=data, test_data=test_data_of(values))
    check_overwriting(experiment)
    check_output(experiment)
    return experiment


def _stack(values: dict[str, Any]) -> StackConfig:
    """The stages of the flags; without --sr_factors one for each prime factor of the scale."""
    given = values["sr_factors"]
    factors = whole_numbers(values, "sr_factors") if given else _prime_factors(values["scale"])
    debug = {"finetune_joint": min(values["finetune_joint"], 1)} if values["debug"] else {}
    return part(
        StackConfig,
        values,
        factors=factors,
        filters=whole_numbers(values, "srcnn_filters"),
        kernels=whole_numbers(values, "srcnn_kernels"),
        **debug,
    )


def _prime_factors(number: int) -> tuple[int, ...]:
    factors, rest, factor = [], number, 2
    while rest > 1:
        while rest % factor == 0:
            factors.append(factor)
            rest //= factor
        factor += 1
    return tuple(factors)


def _stages(words: tuple[str, ...], values: dict[str, Any]) -> tuple[str, ...]:
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


def _checkpoint_every(values: dict[str, Any]) -> Interval:
    interval = Interval.of(values["checkpoint_every"])
    if interval is None:
        raise InputError(
            f"--checkpoint_every={values['checkpoint_every']}: expected steps (500) or a time "
            "(90s, 10min, 1h, 00:10:00)"
        )
    return interval


def _time_limit(values: dict[str, Any]) -> float | None:
    text = values["time_limit"]
    seconds = None if text is None else seconds_of(text)
    if text is not None and not seconds:
        raise InputError(f"--time_limit={text}: expected a time (90min, 3h, 02:00:00, 1-00:00:00)")
    return seconds


def _own_statics(values: dict[str, Any]) -> tuple[Source, ...]:
    """The static fields of the region that a trained model is taken to."""
    if values["input_grid"] != "own" or not values["static"]:
        return ()
    return statics(values["static"])


def _resolved(values: dict[str, Any]) -> dict[str, Any]:
    """The flags with what they come to in debug runs, and for the method of training."""
    epochs = {"epochs": values["trained_epochs"] + DEBUG_EPOCHS} if values["debug"] else {}
    return {**values, **epochs, **method_named(values["trainer"]).resolve(values)}


def _debug_inference(values: dict[str, Any]) -> dict[str, int]:
    """Few members and few steps to draw them; both are what inference takes long for."""
    bounds = {"members": DEBUG_MEMBERS, "sampling_steps": DEBUG_SAMPLING_STEPS}
    return {n: min(values[n], bound) for n, bound in bounds.items()} if values["debug"] else {}
