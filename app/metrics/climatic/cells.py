"""Metrics that compare a statistic over time of every cell with the truth's."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from app.arrays import Array
from app.metrics.arithmetic import over_space
from app.metrics.metric import Band, Map, Metric, Subject, Totals

if TYPE_CHECKING:
    from app.metrics.table import Row


class CellStatistics(Metric):
    """Statistics of every cell's series; of members their mean.

    found: by name, (1 + k, y, x), the truth first. units: by name.
    """

    summed: ClassVar[tuple[str, ...]] = ("found",)
    core = False

    def __init__(self, subject: Subject) -> None:
        super().__init__(subject)
        self.units = self.units_of(subject)
        shape = 1 + len(subject.candidates), *subject.area.shape
        self.found = {name: np.zeros(shape) for name in self.units}

    @abstractmethod
    def units_of(self, subject: Subject) -> dict[str, str]:
        """Names of the statistics and their units."""

    @abstractmethod
    def statistics(self, series: Array, level: Array) -> dict[str, Array]:
        """Every statistic (y, x) of series (n, y, x) float64, NaN where nothing is scored.

        `level` (y, x): see `level_of`.
        """

    def level_of(self, truth: Array) -> Array:
        """What statistics take from the truth's series (n, y, x), such as a percentile (y, x)."""
        return np.zeros(truth.shape[1:])

    def add_series(self, band: Band) -> None:
        if not self.units:
            return
        level = self.level_of(band.masked(band.truth))
        for layer, stack in enumerate(band.stacks):
            for series in stack:
                for name, values in self.statistics(band.masked(series), level).items():
                    self.found[name][layer, band.indices] += values / len(stack)

    def bias(self, name: str) -> Array:
        """A statistic of the candidates less the truth's (k, y, x)."""
        result: Array = self.found[name][1:] - self.found[name][0]
        return result

    def rows(self, errors: Totals) -> list[Row]:
        found = []
        for name, unit in self.units.items():
            bias = np.array([over_space(self.subject.area, own) for own in self.bias(name)])
            found.append(self.subject.row(f"{name}_bias", unit, *bias.T))
        return found

    def maps(self, errors: Totals) -> list[Map]:
        return [
            Map(
                f"{name}_bias",
                self.bias(name),
                unit,
                f"{self.about[name].long_name if name in self.about else name} less the truth's",
                "statistic over time of each series, then the difference",
            )
            for name, unit in self.units.items()
        ]
