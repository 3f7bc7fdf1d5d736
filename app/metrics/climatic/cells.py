"""Metrics that compare a statistic over time of every cell with the truth's."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from app.arrays import Array
from app.metrics.arithmetic import divide, over_space
from app.metrics.bootstrap import TimeBlocks
from app.metrics.influence import expanded, ratio_influence
from app.metrics.metric import Band, Map, Metric, Subject, Totals

if TYPE_CHECKING:
    from app.metrics.table import Row


@dataclass(frozen=True, eq=False)
class Measured:
    """A statistic of every cell (y, x), and what each block of samples moves it by (b,).

    moved: see `app.metrics.influence`; the sum over cells by area, to be divided by that of the
    cells that have a value. None where that is not known.
    """

    values: Array
    moved: Array | None = None

    @classmethod
    def of_ratio(
        cls, above: Array, below: Array, area: Array, blocks: TimeBlocks | None = None
    ) -> Measured:
        """The ratio of the sums over rows of two fields (m, y, x).

        The rows are blocks, or samples that lie in them.
        """
        moved = ratio_influence(above, below, area)
        values = divide(above.sum(axis=0), below.sum(axis=0))
        return cls(values, moved if blocks is None else blocks.moved(moved))


def moved_row(
    subject: Subject, name: str, unit: str, biases: Array, moved: Array, blocks: TimeBlocks
) -> Row:
    """A row of biases and their spreads over cells (k, 2), bounded by what moves them.

    moved (1 + k, b): the truth and the candidates by block, not finite where that is not known.
    """
    values, spreads = biases.T
    if not np.isfinite(moved).all():
        return subject.row(name, unit, values, spreads)
    made = expanded(subject.candidates, values, moved[1:] - moved[0], 0.0, blocks.span)
    return subject.sampled_row(name, unit, made, spreads)


class CellStatistics(Metric):
    """Statistics of every cell's series; of members their mean.

    found: by name, (1 + k, y, x), the truth first. moved: by name, (1 + k, b). areas: by name,
    (1 + k,), of the cells that moved stands for. units: by name.
    """

    summed: ClassVar[tuple[str, ...]] = ("found", "moved", "areas")
    core = False

    def __init__(self, subject: Subject) -> None:
        super().__init__(subject)
        self.units = self.units_of(subject)
        self.blocks = self.blocks_of(subject)
        layers = 1 + len(subject.candidates)
        self.found = {name: np.zeros((layers, *subject.area.shape)) for name in self.units}
        self.moved = {name: np.zeros((layers, self.blocks.count)) for name in self.units}
        self.areas = {name: np.zeros(layers) for name in self.units}

    @abstractmethod
    def units_of(self, subject: Subject) -> dict[str, str]:
        """Names of the statistics and their units."""

    def blocks_of(self, subject: Subject) -> TimeBlocks:
        """Blocks of samples that are resampled."""
        return TimeBlocks.of(subject.times)

    @abstractmethod
    def measured(self, series: Array, level: Array, area: Array) -> dict[str, Measured]:
        """Every statistic of series (n, y, x) float64, NaN where nothing is scored.

        `level` (y, x): see `level_of`. `area` (y, x) of the cells.
        """

    def level_of(self, truth: Array) -> Array:
        """What statistics take from the truth's series (n, y, x), such as a percentile (y, x)."""
        return np.zeros(truth.shape[1:])

    def add_series(self, band: Band) -> None:
        if not self.units:
            return
        level, area = self.level_of(band.masked(band.truth)), self.subject.area[band.indices]
        for layer, stack in enumerate(band.stacks):
            for series in stack:
                self.put(band, layer, self.measured(band.masked(series), level, area), len(stack))

    def put(self, band: Band, layer: int, measured: Mapping[str, Measured], versions: int) -> None:
        """Take in the statistics of one of the versions of the truth, 0, or of a candidate."""
        for name, own in measured.items():
            self.found[name][layer, band.indices] += own.values / versions
            moved = np.nan if own.moved is None else own.moved
            self.moved[name][layer] += moved / versions
            known = np.isfinite(own.values)
            self.areas[name][layer] += (band.area * known).sum() / versions

    def bias(self, name: str) -> Array:
        """A statistic of the candidates less the truth's (k, y, x)."""
        result: Array = self.found[name][1:] - self.found[name][0]
        return result

    def rows(self, errors: Totals) -> list[Row]:
        found = []
        for name, unit in self.units.items():
            bias = np.array([over_space(self.subject.area, own) for own in self.bias(name)])
            moved = divide(self.moved[name], self.areas[name][:, None])
            found.append(moved_row(self.subject, f"{name}_bias", unit, bias, moved, self.blocks))
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
