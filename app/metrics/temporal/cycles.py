"""The course of the day and of the year."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from app.arrays import Array
from app.data.times import DAY, Stamps, share_of_year
from app.metrics.arithmetic import divide
from app.metrics.metric import Block, Metric, Sheet, Subject, Totals
from app.metrics.sampled import Sampled
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
            sums = harmonic_sums(share[scored], self.sums[:, scored] / self.weight[scored])
            for row, measure, of, best in (
                (f"{name}_amplitude_ratio", "1", amplitude_ratio, 1.0),
                (f"{name}_phase_shift", unit, partial(phase_shift, length=length), 0.0),
            ):
                made = Sampled(self.subject.candidates, sums, of, best)
                rows.append(self.subject.sampled_row(row, measure, made))
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


def harmonic_sums(share: Array, values: Array) -> Array:
    """Sums over samples that the first harmonic of least squares follows from (9 + 3k, n).

    Of values (k, n) at shares of a period (n,).
    """
    angle = 2 * np.pi * share
    design = np.stack([np.ones_like(angle), np.cos(angle), np.sin(angle)])
    squares = design[:, None] * design
    products = values[:, None] * design
    return np.concatenate([squares.reshape(9, -1), products.reshape(-1, len(share))])


def harmonic(totals: Array) -> tuple[Array, Array]:
    """Amplitude (…, k) of the first harmonic, and the share of its period at which it is highest.

    Of totals (…, 9 + 3k) of `harmonic_sums`.
    """
    lead = totals.shape[:-1]
    inverse = np.linalg.pinv(totals[..., :9].reshape(*lead, 3, 3), hermitian=True)
    found = totals[..., 9:].reshape(*lead, -1, 3) @ inverse
    _, cosine, sine = np.moveaxis(found, -1, 0)
    return np.hypot(cosine, sine), np.arctan2(sine, cosine) / (2 * np.pi) % 1


def amplitude_ratio(totals: Array) -> Array:
    """Of the candidates to the first (…, k)."""
    amplitude, _ = harmonic(totals)
    return divide(amplitude[..., 1:], amplitude[..., :1])


def phase_shift(totals: Array, length: float) -> Array:
    """How much later than the first the candidates are highest (…, k), of periods of a length."""
    amplitude, phase = harmonic(totals)
    apart = (phase[..., 1:] - phase[..., :1] + 0.5) % 1 - 0.5
    return np.where(amplitude[..., 1:] * amplitude[..., :1] > 0, apart * length, np.nan)
