"""What candidates make of the series in time of every cell: spectra, memory and flicker."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from app.arrays import Array
from app.data.times import Stamps, segments
from app.metrics.arithmetic import divide
from app.metrics.deterministic.mean_rows import ratio_rows
from app.metrics.drawing.units import squared
from app.metrics.metric import Band, Metric, Sheet, TimeSubject, Totals
from app.metrics.table import About

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from app.metrics.metric import Result
    from app.metrics.table import Row

FLICKER = "flicker"
HOUR = 3600  # seconds


class Series(Metric):
    """Means over cells, of the longest gapless piece; arrays begin with the truth.

    flicker (k + 1, n): sums over cells of |second difference| around each sample. sums: of the
    correlation with the step before, memory (k + 1,); of the variance by frequency, power
    (k + 1, p). cells, varying (k + 1,): how many are summed.
    """

    subject: TimeSubject
    summed = ("flicker", "sums", "cells", "varying")
    about: ClassVar[Mapping[str, About]] = {
        "flicker": About(
            "changes of pace in time over the truth's", "mean |Δ²x̂| / mean |Δ²x|", weighting="none"
        ),
        "autocorrelation": About(
            "autocorrelation over one step less the truth's", "r₁(x̂) - r₁(x)", weighting="none"
        ),
        "power_ratio_fast": About(
            "variance at periods below two known intervals, over the truth's",
            "Σ P(f) / Σ P_truth(f)",
            "Hann window, mean left out",
            "none",
        ),
    }
    definitions = (
        "flicker: mean |second difference in time|, ratio to the truth's. autocorrelation: in "
        "time, at a lag of one step, less the truth's. power_ratio_fast: variance at periods below "
        "two intervals between known frames, ratio to the truth's. Known frames count in these "
        "three.",
    )

    def __init__(self, subject: TimeSubject) -> None:
        super().__init__(subject)
        self._piece = longest_piece(subject.axis.stamps)
        step = subject.steps.target_step / HOUR
        self.frequencies = np.fft.rfftfreq(len(self._piece), step)[1:]
        layers = len(subject.candidates) + 1
        self.flicker = subject.per_sample(layers)
        self.sums = {
            "memory": np.zeros(layers),
            "power": np.zeros((layers, len(self.frequencies))),
        }
        self.cells, self.varying = 0, np.zeros(layers)

    def add_series(self, band: Band) -> None:
        first, last = self._piece[0], self._piece[-1]
        fields = np.concatenate([band.truth[None], band.fields])[:, first : last + 1]
        series = fields.reshape(*fields.shape[:2], -1).astype(np.float64)
        series = series[:, :, np.isfinite(series).all(axis=(0, 1))]
        self.cells += series.shape[2]
        self.flicker[:, first + 1 : last] += np.abs(np.diff(series, 2, axis=1)).sum(axis=2)
        memory = _memory(series)
        self.varying += np.isfinite(memory).sum(axis=1)
        self.sums["memory"] += np.nansum(memory, axis=1)
        self.sums["power"] += power_of(series).sum(axis=2)

    @cached_property
    def power(self) -> Array:
        """Variance by frequency (k + 1, p), the truth first, once all bands are in."""
        return self.sums["power"] / max(self.cells, 1)

    def rows(self, errors: Totals) -> list[Row]:
        memory = divide(self.sums["memory"], self.varying)
        fast = self.frequencies > HOUR / (2 * self.subject.steps.input_step)
        quick = self.power[:, fast].sum(axis=1)
        return [
            *ratio_rows(self.subject, FLICKER, self.flicker),
            self.subject.row("autocorrelation", "1", memory[1:] - memory[0]),
            self.subject.row("power_ratio_fast", "1", divide(quick[1:], quick[0])),
        ]

    def tables(self) -> dict[str, Sheet]:
        head = (self.subject.variable.name, squared(self.subject.unit))
        rows: list[list[object]] = [
            [*head, name, *band]
            for name, own in zip(("truth", *self.subject.candidates), self.power, strict=True)
            for band in zip(1 / self.frequencies, own, strict=True)
        ]
        columns = ("variable", "unit", "field", "period_h", "variance")
        return {"spectrum_in_time": Sheet(columns, rows)}

    def figures(self, result: Result) -> dict[str, Figure]:
        """None where nothing changes in time, as logarithms would show nothing."""
        from app.metrics.drawing.between_frames import spectrum_figure

        if not (self.power > 0).any():
            return {}
        figure = spectrum_figure(self.subject, 1 / self.frequencies, self.power)
        return {"spectrum_in_time": figure}


def longest_piece(stamps: Stamps) -> Array:
    """Rows of the longest gapless piece."""
    pieces = segments(stamps.seconds)
    return np.flatnonzero(pieces == np.bincount(pieces).argmax())


def _memory(series: Array) -> Array:
    """Correlation of every cell's series (k, n, c) with itself a step later; NaN if constant."""
    earlier, later = series[:, :-1], series[:, 1:]
    earlier = earlier - earlier.mean(axis=1, keepdims=True)
    later = later - later.mean(axis=1, keepdims=True)
    spread = np.sqrt((earlier**2).sum(axis=1) * (later**2).sum(axis=1))
    return np.where(spread > 0, divide((earlier * later).sum(axis=1), spread), np.nan)


def power_of(series: Array) -> Array:
    """Variance by frequency of series (k, n, c) under a Hann window, the mean left out."""
    n = series.shape[1]
    window = np.hanning(n + 2)[1:-1, None]
    centred = series - series.mean(axis=1, keepdims=True)
    result: Array = np.abs(np.fft.rfft(centred * window, axis=1)[:, 1:]) ** 2 / (
        n * (window**2).sum()
    )
    return result
