"""Scores by the size of the true value: bins of equal width, and what is rarer still."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from app.arrays import Array
from app.data.times import DAY, Stamps
from app.metrics.arithmetic import divide
from app.metrics.bootstrap import interval, resampled_sums
from app.metrics.climate import BINS, LEVELS, MIN_DAYS, BinScores, Histogram
from app.metrics.metric import Block, Metric, Sheet, Subject

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from app.metrics.metric import Result

MARGIN = 0.25  # of the training range, by which histograms reach beyond it on either side
BIN_COLUMNS = ("variable", "bin", "lower", "upper", "unit", "days", "share", "candidate")
SCORES = ("rmse", "rmse_low", "rmse_high", "mae", "bias")
QUANTILE_COLUMNS = ("variable", "unit", "level", "truth", "candidate", "value", "bias")


# Of bins.nc: long name, formula and unit.
VARIABLES = {
    "squares": ("area-weighted sum of squared errors", "Σ a (x̂ - x)²", "({})2"),
    "absolute": ("area-weighted sum of absolute errors", "Σ a |x̂ - x|", "{}"),
    "weight": ("sum of the areas of values", "Σ a", "1"),
    "days": ("number of days with a value", "days with Σ a > 0", "1"),
}


class ValueBins(Metric):
    """Sums of one predictand by bin and sample, on the values that all scores use."""

    summed = ("weight", "sums", "truth", "fields")

    def __init__(self, subject: Subject) -> None:
        super().__init__(subject)
        climate = subject.climate
        assert climate is not None
        self.bins = climate.bins
        k, b = len(subject.candidates), len(self.bins)
        ends = np.array([(low, high) for _, low, high in self.bins])
        self.edges = np.unique(ends[np.isfinite(ends)])  # between intervals
        lowest = np.concatenate([[-np.inf], self.edges])
        # whether each interval is in each bin (b, i)
        self.holds = (ends[:, :1] <= lowest) & (lowest < ends[:, 1:])
        self.weight = subject.per_sample(b)
        names = ("squares", "absolute", "error")
        self.sums = {name: subject.per_sample(k, b) for name in names}
        margin = MARGIN * (climate.high - climate.low)
        bounds = climate.low - margin, climate.high + margin
        self.truth = Histogram.empty(*bounds)
        self.fields = [Histogram.empty(*bounds) for _ in subject.candidates]

    @classmethod
    def suits(cls, subject: Subject) -> bool:
        return subject.climate is not None

    def add(self, block: Block) -> None:
        indices, weights = block.indices, block.weights
        place = self._place(block.truth)
        self.weight[:, indices] = self._by_bin(place, weights)
        for k in range(len(block.fields)):
            e = block.error(k)
            for name, values in (("squares", np.square(e)), ("absolute", np.abs(e)), ("error", e)):
                self.sums[name][k][:, indices] = self._by_bin(place, weights * values)
        valid = ... if block.complete else block.valid
        self.truth.add(block.truth[valid])
        for histogram, stack in zip(self.fields, block.versions, strict=True):
            for version in stack:
                histogram.add(version[valid])

    def _place(self, truth: Array) -> Array:
        """Number, counted over all samples, of the interval between edges that a value is in."""
        steps = len(self.edges) + 1
        place = np.repeat(np.arange(len(truth)) * steps, truth[0].size).reshape(truth.shape)
        for edge in self.edges:
            place += truth >= edge
        return place

    def _by_bin(self, place: Array, weighted: Array) -> Array:
        """Sums (b, n) of values (n, y, x) by bin, whose intervals are side by side or overlap."""
        n, steps = len(weighted), len(self.edges) + 1
        sums = np.bincount(place.ravel(), weighted.ravel(), n * steps).reshape(n, steps)
        result: Array = self.holds @ sums.T
        return result

    def result(self) -> BinScores:
        """Scores of the bins, their intervals from a bootstrap over days."""
        day = Stamps.of(self.subject.times).seconds // DAY
        days = np.array([len(np.unique(day[held > 0])) for held in self.weight])
        total = self.weight.sum(axis=1)
        enough = days >= MIN_DAYS

        def mean(name: str) -> Array:
            return np.where(enough, divide(self.sums[name].sum(axis=2), total), np.nan)

        low, high = self._intervals(day, enough)
        return BinScores(
            candidates=self.subject.candidates,
            bins=self.bins,
            days=days,
            share=total / self.weight[:BINS].sum(),
            rmse=np.sqrt(mean("squares")),
            rmse_low=low,
            rmse_high=high,
            mae=mean("absolute"),
            bias=mean("error"),
            truth_quantiles=self.truth.quantiles(LEVELS),
            quantiles=np.stack([h.quantiles(LEVELS) for h in self.fields]),
            squares=self.sums["squares"],
            absolute=self.sums["absolute"],
            weight=self.weight,
        )

    def _intervals(self, day: Array, enough: Array) -> tuple[Array, Array]:
        k, b = len(self.subject.candidates), len(self.bins)
        ends = np.full((2, k, b), np.nan)
        for j in np.flatnonzero(enough):
            columns = np.column_stack([self.sums["squares"][:, j].T, self.weight[j]])
            drawn = resampled_sums(by_day(columns, day), 1)
            if drawn is not None:
                rmse = np.sqrt(divide(drawn[:, :-1], drawn[:, -1:]))
                for i in range(k):
                    ends[:, i, j] = interval(rmse[:, i])
        return ends[0], ends[1]

    @cached_property
    def scores(self) -> BinScores:
        """The result, once all blocks are in."""
        return self.result()

    def tables(self) -> dict[str, Sheet]:
        return {
            "bins": Sheet((*BIN_COLUMNS, *SCORES), list(self._bin_rows())),
            "quantiles": Sheet(QUANTILE_COLUMNS, list(self._quantile_rows())),
        }

    def _bin_rows(self) -> Iterator[list[object]]:
        name, unit, scores = self.subject.variable.name, self.subject.unit, self.scores
        for b, (label, low, high) in enumerate(scores.bins):
            head = [name, label, low, high, unit, scores.days[b], scores.share[b]]
            for k, candidate in enumerate(scores.candidates):
                yield [*head, candidate, *(getattr(scores, score)[k, b] for score in SCORES)]

    def _quantile_rows(self) -> Iterator[list[object]]:
        name, unit, scores = self.subject.variable.name, self.subject.unit, self.scores
        for q, level in enumerate(LEVELS):
            truth = scores.truth_quantiles[q]
            for k, candidate in enumerate(scores.candidates):
                value = scores.quantiles[k, q]
                yield [name, unit, level, truth, candidate, value, value - truth]

    def datasets(self) -> dict[str, xr.Dataset]:
        """Sums by sample, with which runs are compared bin by bin."""
        name, scores, times = self.subject.variable.name, self.scores, Stamps.of(self.subject.times)
        dims = (f"{name}_candidate", f"{name}_bin", "time")
        labels = [label for label, _, _ in scores.bins]
        coordinates = {dims[0]: list(scores.candidates), dims[1]: labels}
        content = {
            f"{name}_{kind}": xr.DataArray(getattr(scores, kind), coordinates, dims)
            for kind in ("squares", "absolute")
        }
        content[f"{name}_weight"] = xr.DataArray(scores.weight, dims=dims[1:])
        content[f"{name}_days"] = xr.DataArray(scores.days, dims=dims[1])
        unit, none = self.subject.unit, self.subject.unit == "1"
        for kind, (text, formula, of) in VARIABLES.items():
            content[f"{name}_{kind}"].attrs = {
                "long_name": f"{text} of {name} by bin of the true value",
                "units": "1" if none else of.format(unit),
                "formula": formula,
                "estimator": "sum over the values of a bin",
                "weighting": "none" if kind == "days" else "cell areas, mean 1",
                "order_of_reduction": "space within each sample; time is not reduced",
                "n": f"{self.subject.samples} samples",
            }
        dataset = xr.Dataset(content)
        dataset = dataset.assign_coords(time=self.subject.times)
        dataset["seconds"] = (
            "time",
            times.seconds,
            {"long_name": f"since 1970, {times.calendar}"},
        )
        return {"bins": dataset}

    def figures(self, result: Result) -> dict[str, Figure]:
        from app.metrics.drawing.bins import bins_chart

        return {"bins": bins_chart(self.scores, result)}


def by_day(columns: Array, day: Array) -> Array:
    """Sums (d, c) of per-sample columns (n, c) over the samples of each day."""
    _, place = np.unique(day, return_inverse=True)
    out = np.zeros((place.max() + 1, columns.shape[1]))
    np.add.at(out, place, columns)
    return out
