"""Return values: what is reached once in so many years."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from scipy.special import gamma

from app.arrays import Array
from app.data.times import Stamps
from app.metrics.arithmetic import divide, over_space
from app.metrics.bootstrap import SEED, interval_rows
from app.metrics.climatic.days import Years
from app.metrics.metric import Band, Map, Metric, Subject, Totals
from app.metrics.table import About

if TYPE_CHECKING:
    from app.metrics.table import Row

PERIODS = (10, 20, 50)  # years
LEAST = 10  # years that are needed
RESAMPLES = 100
NO_SHAPE = 1e-6  # a shape so near to 0 is that of Gumbel
EULER = 0.5772156649015329


class ReturnValues(Metric):
    """Return values by cell (T, 1 + k, y, x), the truth first, and their sums over resampled years.

    resampled (R, T, 1 + k): area-weighted sums over cells; weight: area of the cells summed. Of
    members the mean.
    """

    core = False
    summed = ("found", "resampled", "weight")
    about: ClassVar[Mapping[str, About]] = {
        "return_": About(
            "return value of so many years less the truth's",
            "ξ + α/κ · (1 - (-ln(1 - 1/T))^κ) of x̂, less that of x",
            "generalised extreme value distribution of yearly maxima by L-moments; interval over"
            " resampled years, the same for truth and candidates",
            order="years within each cell, then the area-weighted mean over cells",
        )
    }
    definitions = (
        "return_T_bias: value that yearly maxima pass once in T years, less the truth's;"
        " generalised extreme value distribution by L-moments (Hosking et al. 1985), interval over"
        " resampled years.",
    )

    def __init__(self, subject: Subject) -> None:
        super().__init__(subject)
        years, _ = Stamps.of(subject.times).fields()
        self.years = Years.of(years)
        t, layers = len(PERIODS), 1 + len(subject.candidates)
        self.found = np.full((t, layers, *subject.area.shape), 0.0)
        self.resampled = np.zeros((RESAMPLES, t, layers))
        self.weight = 0.0
        count = len(self.years.numbers)
        generator = np.random.default_rng(SEED)
        self.drawn = generator.integers(0, count, size=(RESAMPLES, count))

    @classmethod
    def suits(cls, subject: Subject) -> bool:
        years, _ = Stamps.of(subject.times).fields()
        return len(np.unique(years)) >= LEAST

    def add_series(self, band: Band) -> None:
        area = self.subject.area[band.indices]
        highest = [[self.years.highest(band.masked(s)) for s in stack] for stack in band.stacks]
        known = np.isfinite(highest[0][0]).all(axis=0)
        weights = np.where(known, area, 0.0)
        self.weight += float(weights.sum())
        for layer, stack in enumerate(highest):
            for maxima in stack:
                own = np.where(known, return_values(maxima), np.nan)
                self.found[:, layer, band.indices] += own / len(stack)
                cells = maxima[:, known]
                for r, rows in enumerate(self.drawn):
                    values = return_values(cells[rows])
                    self.resampled[r, :, layer] += values @ area[known] / len(stack)

    def rows(self, errors: Totals) -> list[Row]:
        subject, rows = self.subject, []
        again = divide(self.resampled, self.weight)
        for t, period in enumerate(PERIODS):
            truth, *candidates = (over_space(subject.area, own)[0] for own in self.found[t])
            bias = np.array(candidates) - truth
            spread = again[:, t, 1:] - again[:, t, :1]
            names = subject.candidates
            own = interval_rows(f"return_{period}_bias", subject.unit, names, bias, spread)
            rows += [replace(row, n=len(self.years.numbers)) for row in own]
        return rows

    def maps(self, errors: Totals) -> list[Map]:
        return [
            Map(
                f"return_{period}_bias",
                own[1:] - own[0],
                self.subject.unit,
                f"return value of {period} years less the truth's",
                "generalised extreme value distribution of yearly maxima by L-moments",
            )
            for period, own in zip(PERIODS, self.found, strict=True)
        ]

    def why_undefined(self, row: str) -> str | None:
        return "no cell has a maximum of every year" if row.startswith("return_") else None


def return_values(maxima: Array) -> Array:
    """Return values (T, …) for `PERIODS`, of maxima (a, …) of years.

    Hosking, Wallis and Wood (1985), doi:10.1080/00401706.1985.10488049
    """
    location, scale, shape = l_moment_fit(maxima)
    flat = np.abs(shape) < NO_SHAPE
    safe = np.where(flat, 1.0, shape)
    found = []
    for period in PERIODS:
        y = -np.log(1 - 1 / period)
        found.append(location + scale * np.where(flat, -np.log(y), (1 - y**safe) / safe))
    return np.stack(found)


def l_moment_fit(maxima: Array) -> tuple[Array, Array, Array]:
    """Location ξ, scale α and shape κ (…) of maxima (a, …); κ is the negative of ξ of Coles."""
    n = len(maxima)
    ranked = np.sort(maxima, axis=0)
    rank = np.arange(n, dtype=np.float64).reshape(-1, *[1] * (maxima.ndim - 1))
    b0 = ranked.mean(axis=0)
    b1 = (rank * ranked).sum(axis=0) / (n * (n - 1))
    b2 = (rank * (rank - 1) * ranked).sum(axis=0) / (n * (n - 1) * (n - 2))
    second, third = 2 * b1 - b0, 6 * b2 - 6 * b1 + b0
    c = 2 / (3 + divide(third, second)) - np.log(2) / np.log(3)
    shape = np.nan_to_num(7.8590 * c + 2.9554 * c**2)
    flat = np.abs(shape) < NO_SHAPE
    safe = np.where(flat, 1.0, shape)
    g = gamma(1 + safe)
    scale = np.where(flat, second / np.log(2), second * safe / (g * (1 - 2.0**-safe)))
    location = b0 - np.where(flat, EULER * scale, scale * (1 - g) / safe)
    return location, scale, shape
