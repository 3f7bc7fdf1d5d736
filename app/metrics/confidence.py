"""How sure scores are: intervals of all rows, and candidates against each other on the same blocks.

Intervals: percentiles of moving-block resamples (`app.metrics.bootstrap`). Two candidates are told
apart where the difference of their scores is: its standard error is that of the same resamples of
both, p two-sided by the normal distribution, adjusted for all pairs of a score (Holm 1979,
"A simple sequentially rejective multiple test procedure"). Beside it, as a check that needs no
resampling, the test of Diebold and Mariano (1995, doi:10.1080/07350015.1995.10524599) of the series
of differences, whose variance allows for autocorrelation (Newey and West 1987,
doi:10.2307/1913610).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, fields, replace
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import ndtr

from app.arrays import Array, Json
from app.metrics.arithmetic import divide
from app.metrics.bootstrap import block_length, interval_rows, intervals, resampled_sums
from app.metrics.sampled import Sampled
from app.metrics.table import Row

if TYPE_CHECKING:
    from app.metrics.metric import Subject

LEVEL = 0.05  # of errors of the first kind, for all pairs of a score together
NUDGE = 1e-6  # of the size of a sum: step of numerical derivatives
TOGETHER = 16 * 2**20  # bytes of sums that are resampled at once
NUDGED = 8 * 2**20  # bytes of totals that derivatives are taken of at once
ENDS = ("_low", "_high")
BETTER, WORSE, ALIKE = "better", "worse", "not to be told apart"


@dataclass(frozen=True)
class Comparison:
    """One candidate against another by one score of one predictand.

    gain: by how much it is nearer to the best value than its rival; low, high: 95 % interval. p: of
    no difference; p_holm: adjusted for all pairs of the score. statistic, p_dm: Diebold and
    Mariano's. samples: effective number of independent ones among those of the differences. NaN
    where the period is too short.
    """

    metric: str
    unit: str
    candidate: str
    rival: str
    value: float
    rival_value: float
    gain: float
    low: float
    high: float
    p: float
    p_holm: float
    statistic: float
    p_dm: float
    samples: float

    @property
    def conclusion(self) -> str:
        """Of the candidate beside its rival."""
        return concluded(self.p_holm, self.gain)

    def as_json(self) -> Json:
        """All of it, null where not known."""
        return {
            name: (None if isinstance(value, float) and not np.isfinite(value) else value)
            for name, value in {**asdict(self), "conclusion": self.conclusion}.items()
        }

    def labelled(self, label: str) -> Comparison:
        """Of one predictand among several."""
        return replace(self, metric=self.metric + label)


COLUMNS = (*(field.name for field in fields(Comparison)), "conclusion")


@dataclass(frozen=True, eq=False)
class Confidence:
    """Rows with their intervals, and the comparisons of candidates."""

    rows: tuple[Row, ...]
    comparisons: tuple[Comparison, ...]


def confidence_of(rows: Sequence[Row], subject: Subject) -> Confidence:
    """Intervals and comparisons of all rows that are made of sums over samples."""
    length, found = block_length(subject.times), list[Row]()
    compared = list[Comparison]()
    scores = [row.sampled for row in rows if row.sampled is not None]
    drawn = iter(_resampled(scores, length))
    for row in rows:
        found.append(row)
        made = row.sampled
        if made is None:
            continue
        totals = next(drawn)
        again = None if totals is None else made.of(totals)
        found += _ends(row, made, again)
        if made.best is not None and len(made.names) > 1:
            compared += _compared(row, made, again, _blocks(made, length))
    return Confidence(tuple(found), tuple(compared))


def _blocks(made: Sampled, length: int) -> int:
    """Columns of a score that a block of so many samples holds."""
    return max(1, length // made.span)


def _resampled(scores: Sequence[Sampled], length: int) -> list[Array | None]:
    """Resampled totals (R, c) of each score; those with as many columns are drawn together."""
    found: dict[int, Array | None] = {}
    alike: dict[tuple[int, int], dict[int, Array]] = {}
    for made in scores:  # some share their sums
        key = made.sums.shape[1], _blocks(made, length)
        alike.setdefault(key, {})[id(made.sums)] = made.sums
    for (n, blocks), all_sums in alike.items():
        for batch in _batches(list(all_sums.values()), TOGETHER // (8 * n)):
            drawn = resampled_sums(np.vstack(batch).T, blocks)
            ends = np.cumsum([len(sums) for sums in batch])
            for sums, end in zip(batch, ends, strict=True):
                own = None if drawn is None else drawn[:, end - len(sums) : end]
                found[id(sums)] = own
    return [found[id(made.sums)] for made in scores]


def _batches(all_sums: Sequence[Array], most: int) -> Iterator[list[Array]]:
    """Sums (c, n) in their order, as many together as have so many rows, or one."""
    batch, held = list[Array](), 0
    for sums in all_sums:
        if batch and held + len(sums) > most:
            yield batch
            batch, held = [], 0
        batch.append(sums)
        held += len(sums)
    if batch:
        yield batch


def effective_samples(made: Sampled, length: int) -> Array:
    """Independent samples that would tell as much of each value (k,) as all of them."""
    series = _influence(made)
    return _effective(series, long_run_variance(series, length), _held(made))


def sentences(comparisons: Sequence[Comparison], subject: Subject) -> list[str]:
    """One on each score: than which candidates the first one is better, worse, or neither."""
    model = subject.candidates[0]
    said = []
    for metric in dict.fromkeys(one.metric for one in comparisons):
        own = [one for one in comparisons if one.metric == metric and one.candidate == model]
        parts = []
        for conclusion, before in ((BETTER, "than"), (WORSE, "than"), (ALIKE, "from")):
            rivals = [subject.called(o.rival) for o in own if o.conclusion == conclusion]
            if rivals:
                parts.append(f"{conclusion} {before} {_listed(rivals)}")
        if parts:
            said.append(f"{metric}: {'; '.join(parts)}.")
    return said


def _listed(names: Sequence[str]) -> str:
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else last


def _ends(row: Row, made: Sampled, again: Array | None) -> Iterator[Row]:
    """Rows of the ends of the intervals."""
    for end in interval_rows(row.metric, row.unit, made.names, made.values, again)[1:]:
        yield replace(end, n=row.n)


def _compared(row: Row, made: Sampled, again: Array | None, length: int) -> list[Comparison]:
    """All pairs of candidates that have a value."""
    values = made.values
    known = np.flatnonzero(np.isfinite(values))
    if len(known) < 2:
        return []
    a, b = np.array(list(combinations(known, 2))).T
    distance, influence = made.distance(values), _influence(made)
    gain, difference = distance[b] - distance[a], influence[b] - influence[a]
    long_run = long_run_variance(difference, length)
    error = np.sqrt(long_run / difference.shape[1])
    low = high = p = p_error = np.full(len(a), np.nan)
    if again is not None:
        drawn = made.distance(again)
        gains = drawn[:, b] - drawn[:, a]
        low, high = intervals(gains)
        p, p_error = two_sided(gain, np.nanstd(gains, axis=0)), two_sided(gain, error)
    columns = (
        *(values[a], values[b], gain, low, high, p, holm(p)),
        *(divide(gain, error), p_error, _effective(difference, long_run, _held(made))),
    )
    return [
        Comparison(row.metric, row.unit, made.names[i], made.names[j], *map(float, own))
        for i, j, own in zip(a, b, np.array(columns).T, strict=True)
    ]


def two_sided(value: Array, error: Array) -> Array:
    """p of values whose expectation is 0, by the normal distribution."""
    sure = np.where(value == 0, 1.0, 0.0)
    known = error > 0
    return np.where(known, 2 * ndtr(-np.abs(value) / np.where(known, error, 1.0)), sure)


def concluded(p: float, gain: float) -> str:
    """What a gain and its adjusted p say."""
    if not p < LEVEL:
        return ALIKE
    return BETTER if gain > 0 else WORSE


def holm(values: Sequence[float] | Array) -> Array:
    """p values adjusted for all of them, in their order; NaN stays NaN and does not count."""
    p = np.asarray(values, np.float64)
    adjusted = np.full(len(p), np.nan)
    known = np.flatnonzero(np.isfinite(p))
    order = known[np.argsort(p[known], kind="stable")]
    steps = p[order] * np.arange(len(order), 0, -1)
    adjusted[order] = np.minimum(np.maximum.accumulate(steps), 1.0)
    return adjusted


def _influence(made: Sampled) -> Array:
    """Each sample's part in the distance of each candidate from the best (k, n).

    Their mean is 0, and the variance of their sum over n² that of the distance: the derivative by
    the totals, times what the sample adds to these. Of a mean it is the sample's own score.
    """
    c, n = made.sums.shape
    totals, size = made.sums.sum(axis=1), np.abs(made.sums).sum(axis=1)
    distance = made.distance if made.best is not None else (lambda values: values)
    slopes = np.zeros((c, len(made.names)))
    step = NUDGE * size
    moved = np.flatnonzero(step)
    most = max(1, NUDGED // (16 * c))
    for own in (moved[start : start + most] for start in range(0, len(moved), most)):
        up, down = np.repeat(totals[None], len(own), axis=0), np.repeat(totals[None], len(own), 0)
        up[np.arange(len(own)), own] += step[own]
        down[np.arange(len(own)), own] -= step[own]
        rise = distance(made.of(up)) - distance(made.of(down))
        slopes[own] = np.nan_to_num(rise / (2 * step[own])[:, None])
    parts: Array = n * (slopes.T @ (made.sums - totals[:, None] / n))
    return parts


def long_run_variance(series: Array, length: int) -> Array:
    """Variance of the means of series (…, n), times n, with their autocorrelation.

    Bartlett's weights up to a lag of a block, or of 4 (n / 100)^(2/9) where that is more.
    """
    n = series.shape[-1]
    centred = series - series.mean(axis=-1, keepdims=True)
    lags = min(n - 1, max(length, int(4 * (n / 100) ** (2 / 9))))
    total = np.einsum("...n,...n->...", centred, centred)
    for lag in range(1, lags + 1):
        products = np.einsum("...n,...n->...", centred[..., lag:], centred[..., :-lag])
        total = total + 2 * (1 - lag / (lags + 1)) * products
    variance: Array = np.maximum(total, 0.0) / n
    return variance


def _held(made: Sampled) -> int:
    """Samples that hold anything."""
    return int((made.sums != 0).any(axis=0).sum())


def _effective(series: Array, long_run: Array, held: int) -> Array:
    """Samples held, times variance over long-run variance of series (…, n), no more.

    NaN of a constant series.
    """
    found: Array = np.minimum(1.0, divide(series.var(axis=-1), long_run)) * held
    return found
