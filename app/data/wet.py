"""What counts as wet in a variable's own unit."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from app.arrays import Array, Json
from app.data.amounts import SMALL, SUM, TimeMeaning
from app.data.description import Variable
from app.data.known_frames import duration_text
from app.data.times import duration
from app.data.units import DAY, conversion, normalise_unit

WET_RATE = 1.0  # mm day-1
# m s-1 is left out: it is the unit of wind too
RATES = (
    *("mm s-1", "mm h-1", "mm day-1", "cm day-1", "m h-1", "m day-1"),
    *("kg m-2 s-1", "kg h-1 m-2", "kg day-1 m-2"),
)
AMOUNTS = ("mm", "cm", "m", "kg m-2")

SAMPLED_TIMES = 24  # read to tell the range of values
LONGEST_ACCUMULATION = 86400  # seconds; a longer step, such as a month, has no one length


@dataclass(frozen=True)
class WetLimit:
    """The smallest wet value in the variable's unit; None where the unit alone cannot tell."""

    value: float | None
    accumulation: int | None = None  # seconds that each amount has gathered over; None: a rate


def wet_limit(variable: Variable, accumulation: int | None = None) -> WetLimit | None:
    """The variable's own threshold, else 1 mm day-1 for a rate; for an amount 1 mm times its
    accumulation in days, the variable's own or else `accumulation` (s).

    None where the variable is no precipitation: its kind is not ratio, or its unit another.
    """
    unit = normalise_unit(variable.units or "1")
    if variable.kind != "ratio":
        return None
    if variable.accumulation is not None:
        accumulation = duration(variable.accumulation, f"variable {variable.name}: accumulation")
    if variable.wet_threshold is not None:
        return WetLimit(variable.wet_threshold, None if unit in RATES else accumulation)
    if unit in RATES:
        return WetLimit(WET_RATE * conversion("mm day-1", unit).factor)
    if unit not in AMOUNTS:
        return None
    if accumulation is None:
        return WetLimit(None)
    return WetLimit(WET_RATE * conversion("mm", unit).factor * accumulation / DAY, accumulation)


def summed_over(aggregate: str | None) -> int | None:
    """Seconds that an aggregation such as "1D:sum" gathers; None where it is no sum."""
    length, _, method = (aggregate or "").partition(":")
    return duration(length, "aggregate") if method == "sum" else None


def sampled_rows(times: int) -> Array:
    """Some rows of a record, evenly spread, that tell the range of its values."""
    rows: Array = np.unique(np.linspace(0, times - 1, SAMPLED_TIMES).astype(np.int64))
    return rows


def is_rain(meaning: TimeMeaning, values: Array) -> bool:
    """Whether values of any shape are amounts or rates of rain or snow, and no anomaly of one."""
    if not meaning.precipitation or not np.isfinite(values).any():
        return False
    return bool(np.nanmin(values) >= -SMALL * np.nanmax(values))


def told_of_rain(given: Variable, meaning: TimeMeaning, step: int) -> Json:
    """What a variable that is rain is, as far as its description leaves that open.

    A ratio; an amount has gathered over the `step` (s) of its record.
    """
    told: Json = {"kind": "ratio"}
    known = given.accumulation or given.wet_threshold
    if not known and meaning.method == SUM and 0 < step <= LONGEST_ACCUMULATION:
        told["accumulation"] = duration_text(step)
    return told
