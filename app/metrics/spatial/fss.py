"""The fractions skill score: how well events are placed, window by window."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from app.arrays import Array
from app.metrics.deterministic.mean_rows import mean_rows
from app.metrics.metric import Block, Metric, Subject, Totals
from app.metrics.probabilistic.events import thresholds_of
from app.metrics.sampled import HIGHEST
from app.metrics.spatial.windows import window_sums
from app.metrics.table import About
from app.options.scoring import Threshold

if TYPE_CHECKING:
    from app.metrics.table import Row

PERCENT = 100.0


class FractionsSkill(Metric):
    """Sums by threshold, window, candidate and sample (T, S, k, n) of squares of fractions.

    apart: of their differences; reference: of both. Of members their means.
    """

    core = False
    summed = ("apart", "reference")
    about: ClassVar[Mapping[str, About]] = {
        "fss_": About(
            "fractions skill score",
            "1 - Σ(f̂ - f)² / Σ(f̂² + f²)",
            "f: share of valid cells with the event in a square window around each valid cell",
            "none",
            "windows of all samples at once",
        )
    }
    definitions = (
        "fss_T_S: fractions skill score (Roberts and Lean 2008) of windows of S × S cells, cut at"
        " borders and missing cells; a percentile T is that of each field itself, so that only"
        " places are judged.",
    )

    def __init__(self, subject: Subject) -> None:
        super().__init__(subject)
        self.thresholds = thresholds_of(subject, low=False)
        most = 2 * max(subject.area.shape) - 1  # a larger window holds the same cells
        self.windows = tuple(side for side in subject.scoring.fss_windows if side <= most)
        size = len(self.thresholds), len(self.windows), len(subject.candidates)
        self.apart, self.reference = subject.per_sample(2, *size)

    def add(self, block: Block) -> None:
        valid = block.valid
        shared = bool((valid == valid[:1]).all())
        cells = (valid[:1] if shared else valid).astype(np.float32)
        counts = [np.maximum(box_sum(cells, side), 1.0) for side in self.windows]
        for t, threshold in enumerate(self.thresholds):
            (level,), *levels = _levels(block, threshold)
            truth = _events(block, block.truth, level)
            fractions = [
                box_sum(truth, side) / own for side, own in zip(self.windows, counts, strict=True)
            ]
            squares = [_total(block, np.square(f)) for f in fractions]
            for k, (stack, own_levels) in enumerate(zip(block.versions, levels, strict=True)):
                for fields, level in zip(stack, own_levels, strict=True):
                    events = _events(block, fields, level)
                    for s, side in enumerate(self.windows):
                        own = box_sum(events, side) / counts[s]
                        place = t, s, k, block.indices
                        apart = _total(block, np.square(own - fractions[s]))
                        both = _total(block, np.square(own)) + squares[s]
                        self.apart[place] += apart / len(stack)
                        self.reference[place] += both / len(stack)

    def rows(self, errors: Totals) -> list[Row]:
        rows = []
        for t, threshold in enumerate(self.thresholds):
            for s, side in enumerate(self.windows):
                apart, reference = self.apart[t, s], self.reference[t, s]
                name = f"fss_{threshold}_{side}"
                rows += mean_rows(
                    self.subject, name, "1", reference - apart, reference, best=HIGHEST
                )
        return rows

    def why_undefined(self, row: str) -> str | None:
        return "neither truth nor prediction has the event" if row.startswith("fss_") else None


def _levels(block: Block, threshold: Threshold) -> Iterator[list[Array]]:
    """From which value on (n,) the truth's and each candidate's versions have the event."""
    if not threshold.local:
        level = np.full(len(block.truth), threshold.value, block.truth.dtype)
        yield from ([level] * len(stack) for stack in block.stacks)
        return
    share = threshold.value / PERCENT
    for versions in (iter((block.ordered_truth,)), *block.ordered_versions()):
        # above a percentile of the field itself
        yield [np.nextafter(own.quantiles((share,))[0], np.inf) for own in versions]


def _events(block: Block, fields: Array, level: Array) -> Array:
    """1 where a field (n, y, x) has the event, 0 elsewhere."""
    result: Array = (block.valid & (fields >= level[:, None, None])).astype(np.float32)
    return result


def box_sum(fields: Array, side: int) -> Array:
    """Sums (n, y, x) over a square window around each cell, cut at the borders; `side` is odd."""
    return fields if side == 1 else window_sums(fields, np.ones(side))


def _total(block: Block, values: Array) -> Array:
    """Sums (n,) over the valid cells."""
    kept = values if block.complete else np.where(block.valid, values, 0.0)
    result: Array = kept.reshape(len(kept), -1).sum(axis=1, dtype=np.float64)
    return result
