"""Indices and diagnostics of CORDEX-ML-Bench, by its own definitions.

WCRP (2026), arXiv:2606.29172. Its values are not weighted by area, and each series is taken as it
is: what its file lacks is left out, whatever others lack.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import ClassVar

import numpy as np

from app.arrays import Array
from app.data.known_frames import duration_text
from app.data.times import DAY, Stamps, modal_step
from app.data.units import conversion, normalise_unit
from app.data.wet import AMOUNTS, RATES
from app.errors import InputError
from app.metrics.arithmetic import divide
from app.metrics.days import SEASONS, Years, deviation_known, mean_known, season_of
from app.metrics.metric import Band, Block, Metric, Sheet, Subject, Totals
from app.metrics.pairs import correlation, matched
from app.metrics.quantiles import last_axis_quantile
from app.metrics.radial import radial_power, ralsd
from app.metrics.sketch import Distribution
from app.metrics.table import About, Row
from app.options.scoring import ScoringConfig

NAME = "cordex_ml_bench"
PREFIX = "cordex_"
HOT = 300.0  # K
WET = 1.0  # mm a day
KEPT = 2**20  # values of a season and candidate that are kept as they are
QUANTILES = {"p02": 0.02, "p98": 0.98, "p99": 0.99}
TEMPERATURES = {"K", "degC", "degF"}
ANNUAL = "annual"
CHOICES = (ANNUAL, *SEASONS)  # rows are of the first, the sheet of all
UNWEIGHTED = "none"
COLUMNS = ("variable", "season", "diagnostic", "unit", "candidate", "value", "mean_bias")
Index = Callable[[Array, Years], Array]


def mean(series: Array, years: Years) -> Array:
    return mean_known(series)


def quantile(share: float) -> Index:
    def index(series: Array, years: Years) -> Array:
        return last_axis_quantile(np.moveaxis(series, 0, -1), share)

    return index


def days_above(limit: float) -> Index:
    """Days a year above a limit; missing days are none."""

    def index(series: Array, years: Years) -> Array:
        found = years.count(series > limit).mean(axis=0)
        return np.where(np.isfinite(series).any(axis=0), found, np.nan)

    return index


def yearly_highest(series: Array, years: Years) -> Array:
    return mean_known(years.highest(series))


def yearly_lowest(series: Array, years: Years) -> Array:
    return mean_known(years.lowest(series))


def wet_mean(limit: float) -> Index:
    """Mean of the values of at least the limit."""

    def index(series: Array, years: Years) -> Array:
        return mean_known(np.where(series >= limit, series, np.nan))

    return index


def longest_run(limit: float, *, wet: bool) -> Index:
    """Mean of each year's longest run of days below the limit, or from it on."""

    def index(series: Array, years: Years) -> Array:
        chosen = series >= limit if wet else series < limit
        found = years.longest_run(chosen).mean(axis=0)
        return np.where(np.isfinite(series).any(axis=0), found, np.nan)

    return index


def lag1_correlation(series: Array, years: Years) -> Array:
    """Pearson's correlation with the series shifted by one, over the pairs that are known."""
    return correlation(series[1:], series[:-1])


def interannual(series: Array, years: Years) -> Array:
    return deviation_known(years.mean(series))


def _indices(unit: str) -> dict[str, tuple[Index, str]]:
    """Indices that a variable of a unit has, and their units."""
    found: dict[str, tuple[Index, str]] = {"mean": (mean, unit)}
    found |= {name: (quantile(share), unit) for name, share in QUANTILES.items()}
    plain = normalise_unit(unit)
    if plain in TEMPERATURES:
        hot = float(conversion("K", plain)(np.array(HOT)))
        found["su"] = days_above(hot), "day year-1"
        found |= {"txx": (yearly_highest, unit), "txn": (yearly_lowest, unit)}
    elif plain in (*RATES, *AMOUNTS):
        limit = conversion("mm day-1" if plain in RATES else "mm", plain).factor * WET
        limit = float(np.float32(limit))  # as single as the fields are
        found |= {"rx1day": (yearly_highest, unit), "sdii": (wet_mean(limit), unit)}
        found |= {
            "cdd": (longest_run(limit, wet=False), "day"),
            "cwd": (longest_run(limit, wet=True), "day"),
        }
    return found | {"lag1_corr": (lag1_correlation, "1"), "interannual_var": (interannual, unit)}


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
        " ends; ralsd without a root. cordex_ml_bench.csv has all seasons.",
    )

    def __init__(self, subject: Subject) -> None:
        super().__init__(subject)
        self.check_times(subject.scoring, subject.times)
        stamps = Stamps.of(subject.times)
        self.indices = _indices(subject.unit)
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
    def diagnostics(self) -> dict[str, dict[str, tuple[str, Array, Array]]]:
        """By season and name: unit, summary value (k,) and, of indices, mean bias (k,)."""
        found: dict[str, dict[str, tuple[str, Array, Array]]] = {}
        unit, none = self.subject.unit, np.full(len(self.subject.candidates), np.nan)
        for name in self.chosen:
            own: dict[str, tuple[str, Array, Array]] = {}
            for i, (index, (_, of)) in enumerate(self.indices.items()):
                own[index] = (of, *_over_cells(self.found[name][i]))
            for other, cells in self.together.items():
                own[f"correlation_with_{other}"] = ("1", *_over_cells(cells[name]))
            parts = list(self.power) if name == ANNUAL else [name]
            squares, values = (
                np.sum([sums[part] for part in parts], axis=0)
                for sums in (self.squares, self.values)
            )
            own["rmse"] = unit, np.sqrt(divide(squares, values)), none
            power = np.sum([self.power[part] for part in parts], axis=0)
            own["ralsd"] = "dB2", ralsd(power[0], power[1:]), none
            truth, *candidates = self._distributions(parts)
            apart = np.array([truth.distance(candidate) for candidate in candidates])
            own["wasserstein"] = unit, apart, none
            by_cell = self.distances[name].mean(axis=(1, 2))
            own["wasserstein_cells"] = unit, by_cell, none
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
            self.subject.row(PREFIX + name, unit, values)
            for name, (unit, values, _) in self.diagnostics[ANNUAL].items()
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
            [self.subject.variable.name, season, name, unit, candidate, values[k], bias[k]]
            for season, found in self.diagnostics.items()
            for name, (unit, values, bias) in found.items()
            for k, candidate in enumerate(self.subject.candidates)
        ]
        return {NAME: Sheet(COLUMNS, lines)}


def _over_cells(index: Array) -> tuple[Array, Array]:
    """Mean over cells of |bias|, and of the bias, of an index (1 + k, y, x): (k,) each."""
    bias = (index[1:] - index[0]).reshape(len(index) - 1, -1).T
    return mean_known(np.abs(bias)), mean_known(bias)
