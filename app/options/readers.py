"""From a flag's value to the value of its field, or a refusal in one line."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from app.data.description import Region, Splits
from app.data.reading import yaml_values
from app.data.reading.paths import REMOTE, local, separate
from app.data.reading.yaml_description import region_of, splits_from_text
from app.durations import Interval, seconds_of
from app.errors import InputError
from app.running.run_files import check_prediction_name

T = TypeVar("T")
TRUTHS = {"t": True, "true": True, "f": False, "false": False}


def listed(text: str | None, name: str = "") -> tuple[str, ...]:
    """Words with commas between."""
    return tuple(word.strip() for word in text.split(",")) if text else ()


def files(text: str | None, name: str) -> tuple[str, ...]:
    """Files or folders with commas between, whose own names may have commas."""
    return separate(text or "")


def or_empty(value: tuple[T, ...] | None, name: str) -> tuple[T, ...]:
    return value or ()


def or_blank(text: str | None, name: str) -> str:
    return text or ""


def whole_numbers(least: int, most: int) -> Callable[[str | None, str], tuple[int, ...]]:
    """Reads whole numbers with commas between, each within the bounds."""

    def read(text: str | None, name: str) -> tuple[int, ...]:
        try:
            values = tuple(int(word) for word in listed(text))
        except ValueError as error:
            raise InputError(
                f"--{name}={text}: expected whole numbers with commas between"
            ) from error
        if not all(least <= value <= most for value in values):
            raise InputError(
                f"--{name}={','.join(map(str, values))}: expected whole numbers from {least} to "
                f"{most}"
            )
        return values

    return read


def pairs(text: str | None, name: str) -> dict[str, str]:
    """What a flag such as --input_variables=t2m:tas,pr:rr says, as {"t2m": "tas", "pr": "rr"}."""
    found: dict[str, str] = {}
    for given in listed(text):
        key, _, value = (word.strip() for word in given.partition(":"))
        if not (key and value) or key in found:
            raise InputError(
                f"--{name}={text}: expected the model's name, a colon and the file's name, "
                "each model's name once, with commas between, such as t2m:tas,pr:rr"
            )
        found[key] = value
    return found


def truths(text: str, name: str) -> tuple[bool, ...]:
    """Truth values, T or F with commas between."""
    parts = [part.lower() for part in listed(text)]
    if not set(parts) <= set(TRUTHS):
        raise InputError(f"--{name}={text}: expected T or F with commas between")
    return tuple(TRUTHS[part] for part in parts)


def fold(text: str | None, name: str) -> tuple[int, int] | None:
    """k and K of "k/K"."""
    if text is None:
        return None
    number, _, folds = text.partition("/")
    if not (number.isdigit() and folds.isdigit() and 1 <= int(number) <= int(folds) > 1):
        raise InputError(f"--{name}={text}: expected k/K with 1 <= k <= K and K above 1")
    return int(number), int(folds)


def folder(text: str, name: str) -> Path:
    """The folder that a flag names; an empty name would be the current one."""
    if not os.path.expandvars(text).strip():
        raise InputError(f"--{name}={text}: empty, expected a folder; . is the current one")
    return path(text)


def path_or_none(text: str | None, name: str) -> Path | None:
    return path(text) if text else None


def path(text: str) -> Path:
    """A local path with variables and `~` filled in; an address is none."""
    if REMOTE in text:
        raise InputError(f"{text}: an address, which only data can have; expected a local path")
    found = os.path.expandvars(text)
    if unset := re.search(r"\$(\w+|\{\w+\})", found):
        raise InputError(f"{text}: {unset[0]} is not set in the environment")
    return local(found)


def interval(text: str, name: str) -> Interval:
    """Steps, or a length of time."""
    read = Interval.of(text)
    if read is None:
        raise InputError(
            f"--{name}={text}: expected steps (500) or a time (90s, 10min, 1h, 00:10:00)"
        )
    return read


def time_limit(text: str | None, name: str) -> float | None:
    """Seconds of a length of time."""
    seconds = None if text is None else seconds_of(text)
    if text is not None and not seconds:
        raise InputError(f"--{name}={text}: expected a time (90s, 5min, 3h, 02:00:00, 1-00:00:00)")
    return seconds


def prediction_name(text: str | None, name: str) -> str | None:
    """The name of a file in the run folder that is none of the run's own."""
    if text is not None:
        check_prediction_name(name, text)
    return text


def duration(text: str | None, name: str) -> str | None:
    """A length of time as data descriptions have it, such as 1D."""
    return _checked(yaml_values.duration, text, name)


def aggregate(text: str | None, name: str) -> str | None:
    """A length of time and what is done over it, such as 1D:mean."""
    return _checked(yaml_values.aggregate, text, name)


def _checked(read: Callable[[str], object], text: str | None, name: str) -> str | None:
    if text is not None:
        try:
            read(text)
        except ValueError as error:
            raise InputError(f"--{name}={text}: expected {error}") from error
    return text


def region(text: str | None, name: str) -> Region | None:
    """ "35:45,-10:5": south and north, west and east, in degrees."""
    if not text:
        return None
    expected = "expected SOUTH:NORTH,WEST:EAST in degrees, such as 35:45,-10:5"
    sides = [part.split(":") for part in text.split(",")]
    if len(sides) != 2:
        raise InputError(f"--{name}={text}: {expected}")
    try:
        lat = yaml_values.span("a latitude", -90, 90)(sides[0])
        lon = yaml_values.span("a longitude", -360, 360)(sides[1])
    except ValueError as error:
        raise InputError(f"--{name}={text}: {expected}") from error
    return region_of(lat, lon)


def splits(text: str | None, name: str) -> Splits | None:
    return splits_from_text(text, f"--{name}") if text else None
