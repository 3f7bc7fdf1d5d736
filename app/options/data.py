"""The description of the data that the flags name."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from app.data.description import DataDescription, Region, TimeSteps
from app.data.overrides import overridden
from app.data.reading import yaml_values
from app.data.reading.plain_description import from_files, from_module
from app.data.reading.yaml_description import from_yaml, region_of, splits_from_text
from app.errors import InputError
from app.methods.method import able
from app.options.table import DATA_WAYS

DATA_ROOT_VARIABLE = "FINESCALE_DATA"
# Flags of which each takes the place of the description's value of that name.
OVERRIDES = (
    *("transform", "transform_scale", "kind", "units", "valid_min", "valid_max"),
    *("accumulation", "missing", "aggregate"),
)
DATA_ROOT_DEFAULT = Path("../shared/data")


def data_wanted(stages: tuple[str, ...], values: dict[str, Any]) -> bool:
    """Files under --input with a trained model need no description of training data."""
    if set(stages) <= {"list", "status"}:
        return False
    return not (values["input"] and set(stages) == {"test"})


def described(values: dict[str, Any]) -> DataDescription:
    """The description from whichever of the three ways was taken, as the flags change it."""
    given = {name: values[name] for name in OVERRIDES}
    if values["accumulation"] is not None:
        _check(yaml_values.duration, "accumulation", values["accumulation"])
    if values["aggregate"] is not None:
        _check(yaml_values.aggregate, "aggregate", values["aggregate"])
    given["region"] = _region(values["region"]) if values["region"] else None
    given["splits"] = splits_from_text(values["splits"], "--splits") if values["splits"] else None
    return replace(overridden(_as_named(values), given), uncovered=values["uncovered"])


def _check(read: Callable[[Any], Any], name: str, text: str) -> None:
    try:
        read(text)
    except ValueError as error:
        raise InputError(f"--{name}={text}: expected {error}") from error


def _region(text: str) -> Region:
    """ "35:45,-10:5": south and north, west and east, in degrees."""
    expected = "expected SOUTH:NORTH,WEST:EAST in degrees, such as 35:45,-10:5"
    sides = [part.split(":") for part in text.split(",")]
    if len(sides) != 2:
        raise InputError(f"--region={text}: {expected}")
    try:
        lat = yaml_values.span("a latitude", -90, 90)(sides[0])
        lon = yaml_values.span("a longitude", -360, 360)(sides[1])
    except ValueError as error:
        raise InputError(f"--region={text}: {expected}") from error
    return region_of(lat, lon)


def _as_named(values: dict[str, Any]) -> DataDescription:
    given = [name for name in ("data_config", "data", "data_module") if values[name]]
    if len(given) != 1:
        received = " and ".join(f"--{name}" for name in given) or "none of them"
        raise InputError(
            "data: expected exactly one of --data_config=FILE.yml, --data=FILES with --variable, "
            f"or --data_module=FILE.py; received {received}"
        )
    for way, companions in DATA_WAYS.items():
        idle = [name for name in companions if values[name] and way != given[0]]
        if idle:
            raise InputError(
                f"--{idle[0]}={values[idle[0]]} with --{given[0]}: it goes with --{way}; "
                "leave it out"
            )
    explicit = values["paired_samples"] == "explicit"
    if values["data_module"]:
        return from_module(values["data_module"], explicit, values["inference_array_in_hr"])
    if values["data"]:
        if explicit:
            raise InputError(
                "--paired_samples=explicit with --data: explicit pairs need low-resolution data; "
                "name it under low_resolution in a --data_config"
            )
        return from_files(values["data"], values["variable"], values["static"])
    description = from_yaml(values["data_config"], data_root(values["data_root"]))
    if explicit and description.low_resolution is None:
        raise InputError(
            f"--paired_samples=explicit: {values['data_config']} has no low_resolution source"
        )
    if explicit or description.low_resolution is None:
        return description
    return replace(description, low_resolution=None, idle=("low_resolution",))


def check_splits(data: DataDescription, stages: tuple[str, ...]) -> None:
    """Every stage has its period; a data module says so itself."""
    if data.module is not None:
        return
    wanted = {
        "train": ("train", "validation"),
        "test": ("test",),
        "metrics": ("test",),
    }
    for stage, names in wanted.items():
        missing = [name for name in names if name not in data.splits.asked]
        if stage in stages and missing:
            raise InputError(
                f"splits: the stage {stage} needs a {missing[0]} period; the data description "
                f"has {', '.join(data.splits.asked) or 'none'}"
            )


def test_data_of(values: dict[str, Any]) -> DataDescription | None:
    """The same sources in the other pairing; None where test and training agree."""
    if values["test_pairs"] in (None, values["paired_samples"]):
        return None
    return described({**values, "paired_samples": values["test_pairs"]})


def data_root(given: str | None) -> str:
    """The folder of real data: flag, environment, or the usual place beside the checkout."""
    return given or os.environ.get(DATA_ROOT_VARIABLE) or str(DATA_ROOT_DEFAULT)


def time_steps(values: dict[str, Any]) -> TimeSteps:
    """The steps asked for; InputError where one does not divide the other."""
    from app.data.times import duration  # imports pandas

    seconds = {}
    for name in ("input_step", "target_step"):
        if values[name] is None:
            raise InputError(
                f"--trainer={' or '.join(able('in_time'))}: expected --{name}, such as --{name}=1h"
            )
        seconds[name] = duration(values[name], f"--{name}")
    steps = TimeSteps(**seconds, gaps=values["gap_policy"])
    if steps.target_step < 1 or steps.input_step % steps.target_step or steps.parts < 2:
        raise InputError(
            f"--target_step={values['target_step']} with --input_step={values['input_step']}: "
            "expected a part of the input step, such as a third"
        )
    return steps
