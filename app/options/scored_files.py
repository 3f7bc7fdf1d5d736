"""Files that are scored against others, whatever has made them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from app.data.description import ALIGNMENTS
from app.options.option import Options, option
from app.options.readers import files, pairs
from app.options.rules import Rule


@dataclass(frozen=True)
class ScoredFileOptions(Options):
    """What the stage metrics compares, where that is no run's prediction."""

    truth: tuple[str, ...] = option(
        None,
        "Files of the truth, with --variable: metrics scores --prediction against them.",
        read=files,
        common=True,
        several=True,
    )
    prediction: tuple[str, ...] = option(
        None,
        "Files that are scored against --truth, whatever program has made them.",
        read=files,
        common=True,
        several=True,
    )
    prediction_variables: Mapping[str, str] = option(
        None,
        "Names in --prediction of the variables of --truth, TRUTH:PREDICTION with commas "
        "(t2m:tas), where they are others.",
        read=pairs,
    )
    match_times: str = option(
        "exact",
        "When times of --truth and --prediction are the same: to the second, or on the same day.",
        choices=ALIGNMENTS,
    )
    climatology_from: tuple[str, ...] = option(
        None,
        "Files of an earlier period of the truth: its mean is a baseline, its range and tails "
        "make the bins of value.",
        read=files,
        several=True,
    )
    coarse_from: tuple[str, ...] = option(
        None,
        "Files of the coarse field behind --prediction: its interpolations are baselines.",
        read=files,
        several=True,
    )

    rules: ClassVar[tuple[Rule[ScoredFileOptions], ...]] = (
        Rule(
            lambda s: bool(s.truth) != bool(s.prediction),
            "--truth={truth}, --prediction={prediction}: expected both, or neither",
        ),
        Rule(
            lambda s: (
                (s.climatology_from or s.coarse_from or s.prediction_variables) and not s.truth
            ),
            "--climatology_from, --coarse_from and --prediction_variables go with --truth and "
            "--prediction; leave them out",
        ),
    )
