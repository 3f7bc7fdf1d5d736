"""What counts as wet in a variable's own unit."""

from __future__ import annotations

from dataclasses import dataclass

from app.data.description import Variable
from app.data.times import duration
from app.data.units import DAY, conversion, normalise_unit

WET_RATE = 1.0  # mm day-1
# m s-1 is left out: it is the unit of wind too
RATES = (
    *("mm s-1", "mm h-1", "mm day-1", "cm day-1", "m h-1", "m day-1"),
    *("kg m-2 s-1", "kg h-1 m-2", "kg day-1 m-2"),
)
AMOUNTS = ("mm", "cm", "m", "kg m-2")


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
