"""Indices and diagnostics of CORDEX-ML-Bench, by its own definitions.

WCRP (2026), arXiv:2606.29172. Its values are not weighted by area, and each series is taken as it
is: what its file lacks is left out, whatever others lack.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np

from app.arrays import Array
from app.data.times import DAY, Stamps, modal_step
from app.durations import duration_text
from app.errors import InputError
from app.metrics.arithmetic import divide
from app.metrics.climatic.days import SEASONS, Years, mean_known, season_of
from app.metrics.metric import Band, Block, Map, Metric, Sheet, Subject, Totals
from app.metrics.pairs import correlation, matched
from app.metrics.protocols.cordex_indices import indices_of
from app.metrics.sketch import Distribution
from app.metrics.spatial.radial import radial_power, ralsd
from app.metrics.table import About, Row
from app.options.scoring import ScoringConfig

NAME = "cordex_ml_bench"
PREFIX = "cordex_"
KEPT = 2**20  # values of a season and candidate that are kept as they are
ANNUAL = "annual"
CHOICES = (ANNUAL, *SEASONS)  # rows are of the first, the sheet of all
UNWEIGHTED = "none"
COLUMNS = (
    *("variable", "season", "diagnostic", "unit", "candidate"),
    *("value", "mean_bias", "mean_relative_bias", "mean_ratio"),
)


class CordexMlBench(Metric):
    """Indices of every cell by season (s, i, 1 + k, y, x), power spectra, distributions, errors.

    The truth comes first; of members diagnostics are means of each member's, but distributions
    are of all members.
    """

    core = False
    protocol = NAME
    summed = ("found", "power", "squares", "values", "distributions", "distances", "together")
    about: ClassVar[Mapping[str, About]] = {
        PREFIX: About(
            "mean over cells of the size of the bias of an index",
            "mean_cells |index(x̂) - index(x)|",
            "index of each cell over all days, CORDEX-ML-Bench",
            UNWEIGHTED,
            "index over time of each cell, then the mean over cells",
        ),
        f"{PREFIX}rmse": About(
            "root mean square error", "sqrt(mean (x̂ - x)²)", weighting=UNWEIGHTED
        ),
        f"{PREFIX}ralsd": About(
            "radially averaged log spectral distance",
            "mean_r (10 · log₁₀(P_truth / max(P, 1e-30)))²",
            "Fourier transform without window or detrending, missing values 0",
            UNWEIGHTED,
            "radial mean of each time, mean over times, then the mean over bins",
        ),
        f"{PREFIX}wasserstein": About(
            "Wasserstein distance of all values",
            "∫|F̂ - F|",
            "missing values 0; by bins of 2⁻⁹ of a value where a season has more than 1048576",
            UNWEIGHTED,
        ),
        f"{PREFIX}wasserstein_cells": About(
            "Wasserstein distance over time",
            "∫|F̂ - F|",
            "missing values 0",
            UNWEIGHTED,
            "time within each cell, then the mean over cells",
        ),
    }
    definitions = (
        "cordex_…: CORDEX-ML-Bench, unweighted; of an index the mean over cells of |bias|. A"
        " season's days are chosen before years are formed, DJF of the months of one calendar"
        " year. su: days above 300 K, missing days none; wet from 1 mm a day; runs are cut at year"
        " ends; ralsd without a root. cordex_ml_bench.csv has all seasons, relative"
        " biases (of their size) and ratios.",
    )

    def __init__(self, subject: Subject) -> None:
        super().__init__(subject)
        self.check_times(subject.scoring, subject.times)
        stamps = Stamps.of(subject.times)
        self.indices = indices_of(subject.unit)
        numbers, months = stamps.fields()
        season = season_of(months)
        rows = {ANNUAL: np.arange(len(stamps))}
        rows |= {name: np.flatnonzero(season == s) for s, name in enumerate(SEASONS)}
        self.chosen = {n: (r, Years.of(numbers[r])) for n, r in rows.items() if len(r)}
        layers, shape = 1 + len(subject.candidates), subject.area.shape
        cells = (len(self.indices), layers, *shape)
        self.found = {name: np.zeros(cells) for name in self.chosen}
        radii = len(radial_power(np.zeros((1, *shape)))[0])
        # the year has the sums of its seasons
        seasons = [name for name in self.chosen if name != ANNUAL]
        self.power = {name: np.zeros((layers, radii)) for name in seasons}
        self.squares = {name: np.zeros(layers - 1) for name in seasons}
        self.values = {name: np.zeros(layers - 1, dtype=np.int64) for name in seasons}
        self.distributions = {
            name: [Distribution(subject.truth.mean, KEPT) for _ in range(layers)]
            for name in seasons
        }
        self.distances = {name: np.zeros((layers - 1, *shape)) for name in self.chosen}
        self.together: dict[str, dict[str, Array]] = {
            other: {name: np.zeros((layers, *shape)) for name in self.chosen}
            for other in subject.companions
        }

    @classmethod
    def check_times(cls, scoring: ScoringConfig, times: Array) -> None:
        step = modal_step(Stamps.of(times).seconds)
        if step != DAY:
            every = duration_text(step) if step else "one time alone"
            raise InputError(
                f"--protocol={NAME}: a step of {every}; expected daily values, for which its "
                "indices are defined (--aggregate makes them)"
            )

    def add(self, block: Block) -> None:
        for name in self.power:
            own = np.isin(block.indices, self.chosen[name][0])
            if not own.any():
                continue
            truth = block.truth[own].astype(np.float64)
            for k, field in enumerate(block.fields):
                squares = np.square(field[own] - truth)
                self.squares[name][k] += np.nansum(squares)
                self.values[name][k] += np.isfinite(squares).sum()
            for layer, stack in enumerate(block.stacks):
                for fields in stack:
                    filled = np.nan_to_num(fields[own].astype(np.float64), nan=0.0)
                    self.power[name][layer] += radial_power(filled).sum(axis=0) / len(stack)
                    self.distributions[name][layer].add(filled)

    def add_series(self, band: Band) -> None:
        for name, (rows, years) in self.chosen.items():
            truth = np.sort(np.nan_to_num(band.truth[rows], nan=0.0), axis=0).astype(np.float64)
            for layer, stack in enumerate(band.stacks):
                for fields in stack:
                    series = fields[rows].astype(np.float64)
                    for i, (index, _) in enumerate(self.indices.values()):
                        own = index(series, years) / len(stack)
                        self.found[name][i, layer, band.indices] += own
                    if layer:
                        ranked = np.sort(np.nan_to_num(series, nan=0.0), axis=0)
                        distance = np.abs(ranked - truth).mean(axis=0) / len(stack)
                        self.distances[name][layer - 1, band.indices] += distance

    def add_together(self, band: Band, others: Sequence[Band]) -> None:
        for other in others:
            found = self.together[other.subject.variable.name]
            for layer, pairs in enumerate(matched(band, other)):
                for name, (rows, _) in self.chosen.items():
                    own = [
                        correlation(a[rows].astype(np.float64), b[rows].astype(np.float64))
                        for a, b in pairs
                    ]
                    found[name][layer, band.indices] = np.mean(own, axis=0) if own else np.nan

    @cached_property
    def diagnostics(self) -> dict[str, dict[str, Diagnostic]]:
        """By season and name, once all is in."""
        found: dict[str, dict[str, Diagnostic]] = {}
        unit = self.subject.unit
        for name in self.chosen:
            own: dict[str, Diagnostic] = {}
            for i, (index, (_, of)) in enumerate(self.indices.items()):
                own[index] = Diagnostic.of_index(of, self.found[name][i])
            for other, cells in self.together.items():
                own[f"correlation_with_{other}"] = Diagnostic.of_index("1", cells[name])
            parts = list(self.power) if name == ANNUAL else [name]
            squares, values = (
                np.sum([sums[part] for part in parts], axis=0)
                for sums in (self.squares, self.values)
            )
            own["rmse"] = Diagnostic(unit, np.sqrt(divide(squares, values)))
            power = np.sum([self.power[part] for part in parts], axis=0)
            own["ralsd"] = Diagnostic("dB2", ralsd(power[0], power[1:]))
            truth, *candidates = self._distributions(parts)
            apart = np.array([truth.distance(candidate) for candidate in candidates])
            own["wasserstein"] = Diagnostic(unit, apart)
            by_cell = self.distances[name].mean(axis=(1, 2))
            own["wasserstein_cells"] = Diagnostic(unit, by_cell)
            found[name] = own
        return found

    def _distributions(self, parts: Sequence[str]) -> list[Distribution]:
        """Of the truth and every candidate, of some seasons together."""
        if len(parts) == 1:
            return self.distributions[parts[0]]
        whole = [
            Distribution(own.origin, len(parts) * own.most) for own in self.distributions[parts[0]]
        ]
        for part in parts:
            for total, own in zip(whole, self.distributions[part], strict=True):
                total.merge(own)
        return whole

    def rows(self, errors: Totals) -> list[Row]:
        return [
            self.subject.row(PREFIX + name, found.unit, found.value)
            for name, found in self.diagnostics[ANNUAL].items()
        ]

    def maps(self, errors: Totals) -> list[Map]:
        return [
            Map(
                f"{PREFIX}{name}_bias",
                found[1:] - found[0],
                unit,
                f"{name} of CORDEX-ML-Bench less the truth's",
                "index over all days of each series, then the difference",
            )
            for (name, (_, unit)), found in zip(
                self.indices.items(), self.found[ANNUAL], strict=True
            )
        ]

    def remarks(self) -> list[str]:
        exact = all(d.exact for own in self.distributions.values() for d in own)
        kept = "exact" if exact else "within 2⁻⁹ of each value's distance from the truth's mean"
        return [f"cordex_wasserstein of all values: {kept}"]

    def why_undefined(self, row: str) -> str | None:
        return (
            "no cell has a value of both, or the truth no power" if row.startswith(PREFIX) else None
        )

    def tables(self) -> dict[str, Sheet]:
        lines: list[list[object]] = [
            [self.subject.variable.name, season, name, own.unit, candidate, *own.of(k)]
            for season, found in self.diagnostics.items()
            for name, own in found.items()
            for k, candidate in enumerate(self.subject.candidates)
        ]
        return {NAME: Sheet(COLUMNS, lines)}


@dataclass(frozen=True, eq=False)
class Diagnostic:
    """A summary value of each candidate (k,); of indices also the means over cells behind it.

    bias: of the index less the truth's. relative: of the size of that over the truth's. ratio: of
    the index over the truth's. Cells whose truth is 0 have neither of the last two.
    """

    unit: str
    value: Array
    bias: Array | None = None
    relative: Array | None = None
    ratio: Array | None = None

    @classmethod
    def of_index(cls, unit: str, index: Array) -> Diagnostic:
        """Of an index (1 + k, y, x), the truth first: the mean over cells of |bias|."""
        truth, *own = (cells.ravel() for cells in index)
        bias = np.stack([cells - truth for cells in own], axis=1)
        ratio = np.stack([divide(cells, truth) for cells in own], axis=1)
        relative = np.stack([divide(cells - truth, truth) for cells in own], axis=1)
        return cls(
            unit,
            mean_known(np.abs(bias)),
            mean_known(bias),
            mean_known(np.abs(relative)),
            mean_known(ratio),
        )

    def of(self, k: int) -> list[float]:
        """All numbers of a candidate, NaN where there are none."""
        parts = (self.value, self.bias, self.relative, self.ratio)
        return [np.nan if part is None else float(part[k]) for part in parts]
