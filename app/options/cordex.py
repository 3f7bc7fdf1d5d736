"""What the command cordex works on."""

from __future__ import annotations

from dataclasses import dataclass

from app.options.bounds import Bounds
from app.options.option import Options, option

DOMAINS = ("ALPS", "NZ", "SA")
EXPERIMENTS = ("ESD_pseudo_reality", "Emulator_hist_future")


@dataclass(frozen=True)
class CordexOptions(Options):
    """Which part of CORDEX-ML-Bench, where its submission is made, and how large a made tree is."""

    domain: tuple[str, ...] = option(
        DOMAINS, "Command cordex: domains, with commas.", choices=DOMAINS
    )
    experiment: tuple[str, ...] = option(
        EXPERIMENTS, "Command cordex: experiments, with commas.", choices=EXPERIMENTS
    )
    submission: str = option(
        "submission",
        "Command cordex: folder of descriptions, runs and predictions; its name, which ends in "
        "-orog where models know the orography, is that of the zip.",
    )
    templates: str | None = option(
        None,
        "Command cordex: folder of the benchmark's templates pr_ALPS.nc …; default: templates in "
        "the tree.",
    )
    made_cells: int = option(
        128, "Command cordex make: fine cells along a side.", bounds=Bounds(16, 512)
    )
    made_days: int | None = option(
        None, "Command cordex make: days of each period; default: all.", bounds=Bounds(2, 7305)
    )
