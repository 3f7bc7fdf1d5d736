"""What the scores of one predictand say: a sentence each, with the numbers behind it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from app.metrics.arithmetic import divide
from app.metrics.climatic.extremes import Extremes
from app.metrics.climatic.variability import DETAIL, IN_TIME, STEP
from app.metrics.climatic.wet import WET_RATIO
from app.metrics.probabilistic.ensemble import OUTSIDE, SPREAD_SKILL, Ensemble
from app.metrics.table import MODEL
from app.metrics.temporal.series import FLICKER
from app.metrics.verdict.estimate import Estimate, percentages
from app.metrics.verdict.rivals import Errors, Rivals, crps_of, errors_of, rivals_of

if TYPE_CHECKING:
    from app.metrics.metric import Result

SIZE_KEPT = 0.05  # a ratio of sizes so near to 1 is kept
FREQUENCY_KEPT = 0.1  # a ratio of frequencies
SPREAD_KEPT = 0.1  # spread/skill
OUTSIDE_KEPT = 0.2  # share of the truth outside the members over the share that is right
MUCH_BIAS = 0.3  # mean error over RMSE, from which on it is told
ROUNDED = 1e-3
MANY_MEMBERS = 16  # the error of their mean is within 3 % of that of any number of members
MULTIPLE = 2.0  # an error of more than so many times the rival's is told as a multiple


@dataclass(frozen=True)
class Finding:
    """A sentence on one topic.

    numbers: by name, what it rests on. wanting: keys of what to try next (`app.metrics.remedies`).
    """

    topic: str
    sentence: str
    numbers: dict[str, Estimate]
    wanting: tuple[str, ...] = ()


@dataclass(frozen=True)
class Measure:
    """A ratio to the truth's, 1 where it is kept.

    row: its name in the table; text: with a place for the number; low, high: what it is called
    below and above 1; kept: so near to 1 it counts as kept; lacking, exceeding: what is wanting
    of a single field; rough: of members that exceed.
    """

    row: str
    text: str
    low: str
    high: str
    kept: float
    lacking: str = "smooth"
    exceeding: str = ""
    rough: str = ""


def findings_of(result: Result) -> list[Finding]:
    """All that can be said of a predictand, its error first."""
    errors = errors_of(result)
    rivals = rivals_of(result, errors)
    found = (
        _error(result, errors, rivals),
        _crps(result, rivals),
        _bias(result),
        _climatology(result, errors, rivals),
        _ratios(result, "variability", VARIABILITY),
        _ratios(result, "extremes", list(_tails(result))),
        _ratios(result, "wet", WET),
        _ensemble(result),
    )
    return [finding for finding in found if finding is not None]


def scored(result: Result, row: str, candidate: str = MODEL) -> Estimate:
    """A score of the table with its interval, NaN where there is none."""
    value, low, high = (result.score(row + end, candidate) for end in ("", "_low", "_high"))
    return Estimate(value, low, high)


def _error(result: Result, errors: Errors, rivals: Rivals) -> Finding:
    gains = {name: errors.gain(MODEL, name) for name in rivals.all}
    called = result.subject.called
    parts = [_beside(called(name), gain) for name, gain in gains.items() if gain.known]
    own, members = errors.of(MODEL), result.subject.members
    compared = ", ".join(parts) or "no baseline to compare with"
    worse = any(_no_gain(gains[name]) for name in rivals.best)
    wanting = {
        "members": worse and 0 < members < MANY_MEMBERS,
        "baseline": worse and not members and rivals.base is None,
        "base": not members and rivals.base is not None and _no_gain(gains[rivals.base]),
        "period": not own.bounded,
    }
    name = f"{errors.name} of the mean of {members} members" if members else errors.name
    return Finding(
        "error",
        f"{name} {own.text(errors.unit)}: {compared}.",
        {"error": own, **{f"gain_over_{name}": gain for name, gain in gains.items()}},
        tuple(key for key, wanted in wanting.items() if wanted),
    )


def _no_gain(gain: Estimate) -> bool:
    """Whether an error is not certainly smaller than the rival's."""
    return gain.known and not (gain.low if gain.bounded else gain.value) > 0


def _beside(rival: str, gain: Estimate) -> str:
    """`53 % below bicubic (50 to 56)`: what an error is beside that of a rival."""
    if gain.holds(0):
        value, ends = percentages(gain.negative)
        return f"not to be told apart from {rival} ({value} %, {ends})"
    if gain.value < 1 - MULTIPLE:
        value, *bounds = Estimate(1 - gain.value, 1 - gain.high, 1 - gain.low).parts
        return f"{value} times that of {rival}" + _bracketed(bounds)
    above = gain.value < 0
    value, ends = percentages(gain.negative if above else gain)
    return f"{value} % {'above' if above else 'below'} {rival}" + (f" ({ends})" if ends else "")


def _bracketed(ends: Sequence[str]) -> str:
    return f" ({' to '.join(ends)})" if ends else ""


def _crps(result: Result, rivals: Rivals) -> Finding | None:
    """The CRPS of members beside the absolute error of the best baseline, which is its CRPS."""
    crps = crps_of(result)
    if crps is None:
        return None
    own = crps.of(MODEL)
    numbers: dict[str, Estimate] = {}
    wanting: tuple[str, ...] = ()
    sentence = f"CRPS of the members {own.text(crps.unit)}"
    best = crps.best(rivals.best)
    if best is not None and (gain := crps.gain(MODEL, best)).known:
        numbers = {f"gain_over_{best}": gain}
        wanting = ("baseline",) if _no_gain(gain) else ()
        sentence += f": {_beside(f'the absolute error of {result.subject.called(best)}', gain)}"
    return Finding("crps", f"{sentence}.", {"crps": own, **numbers}, wanting)


def bias_of(result: Result) -> tuple[Estimate, float]:
    """The mean error, and which share of the mean square error is its square; NaN of neither."""
    bias, rmse = scored(result, "bias"), scored(result, "rmse")
    return bias, float(divide(np.array(bias.value**2), rmse.value**2))


def _bias(result: Result) -> Finding | None:
    """That values are too high or too low, where that is much of the error."""
    bias, share = bias_of(result)
    if not (bias.known and share >= MUCH_BIAS**2) or bias.holds(0):
        return None
    side = "high" if bias.value > 0 else "low"
    whole = "all of it" if share > 1 - ROUNDED else f"{100 * np.sqrt(share):.0f} % of the RMSE"
    return Finding(
        "bias",
        f"Bias {bias.text(result.subject.unit)}, {whole}: values are too {side}.",
        {"bias": bias},
        ("bias",),
    )


def _climatology(result: Result, errors: Errors, rivals: Rivals) -> Finding | None:
    """Which candidates are no better than the mean of the training period."""
    reference = rivals.climatology
    if reference is None:
        return None
    gains = {n: errors.gain(n, reference) for n in errors.candidates if n != reference}
    without = {name: gain for name, gain in gains.items() if _no_gain(gain)}
    if not without:
        return None
    names = ", ".join(map(result.subject.called, without))
    reached = errors.of(reference).text(errors.unit)
    return Finding(
        "climatology",
        f"No skill over climatology ({errors.name} {reached}): {names}.",
        {f"skill_of_{name}": gain for name, gain in without.items()},
        ("signal",) if MODEL in without else (),
    )


VARIABILITY = (
    Measure(
        IN_TIME,
        "standard deviation in time {} of the truth's",
        "too small",
        "too large",
        SIZE_KEPT,
    ),
    Measure(
        DETAIL,
        "differences between neighbouring cells {} of the truth's",
        "too smooth",
        "too rough",
        SIZE_KEPT,
        rough="rough",
    ),
    Measure(
        STEP,
        "changes from time to time {} of the truth's",
        "too sluggish",
        "too restless",
        SIZE_KEPT,
        rough="restless",
    ),
    Measure(
        FLICKER, "changes of pace in time {} of the truth's", "too smooth", "too jerky", SIZE_KEPT
    ),
)
WET = (
    Measure(
        WET_RATIO,
        "cells are wet {} times as often as in truth",
        "too seldom",
        "too often",
        FREQUENCY_KEPT,
        lacking="",
        exceeding="drizzle",
    ),
)


def _tails(result: Result) -> Iterator[Measure]:
    """The extremes on either side."""
    extremes = result.metric(Extremes)
    whose = "the truth's"
    for row, side, percentile in () if extremes is None else extremes.tails:
        where = f"{side} {whose} {percentile}{'st' if percentile == 1 else 'th'} percentile"
        text = f"values {where} {{}} times as often as in truth"
        whose = "its"
        yield Measure(row, text, "too rare", "too frequent", FREQUENCY_KEPT)


def _ratios(result: Result, topic: str, measures: Sequence[Measure]) -> Finding | None:
    """One sentence on some ratios to the truth; None where none is known."""
    parts, numbers, wanting = [], {}, []
    for measure in measures:
        ratio = scored(result, measure.row)
        if not ratio.known:
            continue
        value, *ends = ratio.as_ratio
        word, key = _judged(ratio, measure, bool(result.subject.members))
        parts.append(f"{measure.text.format(value)}{_bracketed(ends)}, {word}")
        numbers[measure.row] = ratio
        if key:
            wanting.append(key)
    if not parts:
        return None
    return Finding(topic, f"{topic.capitalize()}: {'; '.join(parts)}.", numbers, tuple(wanting))


def _judged(ratio: Estimate, measure: Measure, members: bool) -> tuple[str, str]:
    """What a ratio is called, and what is wanting."""
    if abs(ratio.value - 1) <= measure.kept:
        return "kept", ""
    if ratio.holds(1):
        return "not to be told apart from the truth's", ""
    if ratio.value < 1:
        return measure.low, "" if members else measure.lacking
    return measure.high, measure.rough if members else measure.exceeding


def _ensemble(result: Result) -> Finding | None:
    """Whether members are as far from each other as their mean is from the truth."""
    ensemble = result.metric(Ensemble)
    if ensemble is None:
        return None
    spread, outside = scored(result, SPREAD_SKILL), scored(result, OUTSIDE)
    if not spread.known:
        return None
    right = ensemble.outside_if_calibrated
    by_spread = _off(spread, 1, SPREAD_KEPT)
    by_ranks = -_off(outside, right, OUTSIDE_KEPT)
    said, wanting = _calibration(by_spread, by_ranks)
    if by_spread < 0 and _bias(result) is not None:
        # what spread there would be beside the error without its mean
        rest = np.sqrt(1 - min(bias_of(result)[1], 1.0))
        if rest == 0 or spread.value / rest >= 1 - SPREAD_KEPT:
            said, wanting = "shifted: its spread is that of the error without the bias", ()
    value, *bounds = spread.as_ratio
    share, ends = percentages(outside)
    inside = f" ({ends})" if ends else ""
    return Finding(
        "ensemble",
        f"Ensemble: {said}; its spread is {value}{_bracketed(bounds)} of the error of "
        f"its mean, and {share} % of the truth{inside} lies outside its "
        f"{result.subject.members} members, where {100 * right:.3g} % is right.",
        {SPREAD_SKILL: spread, OUTSIDE: outside, "outside_if_calibrated": Estimate(right)},
        wanting,
    )


def _off(estimate: Estimate, right: float, kept: float) -> int:
    """-1 below what is right, 1 above, 0 where it is near to it or may be it."""
    if abs(estimate.value / right - 1) <= kept or estimate.holds(right):
        return 0
    return 1 if estimate.value > right else -1


def _calibration(by_spread: int, by_ranks: int) -> tuple[str, tuple[str, ...]]:
    """What members are called whose spread is told too small (-1) or large by two measures."""
    if by_spread * by_ranks < 0:
        return "too much spread in some cells, too little in others", ()
    return {
        -1: ("too little spread", ("narrow",)),
        0: ("calibrated", ()),
        1: ("too much spread", ("wide",)),
    }[by_spread or by_ranks]
