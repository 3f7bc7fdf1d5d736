"""Structural similarity on fields with missing cells."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from app.arrays import Array
from app.metrics.metric import CONSTANT, Block, Metric, Subject, Totals
from app.metrics.spatial.windows import window_sums
from app.metrics.table import BY_SAMPLE, About

if TYPE_CHECKING:
    from app.metrics.table import Row

WINDOW = 11  # cells
SIGMA = 1.5  # cells
K1, K2 = 0.01, 0.03
MIN_WEIGHT = 0.5  # share of the window's weight that must lie on valid cells


def window() -> Array:
    """One-dimensional Gaussian weights (WINDOW,), sum 1."""
    offsets = np.arange(WINDOW) - WINDOW // 2
    weights = np.exp(-0.5 * (offsets / SIGMA) ** 2)
    result: Array = weights / weights.sum()
    return result


def smooth(fields: Array) -> Array:
    """Gaussian window sums of (n, y, x); cells beyond the domain count as 0."""
    return window_sums(fields, window())


@dataclass(frozen=True, eq=False)
class Structure:
    """Local moments of the truth, shared by all candidates of a block.

    Of values in units of the range, whose squares no unit makes overflow.
    """

    truth: Array
    mean: Array
    coverage: Array
    centres: Array
    valid: Array
    origin: float
    value_range: float

    @classmethod
    def of(cls, truth: Array, valid: Array, origin: float, value_range: float) -> Structure:
        """Prepare (n, y, x) truth; `origin`, a typical value, keeps the variances exact.

        Without a range there is no similarity.
        """
        shared = bool((valid == valid[:1]).all())
        coverage = smooth((valid[:1] if shared else valid).astype(truth.dtype))
        centres = coverage >= MIN_WEIGHT
        coverage = np.where(centres, coverage, 1.0)
        unit = value_range or 1.0
        shifted = _shifted(truth, valid, origin, unit)
        mean = smooth(shifted) / coverage
        return cls(shifted, mean, coverage, centres, valid, origin, value_range)

    @property
    def counts(self) -> Array:
        """Number of centres with enough valid weight, per sample."""
        counts = self.centres.sum(axis=(1, 2))
        return np.broadcast_to(counts, len(self.truth))

    def similarity(self, candidate: Array) -> Array:
        """Mean SSIM per sample (n,) over the centres, NaN where there are none, or no range.

        Gaussian window of 11 cells, σ 1.5, population moments, renormalised over valid cells; in
        the fields' own precision, of float32 to about 1e-7 of a sample's similarity.
        Wang et al. (2004), doi:10.1109/TIP.2003.819861
        """
        if not self.value_range:
            return np.full(len(candidate), np.nan)
        unit = self.value_range
        shifted = _shifted(candidate, self.valid, self.origin, unit)
        mean = smooth(shifted) / self.coverage
        # of both fields together: their variances are only ever added
        squares = smooth(np.square(shifted) + np.square(self.truth)) / self.coverage
        variance = squares - np.square(mean) - np.square(self.mean)
        covariance = smooth(shifted * self.truth) / self.coverage - mean * self.mean
        level = np.square(mean + self.origin / unit) + np.square(self.mean + self.origin / unit)
        c1, c2 = K1**2, K2**2
        with np.errstate(invalid="ignore", divide="ignore"):
            # (2μμ̂ + c₁) / (μ² + μ̂² + c₁), whose difference from 1 is small
            index = 1 - np.square(mean - self.mean) / (level + c1)
            index *= (2 * covariance + c2) / (variance + c2)
            total = np.where(self.centres, index, 0.0).sum(axis=(1, 2), dtype=np.float64)
            result: Array = total / self.counts
            return result


def _shifted(fields: Array, valid: Array, origin: float, unit: float) -> Array:
    """Fields less the origin in such units, 0 where not valid; of their own precision."""
    shifted = ((fields - np.float64(origin)) / unit).astype(fields.dtype, copy=False)
    return shifted if valid.all() else np.where(valid, shifted, 0.0)


class Ssim(Metric):
    """Mean over samples of the structural similarity (k, n), and its window centres (n,)."""

    summed = ("similarity", "centres")
    about: ClassVar[Mapping[str, About]] = {
        "ssim": About(
            "structural similarity",
            "(2μμ̂ + c₁)(2σ_xx̂ + c₂) / ((μ² + μ̂² + c₁)(σ² + σ̂² + c₂))",
            "Gaussian window of 11 cells, σ 1.5, renormalised over valid cells",
            "none",
            BY_SAMPLE,
        ),
    }
    definitions = (
        "ssim: Gaussian window 11 cells, σ 1.5, k1 0.01, k2 0.03, population moments, renormalised"
        " over valid cells, at centres with at least half the weight valid; range: of the truth"
        " over the period scored.",
    )

    def __init__(self, subject: Subject) -> None:
        super().__init__(subject)
        self.similarity = subject.per_sample(len(subject.candidates))
        self.centres = np.zeros(subject.samples, dtype=np.int64)

    def add(self, block: Block) -> None:
        truth = self.subject.truth
        structure = Structure.of(block.truth, block.valid, truth.mean, truth.width)
        self.centres[block.indices] = structure.counts
        for k, field in enumerate(block.fields):
            self.similarity[k, block.indices] = structure.similarity(field)

    def rows(self, errors: Totals) -> list[Row]:
        return [self.subject.score_row("ssim", "1", self.similarity)]

    def remarks(self) -> list[str]:
        return [f"ssim at {int(self.centres.sum())} window centres"]

    def series(self, errors: Totals) -> dict[str, Array]:
        return {"ssim": self.similarity}

    def why_undefined(self, row: str) -> str | None:
        if row != "ssim":
            return None
        return (
            "no window has half its weight on valid cells" if self.subject.truth.width else CONSTANT
        )
