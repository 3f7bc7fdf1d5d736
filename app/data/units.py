"""Units of climate variables: one spelling for each, and linear conversions between them."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from dataclasses import dataclass
from difflib import get_close_matches

from app.arrays import Array
from app.errors import InputError

DAY = 86400.0  # seconds
HOUR = 3600.0  # seconds
MINUTE = 60.0  # seconds
UNKNOWN = "unknown"  # begins the kind of what is no unit
WATER = 1e-3  # metres of liquid water in one kg m-2

# Names, in any case.
WORDS = {
    "meter": "m", "metre": "m", "meters": "m", "metres": "m",
    "millimeter": "mm", "millimetre": "mm", "millimeters": "mm", "millimetres": "mm",
    "centimeter": "cm", "centimetre": "cm", "centimeters": "cm", "centimetres": "cm",
    "kilometer": "km", "kilometre": "km", "kilometers": "km", "kilometres": "km",
    "inch": "in", "inches": "in", "foot": "ft", "feet": "ft", "mile": "mi", "miles": "mi",
    "liter": "L", "litre": "L", "liters": "L", "litres": "L", "ltr": "L",
    "gram": "g", "grams": "g", "kilogram": "kg", "kilograms": "kg", "kilogramme": "kg",
    "kilogrammes": "kg", "kgs": "kg",
    "sec": "s", "secs": "s", "second": "s", "seconds": "s",
    "minute": "min", "minutes": "min", "mins": "min",
    "hr": "h", "hrs": "h", "hour": "h", "hours": "h",
    "day": "day", "days": "day", "month": "month", "months": "month", "mon": "month",
    "year": "year", "years": "year", "yr": "year", "yrs": "year",
    "kelvin": "K", "kelvins": "K", "celsius": "degC", "centigrade": "degC", "degc": "degC",
    "fahrenheit": "degF", "degf": "degF",
    "degrees": "degree", "deg": "degree", "°": "degree",
    "pascal": "Pa", "pascals": "Pa", "hectopascal": "hPa", "hectopascals": "hPa",
    "kilopascal": "kPa", "kilopascals": "kPa", "hpa": "hPa", "kpa": "kPa",
    "mbar": "hPa", "mbars": "hPa", "millibar": "hPa", "millibars": "hPa",
    "joule": "J", "joules": "J", "watt": "W", "watts": "W",
    "percent": "%", "pct": "%", "percentage": "%",
    "knot": "kt", "knots": "kt", "kts": "kt", "kg": "kg",
}  # fmt: skip
# Symbols that are no unit in another case, or none of a field's.
SYMBOLS = {
    "d": "day", "hr": "h", "a": "year", "k": "K", "c": "degC", "C": "degC", "f": "degF",
    "F": "degF", "w": "W", "j": "J", "pa": "Pa", "PA": "Pa", "mb": "hPa", "l": "L", "MM": "mm",
    "kph": "km h-1", "mps": "m s-1",
}  # fmt: skip
# What the letters of a text all in capitals stand for: "KG/M2/S".
CAPITALS = {
    "M": "m", "MM": "mm", "CM": "cm", "KM": "km", "S": "s", "H": "h", "D": "day", "G": "g",
    "MB": "hPa", "L": "L", "MIN": "min", "KT": "kt", "KJ": "kJ", "IN": "in", "FT": "ft",
}  # fmt: skip
# Whole texts, in small letters.
PHRASES = {
    "": "1", "-": "1", "--": "1", "~": "1", "0 - 1": "1", "0-1": "1", "0 to 1": "1", "0..1": "1",
    "0,1": "1", "0, 1": "1", "dimensionless": "1", "fraction": "1", "fractions": "1",
    "fraction (0-1)": "1", "proportion": "1", "unitless": "1", "none": "1", "no units": "1",
    "no unit": "1", "nondimensional": "1", "non-dimensional": "1", "adimensional": "1",
    "numeric": "1", "per cent": "%", "% (0-100)": "%", "0-100": "%",
    "mps": "m s-1", "kph": "km h-1", "mph": "mi h-1",
    "wm-2": "W m-2", "jm-2": "J m-2", "kgm-2": "kg m-2", "kgm-2s-1": "kg m-2 s-1",
    "geopotential meter": "gpm", "geopotential meters": "gpm", "geopotential metre": "gpm",
    "geopotential metres": "gpm", "gp m": "gpm",
}  # fmt: skip
SCALES = {"c": "degC", "f": "degF", "k": "K"}
DEGREES = re.compile(
    r"(?:\bdeg(?:rees?)?\.?|°)\s*(celsius|centigrade|c|fahrenheit|f|kelvin|k)(?![^\W\d])",
    re.IGNORECASE,
)
WATERY = re.compile(
    r"\s*(?:\bof\s+(?:liquid\s+)?(?:water|rain|snow|precipitation)(?:\s+equivalent)?"
    r"|\bw\.\s?e\.?|\bwater\s+equivalent)(?=\s|/|$)",
    re.IGNORECASE,
)
POWERS = (
    (re.compile(r"\b(?:square|sq\.?)\s+(\w+)", re.IGNORECASE), r"\g<1>^2"),
    (re.compile(r"\bcubic\s+(\w+)", re.IGNORECASE), r"\g<1>^3"),
    (re.compile(r"([^\W\d]+)\s+squared\b", re.IGNORECASE), r"\g<1>^2"),
    (re.compile(r"\s*\bper\b\s*", re.IGNORECASE), "/"),
    (re.compile(r"\s*(?:\*\*|\^)\s*"), "^"),
)
DASHES = str.maketrans(
    {"º": "°", "˚": "°", "−": "-", "–": "-", "‐": "-", "‑": "-", "⁻": "-", "·": " ", "⋅": " ",
     "×": " ", "∙": " ", "_": " ", "{": "(", "}": ")"}
)  # fmt: skip
FACTOR = re.compile(
    r"[\s*.]*(?P<over>/?)\s*(?:"
    r"(?P<number>\d+(?:\.\d+)?(?:[eE][-+]?\d+)?)(?:\^?(?P<exponent>[-+]\d+))?(?![^\W\d])"
    r"|(?P<symbol>[^\W\d]+|[%°][^\W\d]?|['\"])(?:\^?(?:\((?P<inner>[-+]?\d+)\)|(?P<power>[-+]?\d+)))?"
    r"|(?P<open>\()|(?P<close>\)))"
)


@dataclass(frozen=True)
class Conversion:
    """y = factor · x + offset."""

    factor: float
    offset: float = 0.0

    def __call__(self, values: Array) -> Array:
        """Values in the new unit, in their own precision."""
        if self.factor == 1.0 and self.offset == 0.0:
            return values
        return values * self.factor + self.offset


SAME = Conversion(1.0)


# To the base unit of each quantity: m, m s-1, K, Pa, 1, J m-2, W m-2.
BASE: dict[str, tuple[str, Conversion]] = {
    "m": ("length", Conversion(1.0)),
    "cm": ("length", Conversion(0.01)),
    "mm": ("length", Conversion(0.001)),
    "km": ("length", Conversion(1000.0)),
    "in": ("length", Conversion(0.0254)),
    "ft": ("length", Conversion(0.3048)),
    "kg m-2": ("length", Conversion(WATER)),
    "L m-2": ("length", Conversion(WATER)),
    "m s-1": ("rate", Conversion(1.0)),
    "km h-1": ("rate", Conversion(1000.0 / HOUR)),
    "mi h-1": ("rate", Conversion(1609.344 / HOUR)),
    "kt": ("rate", Conversion(1852.0 / HOUR)),
    "mm s-1": ("rate", Conversion(0.001)),
    "mm min-1": ("rate", Conversion(0.001 / MINUTE)),
    "mm h-1": ("rate", Conversion(0.001 / HOUR)),
    "mm day-1": ("rate", Conversion(0.001 / DAY)),
    "cm day-1": ("rate", Conversion(0.01 / DAY)),
    "m day-1": ("rate", Conversion(1.0 / DAY)),
    "m h-1": ("rate", Conversion(1.0 / HOUR)),
    "in h-1": ("rate", Conversion(0.0254 / HOUR)),
    "in day-1": ("rate", Conversion(0.0254 / DAY)),
    "kg m-2 s-1": ("rate", Conversion(WATER)),
    "kg h-1 m-2": ("rate", Conversion(WATER / HOUR)),
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
    "J m-2": ("energy per area", Conversion(1.0)),
    "kJ m-2": ("energy per area", Conversion(1e3)),
    "MJ m-2": ("energy per area", Conversion(1e6)),
    "W s m-2": ("energy per area", Conversion(1.0)),
    "W h m-2": ("energy per area", Conversion(HOUR)),
    "W m-2": ("energy flux", Conversion(1.0)),
    "kW m-2": ("energy flux", Conversion(1e3)),
    "J m-2 s-1": ("energy flux", Conversion(1.0)),
    "J day-1 m-2": ("energy flux", Conversion(1.0 / DAY)),
    "MJ day-1 m-2": ("energy flux", Conversion(1e6 / DAY)),
}


def normalise_unit(unit: str) -> str:
    """One spelling: "m/s", "m s**-1", "m s⁻¹" and "metres per second" all become "m s-1".

    A slash divides by the one factor behind it, or by what stands in brackets, as in UDUNITS.
    What is no product of units passes, its blanks tidied up.
    """
    text = _plain(unit)
    if text.lower() in PHRASES:
        return PHRASES[text.lower()]
    for pattern, replacement in POWERS:
        text = pattern.sub(replacement, text)
    found = _factors(text)
    if found is None:
        return text
    number, powers = found
    above = sorted((s, n) for s, n in powers if n > 0)
    below = sorted((s, n) for s, n in powers if n < 0)
    parts = [] if number == 1 and (above or below) else [f"{number:g}"]
    return " ".join(parts + [s if n == 1 else f"{s}{n}" for s, n in (*above, *below)])


def same_unit(one: str | None, other: str | None) -> bool:
    """Whether two texts, or none at all, mean one unit: "mm/day" and "mm day-1"."""
    if one is None or other is None:
        return one is other
    return normalise_unit(one) == normalise_unit(other)


def is_temperature(unit: str | None) -> bool:
    """Whether values in this unit are temperatures, or differences of such."""
    try:
        return unit is not None and _to_base(normalise_unit(unit))[0] == "temperature"
    except InputError:
        return False


def _plain(unit: str) -> str:
    """Without typography: superscripts, wide blanks, dashes, outer brackets, dots at the end."""
    text = unicodedata.normalize("NFKC", _superscripts(unit).translate(DASHES)).translate(DASHES)
    text = WATERY.sub("", " ".join(text.split()))
    text = DEGREES.sub(lambda found: SCALES[found[1][0].lower()], text)
    while text[:1] + text[-1:] in ("()", "[]") and text.count(text[0]) == 1:
        text = text[1:-1].strip()
    return re.sub(r"\.(?=\s|/|$)", "", text).strip()


def _superscripts(text: str) -> str:
    """A power in superscripts begins with a sign or a number; "m²s⁻²" needs its blanks."""
    return re.sub(r"([⁺⁻]?[⁰¹²³⁴-⁹]+)", r"\1 ", text)


def _factors(text: str) -> tuple[float, list[tuple[str, int]]] | None:
    """Number and powers of units of a product; None where the text is none."""
    capitals = text == text.upper() and sum(c.isalpha() for c in text) > 1
    number, found, position = 1.0, Counter[tuple[str, bool]](), 0
    bracket = 0  # the sign of what is within brackets, 0 outside
    while position < len(text):
        match = FACTOR.match(text, position)
        if match is None:
            break
        position = match.end()
        sign = (-1 if match["over"] else 1) * (bracket or 1)
        if match["open"]:
            if bracket:
                return None
            bracket = sign
        elif match["close"]:
            if not bracket or match["over"]:
                return None
            bracket = 0
        elif match["number"]:
            number *= float(match["number"]) ** (sign * int(match["exponent"] or 1))
        else:
            power = sign * int(match["inner"] or match["power"] or 1)
            for symbol, own in _symbol(match["symbol"], capitals):
                found[symbol, own * power > 0] += own * power
    if bracket or text[position:].strip(" .*"):
        return None
    return number, [(symbol, power) for (symbol, _), power in found.items() if power]


def _symbol(text: str, capitals: bool) -> list[tuple[str, int]]:
    """What a symbol stands for, as powers."""
    if capitals and text in CAPITALS:
        return [(CAPITALS[text], 1)]
    known = SYMBOLS.get(text) or WORDS.get(text.lower()) or text
    if " " not in known:
        return [(known, 1)]
    return [(m[1], int(m[2] or 1)) for m in re.finditer(r"([^\d\s-]+)(-?\d+)?", known)]


def conversion(have: str, wanted: str, where: str = "") -> Conversion:
    """From one unit to another; InputError names both where there is no linear conversion."""
    source, target = normalise_unit(have), normalise_unit(wanted)
    if source == target:
        return Conversion(1.0)
    (kind, to_base), (wanted_kind, from_base) = _to_base(source), _to_base(target)
    if kind != wanted_kind:
        alike = ", ".join(name for name, (other, _) in BASE.items() if other == wanted_kind)
        expected = f"one of {alike}" if alike else "the same unit: no other is known to convert"
        expected += "".join(_nearest(unit) for unit in (have, wanted))
        raise InputError(
            f"{where or 'units'}: cannot convert {have!r} to {wanted!r}; expected {expected}"
        )
    factor = to_base.factor / from_base.factor
    return Conversion(factor, (to_base.offset - from_base.offset) / from_base.factor)


def _nearest(unit: str) -> str:
    """Which name of a unit a text that is none may have meant; empty where none is near."""
    if not _to_base(normalise_unit(unit))[0].startswith(UNKNOWN):
        return ""
    near = get_close_matches(unit.lower(), WORDS, n=1)
    return f"; {unit!r} is no unit that is known: did you mean {near[0]!r}?" if near else ""


def _to_base(unit: str) -> tuple[str, Conversion]:
    """The kind of quantity and the conversion to its base unit, a leading number included."""
    number, _, rest = unit.partition(" ")
    try:
        scale = 1.0 if unit in BASE else float(number)
    except ValueError:
        scale, rest = 1.0, unit
    else:
        rest = unit if unit in BASE else rest or "1"
    kind, own = BASE.get(rest, (f"{UNKNOWN} {rest}", Conversion(1.0)))
    return kind, Conversion(own.factor * scale, own.offset)
