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
from scipy.stats import norm

from app.arrays import Array, Json
from app.metrics.bootstrap import block_length, interval, interval_rows, resampled_sums
from app.metrics.sampled import Sampled
from app.metrics.table import Row

if TYPE_CHECKING:
    from app.metrics.metric import Subject

LEVEL = 0.05  # of errors of the first kind, for all pairs of a score together
NUDGE = 1e-6  # of the size of a sum: step of numerical derivatives
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
    for row in rows:
        found.append(row)
        made = row.sampled
        if made is None:
            continue
        blocks = max(1, length // made.span)
        drawn = resampled_sums(made.sums.T, blocks)
        again = None if drawn is None else made.of(drawn)
        found += _ends(row, made, again)
        if made.best is not None and len(made.names) > 1:
            compared += _compared(row, made, again, blocks)
    return Confidence(tuple(found), tuple(compared))


def effective_samples(made: Sampled, length: int) -> Array:
    """Independent samples that would tell as much of each value (k,) as all of them."""
    held = _held(made)
    return np.array([_effective(one, length, held) for one in _influence(made)])


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
    distance, influence = made.distance(values), _influence(made)
    drawn = None if again is None else made.distance(again)
    known = [k for k, value in enumerate(values) if np.isfinite(value)]
    found = []
    for a, b in combinations(known, 2):
        gain = float(distance[b] - distance[a])
        low, high, p = np.nan, np.nan, np.nan
        if drawn is not None:
            gains = drawn[:, b] - drawn[:, a]
            low, high = interval(gains)
            p = two_sided(gain, float(np.nanstd(gains)))
        difference = influence[b] - influence[a]
        error = np.sqrt(long_run_variance(difference, length) / len(difference))
        found.append(
            Comparison(
                row.metric,
                row.unit,
                made.names[a],
                made.names[b],
                float(values[a]),
                float(values[b]),
                gain,
                low,
                high,
                p,
                np.nan,
                float(gain / error) if error > 0 else np.nan,
                two_sided(gain, float(error)) if drawn is not None else np.nan,
                _effective(difference, length, _held(made)),
            )
        )
    adjusted = holm([one.p for one in found])
    return [replace(one, p_holm=float(p)) for one, p in zip(found, adjusted, strict=True)]


def two_sided(value: float, error: float) -> float:
    """p of a value whose expectation is 0, by the normal distribution."""
    if not error > 0:
        return 1.0 if value == 0 else 0.0
    return float(2 * norm.sf(abs(value) / error))


def concluded(p: float, gain: float) -> str:
    """What a gain and its adjusted p say."""
    if not p < LEVEL:
        return ALIKE
    return BETTER if gain > 0 else WORSE


def holm(values: Sequence[float]) -> Array:
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
    n = made.sums.shape[1]
    totals, size = made.sums.sum(axis=1), np.abs(made.sums).sum(axis=1)
    distance = made.distance if made.best is not None else (lambda values: values)
    parts = np.zeros((len(made.names), n))
    for c, step in enumerate(NUDGE * size):
        if step == 0:
            continue
        ends = np.repeat(totals[None], 2, axis=0)
        ends[:, c] += (step, -step)
        up, down = distance(made.of(ends))
        slope = np.nan_to_num((up - down) / (2 * step))
        parts += slope[:, None] * (made.sums[c] - totals[c] / n)
    return n * parts


def long_run_variance(series: Array, length: int) -> float:
    """Variance of the mean of a series (n,), times n, with its autocorrelation.

    Bartlett's weights up to a lag of a block, or of 4 (n / 100)^(2/9) where that is more.
    """
    n = len(series)
    centred = series - series.mean()
    lags = min(n - 1, max(length, int(4 * (n / 100) ** (2 / 9))))
    total = centred @ centred
    for lag in range(1, lags + 1):
        total += 2 * (1 - lag / (lags + 1)) * (centred[lag:] @ centred[:-lag])
    return float(max(total, 0.0) / n)


def _held(made: Sampled) -> int:
    """Samples that hold anything."""
    return int((made.sums != 0).any(axis=0).sum())


def _effective(series: Array, length: int, held: int) -> float:
    """Samples held, times variance over long-run variance, no more; NaN of a constant series."""
    long_run = long_run_variance(series, length)
    return float(min(1.0, series.var() / long_run) * held) if long_run > 0 else np.nan
