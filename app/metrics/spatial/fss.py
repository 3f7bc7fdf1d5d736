"""The fractions skill score: how well events are placed, window by window."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from app.arrays import Array
from app.metrics.deterministic.mean_rows import mean_rows
from app.metrics.metric import Block, Metric, Subject, Totals
from app.metrics.probabilistic.events import thresholds_of
from app.metrics.sampled import HIGHEST
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
            truth = self._events(block, block.truth, threshold)
            fractions = [
                box_sum(truth, side) / own for side, own in zip(self.windows, counts, strict=True)
            ]
            squares = [_total(valid, f**2) for f in fractions]
            for k, stack in enumerate(block.versions):
                for fields in stack:
                    events = self._events(block, fields, threshold)
                    for s, side in enumerate(self.windows):
                        own = box_sum(events, side) / counts[s]
                        place = t, s, k, block.indices
                        self.apart[place] += _total(valid, (own - fractions[s]) ** 2) / len(stack)
                        self.reference[place] += (_total(valid, own**2) + squares[s]) / len(stack)

    def _events(self, block: Block, fields: Array, threshold: Threshold) -> Array:
        """1 where a field (n, y, x) has the event, 0 elsewhere."""
        if not threshold.local:
            from_it_on = fields >= fields.dtype.type(threshold.value)
            return np.asarray(block.valid & from_it_on, np.float32)
        level = [
            np.quantile(field[chosen], threshold.value / PERCENT) if chosen.any() else np.inf
            for field, chosen in zip(fields, block.valid, strict=True)
        ]
        above = fields > np.array(level)[:, None, None]
        result: Array = (block.valid & above).astype(np.float32)
        return result

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


def box_sum(fields: Array, side: int) -> Array:
    """Sums (n, y, x) over a square window around each cell, cut at the borders; `side` is odd."""
    if side == 1:
        return fields
    for axis in (1, 2):
        n = fields.shape[axis]
        start = np.zeros_like(np.take(fields, [0], axis))
        running = np.concatenate([start, np.cumsum(fields, axis=axis)], axis=axis)
        place = np.arange(n)
        high, low = np.minimum(place + side // 2 + 1, n), np.maximum(place - side // 2, 0)
        fields = np.take(running, high, axis) - np.take(running, low, axis)
    return fields


def _total(valid: Array, values: Array) -> Array:
    """Sums (n,) over the valid cells."""
    result: Array = np.einsum("nyx,nyx->n", valid, values, dtype=np.float64)
    return result
