"""Scores of whole series: what each sample adds to them, to first order.

A statistic of a cell's series, such as a percentile or a correlation, is no function of sums over
samples. Its influence function (Hampel 1974, doi:10.1080/01621459.1974.10482962) is: by how much it
would move if a sample counted for more. The mean over cells moves by the mean of theirs, so that
each sample has one number, of mean 0, and a resample of blocks of time moves the score by the mean
of the numbers it holds: the block bootstrap, linearised (Künsch 1989,
doi:10.1214/aos/1176347265). Nothing is sorted or fitted again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
from scipy.special import ndtri

from app.arrays import Array
from app.metrics.arithmetic import divide
from app.metrics.sampled import Best, Sampled

FEWEST_BEYOND = 3  # samples beyond a percentile, on average, that its interval needs
PART_BYTES = 2**22  # of a float64 array, of which influences hold a dozen at a time
LEVEL = 0.05  # of the bandwidth of Hall and Sheather


def expanded(
    names: Sequence[str], values: Array, influence: Array, best: Best = None, span: int = 1
) -> Sampled:
    """A score (k,) as its value and what each sample, or span of them, moves it by (k, n)."""
    n = influence.shape[1]
    centred = influence - influence.mean(axis=1, keepdims=True)

    def of(totals: Array) -> Array:
        result: Array = values + totals / n
        return result

    return Sampled(tuple(names), centred, of, best, span)


def ratio_influence(above: Array, below: Array, weights: Array) -> Array:
    """Of Σ above / Σ below of every cell, (n, y, x) both; sums over cells by weights (y, x).

    (n,), in units of the ratio times those of the weights; cells without a ratio have none.
    """
    n, total = len(above), below.sum(axis=0)
    ratio = divide(above.sum(axis=0), total)
    share = np.where(total > 0, weights * n / np.where(total > 0, total, 1), 0.0)
    return over_cells(above, share) - over_cells(below, share * np.nan_to_num(ratio))


def columns_of(fields: Array) -> Iterator[slice]:
    """Columns of fields (n, y, x), so many at once as long series leave memory for."""
    n, rows, columns = fields.shape
    step = max(1, PART_BYTES // (8 * n * rows))
    return (slice(start, start + step) for start in range(0, columns, step))


def over_cells(fields: Array, weights: Array) -> Array:
    """Sums (n,) of fields (n, y, x), finite or of any kind of number, by weights (y, x)."""
    flat = fields.reshape(len(fields), -1).astype(np.float64, copy=False)
    result: Array = flat @ weights.ravel()
    return result


def quantiles_moved(
    series: Array,
    shares: Sequence[float],
    weights: Array,
    quantiles: Callable[[Sequence[float]], Array],
) -> tuple[Array, Array]:
    """Quantiles (q, y, x) of every cell's series (n, y, x), NaN where not known, and (q, n).

    quantiles: gives them by their shares. The influence is (share - [x ≤ quantile]) times the slope
    of the quantile function, by differences over the bandwidth of Hall and Sheather (1988); NaN of
    shares with too few samples beyond.
    """
    n = len(series)
    known = [share for share in shares if n * min(share, 1 - share) >= FEWEST_BEYOND]
    wide = [_ends(share, n) for share in known]
    found = quantiles([*shares, *(end for ends in wide for end in ends)])
    there = np.isfinite(series)
    count = there.sum(axis=0)
    size = weights * n / np.maximum(count, 1)
    result = np.full((len(shares), n), np.nan)
    for place, (share, (low, high)) in enumerate(zip(known, wide, strict=True)):
        q, first = shares.index(share), len(shares) + 2 * place
        slope = np.nan_to_num((found[first + 1] - found[first]) / (high - low))
        below = over_cells(series <= found[q], size * slope)
        result[q] = share * over_cells(there, size * slope) - below
    return found[: len(shares)], result


def transported(a: Array, b: Array) -> Array:
    """Of Wasserstein's distance between series over the first axis (n, c), NaN in the same places.

    S(b) - S(a) less their mean, S the potential that rises where more of a lies below, and falls
    where less does: that mean is the distance (Kantorovich), and S does not depend on one sample,
    to first order.
    """
    n, columns = a.shape
    orders = [np.argsort(values, axis=0) for values in (a, b)]
    x, y = (np.take_along_axis(v, order, 0) for v, order in zip((a, b), orders, strict=True))
    known = np.isfinite(x)
    x, y = np.where(known, x, 0.0), np.where(known, y, 0.0)
    low, high, sign = np.minimum(x, y), np.maximum(x, y), np.sign(y - x)
    # S rises or falls from the lower of two values in order to the upper, or to the next lower one
    until = np.minimum(low[1:], high[:-1])
    steps = np.where(known[1:], sign[:-1] * (until - low[:-1]), 0.0)
    at_low = np.concatenate([np.zeros((1, columns)), np.cumsum(steps, axis=0)])
    at_high = at_low + sign * (high - low)
    result = np.zeros((n, columns))
    for order, direction, lower in ((orders[1], 1.0, y < x), (orders[0], -1.0, x <= y)):
        height = direction * np.where(known, np.where(lower, at_low, at_high), 0.0)
        own = np.zeros((n, columns))
        np.put_along_axis(own, order, height, axis=0)
        result += own
    count = np.maximum(known.sum(axis=0), 1)
    centred = np.where(np.isfinite(a), result - result.sum(axis=0) / count, 0.0)
    moved: Array = centred * n / count
    return moved


def _ends(share: float, n: int) -> tuple[float, float]:
    """Between which shares the slope of the quantile function is taken."""
    place = float(ndtri(share))
    height = np.exp(-(place**2) / 2) / np.sqrt(2 * np.pi)  # density of the normal distribution
    tail = float(ndtri(1 - LEVEL / 2)) ** (2 / 3)
    width = n ** (-1 / 3) * tail * (1.5 * height**2 / (2 * place**2 + 1)) ** (1 / 3)
    return max(share - width, 0.0), min(share + width, 1.0)
