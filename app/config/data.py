"""The description of the data that the flags name."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

from app.config.training import IN_TIME
from app.data.description import DataDescription, TimeSteps
from app.data.reading.yaml_description import from_files, from_module, from_yaml, with_transform
from app.errors import InputError

DATA_ROOT_VARIABLE = "FINESCALE_DATA"
DATA_ROOT_DEFAULT = Path("../shared/data")


def data_wanted(stages: tuple[str, ...], values: dict[str, Any]) -> bool:
    """Files under --input with a trained model need no description of training data."""
    if set(stages) <= {"list", "status"}:
        return False
    return not (values["input"] and set(stages) == {"test"})


def described(values: dict[str, Any]) -> DataDescription:
    """The description from whichever of the three ways was taken."""
    given = [name for name in ("data_config", "data", "data_module") if values[name]]
    if len(given) != 1:
        received = " and ".join(f"--{name}" for name in given) or "none of them"
        raise InputError(
            "data: expected exactly one of --data_config=FILE.yml, --data=FILES with --variable, "
            f"or --data_module=FILE.py; received {received}"
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
    return description if explicit else replace(description, low_resolution=None)


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
    data = described({**values, "paired_samples": values["test_pairs"]})
    data = replace(data, uncovered=values["uncovered"])
    return with_transform(data, values["transform"], values["transform_scale"])


def data_root(given: str | None) -> str:
    """The folder of real data: flag, environment, or the usual place beside the checkout."""
    return given or os.environ.get(DATA_ROOT_VARIABLE) or str(DATA_ROOT_DEFAULT)


def time_steps(values: dict[str, Any]) -> TimeSteps:
    """The steps asked for; InputError where one does not divide the other."""
    from app.data.times import duration  # imports pandas

    seconds = {}
    for name in ("input_step", "target_step"):
        if values[name] is None:
            raise InputError(f"--trainer={IN_TIME}: expected --{name}, such as --{name}=1h")
        seconds[name] = duration(values[name], f"--{name}")
    steps = TimeSteps(**seconds, gaps=values["gap_policy"])
    if steps.target_step < 1 or steps.input_step % steps.target_step or steps.parts < 2:
        raise InputError(
            f"--target_step={values['target_step']} with --input_step={values['input_step']}: "
            "expected a part of the input step, such as a third"
        )
    return steps
