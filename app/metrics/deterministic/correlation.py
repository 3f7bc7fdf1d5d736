"""Pearson's and Spearman's correlation over space and over time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from app.arrays import Array
from app.metrics.arithmetic import divide, over_space
from app.metrics.deterministic.spearman import centred_ranks, correlate
from app.metrics.metric import Band, Block, Map, Metric, Subject, Totals
from app.metrics.moments import SPREAD_FLOOR, TruthMoments
from app.metrics.table import BY_CELL, BY_SAMPLE, About

if TYPE_CHECKING:
    from app.metrics.table import Row

SAME_CELLS = "truth or prediction is the same in all cells of each sample"
STILL = "truth or prediction does not change in time in any cell"


class Correlation(Metric):
    """Correlation of every sample over space (k, n), and of every cell over time (k, y, x)."""

    summed = ("sample", "cell", "spearman", "moments")
    about: ClassVar[Mapping[str, About]] = {
        "pearson": About(
            "correlation over space",
            "cov(x̂, x) / sqrt(var x̂ · var x)",
            "area-weighted population moments of each sample",
            order=BY_SAMPLE,
        ),
        "pearson_time": About(
            "correlation over time",
            "cov(x̂, x) / sqrt(var x̂ · var x)",
            "population moments of each cell",
            order=BY_CELL,
        ),
        "spearman": About(
            "rank correlation over space",
            "Pearson correlation of ranks",
            "ties share their mean rank",
            "none within a sample",
            BY_SAMPLE,
        ),
        "spearman_time": About(
            "rank correlation over time",
            "Pearson correlation of ranks",
            "ties share their mean rank",
            order=BY_CELL,
        ),
    }
    definitions = (
        "pearson (area-weighted), spearman (unweighted): mean over samples of the correlation"
        " over space; _time: area-weighted mean (_std: standard deviation over grid points) of the"
        " correlation over time.",
    )
    undefined: ClassVar[dict[str, str]] = {
        "pearson": SAME_CELLS,
        "spearman": SAME_CELLS,
        "pearson_time": STILL,
        "spearman_time": STILL,
    }

    def __init__(self, subject: Subject) -> None:
        super().__init__(subject)
        k, shape = len(subject.candidates), subject.area.shape
        self.sample = {name: subject.per_sample(k) for name in ("pearson", "spearman")}
        self.cell = {name: np.zeros((k, *shape)) for name in ("sum", "squares", "products")}
        self.spearman = np.zeros((k, *shape))
        self.moments = TruthMoments(subject)

    def add(self, block: Block) -> None:
        t, weights = block.truth_anomaly, block.weights
        self.moments.add(block)
        ranks = _flat_ranks(block.truth, block.valid)
        centred, floor = self._centre(t, weights)
        for k, field in enumerate(block.fields):
            p = block.anomaly(k)
            self.cell["sum"][k] += p.sum(axis=0)
            self.cell["squares"][k] += np.einsum("nyx,nyx->yx", p, p)
            self.cell["products"][k] += np.einsum("nyx,nyx->yx", t, p)
            own, own_floor = self._centre(p, weights)
            pearson = np.where(
                _constant(centred, floor) | _constant(own, own_floor),
                np.nan,
                correlate(centred, own),
            )
            self.sample["pearson"][k, block.indices] = pearson
            spearman = correlate(ranks, _flat_ranks(field, block.valid))
            self.sample["spearman"][k, block.indices] = spearman

    def _centre(self, values: Array, weights: Array) -> tuple[Array, Array]:
        """Anomalies times the root of their weight (n, y·x), and the spread that is rounding."""
        total = np.maximum(weights.sum(axis=(1, 2)), np.finfo(float).tiny)
        mean = np.einsum("nyx,nyx->n", weights, values) / total
        anomalies = np.sqrt(weights) * (values - mean[:, None, None])
        floor = SPREAD_FLOOR * (np.abs(mean) + abs(self.subject.truth.mean))
        return anomalies.reshape(len(values), -1), floor

    def add_series(self, band: Band) -> None:
        valid = np.ascontiguousarray(np.moveaxis(band.valid, 0, -1))
        ranks = centred_ranks(np.moveaxis(band.truth, 0, -1), valid)
        for k, field in enumerate(band.fields):
            own = centred_ranks(np.moveaxis(field, 0, -1), valid)
            self.spearman[k, band.indices] = correlate(ranks, own)

    def _over_time(self) -> dict[str, Array]:
        """Correlations of every cell (k, y, x), NaN where nothing varies."""
        mean, variance, varies = self.moments.variance()
        cell = {name: divide(sums, self.moments.count) for name, sums in self.cell.items()}
        own = cell["squares"] - cell["sum"] ** 2
        covariance = cell["products"] - mean * cell["sum"]
        origin = abs(self.subject.truth.mean)
        own_floor = (SPREAD_FLOOR * (np.abs(cell["sum"]) + origin)) ** 2
        both = np.where(varies & (own > own_floor), variance * own, 0.0)
        return {"pearson": divide(covariance, np.sqrt(both)), "spearman": self.spearman}

    def rows(self, errors: Totals) -> list[Row]:
        rows = []
        over_time = self._over_time()
        for name, series in self.sample.items():
            rows.append(self.subject.score_row(name, "1", series))
            in_time = np.array([over_space(self.subject.area, own) for own in over_time[name]])
            rows.append(self.subject.row(f"{name}_time", "1", *in_time.T))
        return rows

    def series(self, errors: Totals) -> dict[str, Array]:
        return {"pearson": self.sample["pearson"]}

    def maps(self, errors: Totals) -> list[Map]:
        found = self._over_time()
        ranks = "Pearson correlation of ranks, ties averaged"
        return [
            Map(
                "pearson",
                found["pearson"],
                "1",
                "Pearson correlation over time",
                "population moments over time",
            ),
            Map("spearman", found["spearman"], "1", "Spearman correlation over time", ranks),
        ]


def _flat_ranks(values: Array, valid: Array) -> Array:
    flat = (len(values), -1)
    return centred_ranks(values.reshape(flat), valid.reshape(flat))


def _constant(values: Array, floor: Array) -> Array:
    """Whether the spread of values (n, c) is no more than rounding (n,)."""
    result: Array = np.square(values).mean(axis=-1) <= floor**2
    return result
