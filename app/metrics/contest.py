"""Candidates against the truth: two passes over a period that give every metric its sums."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from app.arrays import Array
from app.baselines.base import BLOCK_BYTES
from app.errors import InputError
from app.metrics.metric import Band, Block, Metric, SampleErrors, Subject, TruthRange
from app.running.disk_space import scratch

if TYPE_CHECKING:
    from app.data.description import Variable
    from app.grids import Grid
    from app.metrics.table import Row


@dataclass(frozen=True, eq=False)
class Scored:
    """One predictand: its channel, its candidates among all, its metrics, errors first."""

    channel: int
    keep: list[int]
    subject: Subject
    metrics: tuple[Metric, ...]
    label: str  # behind the names of its rows

    @property
    def errors(self) -> SampleErrors:
        first = self.metrics[0]
        assert isinstance(first, SampleErrors)
        return first

    def rows(self) -> list[Row]:
        """Rows of the table, once all sums are there."""
        found = (row for metric in self.metrics for row in metric.rows(self.errors))
        return [row.labelled(self.label) for row in found]


class Contest(ABC):
    """A period, its truth, and candidates that give fields at its times.

    names: of the candidates, the model first. split: of the period. samples: its times. layers:
    fields held of every sample and predictand. blocks: rows of the samples, in their order, that
    are read at once.
    """

    names: tuple[str, ...]
    split: str
    variables: tuple[Variable, ...]
    grid: Grid
    samples: int
    layers: int
    blocks: Sequence[Array]

    @abstractmethod
    def truth(self, indices: Array) -> Array:
        """Truth (n, y, x, C), NaN where nothing is scored."""

    @abstractmethod
    def truth_series(self, rows: slice) -> Array:
        """Truth of all samples at some rows of the grid (n, rows, x, C)."""

    @abstractmethod
    def fields(self, indices: Array) -> Array:
        """All candidates (k, n, y, x, C) float32, then the members, if several, or quantiles."""

    @abstractmethod
    def subjects(self) -> list[Scored]:
        """Every predictand with the candidates that give it, and metrics without any sums yet."""

    @abstractmethod
    def check(self, scored: Scored) -> None:
        """InputError where nothing is left to score."""

    def parted(self, layers: Array, scored: Scored) -> tuple[Array, Array | None]:
        """A predictand's own candidates (k, n, y, x), and what follows (L, n, y, x), if any."""
        behind = layers[len(self.names) :, ..., scored.channel]
        return layers[scored.keep, ..., scored.channel], behind if len(behind) else None

    def truth_ranges(self) -> list[TruthRange]:
        """Mean and range of each predictand's truth."""
        c = len(self.variables)
        total, count = np.zeros(c), np.zeros(c, dtype=np.int64)
        low, high = np.full(c, np.inf), np.full(c, -np.inf)
        for indices in self.blocks:
            truth = self.truth(indices)
            valid = np.isfinite(truth)
            axes = (0, 1, 2)
            total += np.where(valid, truth, 0.0).sum(axis=axes, dtype=np.float64)
            count += valid.sum(axis=axes)
            low = np.minimum(low, np.where(valid, truth, np.inf).min(axis=axes))
            high = np.maximum(high, np.where(valid, truth, -np.inf).max(axis=axes))
        for variable, valid_count in zip(self.variables, count, strict=True):
            if not valid_count:
                raise InputError(
                    f"{variable.name}: the {self.split} split holds no valid truth to score against"
                )
        return [
            TruthRange(float(s / n), float(a), float(b))
            for s, n, a, b in zip(total, count, low, high, strict=True)
        ]

    def run(self, scratch_folder: Path) -> list[Scored]:
        """Sums of every predictand: blocks of time first, then bands of rows."""
        found = self.subjects()
        shape = (self.layers, self.samples, *self.grid.shape, len(self.variables))
        with scratch(scratch_folder, shape) as stored:
            for indices in self.blocks:
                truth, layers = self.truth(indices), self.fields(indices)
                stored[:, indices[0] : indices[-1] + 1] = layers
                for scored in found:
                    own = truth[..., scored.channel], *self.parted(layers, scored)
                    block = Block(scored.subject, indices, *own)
                    for metric in scored.metrics:
                        metric.add(block)
            for scored in found:
                self.check(scored)
            self._add_series(found, stored)
        return found

    def _add_series(self, found: list[Scored], stored: Array) -> None:
        """Scores that need the whole period of a grid point: ranks and extremes over time."""
        y, x = self.grid.shape
        step = max(1, BLOCK_BYTES // (8 * self.samples * x * self.layers))
        for start in range(0, y, step):
            rows = slice(start, min(y, start + step))
            truth = self.truth_series(rows)
            bands = [
                Band(
                    scored.subject,
                    np.arange(rows.start, rows.stop),
                    truth[..., scored.channel],
                    *self.parted(stored[:, :, rows], scored),
                )
                for scored in found
            ]
            for place, (scored, band) in enumerate(zip(found, bands, strict=True), 1):
                for metric in scored.metrics:
                    metric.add_series(band)
                    metric.add_together(band, bands[place:])
