"""Variance in time by period, against the truth's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from app.arrays import Array
from app.data.times import Stamps, modal_step
from app.metrics.arithmetic import divide
from app.metrics.metric import Band, Metric, Sheet, Subject, Totals
from app.metrics.table import About
from app.metrics.temporal.series import longest_piece, power_of

if TYPE_CHECKING:
    from app.metrics.table import Row

HOUR = 3600.0  # seconds
LEAST = 16  # samples of a gapless piece
FAST, SLOW = 4, 16  # time steps: periods below, and from which on
BANDS = ("fast", "middle", "slow")
COLUMNS = ("variable", "period_hours", "candidate", "power")


class TimeSpectrum(Metric):
    """Sums over cells of the variance by frequency of the longest gapless piece (1 + k, p).

    The truth comes first; of members the mean. area: of the cells summed.
    """

    core = False
    summed = ("power", "area")
    about: ClassVar[Mapping[str, About]] = {
        "time_power_": About(
            "variance in time at some periods over the truth's",
            "Σ P̂(f) / Σ P(f)",
            "Hann window, mean left out, of the longest gapless piece",
            order="spectrum of each cell, area-weighted sum over cells, then the ratio",
        )
    }
    definitions = (
        "time_power_fast, _middle, _slow: variance at periods below 4, of 4 to 16, and of 16 and"
        " more time steps, ratio to the truth's; time_spectrum.csv has the spectra.",
    )

    def __init__(self, subject: Subject) -> None:
        super().__init__(subject)
        stamps = Stamps.of(subject.times)
        self._piece = longest_piece(stamps)
        step = modal_step(stamps.seconds)
        self.frequencies = np.fft.rfftfreq(len(self._piece))[1:]  # of a time step
        self.hours = step / HOUR / self.frequencies
        self.power = np.zeros((1 + len(subject.candidates), len(self.frequencies)))
        self.area = 0.0

    @classmethod
    def suits(cls, subject: Subject) -> bool:
        if subject.consecutive is None:
            return False
        return len(longest_piece(Stamps.of(subject.times))) >= LEAST

    def add_series(self, band: Band) -> None:
        first, last = self._piece[0], self._piece[-1] + 1
        whole = band.valid[first:last].all(axis=0)
        area = self.subject.area[band.indices][whole]
        self.area += float(area.sum())
        for layer, stack in enumerate(band.stacks):
            for fields in stack:
                series = fields[first:last, whole].astype(np.float64)
                self.power[layer] += power_of(series[None])[0] @ area / len(stack)

    def rows(self, errors: Totals) -> list[Row]:
        periods = 1 / self.frequencies
        chosen = (periods < FAST, (periods >= FAST) & (periods < SLOW), periods >= SLOW)
        rows = []
        for name, own in zip(BANDS, chosen, strict=True):
            total = self.power[:, own].sum(axis=1)
            rows.append(self.subject.row(f"time_power_{name}", "1", divide(total[1:], total[0])))
        return rows

    def remarks(self) -> list[str]:
        return [f"time_power of {len(self._piece)} samples without a gap"]

    def why_undefined(self, row: str) -> str | None:
        reason = "the truth does not vary, or no cell is scored throughout"
        return reason if row.startswith("time_power_") else None

    def tables(self) -> dict[str, Sheet]:
        names = ("truth", *self.subject.candidates)
        power: Array = divide(self.power, self.area)
        lines: list[list[object]] = [
            [self.subject.variable.name, float(period), name, float(value)]
            for name, own in zip(names, power, strict=True)
            for period, value in zip(self.hours, own, strict=True)
        ]
        return {"time_spectrum": Sheet(COLUMNS, lines)}
