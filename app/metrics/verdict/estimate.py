"""A number with its 95 % interval, as readers see it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from app.arrays import Array, Json
from app.metrics.bootstrap import interval

DIGITS = 3  # significant ones of a value without an interval
LEAST_DIGITS, MOST_DIGITS = 2, 5  # of a value with an interval
TINY = 1e-12
STEPS = 3  # of the last decimal within an interval, at least
NO_UNIT = "1"
SMALLEST, LARGEST = 1e-3, 1e6  # beyond them numbers are written with a power of ten
WHOLE, LARGE = 2, 10  # percentages so large, or of so wide an interval, are whole numbers


@dataclass(frozen=True)
class Estimate:
    """A value and the ends of its 95 % interval, NaN where none is known."""

    value: float
    low: float = np.nan
    high: float = np.nan

    @classmethod
    def of(cls, value: float, resampled: Array | None) -> Estimate:
        """Of a value and its resamples (R,), None where the period is too short for any."""
        if resampled is None:
            return cls(float(value))
        return cls(float(value), *interval(resampled))

    @property
    def known(self) -> bool:
        return bool(np.isfinite(self.value))

    @property
    def bounded(self) -> bool:
        """Whether there is an interval."""
        return bool(np.isfinite(self.low) and np.isfinite(self.high))

    def holds(self, value: float) -> bool:
        """Whether the interval includes a value; False without one."""
        return self.low <= value <= self.high

    @property
    def negative(self) -> Estimate:
        return Estimate(-self.value, -self.high, -self.low)

    @property
    def parts(self) -> list[str]:
        """The value, and the ends where there are any, as many digits as the interval bears out."""
        return numbers((self.value, self.low, self.high) if self.bounded else (self.value,))

    @property
    def as_ratio(self) -> list[str]:
        """Likewise of a ratio that should be 1, in hundredths."""
        values = (self.value, self.low, self.high) if self.bounded else (self.value,)
        return [f"{value:.2f}" for value in values]

    def text(self, unit: str = "") -> str:
        """`0.32 K (0.30 to 0.34)`."""
        value, *ends = self.parts
        said = value if unit == NO_UNIT else f"{value} {unit}".rstrip()
        return f"{said} ({' to '.join(ends)})" if ends else said

    def as_json(self) -> Json:
        """Value, low and high, null where not known."""
        return {
            name: float(f"{number:.6g}") if np.isfinite(number) else None
            for name, number in (("value", self.value), ("low", self.low), ("high", self.high))
        }


def numbers(values: Sequence[float]) -> list[str]:
    """Numbers that belong together, with the same decimals.

    Of an interval, whose ends come last, the last decimal shown is a third of its width or less.
    """
    size = max(map(abs, values))
    if size and not SMALLEST <= size < LARGEST:
        return [f"{value:.{DIGITS}g}" for value in values]
    magnitude = int(np.floor(np.log10(size))) if size else 0
    decimals = DIGITS - 1 - magnitude
    if len(values) > 1:
        width = max(values[-1] - values[-2], TINY)
        decimals = int(np.ceil(-np.log10(width / STEPS)))
        decimals = int(np.clip(decimals, LEAST_DIGITS - 1 - magnitude, MOST_DIGITS - 1 - magnitude))
    return [f"{value:.{max(decimals, 0)}f}" for value in values]


def percentages(estimate: Estimate) -> tuple[str, str]:
    """A share as a percentage, and its interval: `53`, `50 to 56`; "" without one."""
    values = [100 * v for v in (estimate.value, estimate.low, estimate.high)]
    wide = not estimate.bounded or values[2] - values[1] >= WHOLE
    decimals = 0 if (wide and abs(values[0]) >= 1) or abs(values[0]) >= LARGE else 1
    value, low, high = (f"{v:z.{decimals}f}" for v in values)
    return value, f"{low} to {high}" if estimate.bounded else ""
