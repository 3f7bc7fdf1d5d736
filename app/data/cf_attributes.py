"""Attributes of a variable in a CF NetCDF file: those of its source, as far as they apply there."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any

from app.arrays import Json
from app.data.amounts import SUM
from app.data.description import Variable
from app.data.units import normalise_unit

ALWAYS_THERE = frozenset({"time", "area"})  # names that cell methods may have in any of our files
# One entry of cell_methods: the names, the method, and what stands in brackets.
CELL_METHOD = re.compile(r"((?:\w+:\s+)+)(\w+(?:\s+where\s+\w+)?(?:\s*\([^)]*\))?)")
CLIMATOLOGICAL = re.compile(
    r"\b(?:within|over)\s+(?:days|years)\b"
)  # needs bounds of a climatology
OF_TIME = re.compile(r"\btime:")
# Names of amounts of water as a mass, and those of the same as a depth of liquid water.
AS_DEPTH = {
    "precipitation_flux": "lwe_precipitation_rate",
    "precipitation_amount": "lwe_thickness_of_precipitation_amount",
    "convective_precipitation_flux": "lwe_convective_precipitation_rate",
    "convective_precipitation_amount": "lwe_thickness_of_convective_precipitation_amount",
    "stratiform_precipitation_amount": "lwe_thickness_of_stratiform_precipitation_amount",
    "snowfall_flux": "lwe_snowfall_rate",
    "snowfall_amount": "lwe_thickness_of_snowfall_amount",
    "rainfall_flux": "rainfall_rate",
    "rainfall_amount": "thickness_of_rainfall_amount",
}
AS_MASS = {depth: mass for mass, depth in AS_DEPTH.items()}


def told_by(attributes: Mapping[Any, Any], name: str) -> str | None:
    """A text of a file's attributes; None where it is missing or blank."""
    value = attributes.get(name)
    text = "" if value is None else " ".join(str(value).split())
    return text or None


def attributes_of(variable: Variable, names: Collection[str] = ()) -> Json:
    """Units, names and cell methods of a field; `names`: other axes and coordinates of its file."""
    units = normalise_unit(variable.units or "1")
    methods = _cell_methods(variable, ALWAYS_THERE | set(names))
    told = {
        "units": units,
        "standard_name": _standard_name(variable.standard_name, units),
        "long_name": variable.long_name or variable.name,
        "cell_methods": methods,
    }
    return {key: text for key, text in told.items() if text}


def _standard_name(name: str | None, units: str) -> str | None:
    """The standard name; of amounts of water the one that goes with the units."""
    if name is None:
        return None
    mass = "kg" in units
    bare, *modifier = name.split(" ")
    return " ".join([(AS_MASS if mass else AS_DEPTH).get(bare, bare), *modifier])


def _cell_methods(variable: Variable, names: Collection[str]) -> str | None:
    """Those of the source that speak of axes that are there; the time's as it was understood."""
    given = variable.cell_methods or ""
    kept = []
    for match in CELL_METHOD.finditer("" if CLIMATOLOGICAL.search(given) else given):
        axes = match[1].replace(":", " ").split()
        if set(axes) <= set(names):
            kept.append(f"{' '.join(f'{axis}:' for axis in axes)} {match[2].strip()}")
    summed = variable.time_method == SUM
    if summed != any(text.startswith("time: sum") for text in kept):
        kept = [text for text in kept if not OF_TIME.search(text)]
        kept += ["time: sum"] if summed else []
    return " ".join(kept) or None
