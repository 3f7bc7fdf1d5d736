"""What a field's values mean in time: gathered before their stamp, a mean, or of one instant."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from app.data.units import BASE, normalise_unit

SUM, MEAN, POINT = "sum", "mean", "point"
BOUNDS = "time bounds"  # the reason for where in its time a value is stamped
# The last of several: "time: sum within days time: mean over days" ends as a mean.
CELL_METHOD = re.compile(r"\btime:\s*(?:\w+:\s*)*(\w+)")
CELL_METHODS = {"sum": SUM, "mean": MEAN, "point": POINT}
STEP_TYPES = {"accum": SUM, "avg": MEAN, "instant": POINT}
STEP_TYPE_NAMES = ("GRIB_stepType", "stepType", "step_type")
SMALL = 0.01  # of the greatest amount: what packing may leave below 0
RATE_KINDS = ("rate", "energy flux")  # of `units.BASE`
GATHERED_NAME = re.compile(
    r"(precipitation|rainfall|snowfall|hail|graupel|evaporation|evapotranspiration|transpiration"
    r"|sublimation|runoff|melt|drainage|dew|deposition)\w*_amount|^integral_wrt_time_of_"
    r"|^integral_of_\w+_wrt_time|^duration_of_sunshine"
)
PRECIPITATION = re.compile(
    r"precip(?!itable)|(?<![a-z])rain|snow[\s_]?fall|drizzle|(?<![a-z])hail(?!stone)"
    r"|(?<![a-z])(?:pr|prc|prcp|prec|ppt|pcp|tp|cp|lsp|rr|sf|csf|lsf|apcp|mtpr|prate|prtot|prsn"
    r"|pre)(?![a-z])"
)
WATER_LOSS = re.compile(
    r"evapo|transpiration|sublimation|run[\s_-]?off|snow[\s_]?melt|drainage"
    r"|^(?:e|pev|ro|sro|ssro|es|smlt|mrro|mrros|evspsbl|et|eto|pet)$"
)
RADIATION = re.compile(
    r"radiation|heat[\s_]flux|shortwave|longwave|short-wave|long-wave|irradia"
    r"|^(?:ssrd?|strd?|tsrc?|ttrc?|ssrc|strc|tisr|fdir|cdir|slhf|sshf|ssrdc|strdc|uvb)$"
)
# Water or energy that is there at an instant, however it is called.
STORE = re.compile(
    r"column|content|\bpath\b|precipitable|reservoir|snow[\s_]depth|canopy|storage|\bcover"
    r"|intercept|equivalent of snow|probab|fraction|type|flag|mask|height|altitude|elevation|level"
    r"|\bsize|diameter|radius"
)


@dataclass(frozen=True)
class TimeMeaning:
    """Whether a value is an amount, a mean or an instant, and which metadata says so.

    `method` "sum": an amount of the time before its stamp; "mean": a mean over some time;
    "point": of the instant. `precipitation`: whether it is rain or snow that falls.
    `contradicted`: whether the attributes say both of it. `stamped`: where in its time an amount
    has its stamp, "start", "middle" or "end".
    """

    method: str = POINT
    reason: str = ""
    precipitation: bool = False
    contradicted: bool = False
    stamped: str = "end"

    @property
    def place(self) -> str | None:
        """Where in its time a value is stamped, as far as the files tell."""
        return self.stamped if self.reason.endswith(BOUNDS) else None

    def describe(self, name: str) -> str:
        """In words, for messages: "tp: an amount of the time before its stamp (units m)"."""
        where = {"start": "after", "middle": "around"}.get(self.stamped, "before")
        means = {
            SUM: f"an amount gathered in the time {where} its stamp",
            MEAN: "a mean over some time",
            POINT: "of the instant of its stamp",
        }
        return f"{name}: {means[self.method]}" + (f" ({self.reason})" if self.reason else "")


def time_meaning(
    names: Sequence[str],
    units: str | None,
    attributes: Mapping[str, Any] | None = None,
    given: str | None = None,
) -> TimeMeaning:
    """The meaning by names, units and attributes; `given`, what the user says, takes precedence.

    A rate (mm day-1, W m-2) is never an amount, whatever else is said of it: parts of its
    interval have the same size, not a share of it.
    """
    attributes = attributes or {}
    unit = normalise_unit(units) if units is not None else None
    kind = BASE[unit][0] if unit in BASE else None
    words = _words(names, attributes)
    fallen = is_precipitation(names, units, attributes)
    if given is not None:
        return TimeMeaning(given, "time_method", fallen)
    said = [*_said(attributes)]
    shown = [f"units {units}"] if units else []
    if kind in RATE_KINDS:
        method = POINT if POINT in (m for m, _ in said) else MEAN
        if not said and not fallen and kind == "rate":
            return TimeMeaning(POINT, "", fallen)  # a wind
        sums = [text for means, text in said if means == SUM]
        rather = f" are a rate, {sums[0]} notwithstanding" if sums else " are a rate"
        return TimeMeaning(method, f"units {units}{rather}", fallen, bool(sums))
    if said:
        evidence = [text for means, text in said if means == said[0][0]]
        return TimeMeaning(said[0][0], ", ".join((shown if fallen else []) + evidence), fallen)
    what = _what(names, words, kind, fallen)
    if what is not None:
        return TimeMeaning(SUM, ", ".join([*shown, what]), fallen)
    return TimeMeaning(POINT, "", fallen)


def is_precipitation(
    names: Sequence[str], units: str | None, attributes: Mapping[str, Any] | None = None
) -> bool:
    """Whether the variable is rain or snow that falls, as an amount or a rate."""
    kind = BASE.get(normalise_unit(units or "1"), ("", None))[0]
    words = _words(names, attributes or {})
    falls = bool(PRECIPITATION.search(words)) and not STORE.search(words)
    return falls and kind in ("length", "rate")


def _words(names: Sequence[str], attributes: Mapping[str, Any]) -> str:
    """Everything that names the variable, in small letters."""
    said = (str(attributes.get(key, "")) for key in ("standard_name", "long_name"))
    return " | ".join(text.lower() for text in (*names, *said) if text)


def _said(attributes: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Methods that attributes state, the most reliable first, each with the text that states it."""
    found = []
    methods = CELL_METHOD.findall(str(attributes.get("cell_methods", "")))
    if methods and methods[-1] in CELL_METHODS:
        found.append((CELL_METHODS[methods[-1]], f"cell_methods time: {methods[-1]}"))
    for key in STEP_TYPE_NAMES:
        step_type = str(attributes.get(key, "")).strip()
        if step_type in STEP_TYPES:
            found.append((STEP_TYPES[step_type], f"{key} {step_type}"))
    standard_name = str(attributes.get("standard_name", "")).strip()
    if GATHERED_NAME.search(standard_name):
        found.append((SUM, f"standard_name {standard_name}"))
    return found


def _what(names: Sequence[str], words: str, kind: str | None, fallen: bool) -> str | None:
    """The quantity that accumulates; None for a length or an energy that is no amount over time."""
    texts = (words, *(name.lower() for name in names))
    if fallen and kind == "length":
        return "precipitation"
    if kind == "length" and any(WATER_LOSS.search(text) for text in texts):
        return "water that evaporates or runs off"
    stored = STORE.search(words)
    if kind == "energy per area" and not stored and any(RADIATION.search(text) for text in texts):
        return "radiation or heat"
    return None


def aggregation_hint(meaning: TimeMeaning, name: str, aggregate: str | None) -> str | None:
    """A warning where this aggregation does not suit such values; None where it does."""
    length, _, method = (aggregate or "").partition(":")
    if meaning.method == SUM and method == "mean":
        return (
            f"{name}: aggregate {aggregate} of an amount ({meaning.reason}) is the mean amount of "
            f"a step; {length}:sum is that of the whole"
        )
    if meaning.method != SUM and method == "sum" and "are a rate" in meaning.reason:
        return (
            f"{name}: aggregate {aggregate} of a rate ({meaning.reason}) adds rates up; "
            f"{length}:mean is the rate of the whole"
        )
    return None
