"""The distribution of values: quantiles of every cell, Q-Q, and Wasserstein distances."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from app.arrays import Array
from app.metrics.arithmetic import over_space
from app.metrics.climatic.cells import CellStatistics, Measured
from app.metrics.climatic.days import mean_known
from app.metrics.influence import expanded, quantiles_moved, transported
from app.metrics.metric import Band, Block, Map, Sheet, Subject, Totals
from app.metrics.ordered import Ordered
from app.metrics.sampled import LOWEST
from app.metrics.sketch import Distribution
from app.metrics.table import BY_CELL, About

if TYPE_CHECKING:
    from app.metrics.table import Row

PERCENTILES = (1.0, 5.0, 10.0, 25.0, 50.0, 75.0, 90.0, 95.0, 98.0, 99.0, 99.9)
LEVELS = np.array([0.0, 0.001, 0.01, *np.arange(0.05, 0.96, 0.05), 0.99, 0.999, 1.0])  # of Q-Q
COLUMNS = ("variable", "unit", "level", "truth", "candidate", "value", "bias")
CELLS = "wasserstein_cells"
FOLLOWED = 2**18  # values of a candidate in the cells whose samples are followed for intervals
NAMES = {f"quantile_p{percent:g}": percent / 100 for percent in PERCENTILES}


class ValueDistribution(CellStatistics):
    """Quantiles by cell, distances (k, y, x), and the distribution of all values, truth first."""

    summed = (*CellStatistics.summed, "distances", "values", "apart", "cells", "kept")
    about: ClassVar[Mapping[str, About]] = {
        "quantile_": About(
            "percentile over time less the truth's",
            "P(x̂) - P(x)",
            "linear between order statistics",
            order=BY_CELL,
        ),
        "wasserstein": About(
            "Wasserstein distance of all values",
            "∫|F̂ - F|",
            "exact up to 2097152 values, then by bins of 2⁻⁹ of a value; members together",
            "none",
        ),
        CELLS: About(
            "Wasserstein distance over time", "∫|F̂ - F|", "series of each cell", order=BY_CELL
        ),
    }
    definitions = (
        "quantile_pX_bias: area-weighted mean of the percentile over time less the truth's."
        " wasserstein: mean distance of the values in order, of all of them together;"
        " wasserstein_cells: of the series of each cell. qq.csv has the quantiles of all values.",
    )

    def __init__(self, subject: Subject) -> None:
        super().__init__(subject)
        k = len(subject.candidates)
        self.distances = np.zeros((k, *subject.area.shape))
        self.values = [Distribution(subject.truth.mean) for _ in range(1 + k)]
        self.apart, self.cells = np.zeros((k, self.blocks.count)), 0.0
        versions = max(1, subject.members)
        self.every = -(-subject.area.size * subject.samples * versions // FOLLOWED)
        shape = subject.samples, -(-subject.area.size // self.every)
        layers = (1, versions, *[1] * (k - 1))
        self.kept = [np.zeros((own, *shape), np.float32) for own in layers]

    def units_of(self, subject: Subject) -> dict[str, str]:
        return dict.fromkeys(NAMES, subject.unit)

    def _quantiles(self, series: Array, ordered: Ordered, area: Array) -> dict[str, Measured]:
        """The percentiles of series (n, y, x), given also in order."""
        values, moved = quantiles_moved(series, tuple(NAMES.values()), area, ordered.quantiles)
        pairs = zip(values, self.blocks.moved(moved), strict=True)
        return {name: Measured(*pair) for name, pair in zip(NAMES, pairs, strict=True)}

    def add(self, block: Block) -> None:
        for own, stack in zip(self.values, block.stacks, strict=True):
            for fields in stack:
                own.add(fields if block.complete else fields[block.valid])

    def add_series(self, band: Band) -> None:
        area = band.area
        truth, *candidates = ([band.masked(series) for series in stack] for stack in band.stacks)
        ranked = [[band.ordered_truth], *map(list, band.ordered_versions())]
        for layer, (stack, orders) in enumerate(zip((truth, *candidates), ranked, strict=True)):
            for series, ordered in zip(stack, orders, strict=True):
                own_quantiles = self._quantiles(series, ordered, area)
                self.put(band, layer, own_quantiles, len(stack))
        width = area.shape[1]
        place = band.indices[:, None] * width + np.arange(width)
        followed = place % self.every == 0
        columns = place[followed] // self.every
        for kept, stack in zip(self.kept, ([truth[0]], *candidates), strict=True):
            for own, series in zip(kept, stack, strict=True):
                own[:, columns] = series[:, followed]
        followed &= np.isfinite(truth[0]).any(axis=0)
        self.cells += float(area[followed].sum())
        for k, (stack, orders) in enumerate(zip(candidates, ranked[1:], strict=True)):
            for series, ordered in zip(stack, orders, strict=True):
                apart = np.subtract(ordered.values, band.ordered_truth.values, dtype=np.float64)
                distance = mean_known(np.moveaxis(np.abs(apart, out=apart), -1, 0))
                self.distances[k, band.indices] += distance / len(stack)
                pair = truth[0][:, followed], series[:, followed]
                moved = transported(*pair) @ area[followed]
                self.apart[k] += self.blocks.moved(moved) / len(stack)

    def rows(self, errors: Totals) -> list[Row]:
        subject, (truth, *candidates) = self.subject, self.values
        cells = np.array([over_space(subject.area, own) for own in self.distances])
        apart = np.array([truth.distance(own) for own in candidates])
        return [
            *super().rows(errors),
            self._of_values(apart),
            self._of_cells(cells),
        ]

    def _of_values(self, values: Array) -> Row:
        """The distances of all values (k,), bounded by what moves those of the cells followed."""
        truth, *candidates = self.kept
        moved = []
        for own in candidates:
            pair = np.broadcast_to(truth, own.shape).reshape(-1, 1), own.reshape(-1, 1)
            by_sample = transported(*pair).reshape(own.shape).mean(axis=(0, 2))
            moved.append(self.blocks.moved(by_sample))
        subject = self.subject
        made = expanded(subject.candidates, values, np.array(moved), LOWEST, self.blocks.span)
        return subject.sampled_row("wasserstein", subject.unit, made)

    def _of_cells(self, cells: Array) -> Row:
        """The mean distance of cells and their spread (k, 2), bounded by what moves it."""
        subject, (values, spreads) = self.subject, cells.T
        if not self.cells:
            return subject.row(CELLS, subject.unit, values, spreads)
        moved = self.apart / self.cells
        made = expanded(subject.candidates, values, moved, LOWEST, self.blocks.span)
        return subject.sampled_row(CELLS, subject.unit, made, spreads)

    def maps(self, errors: Totals) -> list[Map]:
        told = "Wasserstein distance over time", "mean distance of the values in order"
        return [
            *super().maps(errors),
            Map("wasserstein", self.distances, self.subject.unit, *told),
        ]

    def tables(self) -> dict[str, Sheet]:
        truth, *candidates = (own.quantiles(LEVELS) for own in self.values)
        head = [self.subject.variable.name, self.subject.unit]
        lines: list[list[object]] = [
            [*head, float(level), float(known), name, float(value), float(value - known)]
            for name, own in zip(self.subject.candidates, candidates, strict=True)
            for level, known, value in zip(LEVELS, truth, own, strict=True)
        ]
        return {"qq": Sheet(COLUMNS, lines)}
