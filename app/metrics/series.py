"""What candidates make of the series in time of every cell: spectra, memory and flicker."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from app.data.description import TimeSteps
from app.data.times import Stamps, segments
from app.metrics.arithmetic import divide
from app.metrics.table import Row

BAND_BYTES = 64 << 20  # of series looked at at once
HOUR = 3600  # seconds


@dataclass(frozen=True, eq=False)
class SeriesScores:
    """Means over cells; arrays begin with the truth, then the candidates.

    flicker (k + 1,): mean |second difference|. memory (k + 1,): correlation with the step before.
    periods (p,): hours, power (k + 1, p): variance at them, in the longest gapless piece. fast
    (k + 1,): that at periods below two intervals between known frames.
    """

    flicker: np.ndarray
    memory: np.ndarray
    periods: np.ndarray
    power: np.ndarray
    fast: np.ndarray

    @classmethod
    def of(cls, fields: np.ndarray, stamps: Stamps, steps: TimeSteps) -> SeriesScores:
        """Of fields (k + 1, N, y, x) on the new time axis, the truth first."""
        piece = _longest(stamps)
        layers, rows = len(fields), fields.shape[2]
        n, width = len(piece), fields.shape[3]
        frequencies = np.fft.rfftfreq(n, steps.target_step / HOUR)[1:]
        sums: dict[str, np.ndarray] = {
            "flicker": np.zeros(layers),
            "memory": np.zeros(layers),
            "power": np.zeros((layers, len(frequencies))),
        }
        cells, varying = 0, np.zeros(layers)
        band = max(1, BAND_BYTES // (8 * layers * n * width))
        for first in range(0, rows, band):
            block = fields[:, piece[0] : piece[-1] + 1, first : first + band]
            series = block.reshape(layers, n, -1).astype(np.float64)
            series = series[:, :, np.isfinite(series).all(axis=(0, 1))]
            cells += series.shape[2]
            sums["flicker"] += np.abs(np.diff(series, 2, axis=1)).mean(axis=1).sum(axis=1)
            memory = _memory(series)
            varying += np.isfinite(memory).sum(axis=1)
            sums["memory"] += np.nansum(memory, axis=1)
            sums["power"] += _power(series).sum(axis=2)
        power = sums["power"] / max(cells, 1)
        fast = frequencies > HOUR / (2 * steps.input_step)
        return cls(
            flicker=sums["flicker"] / max(cells, 1),
            memory=divide(sums["memory"], varying),
            periods=1 / frequencies,
            power=power,
            fast=power[:, fast].sum(axis=1),
        )

    def rows(self, candidates: Sequence[str], label: str) -> list[Row]:
        """Rows of the table, each against the truth."""
        values = {
            "flicker": divide(self.flicker[1:], np.full(len(candidates), self.flicker[0])),
            "autocorrelation": self.memory[1:] - self.memory[0],
            "power_ratio_fast": divide(self.fast[1:], np.full(len(candidates), self.fast[0])),
        }
        return [
            Row(
                f"{metric}{label}",
                "1",
                {n: (float(v), np.nan) for n, v in zip(candidates, own, strict=True)},
            )
            for metric, own in values.items()
        ]


def _longest(stamps: Stamps) -> np.ndarray:
    """Rows of the longest gapless piece."""
    pieces = segments(stamps.seconds)
    return np.flatnonzero(pieces == np.bincount(pieces).argmax())


def _memory(series: np.ndarray) -> np.ndarray:
    """Correlation of every cell's series (k, n, c) with itself a step later; NaN if constant."""
    earlier, later = series[:, :-1], series[:, 1:]
    earlier = earlier - earlier.mean(axis=1, keepdims=True)
    later = later - later.mean(axis=1, keepdims=True)
    spread = np.sqrt((earlier**2).sum(axis=1) * (later**2).sum(axis=1))
    return np.where(spread > 0, divide((earlier * later).sum(axis=1), spread), np.nan)


def _power(series: np.ndarray) -> np.ndarray:
    """Variance by frequency of series (k, n, c) under a Hann window, the mean left out."""
    n = series.shape[1]
    window = np.hanning(n + 2)[1:-1, None]
    centred = series - series.mean(axis=1, keepdims=True)
    return np.abs(np.fft.rfft(centred * window, axis=1)[:, 1:]) ** 2 / (n * (window**2).sum())
