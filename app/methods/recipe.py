"""What a recipe is: flags chosen after looking at the data, with the reasons for them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from app import options


@dataclass
class Recipe:
    """Values of flags that suit the data, and why; a later one of the same flag wins."""

    values: dict[str, Any] = field(default_factory=dict)
    reasons: dict[str, str] = field(default_factory=dict)

    def choose(self, reason: str, **values: Any) -> None:
        """Take these values of flags; the log shows the reason behind them."""
        self.values |= values
        self.reasons |= dict.fromkeys(values, reason)

    def with_choices_of(self, other: Recipe) -> Recipe:
        """Both, of which the other's win."""
        return Recipe(self.values | other.values, self.reasons | other.reasons)

    def without(self, given: frozenset[str]) -> Recipe:
        """What is left where the user has given some of the flags."""
        return Recipe({n: v for n, v in self.values.items() if n not in given}, self.reasons)

    def lines(self) -> Iterator[str]:
        """A line for each reason, with the flags that follow from it."""
        for reason in dict.fromkeys(self.reasons[name] for name in self.values):
            flags = [
                f"--{name}={options.as_text(value)}"
                for name, value in self.values.items()
                if self.reasons[name] == reason
            ]
            yield f"  {' '.join(flags)}: {reason}"
