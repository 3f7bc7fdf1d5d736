"""What flags that take a number accept.

Where nothing in the method bounds a number, the upper limit stands far beyond what was ever of use;
it keeps slips of the keyboard from ending in overflows or in days of work.
"""

from __future__ import annotations

from dataclasses import dataclass

COUNT = 10**9
WIDTH = 2**16  # filters of a layer
WEIGHT = 1e9
RATE = 1e6  # a learning rate above is a slip
YEAR_S = 366 * 24 * 3600


@dataclass(frozen=True)
class Bounds:
    """An interval of finite numbers, each of its ends part of it or not."""

    least: float
    most: float
    with_least: bool = True
    with_most: bool = True

    def holds(self, value: float) -> bool:
        """Whether the interval contains the value; no interval contains NaN."""
        above = self.least <= value if self.with_least else self.least < value
        below = value <= self.most if self.with_most else value < self.most
        return above and below

    def around(self, name: str) -> str:
        """The interval as an inequality, such as `0 <= dropout_rate < 1`."""
        left, right = ("<=" if closed else "<" for closed in (self.with_least, self.with_most))
        return f"{self.least} {left} {name} {right} {self.most}"


def above(least: float, most: float) -> Bounds:
    """Numbers beyond `least`, up to `most`."""
    return Bounds(least, most, with_least=False)


SHARE = Bounds(0, 1)
BELOW_ONE = Bounds(0, 1, with_most=False)
WITHIN_ONE = Bounds(0, 1, with_least=False, with_most=False)
