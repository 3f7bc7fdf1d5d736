"""Scores of whole fields: the energy score and the variogram score."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from app.arrays import Array
from app.metrics.deterministic.mean_rows import mean_rows
from app.metrics.metric import Block, Metric, Subject, Totals
from app.metrics.table import BY_SAMPLE, About

if TYPE_CHECKING:
    from app.metrics.table import Row

LAGS = (1, 2, 4, 8)  # cells along rows and along columns
POWER = 0.5


class Multivariate(Metric):
    """Scores of every sample (k, n): energy, and weighted sums of the variogram score.

    pairs (n,): weight of the pairs of cells of a sample. scored (n,): 1 where it has any value.
    """

    core = False
    summed = ("energy", "scored", "variogram", "pairs")
    about: ClassVar[Mapping[str, About]] = {
        "energy_score": About(
            "energy score",
            "mean ‖xᵢ - x‖ - Σᵢⱼ‖xᵢ - xⱼ‖ / (2M(M - 1)), ‖·‖: root mean square over cells",
            "fair estimator over M members; the rmse of a single field's sample",
            order=BY_SAMPLE,
        ),
        "variogram_score": About(
            "variogram score",
            "Σ w (|Δx|^½ - mean |Δxᵢ|^½)² / Σ w",
            "pairs 1, 2, 4 and 8 cells apart along rows and columns, w: area / distance",
            order="pairs of all samples at once",
        ),
    }
    definitions = (
        "energy_score: of whole fields; ‖·‖ is the area-weighted root mean square over cells."
        " variogram_score (Scheuerer and Hamill 2015, p = ½): of differences between cells 1, 2, 4"
        " and 8 apart along rows and columns; tells whether members vary in space as the truth"
        " does.",
    )

    def __init__(self, subject: Subject) -> None:
        super().__init__(subject)
        self.energy, self.variogram = subject.per_sample(2, len(subject.candidates))
        self.scored, self.pairs = subject.per_sample(2)

    def add(self, block: Block) -> None:
        total = block.weights.sum(axis=(1, 2))
        self.scored[block.indices] = total > 0
        share = np.sqrt(block.weights / np.where(total > 0, total, 1.0)[:, None, None])
        for k, stack in enumerate(block.versions):
            apart = np.where(block.valid, stack - block.truth.astype(np.float64), 0.0) * share
            self.energy[k, block.indices] = energy(apart.reshape(*apart.shape[:2], -1))
        self._add_pairs(block)

    def _add_pairs(self, block: Block) -> None:
        area = self.subject.area
        for near, far, lag in _offsets(area.shape):
            weights = (block.valid[near] & block.valid[far]) * (area[near[1:]] / lag)
            self.pairs[block.indices] += weights.sum(axis=(1, 2))

            def rise(fields: Array, near: Slices = near, far: Slices = far) -> Array:
                cut = (..., *near[1:]), (..., *far[1:])
                apart = np.abs(np.subtract(fields[cut[0]], fields[cut[1]], dtype=np.float64))
                known = apart if block.complete else np.nan_to_num(apart, posinf=0.0)
                powers: Array = known**POWER
                return powers

            truth = rise(block.truth)
            for k, stack in enumerate(block.versions):
                squares = np.square(truth - rise(stack).mean(axis=0))
                own = np.einsum("nyx,nyx->n", weights, squares)
                self.variogram[k, block.indices] += own

    def rows(self, errors: Totals) -> list[Row]:
        subject, unit = self.subject, self.subject.unit
        return [
            *mean_rows(subject, "energy_score", unit, self.energy, self.scored),
            *mean_rows(subject, "variogram_score", unit, self.variogram, self.pairs),
        ]

    def why_undefined(self, row: str) -> str | None:
        return "no two cells are scored" if row.startswith("variogram_score") else None


Slices = tuple[slice, slice, slice]


def _offsets(shape: tuple[int, ...]) -> Iterator[tuple[Slices, Slices, int]]:
    """Both ends of all pairs of cells, and how many cells they are apart."""
    every = slice(None)
    for lag in LAGS:
        near, far = slice(None, -lag), slice(lag, None)
        if lag < shape[0]:
            yield (every, near, every), (every, far, every), lag
        if lag < shape[1]:
            yield (every, every, near), (every, every, far), lag


def energy(apart: Array) -> Array:
    """Energy score (n,) of members less the truth (M, n, c), its distances Euclidean ones."""
    m = len(apart)
    products = np.matmul(apart.transpose(1, 0, 2), apart.transpose(1, 2, 0))  # (n, M, M)
    own = np.einsum("nii->ni", products)
    error: Array = np.sqrt(own).mean(axis=1)
    if m == 1:
        return error
    between = own[:, :, None] + own[:, None, :] - 2 * products
    spread = np.sqrt(np.maximum(between, 0.0)).sum(axis=(1, 2)) / (2 * m * (m - 1))
    result: Array = error - spread
    return result
