"""How far a run is: a bar on a terminal, lines in a log."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator
from typing import Any

from absl import logging

from app.durations import clock

LINE_EVERY = 30  # seconds between two lines of progress


def shown(steps: Iterable[Any], total: int, title: str, first: bool) -> Iterator[Any]:
    """Pass the items on, with a bar on the first rank's terminal."""
    if not (first and sys.stderr.isatty()):
        yield from steps
        return
    from rich.console import Console
    from rich.progress import track

    yield from track(
        steps, description=title, total=total, transient=True, console=Console(stderr=True)
    )


def told(steps: Iterable[Any], total: int, title: str, first: bool) -> Iterator[Any]:
    """Likewise, and in a log a line every now and then: how many, and the time to go."""
    begun = line = time.monotonic()
    for done, step in enumerate(shown(steps, total, title, first), start=1):
        yield step
        now = time.monotonic()
        if now - line >= LINE_EVERY and not sys.stderr.isatty():
            line = now
            rest = (now - begun) / done * (total - done)
            logging.info("%s: %d of %d, %s to go", title, done, total, clock(rest))


def leave_terminal() -> None:
    """Show the cursor again where a bar is cut off in the middle."""
    if sys.stderr.isatty():
        from rich.console import Console

        Console(stderr=True).show_cursor()


def log_epoch(row: dict[str, float], epochs: int, remaining_s: float | None) -> None:
    """Log one line on one epoch: losses, rate in samples/s, time to go where it is known."""
    losses = "  ".join(f"{name} {row[name]:.5f}" for name in row if name.endswith("loss"))
    rate = f"{row['samples_per_s']:.0f} samples/s"
    to_go = "" if remaining_s is None else f"  {clock(remaining_s)} to go"
    logging.info("epoch %.0f/%d  %s  %s%s", row["epoch"], epochs, losses, rate, to_go)
