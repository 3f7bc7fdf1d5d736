"""What a prediction is compared with: its error, and the best of each kind of baseline."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from app.arrays import Array
from app.metrics.arithmetic import divide
from app.metrics.bootstrap import block_length, resampled_sums
from app.metrics.names import BASE, CLIMATOLOGY, OWN
from app.metrics.verdict.estimate import Estimate

if TYPE_CHECKING:
    from app.metrics.metric import Result

ROUNDING = 1e-6  # of the truth's mean: errors of interpolation in float32 are smaller


@dataclass(frozen=True, eq=False)
class Errors:
    """One error of all candidates (k,), and of resampled periods (R, k), the same for all.

    name, short: for readers, in sentences and in tables. floor: an error below is rounding.
    """

    name: str
    short: str
    unit: str
    candidates: tuple[str, ...]
    values: Array
    resampled: Array | None
    floor: float

    def of(self, name: str) -> Estimate:
        """The error of a candidate."""
        k = self.candidates.index(name)
        return Estimate.of(self.values[k], None if self.resampled is None else self.resampled[:, k])

    def gain(self, name: str, rival: str) -> Estimate:
        """1 - error / error of the rival, on the same resamples; NaN where the rival has none."""
        k, r = self.candidates.index(name), self.candidates.index(rival)
        if not self.values[r] > self.floor:
            return Estimate(np.nan)
        again = self.resampled
        paired = None if again is None else 1 - divide(again[:, k], again[:, r])
        return Estimate.of(1 - self.values[k] / self.values[r], paired)

    def best(self, names: Sequence[str]) -> str | None:
        """The candidate of the smallest error among some; None of none."""
        known = [n for n in names if np.isfinite(self.values[self.candidates.index(n)])]
        return min(known, key=lambda n: self.values[self.candidates.index(n)], default=None)


def errors_of(result: Result) -> Errors:
    """RMSE of fields, MAE of frames filled in, over the period."""
    names, sums, root = result.subject.judged_by
    return _errors(result, names, result.errors.sample[sums], np.sqrt if root else np.asarray)


def crps_of(result: Result) -> Errors | None:
    """CRPS of an ensemble beside the absolute errors of single fields; None without members."""
    if not result.subject.members:
        return None
    for metric in reversed(result.metrics):
        if (sums := metric.series(result.errors).get("crps")) is not None:
            return _errors(result, ("CRPS", "CRPS"), sums, np.asarray)
    return None


def _errors(
    result: Result, names: tuple[str, str], sums: Array, of: Callable[[Array], Array]
) -> Errors:
    subject, weight = result.subject, result.errors.weight
    drawn = resampled_sums(np.vstack([sums, weight]).T, block_length(subject.times))
    return Errors(
        *names,
        subject.unit,
        subject.candidates,
        of(sums.sum(axis=1) / weight.sum()),
        None if drawn is None else of(divide(drawn[:, :-1], drawn[:, -1:])),
        ROUNDING * abs(subject.truth.mean),
    )


@dataclass(frozen=True)
class Rivals:
    """The best candidate of each kind by its error, None where there is none of the kind.

    fitted: fitted to the training period, or anything else that interpolates not only; base: the
    field that the network corrects, a part of the model.
    """

    interpolation: str | None
    fitted: str | None
    climatology: str | None
    base: str | None

    @property
    def best(self) -> tuple[str, ...]:
        """The best interpolation and the best that is fitted, where there are any."""
        return tuple(name for name in (self.interpolation, self.fitted) if name is not None)

    @property
    def all(self) -> tuple[str, ...]:
        """These, and the base prediction."""
        return self.best if self.base is None else (*self.best, self.base)


def rivals_of(result: Result, errors: Errors) -> Rivals:
    """Who a prediction is compared with."""
    names = result.subject.candidates
    plain = [name for name in names if name in result.subject.interpolations]
    fitted = [name for name in names if name not in (*plain, *OWN, CLIMATOLOGY)]
    return Rivals(
        errors.best(plain),
        errors.best(fitted),
        CLIMATOLOGY if CLIMATOLOGY in names else None,
        BASE if BASE in names else None,
    )
