"""Series that belong together: of two predictands, of two times."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from app.arrays import Array
from app.metrics.climatic.days import mean_known
from app.metrics.metric import Band
from app.metrics.moments import SPREAD_FLOOR


def correlation(a: Array, b: Array) -> Array:
    """Pearson's correlation over the first axis, of what is known in both.

    NaN where either varies no more than rounding.
    """
    known = np.isfinite(a) & np.isfinite(b)
    a, b = np.where(known, a, np.nan), np.where(known, b, np.nan)
    parts, varies = [], known.any(axis=0)
    for values in (a, b):
        mean = mean_known(values)
        parts.append(values - mean)
        variance = mean_known(np.square(parts[-1]))
        varies = varies & (variance > np.square(SPREAD_FLOOR * mean))
    a, b = parts
    size = np.sqrt(mean_known(a**2) * mean_known(b**2))
    return np.where(varies, mean_known(a * b) / np.where(varies, size, 1.0), np.nan)


def matched(band: Band, other: Band) -> Iterator[list[tuple[Array, Array]]]:
    """Fields (n, y, x) of both predictands: of the truth, then of each candidate's versions.

    An empty list where the other predictand lacks the candidate.
    """
    yield [(band.truth, other.truth)]
    names, stacks = other.subject.candidates, other.versions
    for name, stack in zip(band.subject.candidates, band.versions, strict=True):
        if name in names:
            yield list(zip(stack, stacks[names.index(name)], strict=True))
        else:
            yield []
