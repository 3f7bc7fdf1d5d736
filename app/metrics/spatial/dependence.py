"""How cells hang together: correlation lengths, and extremes that neighbours share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from app.arrays import Array
from app.metrics.arithmetic import divide
from app.metrics.metric import Band, Block, Metric, Subject, Totals
from app.metrics.quantiles import last_axis_quantile
from app.metrics.spatial.spectra import spacing
from app.metrics.table import About

if TYPE_CHECKING:
    from app.metrics.table import Row

LAGS = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64)  # cells
TAIL_LAGS = (1, 4)  # cells along rows
TAIL = 0.95
FALL = float(np.exp(-1))
LENGTH, SHARED = "correlation_length", "tail_dependence"


class Dependence(Metric):
    """Sums over all samples, the truth first; of members their means.

    products (2, L, 1 + k), sizes (2, L, 1 + k): of anomalies of two cells that lie a lag apart
    along columns and rows, and of their squares. both, first (H, 1 + k): weights of cells beyond
    their own percentile together with a cell further along the row, and of themselves.
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
        self.products, self.sizes = np.zeros((2, 2, len(LAGS), layers))
        self.both, self.first = np.zeros((2, len(self.tail_lags), layers))

    def add(self, block: Block) -> None:
        count = np.maximum(block.valid.sum(axis=(1, 2)), 1)[:, None, None]
        for layer, stack in enumerate(block.stacks):
            for fields in stack:
                kept = np.where(block.valid, fields - np.float64(self.subject.truth.mean), 0.0)
                mean = kept.sum(axis=(1, 2), keepdims=True) / count
                anomaly = np.where(block.valid, kept - mean, 0.0)
                for axis, lags in enumerate(self.lags):
                    turned = np.swapaxes(anomaly, 1, 2) if axis else anomaly
                    valid = np.swapaxes(block.valid, 1, 2) if axis else block.valid
                    for place, lag in enumerate(lags):
                        a, b = turned[:, :-lag], turned[:, lag:]
                        known = valid[:, :-lag] & valid[:, lag:]
                        own = np.einsum("nyx,nyx->", a, b)
                        size = np.einsum("nyx,nyx,nyx->", known, a, a)
                        size += np.einsum("nyx,nyx,nyx->", known, b, b)
                        self.products[axis, place, layer] += own / len(stack)
                        self.sizes[axis, place, layer] += size / 2 / len(stack)

    def add_series(self, band: Band) -> None:
        for layer, stack in enumerate(band.stacks):
            for fields in stack:
                series = band.masked(fields)
                level = last_axis_quantile(np.moveaxis(series, 0, -1), TAIL)
                beyond = series > level
                for place, lag in enumerate(self.tail_lags):
                    pair = band.valid[:, :, :-lag] & band.valid[:, :, lag:]
                    weights = pair * self.subject.area[band.indices][:, :-lag]
                    first = beyond[:, :, :-lag]
                    both = first & beyond[:, :, lag:]
                    self.first[place, layer] += (weights * first).sum() / len(stack)
                    self.both[place, layer] += (weights * both).sum() / len(stack)

    @property
    def lengths(self) -> Array:
        """Correlation lengths in km (1 + k,); NaN where it never falls to 1/e."""
        found = []
        for axis, (lags, step) in enumerate(
            zip(self.lags, spacing(self.subject.grid), strict=True)
        ):
            curve = divide(self.products[axis, : len(lags)], self.sizes[axis, : len(lags)])
            distance = np.array([0.0, *lags]) * step
            curves = np.vstack([np.ones(curve.shape[1]), curve]).T
            found.append([_fallen(distance, own) for own in curves])
        result: Array = np.exp(np.log(np.array(found)).mean(axis=0))
        return result

    def rows(self, errors: Totals) -> list[Row]:
        truth, *candidates = self.lengths
        lengths = np.array(candidates)
        rows = [
            self.subject.row(LENGTH, "km", lengths),
            self.subject.row(f"{LENGTH}_ratio", "1", lengths / truth),
        ]
        shared = divide(self.both, self.first)
        for lag, own in zip(self.tail_lags, shared, strict=True):
            rows.append(self.subject.row(f"{SHARED}_{lag}_bias", "1", own[1:] - own[0]))
        return rows

    def remarks(self) -> list[str]:
        length = self.lengths[0]
        said = f"is {length:.4g} km" if np.isfinite(length) else "is more than half of the domain"
        return [f"correlation_length of the truth {said}"]

    def why_undefined(self, row: str) -> str | None:
        return "longer than half of the domain" if row.startswith(LENGTH) else None


def _fallen(distance: Array, curve: Array) -> float:
    """Where a curve (d,) that begins at 1 first falls to 1/e; NaN if it never does."""
    below = np.flatnonzero(curve <= FALL)
    if not len(below) or np.isnan(curve[: below[0] + 1]).any():
        return np.nan
    j = below[0]
    part = (curve[j - 1] - FALL) / (curve[j - 1] - curve[j])
    return float(distance[j - 1] + part * (distance[j] - distance[j - 1]))
