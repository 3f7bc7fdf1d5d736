"""The distribution of values: quantiles of every cell, Q-Q, and Wasserstein distances."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from app.arrays import Array
from app.metrics.arithmetic import over_space
from app.metrics.climatic.cells import CellStatistics
from app.metrics.climatic.days import mean_known
from app.metrics.metric import Band, Block, Map, Sheet, Subject, Totals
from app.metrics.quantiles import last_axis_quantiles
from app.metrics.sketch import Distribution
from app.metrics.table import BY_CELL, About

if TYPE_CHECKING:
    from app.metrics.table import Row

PERCENTILES = (1.0, 5.0, 10.0, 25.0, 50.0, 75.0, 90.0, 95.0, 98.0, 99.0, 99.9)
LEVELS = np.array([0.0, 0.001, 0.01, *np.arange(0.05, 0.96, 0.05), 0.99, 0.999, 1.0])  # of Q-Q
COLUMNS = ("variable", "unit", "level", "truth", "candidate", "value", "bias")
NAMES = {f"quantile_p{percent:g}": percent / 100 for percent in PERCENTILES}


class ValueDistribution(CellStatistics):
    """Quantiles by cell, distances (k, y, x), and the distribution of all values, truth first."""

    summed = ("found", "distances", "values")
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
        "wasserstein_cells": About(
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
        self.distances = np.zeros((len(subject.candidates), *subject.area.shape))
        layers = 1 + len(subject.candidates)
        self.values = [Distribution(subject.truth.mean) for _ in range(layers)]

    def units_of(self, subject: Subject) -> dict[str, str]:
        return dict.fromkeys(NAMES, subject.unit)

    def statistics(self, series: Array, level: Array) -> dict[str, Array]:
        found = last_axis_quantiles(np.moveaxis(series, 0, -1), tuple(NAMES.values()))
        return dict(zip(NAMES, found, strict=True))

    def add(self, block: Block) -> None:
        for own, stack in zip(self.values, block.stacks, strict=True):
            for fields in stack:
                own.add(fields[block.valid])

    def add_series(self, band: Band) -> None:
        super().add_series(band)
        truth, *candidates = (
            [np.sort(band.masked(series), axis=0) for series in stack] for stack in band.stacks
        )
        for k, stack in enumerate(candidates):
            apart = [mean_known(np.abs(series - truth[0])) for series in stack]
            self.distances[k, band.indices] = np.mean(apart, axis=0)

    def rows(self, errors: Totals) -> list[Row]:
        subject, (truth, *candidates) = self.subject, self.values
        cells = np.array([over_space(subject.area, own) for own in self.distances])
        apart = np.array([truth.distance(own) for own in candidates])
        return [
            *super().rows(errors),
            subject.row("wasserstein", subject.unit, apart),
            subject.row("wasserstein_cells", subject.unit, *cells.T),
        ]

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
