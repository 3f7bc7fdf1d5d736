"""What the stage metrics scores, and how."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import ClassVar

from app.errors import InputError
from app.options.option import Options, option
from app.options.readers import listed, whole_numbers
from app.options.rules import Rule, rising
from app.registry import REGISTRY, unknown

CORE, ALL = "core", "all"
SCORES = ("metric", "time_metric")  # kinds in the registry
NO_PROTOCOL = "none"
PERCENTILE = re.compile(r"p(\d+(?:\.\d+)?)")
LARGEST_WINDOW = 10**5  # cells
YEARS = re.compile(r"(\d{1,4})-(\d{1,4})")


@dataclass(frozen=True)
class Threshold:
    """A value in the variable's unit, or with `local` a percentile of the truth at each cell."""

    value: float
    local: bool = False

    def __str__(self) -> str:
        return f"p{self.value:g}" if self.local else f"{self.value:g}"


def score_names(text: str | None, name: str) -> tuple[str, ...]:
    """Names of metrics, `core` and `all` among them."""
    names = listed(text)
    known = (CORE, ALL, *dict.fromkeys(n for kind in SCORES for n in REGISTRY.names(kind)))
    for one in names:
        if one not in known:
            raise InputError(f"--{name}={text}: {unknown('score', one, known)}")
    return names


def thresholds(text: str | None, name: str) -> tuple[Threshold, ...]:
    """Numbers, and percentiles such as p90."""
    return tuple(_threshold(word, f"--{name}={text}") for word in listed(text))


def _threshold(word: str, where: str) -> Threshold:
    found = PERCENTILE.fullmatch(word)
    try:
        value = float(found[1] if found else word)
    except ValueError:
        value = float("nan")
    if not (0 < value < 100 if found else abs(value) < float("inf")):
        raise InputError(
            f"{where}: expected numbers in the variable's unit, or percentiles of each cell from "
            f"p0 to p100, with commas between, such as 1,10,p95; received {word!r}"
        )
    return Threshold(value, found is not None)


def two_periods(text: str | None, name: str) -> tuple[tuple[int, int], ...]:
    """First and last year of two periods, such as 1981-2000,2081-2100; none without a text."""
    found = [YEARS.fullmatch(word) for word in listed(text)]
    years = tuple((int(one[1]), int(one[2])) for one in found if one)
    if text and not (len(years) == len(found) == 2 and all(a <= b for a, b in years)):
        raise InputError(
            f"--{name}={text}: expected two periods of years, such as 1981-2000,2081-2100"
        )
    if years and max(years[0][0], years[1][0]) <= min(years[0][1], years[1][1]):
        raise InputError(f"--{name}={text}: expected periods that have no year in common")
    return years


@dataclass(frozen=True)
class ScoringConfig(Options):
    """What the stage metrics scores, and how.

    scores: names of metrics, `core` and `all` among them; none given: `core`, or with a protocol
    what that asks for.
    """

    scores: tuple[str, ...] = option(
        None,
        "Scores to work out: core, what is scored by default; all; or names of metrics with "
        "commas, as `list` prints them, such as core,fss,brier.",
        read=score_names,
        common=True,
    )
    protocol: str = option(
        NO_PROTOCOL,
        "Scores of a published benchmark, with its own definitions: cordex_ml_bench (daily "
        "precipitation and temperature), dl4ds (the table of the original program). Alone, or "
        "beside those of --scores.",
        choices=(NO_PROTOCOL, "cordex_ml_bench", "dl4ds"),
    )
    thresholds: tuple[Threshold, ...] = option(
        None,
        "Thresholds of events, with commas: numbers in the variable's unit, or percentiles of the "
        "truth at each cell (p90). Not given: p90, and p10 or what counts as wet.",
        read=thresholds,
    )
    fss_windows: tuple[int, ...] = option(
        "1,3,5,9,17",
        "Sides of the windows of the fractions skill score, odd numbers of cells.",
        read=whole_numbers(1, LARGEST_WINDOW),
    )
    spectrum_window: str = option(
        "none",
        "Window of the spectra by season (score season_spectra), towards the borders.",
        choices=("none", "hann"),
    )
    spectrum_detrend: str = option(
        "none",
        "What those spectra take off each field: nothing, its mean, or a plane.",
        choices=("none", "mean", "plane"),
    )
    regions: str | None = option(
        None,
        "Regions to score. FILE:VARIABLE of a mask: whole numbers on the fine grid, 0 or missing "
        "outside of all; names from flag_meanings. FILE:ATTRIBUTE of a shape file (.shp, or .zip "
        "of one) or GeoJSON (.geojson, .json): polygons in degrees, which have the centres of "
        "their cells; names from the attribute.",
    )
    change_periods: tuple[tuple[int, int], ...] = option(
        None,
        "Two periods of years, whose difference is scored as the change signal: "
        "1981-2000,2081-2100.",
        read=two_periods,
    )

    rules: ClassVar[tuple[Rule[ScoringConfig], ...]] = (
        Rule(
            lambda s: not rising(s.fss_windows) or any(side % 2 == 0 for side in s.fss_windows),
            "--fss_windows={fss_windows}: expected odd numbers of cells, rising",
        ),
        Rule(
            lambda s: s.regions is not None and not all(s.regions.rpartition(":")[::2]),
            "--regions={regions}: expected a file, a colon and the name of a variable, or of an "
            "attribute of polygons",
        ),
    )

    @property
    def names(self) -> tuple[str, ...]:
        """The scores wanted, as far as names tell."""
        return self.scores or (() if self.protocol != NO_PROTOCOL else (CORE,))

    def wants(self, name: str, *, core: bool, protocol: str) -> bool:
        """Whether a metric is among the scores; `protocol`: that it belongs to, or ""."""
        if protocol:
            return protocol == self.protocol or name in self.names
        return name in self.names or ALL in self.names or (core and CORE in self.names)


DEFAULT = ScoringConfig()
