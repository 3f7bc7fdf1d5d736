"""Candidates against the truth: two passes over a period that give every metric its sums."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict, TypeVar

import numpy as np

from app.arrays import Array
from app.baselines.base import BLOCK_BYTES
from app.distributed.exchange import ALONE, Exchange
from app.errors import InputError
from app.metrics.confidence import Comparison, Confidence, confidence_of, sentences
from app.metrics.metric import Band, Block, Metric, SampleErrors, Subject, TruthRange
from app.metrics.stored import StoredFields
from app.ranks import Ranks
from app.running.progress import told

if TYPE_CHECKING:
    from app.data.description import Variable
    from app.grids import Grid

Item = TypeVar("Item")

CACHED_BYTES = 2**19  # of a float64 array: metrics make several passes over some of these


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

    @cached_property
    def confidence(self) -> Confidence:
        """Rows of the table with their intervals, and what they tell, once all sums are there."""
        rows = [row for metric in self.metrics for row in metric.rows(self.errors)]
        found = confidence_of(rows, self.subject)
        return Confidence(
            tuple(row.labelled(self.label) for row in found.rows),
            tuple(one.labelled(self.label) for one in found.comparisons),
        )


class Compared(TypedDict):
    """What candidates tell of each other: fields of `app.metrics.scores.Scores`."""

    comparisons: tuple[Comparison, ...]
    compared: tuple[str, ...]


def compared_in(found: Sequence[Scored]) -> Compared:
    """The comparisons of all predictands, and what they tell of the model."""
    return {
        "comparisons": tuple(c for one in found for c in one.confidence.comparisons),
        "compared": tuple(
            line for one in found for line in sentences(one.confidence.comparisons, one.subject)
        ),
    }


class Contest(ABC):
    """A period, its truth, and candidates that give fields at its times.

    names: of the candidates, the model first. split: of the period. samples: its times. layers:
    fields of candidates held of every sample and predictand. blocks: rows of the samples, in
    their order, that are read at once, at least as many as there are ranks where samples suffice.
    exchange: of the ranks that share the work.
    """

    names: tuple[str, ...]
    split: str
    variables: tuple[Variable, ...]
    grid: Grid
    samples: int
    layers: int
    blocks: Sequence[Array]
    exchange: Exchange = ALONE

    @abstractmethod
    def truth(self, indices: Array) -> Array:
        """Truth (n, y, x, C), NaN where nothing is scored."""

    @abstractmethod
    def fields(self, indices: Array) -> Array:
        """All candidates (k, n, y, x, C) float32, then the members, if several, or quantiles."""

    @abstractmethod
    def subjects(self, ranges: list[TruthRange]) -> list[Scored]:
        """Every predictand with the candidates that give it, and metrics without any sums yet.

        ranges: of each predictand's truth.
        """

    @abstractmethod
    def check(self, scored: Scored) -> None:
        """InputError where nothing is left to score."""

    def parted(self, layers: Array, scored: Scored) -> tuple[Array, Array | None]:
        """A predictand's own candidates (k, n, y, x), and what follows (L, n, y, x), if any."""
        behind = layers[len(self.names) :, ..., scored.channel]
        return layers[scored.keep, ..., scored.channel], behind if len(behind) else None

    def run(self, scratch_folder: Path) -> list[Scored] | None:
        """Sums of every predictand: of this rank's blocks of time, then of its bands of rows.

        Of all ranks on the first one; None on the others. Raises InputError for a predictand that
        leaves nothing to score.
        """
        exchange = self.exchange
        ranks = [replace(exchange.ranks, rank=rank) for rank in range(exchange.ranks.size)]
        shares = [self._times_of(one) for one in ranks]
        shape = (1 + self.layers, *self.grid.shape, len(self.variables))
        stored = StoredFields(shape, self._bands(), shares, exchange.ranks.rank)
        with stored.open(scratch_folder, exchange.path(exchange.ranks.rank)):
            found = self.subjects(self._truth_ranges(stored))
            if exchange.ranks.size > 1:
                _refuse_unshared(found)
            for indices in self._told(self.blocks, "fields"):
                truth, layers = stored.read(0, indices), self.fields(indices)
                stored.write(1, indices, layers)
                for part in _parts(len(indices), math.prod(self.grid.shape)):
                    for scored in found:
                        own = np.ascontiguousarray(truth[part, ..., scored.channel])
                        fields = self.parted(layers[:, part], scored)
                        block = Block(scored.subject, indices[part], own, *fields)
                        for metric in scored.metrics:
                            metric.add(block)
            exchange.barrier()
            stored.join([exchange.path(one.rank) for one in ranks])
            self._add_series(found, stored)
        own_sums = [scored.metrics for scored in found]
        for others in exchange.others(own_sums):
            for scored, more in zip(found, others, strict=True):
                for metric, other in zip(scored.metrics, more, strict=True):
                    metric.merge(other)
        if not exchange.ranks.first:
            return None
        for scored in found:
            self.check(scored)
        return found

    def _told(self, items: Sequence[Item], what: str) -> Iterator[Item]:
        """This rank's share of some items, with signs of progress."""
        share = self.exchange.ranks.share(len(items))
        own = (items[number] for number in share)
        for item in told(own, len(share), f"scoring {what}", self.exchange.ranks.first):
            self.exchange.check()
            yield item

    def _times_of(self, ranks: Ranks) -> range:
        """The consecutive samples in a rank's blocks."""
        own = ranks.share(len(self.blocks))
        before = sum(len(block) for block in self.blocks[: own.start])
        return range(before, before + sum(len(self.blocks[number]) for number in own))

    def _bands(self) -> list[slice]:
        """Rows of the grid whose whole series are held at once."""
        y, x = self.grid.shape
        # beside the candidates' the truth, and what is sorted of a field
        most = max(1, BLOCK_BYTES // (8 * self.samples * x * (2 + self.layers)))
        step = min(most, -(-y // self.exchange.ranks.size))
        return [slice(start, min(y, start + step)) for start in range(0, y, step)]

    def _truth_ranges(self, stored: StoredFields) -> list[TruthRange]:
        """Mean and range of each predictand's truth, which is stored on the way.

        Sums of blocks are added exactly, so that no rank's share makes a difference.
        """
        own = []
        for indices in self._told(self.blocks, "truth"):
            truth = self.truth(indices)
            stored.write(0, indices, truth[None])
            own.append(_range_of(truth))
        blocks = [block for blocks in self.exchange.gather(own) for block in blocks]
        found = []
        for c, variable in enumerate(self.variables):
            totals, counts, lows, highs = zip(*(block[:, c] for block in blocks), strict=True)
            if not sum(counts):
                raise InputError(
                    f"{variable.name}: the {self.split} split holds no valid truth to score against"
                )
            mean = math.fsum(totals) / math.fsum(counts)
            found.append(TruthRange(mean, float(min(lows)), float(max(highs))))
        return found

    def _add_series(self, found: list[Scored], stored: StoredFields) -> None:
        """Scores that need the whole period of a grid point: ranks and extremes over time."""
        for rows in self._told(stored.bands, "series"):
            fields, numbers = stored.band(rows), np.arange(rows.start, rows.stop)
            for part in _parts(len(numbers), self.samples * self.grid.shape[1]):
                bands = [
                    Band(
                        scored.subject,
                        numbers[part],
                        fields[0, :, part, :, scored.channel],
                        *self.parted(fields[1:, :, part], scored),
                    )
                    for scored in found
                ]
                for place, (scored, band) in enumerate(zip(found, bands, strict=True), 1):
                    for metric in scored.metrics:
                        metric.add_series(band)
                        metric.add_together(band, bands[place:])


def _parts(count: int, values: int) -> Iterator[slice]:
    """Parts of so many samples, or rows, of so many values each, that stay in a core's cache."""
    step = max(1, CACHED_BYTES // (8 * values))
    return (slice(start, start + step) for start in range(0, count, step))


def _range_of(truth: Array) -> Array:
    """Sum, number, lowest and highest of the valid values (n, y, x, C), each (C,)."""
    valid = np.isfinite(truth)
    whole, axes = bool(valid.all()), (0, 1, 2)

    def known(others: float) -> Array:
        return truth if whole else np.where(valid, truth, others)

    return np.stack(
        [
            known(0.0).sum(axis=axes, dtype=np.float64),
            valid.sum(axis=axes),
            known(np.inf).min(axis=axes),
            known(-np.inf).max(axis=axes),
        ]
    )


def _refuse_unshared(found: list[Scored]) -> None:
    """InputError for a metric that takes in fields and does not say what its sums are."""
    for metric in (metric for scored in found for metric in scored.metrics):
        kind = type(metric)
        takes = any(
            getattr(kind, name) is not getattr(Metric, name)
            for name in ("add", "add_series", "add_together")
        )
        if takes and not kind.summed and kind.merge is Metric.merge:
            raise InputError(
                f"metric {kind.__name__} of {kind.__module__}: does not say what its sums are "
                "(summed), so that several ranks cannot share it; expected one rank"
            )
