"""Pearson's and Spearman's correlation over space and over time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from app.arrays import Array
from app.metrics.arithmetic import divide, over_space
from app.metrics.bootstrap import TimeBlocks
from app.metrics.deterministic.spearman import correlate
from app.metrics.influence import columns_of, expanded, over_cells
from app.metrics.metric import Band, Block, Map, Metric, Subject, Totals
from app.metrics.moments import SPREAD_FLOOR, TruthMoments
from app.metrics.sampled import HIGHEST
from app.metrics.table import BY_CELL, BY_SAMPLE, About

if TYPE_CHECKING:
    from app.metrics.table import Row

SAME_CELLS = "truth or prediction is the same in all cells of each sample"
STILL = "truth or prediction does not change in time in any cell"


class Correlation(Metric):
    """Correlation of every sample over space (k, n), and of every cell over time (k, y, x).

    moved (k, b), areas (k,): what each block of samples moves Pearson's over time by, summed by
    area over the cells that have one, and their area.
    """

    summed = ("sample", "cell", "spearman", "moments", "moved", "areas")
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
        self.blocks = TimeBlocks.of(subject.times)
        self.moved, self.areas = np.zeros((k, self.blocks.count)), np.zeros(k)

    def add(self, block: Block) -> None:
        t = block.truth_anomaly
        self.moments.add(block)
        ranks = block.ordered_truth.centred_ranks
        centred, still = self._centre(block, t)
        for k in range(len(block.fields)):
            p = block.anomaly(k)
            self.cell["sum"][k] += p.sum(axis=0)
            self.cell["squares"][k] += np.square(p).sum(axis=0)
            self.cell["products"][k] += (t * p).sum(axis=0)
            own, own_still = self._centre(block, p)
            pearson = np.where(still | own_still, np.nan, correlate(centred, own))
            self.sample["pearson"][k, block.indices] = pearson
            spearman = correlate(ranks, block.ordered(k).centred_ranks)
            self.sample["spearman"][k, block.indices] = spearman

    def _centre(self, block: Block, values: Array) -> tuple[Array, Array]:
        """Anomalies times the root of their weight (n, y·x), and where they are rounding (n,)."""
        total = np.maximum(block.total_weight, np.finfo(float).tiny)
        mean = block.over_cells(values) / total
        anomalies = values - mean[:, None, None]
        anomalies *= np.sqrt(block.area if block.complete else block.weights)
        anomalies = anomalies.reshape(len(values), -1)
        floor = SPREAD_FLOOR * (np.abs(mean) + abs(self.subject.truth.mean))
        return anomalies, _constant(anomalies, floor)

    def add_series(self, band: Band) -> None:
        ranks = band.ordered_truth.centred_ranks
        for k in range(len(band.fields)):
            own = band.ordered(k).centred_ranks
            self.spearman[k, band.indices] = correlate(ranks, own)
            for part in columns_of(band.truth):
                self._move(band, k, part)

    def _move(self, band: Band, k: int, columns: slice) -> None:
        """Add what blocks of samples move Pearson's correlation of a candidate over time by.

        z_t·z_p - r/2 (z_t² + z_p²) of standardised values z, multiplied out.
        """
        t, p = band.truth_anomaly[..., columns], band.anomaly(k)[..., columns]
        valid = band.valid[..., columns]
        count = np.maximum(valid.sum(axis=0), 1)
        parts = t, p, t * t, p * p, t * p
        mean, own, squares, own_squares, products = (part.sum(axis=0) / count for part in parts)
        variance, own_variance = squares - mean**2, own_squares - own**2
        origin = abs(self.subject.truth.mean)
        varies = np.minimum(
            variance - (SPREAD_FLOOR * (np.abs(mean) + origin)) ** 2,
            own_variance - (SPREAD_FLOOR * (np.abs(own) + origin)) ** 2,
        )
        area = np.where(varies > 0, band.area[:, columns], 0.0)
        share = area * len(t) / count
        variance, own_variance = (np.where(area > 0, v, 1.0) for v in (variance, own_variance))
        size = np.sqrt(variance * own_variance)
        r = (products - mean * own) / size
        slopes = (
            *(r * mean / variance - own / size, r * own / own_variance - mean / size),
            *(-r / (2 * variance), -r / (2 * own_variance), 1 / size),
        )
        pairs = zip(parts, slopes, strict=True)
        moved = sum(over_cells(part, share * slope) for part, slope in pairs)
        if not band.complete:
            middle = mean * own / size - r / 2 * (mean**2 / variance + own**2 / own_variance)
            moved = moved + over_cells(valid, share * middle)
        self.moved[k] += self.blocks.moved(np.asarray(moved))
        self.areas[k] += float(area.sum())

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
            rows.append(self._in_time(name, *in_time.T))
        return rows

    def _in_time(self, name: str, values: Array, spreads: Array) -> Row:
        """A row of correlations over time (k,); Pearson's bounded by what moves it."""
        row = f"{name}_time"
        if name != "pearson":
            return self.subject.row(row, "1", values, spreads)
        moved = np.nan_to_num(divide(self.moved, self.areas[:, None]))
        made = expanded(self.subject.candidates, values, moved, HIGHEST, self.blocks.span)
        return self.subject.sampled_row(row, "1", made, spreads)

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


def _constant(values: Array, floor: Array) -> Array:
    """Whether the spread of values (n, c) is no more than rounding (n,)."""
    squares = np.einsum("nc,nc->n", values, values)
    result: Array = squares <= floor**2 * values.shape[-1]
    return result
