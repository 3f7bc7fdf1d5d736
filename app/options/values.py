"""Values of flags, brought into form and refused in one line."""

from __future__ import annotations

import os
import re
from dataclasses import fields
from pathlib import Path
from typing import Any, TypeVar

from app.data.reading.paths import REMOTE, local
from app.errors import InputError

Part = TypeVar("Part")


def part(kind: type[Part], values: dict[str, Any], **changed: Any) -> Part:
    """A config dataclass from the flags of the same names."""
    names = [field.name for field in fields(kind) if field.name not in changed]  # type: ignore[arg-type]
    return kind(**{name: values[name] for name in names}, **changed)


def listed(text: str | None) -> tuple[str, ...]:
    return tuple(word.strip() for word in text.split(",")) if text else ()


def whole_numbers(values: dict[str, Any], name: str) -> tuple[int, ...]:
    try:
        return tuple(int(word) for word in listed(values[name]))
    except ValueError as error:
        raise InputError(
            f"--{name}={values[name]}: expected whole numbers with commas between"
        ) from error


def pairs(values: dict[str, Any], name: str) -> dict[str, str]:
    """What a flag such as --input_variables=t2m:tas,pr:rr says, as {"t2m": "tas", "pr": "rr"}."""
    found: dict[str, str] = {}
    for given in listed(values[name]):
        key, _, value = (word.strip() for word in given.partition(":"))
        if not (key and value) or key in found:
            raise InputError(
                f"--{name}={values[name]}: expected the model's name, a colon and the file's name, "
                "each model's name once, with commas between, such as t2m:tas,pr:rr"
            )
        found[key] = value
    return found


def truths(values: dict[str, Any], name: str) -> tuple[bool, ...]:
    meanings = {"t": True, "true": True, "f": False, "false": False}
    parts = listed(values[name])
    if any(part.lower() not in meanings for part in parts):
        raise InputError(f"--{name}={values[name]}: expected T or F with commas between")
    return tuple(meanings[part.lower()] for part in parts)


def fold(values: dict[str, Any]) -> tuple[int, int] | None:
    """k and K of "k/K"."""
    text = values["left_out_fold"]
    if text is None:
        return None
    number, _, folds = text.partition("/")
    if not (number.isdigit() and folds.isdigit() and 1 <= int(number) <= int(folds) > 1):
        raise InputError(f"--left_out_fold={text}: expected k/K with 1 <= k <= K and K above 1")
    return int(number), int(folds)


def joined(values: tuple[Any, ...]) -> str:
    return ",".join(map(str, values))


def folder(values: dict[str, Any], name: str) -> Path:
    """The folder that a flag names; an empty name would be the current one."""
    text = values[name]
    if not os.path.expandvars(text).strip():
        raise InputError(f"--{name}={text}: empty, expected a folder; . is the current one")
    return path(text)


def path(text: str) -> Path:
    """A local path with variables and `~` filled in; an address is none."""
    if REMOTE in text:
        raise InputError(f"{text}: an address, which only data can have; expected a local path")
    found = os.path.expandvars(text)
    if unset := re.search(r"\$(\w+|\{\w+\})", found):
        raise InputError(f"{text}: {unset[0]} is not set in the environment")
    return local(found)


def at_least(name: str, value: int, least: int) -> None:
    if value < least:
        raise InputError(f"--{name}={value}: expected {least} or more")


def within(name: str, values: tuple[int, ...], least: int, most: int) -> None:
    if not all(least <= value <= most for value in values):
        raise InputError(
            f"--{name}={joined(values)}: expected whole numbers from {least} to {most}"
        )
