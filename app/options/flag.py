"""One flag: what it takes, and its values as text and from text."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from absl import flags as absl_flags

from app.errors import InputError
from app.options.bounds import BOUNDS
from app.registry import REGISTRY

EXPECTED = {
    "bool": "true or false",
    "int": "a whole number",
    "float": "a number",
    "floats": "numbers with commas between",
    "ints": "whole numbers with commas between",
}
NO_NAMES = "none"
NO_LINE = re.compile(r"[\x00\n\r\ud800-\udfff]")  # what a flagfile could not hold
LISTS: dict[str, Callable[[str], Any]] = {"floats": float, "ints": int}


@dataclass(frozen=True)
class Flag:
    """One flag: `kind` is bool, int, float, floats, ints, text, or with `choices` enum or names.

    The value of names is a tuple of choices in their order, () for "none".
    """

    name: str
    kind: str
    default: Any
    help: str
    choices: tuple[str, ...] = ()
    truths: tuple[str, str] | None = None  # choices that true, or the bare flag, and false mean

    @property
    def bare(self) -> bool:
        """Whether the flag may stand without a value."""
        return self.kind == "bool" or self.truths is not None


def registered(name: str, default: str | None, help: str, kind: str | None = None) -> Flag:
    """A flag whose choices are the names that the registry knows of its kind."""
    return Flag(name, "enum", default, help, REGISTRY.names(kind or name))


def as_text(value: Any) -> str:
    """A value as it stands in a flagfile."""
    if isinstance(value, bool):
        return str(value).lower()
    if value == ():
        return NO_NAMES
    if value is None:
        return "None"
    return ",".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)


def value_from_text(flag: Flag, text: str, where: str) -> Any:
    """The text as the flag's value; "None" unsets a flag that has no default.

    Raises InputError for text that is no such value, and for numbers out of the flag's bounds.
    """
    if text in ("None", "") and flag.default is None:
        return None
    if odd := NO_LINE.search(text):
        raise InputError(
            f"{where}: --{flag.name}: expected one line of UTF-8 text, received {odd[0]!r} in it"
        )
    if flag.kind == "text":
        return text
    try:
        if flag.truths is not None and text not in flag.choices:
            yes, no = flag.truths
            return yes if absl_flags.BooleanParser().parse(text) else no
        if flag.kind in LISTS:
            number = LISTS[flag.kind]
            value: Any = tuple(number(part) for part in text.strip("[]()").split(","))
        elif flag.kind == "names":
            value = _names(flag, text)
        else:
            value = _parser(flag).parse(text)
    except ValueError as error:
        expected = f"one of {', '.join(flag.choices)}" if flag.choices else EXPECTED[flag.kind]
        if flag.kind == "names":
            expected = f"{NO_NAMES}, or some of {', '.join(flag.choices)} with commas between"
        raise InputError(f"{where}: --{flag.name}={text}: expected {expected}") from error
    _check_bounds(flag, value, text, where)
    return value


def _check_bounds(flag: Flag, value: Any, text: str, where: str) -> None:
    """InputError where a number, or one of a list, is beyond what the flag accepts."""
    bounds = BOUNDS.get(flag.name)
    numbers = value if flag.kind in LISTS else (value,)
    if bounds is not None and not all(map(bounds.holds, numbers)):
        raise InputError(f"{where}: --{flag.name}={text}: expected {bounds.around(flag.name)}")


def _names(flag: Flag, text: str) -> tuple[str, ...]:
    given = [part.strip() for part in text.split(",")] if text != NO_NAMES else []
    if not set(given) <= set(flag.choices):
        raise ValueError
    return tuple(name for name in flag.choices if name in given)


def _parser(flag: Flag) -> absl_flags.ArgumentParser[Any]:
    if flag.kind == "enum":
        return absl_flags.EnumParser(flag.choices)
    return {
        "bool": absl_flags.BooleanParser,
        "int": absl_flags.IntegerParser,
        "float": absl_flags.FloatParser,
    }[flag.kind]()
