"""How much is measured."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

from scripts.benchmarks.results import FOLDER


@dataclass(frozen=True)
class Settings:
    """Settings of all questions.

    runs: turns that are taken. seconds: that each turn takes, roughly. threads: of each process.
    networks, precisions: of `train`. error_seconds: that training to an error may take; 0 for none.
    folder: of results, environments and the cache of data. work: where fields are written and
    removed again; None is a temporary folder. small: a few seconds in all, to see that it works.
    outside: beside other programs and formats.
    """

    runs: int = 5
    seconds: float = 1.5
    threads: int = 1
    networks: tuple[str, ...] = ()
    precisions: tuple[str, ...] = ("float32",)
    error_seconds: float = 0.0
    folder: Path = FOLDER
    work: Path | None = None
    small: bool = False
    outside: bool = True

    @property
    def cache(self) -> Path:
        """Prepared data and generated files."""
        return self.folder / "cache"

    @property
    def log(self) -> Path:
        """What competitors say."""
        self.folder.mkdir(parents=True, exist_ok=True)
        return self.folder / "competitors.log"

    def say(self, text: str) -> None:
        """Where the measurement stands."""
        print(f"… {text}", file=sys.stderr, flush=True)
