"""Which run is killed, where, and by what: drawn from a seed."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

from tests.system.faults.phases import PHASES

SIGNALS = ("SIGKILL", "SIGTERM", "SIGINT", "SIGUSR1")
STOP = "STOP"  # a file instead of a signal, never drawn: what reaches the ranks of any launcher
LAUNCHERS = ("none", "horovodrun", "mpirun", "srun")
RANKS = 2  # under a launcher
LAUNCHER_SHARE = 1 / 3  # of the kills under a launcher that hit the launcher itself
WHOLE_SHARE = 1 / 8  # of the kills in which one command runs all stages, not just that of the phase


@dataclass(frozen=True)
class Kill:
    """One kill. `chance` in [0, 1) places it within its phase; target: "launcher" or a rank."""

    number: int
    launcher: str
    phase: str
    signal: str
    target: str
    chance: float
    whole: bool = False


def draw(seed: int, number: int, launchers: Sequence[str] = LAUNCHERS) -> Kill:
    """The kill of this number; each is drawn by itself, so that any can be done again alone."""
    source = random.Random(f"{seed} {number}")
    launcher = source.choice(list(launchers))
    phase = source.choice([name for name in PHASES if launcher == "none" or name != "sweep"])
    alone = launcher == "none" and phase != "sweep"
    to_launcher = source.random() < LAUNCHER_SHARE and not alone
    rank = 0 if launcher == "none" else source.randrange(RANKS)
    whole = source.random() < WHOLE_SHARE and PHASES[phase].kind == "supervised"
    return Kill(
        number,
        launcher,
        phase,
        source.choice(SIGNALS),
        "launcher" if to_launcher else f"rank {rank}",
        source.random(),
        whole,
    )
