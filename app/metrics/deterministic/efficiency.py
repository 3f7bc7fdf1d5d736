"""Explained variance, Kling-Gupta efficiency, anomaly correlation, and skill without a model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from app.arrays import Array
from app.data.times import Stamps
from app.metrics.arithmetic import divide, over_space
from app.metrics.bootstrap import TimeBlocks
from app.metrics.climatic.days import mean_known
from app.metrics.deterministic.mean_rows import mean_rows
from app.metrics.influence import columns_of, expanded, over_cells
from app.metrics.metric import CONSTANT, Band, Map, Metric, Subject, Totals
from app.metrics.moments import SPREAD_FLOOR
from app.metrics.names import CLIMATOLOGY
from app.metrics.pairs import Paired
from app.metrics.sampled import HIGHEST, Sampled
from app.metrics.table import AT_ONCE, BY_CELL, About

if TYPE_CHECKING:
    from app.metrics.table import Row

R2, KGE, ACC = "r2", "kge", "anomaly_correlation"
OVER = "skill_over_"


class Efficiency(Metric):
    """Sums over the cells of each sample, and the Kling-Gupta efficiency of each cell (k, y, x).

    moved (k, b), areas (k,): what each block of samples moves that by, and the area that has it.
    squares, persistence (k, n): squared errors, and those on samples that follow another.
    centred, variance (n,): of the truth less its mean, and of its squares. climatology, persisted
    (n,): squared errors of climatology, and of the sample before. products, own (k, n): of
    anomalies from climatology with the truth's, and with themselves.
    """

    core = False
    summed = (
        *("kge", "moved", "areas", "squares", "persistence", "centred", "variance"),
        *("climatology", "persisted", "products", "own"),
    )
    about: ClassVar[Mapping[str, About]] = {
        R2: About(
            "coefficient of determination",
            "1 - Σ(x̂ - x)² / Σ(x - mean x)²",
            "mean of the truth over space and time",
        ),
        KGE: About(
            "Kling-Gupta efficiency",
            "1 - sqrt((r - 1)² + (σ̂/σ - 1)² + b²), b = μ̂/μ - 1 or (μ̂ - μ)/σ",
            "population moments of each cell; b of ratios μ̂/μ - 1, of other variables (μ̂ - μ)/σ",
            order=BY_CELL,
        ),
        ACC: About(
            "anomaly correlation",
            "Σ x̂'x' / sqrt(Σ x̂'² · Σ x'²)",
            "anomalies from climatology; see the notes for which",
            order=f"{AT_ONCE}, then the ratio",
        ),
        f"{OVER}climatology": About(
            "skill over climatology", "1 - Σ(x̂ - x)² / Σ(c - x)²", "climatology c; see the notes"
        ),
        f"{OVER}persistence": About(
            "skill over persistence",
            "1 - Σ(x̂ - x)² / Σ(xₜ₋₁ - xₜ)²",
            "samples that follow another by a time step",
        ),
    }
    definitions = (
        "r2: share of the truth's variance over space and time that is explained. kge: mean over"
        " cells of the Kling-Gupta efficiency over time (Gupta et al. 2009; where the variable is"
        " no ratio the bias is relative to the truth's standard deviation, Tang et al. 2021)."
        " anomaly_correlation, skill_over_climatology, skill_over_persistence: of anomalies from"
        " climatology; 1 - mean square error / that of climatology, and of the truth one time step"
        " before.",
    )

    def __init__(self, subject: Subject) -> None:
        super().__init__(subject)
        k = len(subject.candidates)
        self.kge = np.zeros((k, *subject.area.shape))
        self.blocks = TimeBlocks.of(subject.times)
        self.moved, self.areas = np.zeros((k, self.blocks.count)), np.zeros(k)
        self.squares, self.persistence, self.products, self.own = subject.per_sample(4, k)
        self.centred, self.variance, self.climatology, self.persisted = subject.per_sample(4)
        self.follows = np.zeros(0, np.int64)
        if subject.consecutive is not None:
            self.follows = 1 + np.flatnonzero(subject.consecutive)
        self.month = Stamps.of(subject.times).fields()[1]

    def add_series(self, band: Band) -> None:
        truth = band.masked(band.truth)
        reference = self._climatology(band, truth)

        def summed(a: Array, b: Array) -> Array:
            products = a * b
            return band.over_cells(
                products if band.complete else np.where(band.valid, products, 0.0)
            )

        anomaly, centred = truth - reference, truth - self.subject.truth.mean
        self.centred += summed(centred, np.ones(()))
        self.variance += summed(centred, centred)
        self.climatology += summed(anomaly, anomaly)
        now, before = self.follows, self.follows - 1
        both = band.valid[now] & band.valid[before]
        step = np.where(both, truth[now] - truth[before], 0.0)
        area = self.subject.area[band.indices]
        self.persisted[now] += np.einsum("yx,nyx->n", area, step**2)
        for k, field in enumerate(band.fields):
            fields = band.masked(field)
            error, own = fields - truth, fields - reference
            self.squares[k] += summed(error, error)
            self.products[k] += summed(own, anomaly)
            self.own[k] += summed(own, own)
            wrong = np.where(both, error[now], 0.0)
            self.persistence[k, now] += np.einsum("yx,nyx->n", area, wrong**2)
            for part in columns_of(truth):
                own_area = area[:, part]
                values, moved = self._efficiency(fields[..., part], truth[..., part], own_area)
                self.kge[k, band.indices, part] = values
                self.moved[k] += self.blocks.moved(moved)
                self.areas[k] += float(own_area[np.isfinite(values)].sum())

    def _climatology(self, band: Band, truth: Array) -> Array:
        """The candidate of that name, else the truth's mean by month of each cell."""
        names = self.subject.candidates
        if CLIMATOLOGY in names:
            return band.masked(band.fields[names.index(CLIMATOLOGY)])
        found = np.empty_like(truth)
        for month in np.unique(self.month):
            own = self.month == month
            found[own] = mean_known(truth[own])
        return found

    def _efficiency(self, fields: Array, truth: Array, area: Array) -> tuple[Array, Array]:
        """Kling-Gupta efficiency (y, x), NaN where the truth or the field does not vary.

        And what each sample moves it by (n,), summed over cells by area.
        """
        pair = Paired.of(truth, fields)
        (mean, own_mean), (spread, own_spread) = pair.means, pair.spreads
        origin = np.abs(mean) + abs(self.subject.truth.mean)
        spread = np.where(spread > SPREAD_FLOOR * origin, spread, np.nan)
        ratio = self.subject.variable.kind == "ratio"
        bias = divide(own_mean - mean, mean if ratio else spread)
        r, variability = pair.correlation, own_spread / spread
        apart = np.sqrt((r - 1) ** 2 + (variability - 1) ** 2 + bias**2)
        # derivatives by the parts, and of these by the standardised values of a sample
        share = len(truth) * divide(area, pair.count * np.where(apart > 0, apart, np.nan))
        if ratio:
            slopes = (
                divide(own_spread, mean),
                divide(own_mean * spread, mean**2),
                np.zeros_like(bias),
            )
        else:
            slopes = variability, np.ones_like(bias), bias / 2
        by_r, by_variability = share * (r - 1), share * (variability - 1) * variability / 2
        by_y, by_x, by_square = (share * bias * own for own in slopes)
        x, y = pair.x, pair.y
        moved = sum(
            over_cells(values, np.nan_to_num(by))
            for values, by in (
                (x * y, by_r),
                (np.square(y), by_variability - by_r * r / 2),
                (np.square(x), -by_variability - by_r * r / 2 - by_square),
                (pair.known, by_square),
                (y, by_y),
                (x, -by_x),
            )
        )
        return 1 - apart, -np.asarray(moved)

    def rows(self, errors: Totals) -> list[Row]:
        subject = self.subject
        cells = np.array([over_space(subject.area, own) for own in self.kge])
        # the period's mean is not weighted by area: the squares are moved to the weighted one
        offset = self.centred.sum() / errors.weight.sum()
        variance = self.variance - 2 * offset * self.centred + offset**2 * errors.weight
        rows = [
            *self._skill(R2, variance, self.squares, errors),
            self._of_cells(cells),
            subject.sampled_row(ACC, "1", self._anomaly_correlation()),
            *self._skill(f"{OVER}climatology", self.climatology, self.squares, errors),
        ]
        if len(self.follows):
            name = f"{OVER}persistence"
            rows += self._skill(name, self.persisted, self.persistence, errors)
        return rows

    def _of_cells(self, cells: Array) -> Row:
        """The mean efficiency of cells and their spread (k, 2), bounded by what moves it."""
        moved = np.nan_to_num(divide(self.moved, self.areas[:, None]))
        made = expanded(self.subject.candidates, cells[:, 0], moved, HIGHEST, self.blocks.span)
        return self.subject.sampled_row(KGE, "1", made, cells[:, 1])

    def _skill(self, name: str, reference: Array, squares: Array, errors: Totals) -> list[Row]:
        """1 - squared errors (k, n) over those of a reference (n,), none of rounding alone."""
        floor = (SPREAD_FLOOR * self.subject.truth.mean) ** 2 * errors.weight.sum()
        whole = reference if reference.sum() > floor else np.zeros_like(reference)
        return mean_rows(self.subject, name, "1", whole - squares, whole, best=HIGHEST)

    def _anomaly_correlation(self) -> Sampled:
        names = self.subject.candidates
        k, floor = len(names), (SPREAD_FLOOR * self.subject.truth.mean) ** 2

        def of(totals: Array) -> Array:
            products, own, truth = totals[..., :k], totals[..., k:-1], totals[..., -1:]
            return divide(products, np.sqrt(np.where(truth > floor, own * truth, 0.0)))

        sums = np.vstack([self.products, self.own, self.climatology])
        return Sampled(names, sums, of, HIGHEST)

    def maps(self, errors: Totals) -> list[Map]:
        told = "Kling-Gupta efficiency over time", "population moments over time"
        return [Map(KGE, self.kge, "1", *told)]

    def remarks(self) -> list[str]:
        own = CLIMATOLOGY in self.subject.candidates
        what = "of the training period" if own else "the truth's own mean by month and cell"
        return [f"climatology of anomaly_correlation and skill_over_climatology: {what}"]

    def why_undefined(self, row: str) -> str | None:
        return CONSTANT if row in (R2, KGE, ACC) or row.startswith(OVER) else None
