"""Units as figures print them."""

from __future__ import annotations

import re

HARD = "\N{NO-BREAK SPACE}"
PLAIN = re.compile(r"[A-Za-z°%]+")


def squared(unit: str) -> str:
    """The square of a unit: K², (mm day-1)²."""
    if unit == "1":
        return unit
    return f"{unit}²" if PLAIN.fullmatch(unit) else f"({unit})²"


def with_unit(number: float, unit: str) -> str:
    """`0.32 K`, three digits; numbers without a unit alone."""
    return f"{number:.3g}" if unit == "1" else f"{number:.3g}{HARD}{unit.replace(' ', HARD)}"
