"""Lengths of time as users and Slurm write them, and as people read them."""

from __future__ import annotations

import re
from dataclasses import dataclass

UNITS_S = {"s": 1.0, "min": 60.0, "h": 3600.0, "d": 86400.0}
WITH_UNIT = re.compile(r"(\d+(?:\.\d+)?)\s*(s|min|h|d)")
CLOCK = re.compile(r"(?:(\d+)-)?(\d+):(\d{2}):(\d{2})")


def seconds_of(text: str) -> float | None:
    """Seconds of "90s", "10min", "3h", "1.5d", "02:00:00" or "1-00:00:00"; None for others."""
    if found := WITH_UNIT.fullmatch(text.strip()):
        return float(found[1]) * UNITS_S[found[2]]
    if found := CLOCK.fullmatch(text.strip()):
        days, hours, minutes, seconds = (int(part or 0) for part in found.groups())
        return ((days * 24.0 + hours) * 60 + minutes) * 60 + seconds
    return None


@dataclass(frozen=True)
class Interval:
    """How often something is done: every so many steps, or seconds; 0 of both for never."""

    steps: int = 0
    seconds: float = 0.0

    @classmethod
    def of(cls, text: str) -> Interval | None:
        """ "500" steps, or a length of time; None for anything else."""
        if re.fullmatch(r"\d+", text.strip()):
            return cls(steps=int(text))
        seconds = seconds_of(text)
        return None if seconds is None else cls(seconds=seconds)


NEVER = Interval()


def clock(seconds: float) -> str:
    """Seconds as MM:SS, HH:MM:SS or D-HH:MM:SS."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    if days:
        return f"{days}-{hours:02d}:{minutes:02d}:{rest:02d}"
    return f"{hours:02d}:{minutes:02d}:{rest:02d}" if hours else f"{minutes:02d}:{rest:02d}"


def duration_text(seconds: int) -> str:
    """Hours where they are whole, as flags take them."""
    return f"{seconds // 3600}h" if seconds % 3600 == 0 else f"{seconds / 60:g}min"


def step_text(seconds: int) -> str:
    """A record's step in words: "1h", "1D", "about a month"."""
    days = seconds / 86400
    for low, high, text in ((28, 31, "a month"), (365, 366, "a year")):
        if low <= days <= high:
            return text
    return f"{days:.4g}D" if days >= 2 or days == 1 else duration_text(seconds)
