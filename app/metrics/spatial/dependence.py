"""How cells hang together: correlation lengths, and extremes that neighbours share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from app.arrays import Array
from app.metrics.arithmetic import divide
from app.metrics.bootstrap import TimeBlocks
from app.metrics.metric import Band, Block, Metric, Subject, Totals
from app.metrics.sampled import Best, Sampled
from app.metrics.spatial.spectra import spacing
from app.metrics.table import About

if TYPE_CHECKING:
    from app.metrics.table import Row

LAGS = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64)  # cells
TAIL_LAGS = (1, 4)  # cells along rows
TAIL = 0.95
FALL = float(np.exp(-1))
Of = Callable[[Array], Array]
LENGTH, SHARED = "correlation_length", "tail_dependence"


class Dependence(Metric):
    """Sums over blocks of samples, the truth first; of members their means.

    products, sizes (2, L, 1 + k, b): of anomalies of two cells that lie a lag apart along columns
    and rows, and of their squares. both, first (H, 1 + k, b): weights of cells beyond their own
    percentile together with a cell further along the row, and of themselves.
    """

    core = False
    summed = ("products", "sizes", "both", "first")
    about: ClassVar[Mapping[str, About]] = {
        LENGTH: About(
            "correlation length in space",
            "distance at which Σ a(s)a(s + h) / Σ ½(a(s)² + a(s + h)²) falls to 1/e",
            "a: field less its mean over the cells; lags up to half of the domain, linear between;"
            " geometric mean of rows and columns",
            "none",
            "pairs of all samples at once, then the length",
        ),
        f"{LENGTH}_ratio": About(
            "correlation length over the truth's", "length(x̂) / length(x)", "as the length"
        ),
        f"{SHARED}_": About(
            "dependence of extremes some cells apart, less the truth's",
            "P(x̂(s + h) > P95 | x̂(s) > P95) - that of x",
            "each series above its own 95th percentile, cells h apart along rows",
        ),
    }
    definitions = (
        "correlation_length: distance at which the correlation of a field's anomalies from its"
        " mean falls to 1/e. tail_dependence_H_bias: how often a cell is above its own 95th"
        " percentile when the cell H further along the row is, less the truth's.",
    )

    def __init__(self, subject: Subject) -> None:
        super().__init__(subject)
        y, x = subject.area.shape
        self.lags = [tuple(lag for lag in LAGS if lag <= n // 2) for n in (y, x)]
        self.tail_lags = tuple(lag for lag in TAIL_LAGS if lag < x)
        layers = 1 + len(subject.candidates)
        self.blocks = TimeBlocks.of(subject.times)
        self.products, self.sizes = np.zeros((2, 2, len(LAGS), layers, self.blocks.count))
        self.both, self.first = np.zeros((2, len(self.tail_lags), layers, self.blocks.count))

    def add(self, block: Block) -> None:
        count = np.maximum(block.valid.sum(axis=(1, 2)), 1)[:, None, None]
        layers = zip(block.stacks, block.version_anomalies(), strict=True)
        for layer, (stack, versions) in enumerate(layers):
            for kept in versions:
                anomaly = kept - kept.sum(axis=(1, 2), keepdims=True) / count
                if not block.complete:
                    anomaly *= block.valid
                for axis, lags in enumerate(self.lags):
                    products, sizes = _pairs(anomaly, block.valid, axis, lags)
                    for sums, values in ((self.products, products), (self.sizes, sizes)):
                        own = sums[axis, : len(lags), layer]
                        self.blocks.add(own, block.indices, values / len(stack))

    def add_series(self, band: Band) -> None:
        every = np.arange(self.subject.samples)
        orders = (iter((band.ordered_truth,)), *band.ordered_versions())
        for layer, (stack, versions) in enumerate(zip(band.stacks, orders, strict=True)):
            for fields, ordered in zip(stack, versions, strict=True):
                beyond = (fields > ordered.quantiles((TAIL,))[0]) & band.valid
                for place, lag in enumerate(self.tail_lags):
                    pair = band.valid[:, :, :-lag] & band.valid[:, :, lag:]
                    weights = pair * self.subject.area[band.indices][:, :-lag]
                    first = beyond[:, :, :-lag]
                    both = first & beyond[:, :, lag:]
                    for sums, held in ((self.first, first), (self.both, both)):
                        own = np.einsum("nyx,nyx->n", weights, held) / len(stack)
                        self.blocks.add(sums[place, layer], every, own)

    def _lengths(self, totals: Array) -> Array:
        """Correlation lengths in km (…, 1 + k) of totals (…, c); NaN where it never falls to 1/e.

        Totals of products, then of sizes.
        """
        lead = totals.shape[:-1]
        products, sizes = np.moveaxis(totals.reshape(*lead, 2, *self.products.shape[:-1]), -4, 0)
        found = []
        for axis, (lags, step) in enumerate(
            zip(self.lags, spacing(self.subject.grid), strict=True)
        ):
            curve = divide(products[..., axis, : len(lags), :], sizes[..., axis, : len(lags), :])
            curve = np.concatenate([np.ones((*lead, 1, curve.shape[-1])), curve], axis=-2)
            found.append(_fallen(np.array([0.0, *lags]) * step, np.swapaxes(curve, -1, -2)))
        result: Array = np.exp(np.log(np.array(found)).mean(axis=0))
        return result

    @property
    def lengths(self) -> Array:
        """Correlation lengths of all samples in km (1 + k,)."""
        return self._lengths(self._sums.sum(axis=-1))

    @property
    def _sums(self) -> Array:
        result: Array = np.stack([self.products, self.sizes]).reshape(-1, self.blocks.count)
        return result

    def rows(self, errors: Totals) -> list[Row]:
        names, span = self.subject.candidates, self.blocks.span

        def row(name: str, unit: str, sums: Array, of: Of, best: Best) -> Row:
            return self.subject.sampled_row(name, unit, Sampled(names, sums, of, best, span))

        def length(totals: Array) -> Array:
            return self._lengths(totals)[..., 1:]

        def ratio(totals: Array) -> Array:
            lengths = self._lengths(totals)
            result: Array = lengths[..., 1:] / lengths[..., :1]
            return result

        rows = [
            row(LENGTH, "km", self._sums, length, None),
            row(f"{LENGTH}_ratio", "1", self._sums, ratio, 1.0),
        ]
        for lag, both, first in zip(self.tail_lags, self.both, self.first, strict=True):
            rows.append(row(f"{SHARED}_{lag}_bias", "1", np.vstack([both, first]), _apart, 0.0))
        return rows

    def remarks(self) -> list[str]:
        length = self.lengths[0]
        said = f"is {length:.4g} km" if np.isfinite(length) else "is more than half of the domain"
        return [f"correlation_length of the truth {said}"]

    def why_undefined(self, row: str) -> str | None:
        return "longer than half of the domain" if row.startswith(LENGTH) else None


def _pairs(anomaly: Array, valid: Array, axis: int, lags: tuple[int, ...]) -> tuple[Array, Array]:
    """Sums over pairs of valid cells that lie lags apart, of each sample (L, n).

    Of products of anomalies (n, y, x), 0 where not valid, and of the mean of their squares. axis: 0
    along columns, 1 along rows.
    """
    n = len(anomaly)
    a, known = (np.swapaxes(own, 1, 2) if axis else own for own in (anomaly, valid))
    step, a = a.shape[2], a.reshape(n, -1)
    squares, there = np.square(a), known.reshape(n, -1).astype(np.float64)
    products, sizes = np.zeros((2, len(lags), n))
    for place, lag in enumerate(lags):
        first, second = slice(None, -lag * step), slice(lag * step, None)
        products[place] = np.einsum("nc,nc->n", a[:, first], a[:, second])
        sizes[place] = np.einsum("nc,nc->n", squares[:, first], there[:, second])
        sizes[place] += np.einsum("nc,nc->n", there[:, first], squares[:, second])
    return products, sizes / 2


def _apart(totals: Array) -> Array:
    """Shares of events that both cells have, less the truth's, of totals (…, 2 + 2k): (…, k)."""
    both, first = np.split(totals, 2, axis=-1)
    shared = divide(both, first)
    result: Array = shared[..., 1:] - shared[..., :1]
    return result


def _fallen(distance: Array, curve: Array) -> Array:
    """Where curves (…, d) that begin at 1 first fall to 1/e; NaN if they never do."""
    below = curve <= FALL
    after = below.argmax(axis=-1)[..., None]
    known = np.isfinite(curve).cumprod(axis=-1).astype(bool)
    there = below.any(axis=-1) & np.take_along_axis(known, after, axis=-1)[..., 0]
    before = np.maximum(after - 1, 0)
    high, low = (np.take_along_axis(curve, own, axis=-1)[..., 0] for own in (before, after))
    near, far = distance[before[..., 0]], distance[after[..., 0]]
    part = (high - FALL) / np.where(there, high - low, 1.0)
    return np.where(there, near + part * (far - near), np.nan)
