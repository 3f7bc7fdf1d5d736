"""The course of the day and of the year."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from app.arrays import Array
from app.data.times import DAY, Stamps, share_of_year
from app.metrics.arithmetic import divide
from app.metrics.metric import Block, Metric, Sheet, Subject, Totals
from app.metrics.table import About

if TYPE_CHECKING:
    from app.metrics.table import Row

HOURS, MONTHS = 24.0, 12.0
LEAST_HOURS, LEAST_MONTHS = 4, 9  # different ones that a cycle needs
COLUMNS = ("variable", "cycle", "position", "unit", "truth", "candidate", "value")
HARMONIC = "first harmonic of least squares of the area-weighted means of the samples"
FIRST = "space within each sample, then the harmonic over samples"


class Cycles(Metric):
    """Area-weighted means of samples: sums (1 + k, n), the truth first, and weights (n,)."""

    core = False
    summed = ("sums", "weight")
    about: ClassVar[Mapping[str, About]] = {
        "diurnal_amplitude_ratio": About(
            "amplitude of the course of the day over the truth's", "Â / A", HARMONIC, order=FIRST
        ),
        "diurnal_phase_shift": About(
            "how much later the course of the day has its highest value",
            "φ̂ - φ",
            HARMONIC,
            order=FIRST,
        ),
        "annual_amplitude_ratio": About(
            "amplitude of the course of the year over the truth's", "Â / A", HARMONIC, order=FIRST
        ),
        "annual_phase_shift": About(
            "how much later the course of the year has its highest value",
            "φ̂ - φ",
            HARMONIC,
            order=FIRST,
        ),
    }
    definitions = (
        "diurnal_, annual_amplitude_ratio, _phase_shift: of the first harmonic of the mean over"
        " the domain, ratio and delay to the truth's; cycles.csv has the means by hour (UTC) and"
        " month.",
    )

    def __init__(self, subject: Subject) -> None:
        super().__init__(subject)
        stamps = Stamps.of(subject.times)
        self.day = (stamps.seconds % DAY) / DAY
        self.year = share_of_year(stamps)
        self.month = stamps.fields()[1]
        self.sums = subject.per_sample(1 + len(subject.candidates))
        self.weight = subject.per_sample()

    @classmethod
    def suits(cls, subject: Subject) -> bool:
        return subject.consecutive is not None

    def add(self, block: Block) -> None:
        self.weight[block.indices] = block.weights.sum(axis=(1, 2))
        for layer, field in enumerate((block.truth, *block.fields)):
            kept = np.where(block.valid, field, 0.0).astype(np.float64)
            self.sums[layer, block.indices] = np.einsum("nyx,nyx->n", block.weights, kept)

    def rows(self, errors: Totals) -> list[Row]:
        rows = []
        scored = self.weight > 0
        for name, share, enough, length, unit in (
            ("diurnal", self.day, len(np.unique(self.day[scored])) >= LEAST_HOURS, HOURS, "h"),
            (
                "annual",
                self.year,
                len(np.unique(self.month[scored])) >= LEAST_MONTHS,
                MONTHS,
                "month",
            ),
        ):
            if not enough:
                continue
            means = self.sums[:, scored] / self.weight[scored]
            amplitude, phase = harmonic(share[scored], means)
            apart = (phase[1:] - phase[0] + 0.5) % 1 - 0.5
            moved = np.where(amplitude[1:] * amplitude[0] > 0, apart * length, np.nan)
            ratio = divide(amplitude[1:], amplitude[0])
            rows.append(self.subject.row(f"{name}_amplitude_ratio", "1", ratio))
            rows.append(self.subject.row(f"{name}_phase_shift", unit, moved))
        return rows

    def why_undefined(self, row: str) -> str | None:
        return "the truth has no such course" if row.startswith(("diurnal_", "annual_")) else None

    def tables(self) -> dict[str, Sheet]:
        subject = self.subject
        lines: list[list[object]] = []
        groups = {"hour": np.round(self.day * HOURS, 4), "month": self.month.astype(float)}
        for cycle, position in groups.items():
            for place in np.unique(position):
                own = position == place
                total = self.weight[own].sum()
                if not total or (cycle == "hour" and len(np.unique(position)) == 1):
                    continue
                truth, *values = self.sums[:, own].sum(axis=1) / total
                head: list[object] = [subject.variable.name, cycle, float(place), subject.unit]
                lines += [
                    [*head, float(truth), name, float(value)]
                    for name, value in zip(subject.candidates, values, strict=True)
                ]
        return {"cycles": Sheet(COLUMNS, lines)}


def harmonic(share: Array, values: Array) -> tuple[Array, Array]:
    """Amplitude (k,) of the first harmonic, and the share of its period at which it is highest.

    Of least squares, of values (k, n) at shares of a period (n,).
    """
    angle = 2 * np.pi * share
    design = np.stack([np.ones_like(angle), np.cos(angle), np.sin(angle)], axis=1)
    _, cosine, sine = np.linalg.lstsq(design, values.T, rcond=None)[0]
    return np.hypot(cosine, sine), np.arctan2(sine, cosine) / (2 * np.pi) % 1
