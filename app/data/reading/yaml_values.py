"""Values of a YAML data description, from their texts; ValueError says what is expected."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any

from app.data.reading.yaml_text import Plain

NUMBER = re.compile(r"[-+]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d+)?")
WHOLE = re.compile(r"[-+]?\d{1,18}")
LEVEL = re.compile(rf"({NUMBER.pattern})\s*([^\W\d].*)?")
TRUTHS = frozenset({"true", "false", "yes", "no", "on", "off"})
PERIOD = re.compile(
    r"\d{4}(?:-\d{1,2}(?:-\d{1,2}(?:[T ]\d{1,2}(?::\d{1,2}(?::\d{1,2})?)?)?)?)?"
)  # as `app.data.times.period` reads it
ROUNDING = 1e-6  # how far the sum of shares may exceed 1
MOST_STEPS = 10**6  # that a lag goes back
SHOWN = 60  # characters of a value in a message


def shown(value: Any) -> str:
    """What was given and of which type, in a message."""
    if value is None:
        return "nothing"
    if isinstance(value, (dict, list)):
        return (
            f"{shortened(_plainly(value))} (a {'mapping' if isinstance(value, dict) else 'list'})"
        )
    if isinstance(value, Plain) and NUMBER.fullmatch(value):
        return f"{shortened(value)} (a number)"
    if isinstance(value, Plain) and value.lower() in TRUTHS:
        return f"{value} (true or false)"
    return f"{shortened(repr(str(value)))} (a text)"


def _plainly(value: Any, deep: bool = True) -> str:
    """A value as YAML, what lies deeper left out."""
    if isinstance(value, dict):
        return (
            "{" + ", ".join(f"{k}: {_plainly(v, False)}" for k, v in value.items()) + "}"
            if deep
            else "{…}"
        )
    if isinstance(value, list):
        return "[" + ", ".join(_plainly(part, False) for part in value) + "]" if deep else "[…]"
    return "" if value is None else str(value)


def shortened(text: str) -> str:
    """A text on one line that is not too long for a message."""
    text = " ".join(text.split())
    return text if len(text) <= SHOWN else text[:SHOWN] + "…"


def text(value: Any) -> str:
    """A text, as it was written: `1` is "1", `no` is "no"."""
    if not isinstance(value, str) or not value.strip():
        raise ValueError("a text")
    return str(value)


def units(value: Any) -> str:
    """A unit; '' is that of what has none."""
    if not isinstance(value, str):
        raise ValueError("a unit such as K, mm day-1 or 1")
    return str(value)


def number(value: Any) -> float:
    """A finite number, quoted or not."""
    if isinstance(value, str) and NUMBER.fullmatch(value.strip()):
        found = float(value)
        if math.isfinite(found):
            return found
    raise ValueError("a number")


def number_within(expected: str, allowed: Callable[[float], bool]) -> Callable[[Any], float]:
    """A reader of numbers that refuses those that are not allowed."""

    def read(value: Any) -> float:
        try:
            found = number(value)
        except ValueError:
            raise ValueError(expected) from None
        if not allowed(found):
            raise ValueError(expected)
        return found

    return read


def whole(value: Any) -> int:
    """A whole number, quoted or not."""
    if isinstance(value, str) and WHOLE.fullmatch(value.strip()):
        return int(value)
    raise ValueError("a whole number")


def label(value: Any) -> int | float | str:
    """A label of a dimension: a number where one is written as such, otherwise the text."""
    if not isinstance(value, str) or not value.strip():
        raise ValueError("one number or text")
    if isinstance(value, Plain) and WHOLE.fullmatch(value) and str(int(value)) == value:
        return int(value)
    if isinstance(value, Plain) and NUMBER.fullmatch(value) and str(float(value)) == value:
        return float(value)
    return str(value)


def labels(value: Any) -> dict[str, int | float | str]:
    """Dimension → label."""
    expected = "dimensions and what to take of each, such as {step: 6}"
    if not isinstance(value, dict):
        raise ValueError(expected)
    try:
        return {str(name): label(part) for name, part in value.items()}
    except ValueError:
        raise ValueError(f"{expected}: one number or text for each") from None


def duration(value: Any) -> str:
    """A length of time with its unit, not negative."""
    expected = "a duration with its unit, such as 12h or 1D"
    if _seconds(value, expected) < 0:
        raise ValueError(expected)
    return str(value)


def shift(value: Any) -> str:
    """A length of time with its unit, of either sign."""
    _seconds(value, "a duration with its unit, such as 12h or -1D")
    return str(value)


def _seconds(value: Any, expected: str) -> int:
    from app.data.times import duration as seconds_of  # imports pandas
    from app.errors import InputError

    if not isinstance(value, str):
        raise ValueError(expected)
    try:
        return seconds_of(str(value), "")
    except InputError:
        raise ValueError(expected) from None


def aggregate(value: Any) -> str:
    """What `Aggregated` takes: DURATION:METHOD."""
    from app.data.reading.aggregation import METHODS

    expected = f"DURATION:METHOD, such as 1D:mean, with one of {', '.join(METHODS)}"
    length, _, method = str(value).partition(":") if isinstance(value, str) else ("", "", "")
    if method not in METHODS or _seconds(length, expected) <= 0:
        raise ValueError(expected)
    return str(value)


def level(value: Any) -> tuple[float, str | None]:
    """A level and its unit, where it has one: 850, or "850hPa"."""
    from app.data.units import BASE, normalise_unit

    found = LEVEL.fullmatch(value.strip()) if isinstance(value, str) else None
    if found and math.isfinite(float(found[1])):
        unit = found[2]
        if unit is None or BASE.get(normalise_unit(unit), ("",))[0] in ("pressure", "length"):
            return float(found[1]), unit
    raise ValueError("a level such as 850, 850hPa or 2m")


def listed(read: Callable[[Any], Any], expected: str) -> Callable[[Any], tuple[Any, ...]]:
    """A reader of one value or a list of them, which is not empty."""

    def several(value: Any) -> tuple[Any, ...]:
        parts = value if isinstance(value, list) else [value]
        if not parts:
            raise ValueError(expected)
        try:
            return tuple(read(part) for part in parts)
        except ValueError:
            raise ValueError(expected) from None

    return several


def shares(value: Any) -> tuple[float, ...]:
    """Three shares that are not negative and add up to 1 at most."""
    expected = "three shares from 0 to 1 that add up to 1 at most"
    found: tuple[float, ...] = listed(number, expected)(value)
    if len(found) != 3 or min(found) < 0 or not 0 < sum(found) <= 1 + ROUNDING:
        raise ValueError(expected)
    return found


def lags(value: Any) -> tuple[int, ...]:
    """Time steps back: 0 is the step itself, 1 the one before."""
    expected = "time steps back, such as [0, 1]: 0 is the same time, 1 the step before"
    found: tuple[int, ...] = listed(whole, expected)(value)
    if min(found) < 0:
        raise ValueError(f"{expected}; a negative one lies in the future")
    if max(found) > MOST_STEPS:
        raise ValueError(f"{expected}; {MOST_STEPS} at most")
    if len(set(found)) < len(found):
        raise ValueError(f"{expected}; each once")
    return found


def choice(choices: tuple[str, ...]) -> Callable[[Any], str]:
    """A reader of one of some words."""

    def read(value: Any) -> str:
        if isinstance(value, str) and value in choices:
            return str(value)
        raise ValueError(f"one of {', '.join(choices)}")

    return read


def span(expected: str, lowest: float, highest: float) -> Callable[[Any], tuple[float, float]]:
    """A reader of two numbers between bounds."""

    def read(value: Any) -> tuple[float, float]:
        parts = value if isinstance(value, list) else []
        if len(parts) != 2:
            raise ValueError(expected)
        try:
            first, last = (number(part) for part in parts)
        except ValueError:
            raise ValueError(expected) from None
        if not (lowest <= first <= highest and lowest <= last <= highest):
            raise ValueError(f"{expected}, from {lowest:g} to {highest:g}")
        return first, last

    return read


def period(value: Any) -> str:
    """An ISO time or the beginning of one."""
    expected = "a time such as 1997, 1997-12-24 or 1997-12-24T06"
    if not isinstance(value, str) or not PERIOD.fullmatch(value.strip()):
        raise ValueError(expected)
    _bounds(value, expected)
    return str(value.strip())


def _bounds(text: str, expected: str) -> tuple[int, int]:
    """First second and first after it, in a calendar that has no days of its own."""
    from app.data.times import period as bounds_of  # imports pandas
    from app.errors import InputError

    try:
        return bounds_of(str(text), "noleap", "")
    except InputError:
        raise ValueError(expected) from None


def periods(value: Any) -> tuple[tuple[str, str], ...]:
    """[first, last], or several of them."""
    expected = "[first, last], such as [1997-12-01, 2002], or a list of them"
    if not isinstance(value, list) or not value:
        raise ValueError(expected)
    pairs = value if isinstance(value[0], list) else [value]
    for pair in pairs:
        if not isinstance(pair, list) or len(pair) != 2:
            raise ValueError(expected)
    found = tuple((period(first), period(last)) for first, last in pairs)
    for first, last in found:
        if _bounds(last, "")[1] <= _bounds(first, "")[0]:
            raise ValueError(f"{expected}; {last} lies before {first}")
    return found


def years(value: Any) -> tuple[int, ...]:
    """A year, or a list of them."""
    found: tuple[int, ...] = listed(whole, "years, such as [1997, 1998]")(value)
    return found


def seasons(value: Any, known: tuple[str, ...]) -> tuple[str, ...]:
    """A season, or a list of them, in capitals."""
    expected = f"some of {', '.join(known)}"
    one = choice(known)
    found: tuple[str, ...] = listed(lambda part: one(text(part).upper()), expected)(value)
    return found
