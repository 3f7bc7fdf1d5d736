"""Numbers that stand for "missing" without a file saying so, such as -9999 or 1e20."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from app.data.description import Variable

# One digit again and again (-9999, -99.9, 999.99, -7777), as people write by hand.
REPEATED_DIGIT = re.compile(r"([6-9])\1*(\.\1+)?")
INTEGER_LIMITS = frozenset({32767, 32768, 65535, 2147483647, 2147483648})
HUGE = 1e10  # no field in usual units comes near
SMALLEST = 90.0  # nines below, such as 9 or 9.9, are ordinary values
APART = 0.2  # distance from all other values, as a share of their range
MOST_SENTINELS = 4  # different ones looked for at either end of a block


def looks_like_sentinel(value: float, smallest: float = SMALLEST) -> bool:
    """Whether a number is written as "missing" often is; true values may look so, too."""
    size = abs(float(value))
    if size >= HUGE or size in INTEGER_LIMITS:
        return True
    if size < smallest:
        return False
    text = np.format_float_positional(np.float32(size), unique=True, trim="-")
    return REPEATED_DIGIT.fullmatch(text) is not None


@dataclass(eq=False)
class Tally:
    """What was seen of one variable while it was read, in the unit of its file.

    `suspects`: how often each value that looks like a sentinel occurs; `low` and `high`: the
    range of all others; `count`: number of values that are not declared missing. `below` and
    `above`: how many values lay beyond valid_min and valid_max, `lowest` and `highest` how far
    (in the wanted unit).
    """

    suspects: dict[float, int] = field(default_factory=dict)
    low: float = np.inf
    high: float = -np.inf
    count: int = 0
    below: int = 0
    above: int = 0
    lowest: float = np.inf
    highest: float = -np.inf

    def look(self, values: np.ndarray, scale: float = 1.0, offset: float = 0.0) -> None:
        """Take in decoded values (any shape, NaN where missing); stored = (value - offset) / scale.

        A sentinel that stands apart from everything else is the least or the greatest value of
        its block, so that one look at either end finds it.
        """
        flat = values.reshape(-1)
        for extreme in (np.fmin, np.fmax):
            for _ in range(MOST_SENTINELS):
                found = float(extreme.reduce(flat)) if flat.size else np.nan
                if not np.isfinite(found):
                    break
                stored = (found - offset) / scale if scale != 1.0 or offset else found
                packed = scale != 1.0 or offset != 0.0
                if not looks_like_sentinel(np.round(stored) if packed else stored):
                    self.low, self.high = min(self.low, found), max(self.high, found)
                    break
                same = flat == np.float32(found)
                self.suspects[found] = self.suspects.get(found, 0) + int(same.sum())
                flat = flat[~same]
        self.count += int(np.isfinite(values).sum())

    def note_clipped(self, values: np.ndarray, low: bool) -> None:
        """Count values beyond a bound that are set to it."""
        if low and values.size:
            self.below += values.size
            self.lowest = min(self.lowest, float(values.min()))
        elif values.size:
            self.above += values.size
            self.highest = max(self.highest, float(values.max()))

    def merge(self, other: Tally) -> None:
        """Take in what another process, or another block, has seen."""
        for value, number in other.suspects.items():
            self.suspects[value] = self.suspects.get(value, 0) + number
        self.low, self.high = min(self.low, other.low), max(self.high, other.high)
        self.lowest = min(self.lowest, other.lowest)
        self.highest = max(self.highest, other.highest)
        self.count += other.count
        self.below += other.below
        self.above += other.above

    def apart(self) -> dict[float, int]:
        """Those suspects that lie far from everything else."""
        ordinary = self.high - self.low
        if not np.isfinite(ordinary):
            return dict(self.suspects)
        return {
            value: number
            for value, number in self.suspects.items()
            if max(self.low - value, value - self.high)
            > APART * max(ordinary, abs(self.high) / 1e6)
        }

    def to_dict(self) -> dict[str, Any]:
        """JSON-able."""
        plain = {name: getattr(self, name) for name in self.__dataclass_fields__}
        return {**plain, "suspects": list(self.suspects.items())}

    @classmethod
    def from_dict(cls, stored: dict[str, Any]) -> Tally:
        """The tally that `to_dict` came from."""
        return cls(**{**stored, "suspects": {float(v): int(n) for v, n in stored["suspects"]}})


def describe(tally: Tally, variable: Variable) -> list[str]:
    """Lines on values that may be missing ones, or that were set to a bound."""
    lines = []
    total = max(tally.count, 1)
    for value, number in tally.apart().items():
        if not np.isfinite(tally.low):
            others = "there are no others"
        else:
            others = f"all others lie between {tally.low:.4g} and {tally.high:.4g}"
        lines.append(
            f"{variable.source_name}: {number} values ({number / total:.1%}) are {value:.7g}, "
            f"{others}; if that means missing, say so: missing: {value:.7g}"
        )
    for number, worst, bound, name in (
        (tally.below, tally.lowest, variable.valid_min, "valid_min"),
        (tally.above, tally.highest, variable.valid_max, "valid_max"),
    ):
        if number:
            lines.append(
                f"{variable.source_name}: {number} values ({number / total:.1%}) beyond {name} "
                f"{bound:g} are set to it, the furthest {worst:.4g}"
            )
    return lines
