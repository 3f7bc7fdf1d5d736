"""Numbers that stand for "missing" without a file saying so, such as -9999 or 1e20."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import numpy as np
from absl import logging

from app.arrays import Array, Json
from app.data.description import Variable

# One digit again and again (-9999, -99.9, 999.99, -7777), as people write by hand.
REPEATED_DIGIT = re.compile(r"([6-9])\1*(\.\1+)?")
INTEGER_LIMITS = frozenset({32767, 32768, 65535, 2147483647, 2147483648})
HUGE = 1e10  # no field in usual units comes near
SMALLEST = 90.0  # nines below, such as 9 or 9.9, are ordinary values
APART = 0.2  # distance from all other values, as a share of their range
MOST = 0.5  # share of values that a bound may change before the bound is in doubt
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


def _stored(value: float, scale: float, offset: float) -> float:
    """The stored number behind a value; whole where the data are packed."""
    if scale == 1.0 and offset == 0.0:
        return value
    return float(np.round((value - offset) / scale))


@dataclass(eq=False)
class Tally:
    """What was seen of one variable while it was read, in the unit of its file.

    `suspects`: how often each value that looks like a sentinel occurs; `low` and `high`: the
    range of all others; `count`: number of values read. `below` and
    `above`: how many values were set to valid_min and valid_max, `lowest` and `highest` how far
    beyond they lay (in the wanted unit). `masked`: how many lay so far beyond that they count as
    missing, `outside` how many for the valid range that the file declares. `negative`: how many
    amounts below 0 a transform counts as 0, `least` the least.
    """

    suspects: dict[float, int] = field(default_factory=dict)
    low: float = np.inf
    high: float = -np.inf
    count: int = 0
    below: int = 0
    above: int = 0
    masked: int = 0
    negative: int = 0
    outside: int = 0
    lowest: float = np.inf
    highest: float = -np.inf
    least: float = np.inf

    def look(self, values: Array, scale: float = 1.0, offset: float = 0.0) -> bool:
        """Take in decoded values (any shape, NaN where missing); stored = (value - offset) / scale.

        A sentinel that stands apart from everything else is the least or the greatest value of
        its block, so that one look at either end finds it. Returns whether all of the values
        that are not NaN are finite.
        """
        self.count += values.size
        finite = True
        for extreme in (np.fmin, np.fmax):
            for _ in range(MOST_SENTINELS):
                found = float(extreme.reduce(values, axis=None)) if values.size else np.nan
                if not np.isfinite(found):
                    finite &= not np.isinf(found)
                    break
                if not looks_like_sentinel(_stored(found, scale, offset)):
                    self.low, self.high = min(self.low, found), max(self.high, found)
                    break
                same = values == np.float32(found)
                self.suspects[found] = self.suspects.get(found, 0) + int(same.sum())
                values = values[~same]
        return finite

    def note_clipped(self, values: Array, low: bool) -> None:
        """Count values beyond a bound that are set to it."""
        if low and values.size:
            self.below += values.size
            self.lowest = min(self.lowest, float(values.min()))
        elif values.size:
            self.above += values.size
            self.highest = max(self.highest, float(values.max()))

    def note_negative(self, amounts: Array) -> None:
        """Count amounts below 0."""
        if amounts.size:
            self.negative += amounts.size
            self.least = min(self.least, float(amounts.min()))

    def take(self) -> Tally:
        """A copy of the counts so far; the counts here are reset."""
        taken = replace(self)
        self.__init__()  # type: ignore[misc]
        return taken

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
        self.masked += other.masked
        self.negative += other.negative
        self.outside += other.outside
        self.least = min(self.least, other.least)

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

    def to_dict(self) -> Json:
        """JSON-able."""
        plain = {name: getattr(self, name) for name in self.__dataclass_fields__}
        return {**plain, "suspects": list(self.suspects.items())}

    @classmethod
    def from_dict(cls, stored: Json) -> Tally:
        """The tally that `to_dict` came from."""
        return cls(**{**stored, "suspects": {float(v): int(n) for v, n in stored["suspects"]}})


def suspicions(tally: Tally, variable: Variable) -> list[str]:
    """Lines on likely mistakes: marks of missing values, wrong bounds, negative amounts."""
    lines = []
    if tally.negative:
        lines.append(
            f"{variable.source_name}: {_share(tally.negative, tally)} lie below 0, the least "
            f"{tally.least:.4g}; transform {variable.transform} counts them as 0"
        )
    lines += [
        f"{line}; is that in the unit of the values?"
        for number, line in _bounded(tally, variable)
        if number > MOST * tally.count
    ]
    if tally.masked:
        return lines  # what looks like a sentinel lies beyond the bounds, and is missing now
    others = f"all others lie between {tally.low:.4g} and {tally.high:.4g}"
    for value, number in tally.apart().items():
        lines.append(
            f"{variable.source_name}: {_share(number, tally)} are {value:.7g}, "
            f"{others if np.isfinite(tally.low) else 'as are all'}; if that means missing, say so: "
            f"missing: {value:.7g}"
        )
    return lines


def corrections(tally: Tally, variable: Variable) -> list[str]:
    """Lines on values that were set to a bound of the variable, or count as missing beyond one."""
    return [line for number, line in _bounded(tally, variable) if number <= MOST * tally.count]


def log_values(tally: Tally, variable: Variable, where: str) -> list[str]:
    """Log, and return, all findings on the values that were read; `where` names their file."""
    lines = []
    for describe, log in ((suspicions, logging.warning), (corrections, logging.info)):
        for line in describe(tally, variable):
            log("%s: %s", where, line)
            lines.append(f"{where}: {line}")
    return lines


def _bounded(tally: Tally, variable: Variable) -> Iterator[tuple[int, str]]:
    """How many values a bound has changed, and the line that says so."""
    name = variable.source_name
    for number, furthest, bound, key in (
        (tally.below, tally.lowest, variable.valid_min, "valid_min"),
        (tally.above, tally.highest, variable.valid_max, "valid_max"),
    ):
        if number:
            share = _share(number, tally)
            beyond = f"beyond {key} {bound:g} are set to it, the furthest {furthest:.4g}"
            yield number, f"{name}: {share} {beyond}"
    if tally.masked:
        share = _share(tally.masked, tally)
        yield tally.masked, f"{name}: {share} far beyond valid_min or valid_max count as missing"
    if tally.outside:
        share = _share(tally.outside, tally)
        declared = "outside the valid range that the file declares count as missing"
        yield tally.outside, f"{name}: {share} {declared}"


def _share(number: int, tally: Tally) -> str:
    """As "12 values (0.3%)"; shares that would round to nothing are only said to be small."""
    share = number / max(tally.count, 1)
    percent = f"{share:.1%}" if share >= 0.0005 else "less than 0.1%"
    return f"{number} value{'s' if number != 1 else ''} ({percent})"
