"""Units of climate variables: one spelling for each, and linear conversions between them."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.errors import InputError

DAY = 86400.0  # seconds
HOUR = 3600.0  # seconds
WATER = 1e-3  # metres of liquid water in one kg m-2

SYMBOLS = {
    "meter": "m", "metre": "m", "meters": "m", "metres": "m",
    "millimeter": "mm", "millimetre": "mm", "millimeters": "mm", "millimetres": "mm",
    "s": "s", "sec": "s", "second": "s", "seconds": "s",
    "d": "day", "days": "day", "h": "h", "hr": "h", "hour": "h", "hours": "h",
    "kelvin": "K", "degk": "K", "deg_k": "K", "degree_k": "K", "degrees_k": "K",
    "c": "degC", "°c": "degC", "℃": "degC", "degc": "degC", "deg_c": "degC", "celsius": "degC",
    "degree_c": "degC", "degrees_c": "degC", "degree_celsius": "degC", "degrees_celsius": "degC",
    "f": "degF", "°f": "degF", "degf": "degF", "deg_f": "degF", "fahrenheit": "degF",
    "degree_fahrenheit": "degF", "degrees_fahrenheit": "degF",
    "pascal": "Pa", "pascals": "Pa", "mbar": "hPa", "mb": "hPa", "millibar": "hPa",
    "millibars": "hPa", "percent": "%", "pct": "%", "knot": "kt", "knots": "kt", "kts": "kt",
}  # fmt: skip
PHRASES = {
    "": "1", "-": "1", "(0 - 1)": "1", "0-1": "1", "(0-1)": "1", "dimensionless": "1",
    "fraction": "1", "unitless": "1", "degrees celsius": "degC", "degree celsius": "degC",
    "deg c": "degC", "degrees c": "degC", "degrees fahrenheit": "degF", "deg f": "degF",
    "degrees kelvin": "K", "mps": "m s-1", "kph": "km h-1",
}  # fmt: skip


@dataclass(frozen=True)
class Conversion:
    """y = factor · x + offset."""

    factor: float
    offset: float = 0.0

    def __call__(self, values: NDArray[np.floating]) -> NDArray[np.floating]:
        """Values in the new unit, in their own precision."""
        if self.factor == 1.0 and self.offset == 0.0:
            return values
        return values * self.factor + self.offset


# To the base unit of each quantity: m, m s-1, K, Pa, 1.
BASE: dict[str, tuple[str, Conversion]] = {
    "m": ("length", Conversion(1.0)),
    "cm": ("length", Conversion(0.01)),
    "mm": ("length", Conversion(0.001)),
    "km": ("length", Conversion(1000.0)),
    "kg m-2": ("length", Conversion(WATER)),
    "m s-1": ("rate", Conversion(1.0)),
    "km h-1": ("rate", Conversion(1000.0 / HOUR)),
    "kt": ("rate", Conversion(1852.0 / HOUR)),
    "mm s-1": ("rate", Conversion(0.001)),
    "mm h-1": ("rate", Conversion(0.001 / HOUR)),
    "mm day-1": ("rate", Conversion(0.001 / DAY)),
    "cm day-1": ("rate", Conversion(0.01 / DAY)),
    "m day-1": ("rate", Conversion(1.0 / DAY)),
    "m h-1": ("rate", Conversion(1.0 / HOUR)),
    "kg m-2 s-1": ("rate", Conversion(WATER)),
    "kg m-2 h-1": ("rate", Conversion(WATER / HOUR)),
    "kg day-1 m-2": ("rate", Conversion(WATER / DAY)),
    "K": ("temperature", Conversion(1.0)),
    "degC": ("temperature", Conversion(1.0, 273.15)),
    "degF": ("temperature", Conversion(5.0 / 9.0, 273.15 - 32.0 * 5.0 / 9.0)),
    "Pa": ("pressure", Conversion(1.0)),
    "hPa": ("pressure", Conversion(100.0)),
    "kPa": ("pressure", Conversion(1000.0)),
    "1": ("fraction", Conversion(1.0)),
    "%": ("fraction", Conversion(0.01)),
    "kg kg-1": ("fraction", Conversion(1.0)),
    "g kg-1": ("fraction", Conversion(0.001)),
}


def normalise_unit(unit: str) -> str:
    """One spelling: "m/s", "m s**-1" and "m.s^-1" all become "m s-1"; unknown ones pass."""
    text = " ".join(unit.strip().split())
    if text.lower() in PHRASES:
        return PHRASES[text.lower()]
    above, *below = re.sub(r"\*\*|\^", "", text).split("/")
    powers: list[tuple[str, int]] = []
    for part, sign in [(above, 1), *((part, -1) for part in below)]:
        for token in re.split(r"[\s.·*]+", part.strip()):
            powers += _power(token, sign)
    ordered = [p for p in powers if p[1] > 0] + sorted(p for p in powers if p[1] < 0)
    return " ".join(symbol if n == 1 else f"{symbol}{n}" for symbol, n in ordered) or text


def _power(token: str, sign: int) -> list[tuple[str, int]]:
    match = re.fullmatch(r"([^\d\s-]+)([-+]?\d+)?", token)
    if match is None:
        return [] if token in ("", "1") else [(token, sign)]
    symbol = SYMBOLS.get(match[1].lower(), match[1])
    return [(symbol, sign * int(match[2] or 1))]


def conversion(have: str, wanted: str, where: str = "") -> Conversion:
    """From one unit to another; InputError names both where there is no linear conversion."""
    source, target = normalise_unit(have), normalise_unit(wanted)
    if source == target:
        return Conversion(1.0)
    (kind, to_base), (wanted_kind, from_base) = (
        BASE.get(unit, (f"unknown {unit}", Conversion(1.0))) for unit in (source, target)
    )
    if kind != wanted_kind:
        raise InputError(
            f"{where or 'units'}: cannot convert {have!r} to {wanted!r}; expected the same unit, "
            f"or two of one kind among {', '.join(BASE)}"
        )
    factor = to_base.factor / from_base.factor
    return Conversion(factor, (to_base.offset - from_base.offset) / from_base.factor)
