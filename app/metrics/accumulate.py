"""Running sums of one predictand: what every score is made of."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from app.metrics.ranks import centred_ranks, correlate
from app.metrics.structure import Structure

SPREAD_FLOOR = 1e-7  # relative to the values: float32 cannot tell a smaller spread from none


@dataclass(frozen=True)
class TruthRange:
    """What the first pass over the truth of the scored period found."""

    mean: float
    low: float
    high: float

    @property
    def width(self) -> float:
        """Data range of PSNR and SSIM."""
        return self.high - self.low


def masked_correlation(
    a: np.ndarray, b: np.ndarray, floor_a: np.ndarray, floor_b: np.ndarray
) -> np.ndarray:
    """`correlate`, NaN also where a spread is no more than rounding."""
    constant = (np.square(a).mean(axis=-1) <= floor_a**2) | (
        np.square(b).mean(axis=-1) <= floor_b**2
    )
    return np.where(constant, np.nan, correlate(a, b))


class VariableScores:
    """Sums over the cells of each sample and over the samples of each cell.

    Every candidate is scored on the same values: those where the truth and all candidates are
    finite and the mask holds. Candidates are the first axis of all results.
    """

    def __init__(
        self, candidates: tuple[str, ...], samples: int, area: np.ndarray, truth_range: TruthRange
    ) -> None:
        self.candidates, self.area, self.range = candidates, area, truth_range
        k, shape = len(candidates), area.shape
        self.weight = np.zeros(samples)
        self.truth_sum = np.zeros(samples)
        self.centres = np.zeros(samples, dtype=np.int64)
        per_sample = ("absolute", "squares", "error", "pearson", "spearman", "ssim")
        self.sample = {name: np.full((k, samples), np.nan) for name in per_sample}
        self.count = np.zeros(shape, dtype=np.int64)
        self.truth = {name: np.zeros(shape) for name in ("sum", "squares")}
        per_cell = ("absolute", "squares", "error", "sum", "sum_squares", "products")
        self.cell = {name: np.zeros((k, *shape)) for name in per_cell}
        self.spearman = np.full((k, *shape), np.nan)
        self.offered = 0
        self.missing = np.zeros(k, dtype=np.int64)

    def add(self, indices: np.ndarray, truth: np.ndarray, fields: np.ndarray) -> None:
        """Take in truth (n, y, x), NaN where masked, and fields (k, n, y, x)."""
        known = np.isfinite(truth)
        given = np.isfinite(fields)
        valid = known & given.all(axis=0)
        self.offered += int(known.sum())
        self.missing += (known & ~given).sum(axis=(1, 2, 3))
        t = np.where(valid, truth - np.float64(self.range.mean), 0.0)
        weights = self.area * valid
        self.weight[indices] = weights.sum(axis=(1, 2))
        self.truth_sum[indices] = np.einsum("nyx,nyx->n", weights, t)
        self.count += valid.sum(axis=0)
        self.truth["sum"] += t.sum(axis=0)
        self.truth["squares"] += np.square(t).sum(axis=0)
        structure = Structure.of(truth, valid, self.range.mean, self.range.width)
        self.centres[indices] = structure.counts
        ranks = self._flat_ranks(truth, valid)
        centred, floor = self._centre(t, weights)
        for k, field in enumerate(fields):
            p = np.where(valid, field - np.float64(self.range.mean), 0.0)
            self._add_errors(k, indices, p - t, weights)
            self._add_products(k, t, p)
            own, own_floor = self._centre(p, weights)
            self.sample["pearson"][k, indices] = masked_correlation(centred, own, floor, own_floor)
            self.sample["spearman"][k, indices] = correlate(ranks, self._flat_ranks(field, valid))
            self.sample["ssim"][k, indices] = structure.similarity(field)

    @staticmethod
    def _flat_ranks(values: np.ndarray, valid: np.ndarray) -> np.ndarray:
        flat = (len(values), -1)
        return centred_ranks(values.reshape(flat), valid.reshape(flat))

    def _centre(self, values: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Anomalies times the root of their weight (n, y·x), and the spread that is rounding."""
        total = np.maximum(weights.sum(axis=(1, 2)), np.finfo(float).tiny)
        mean = np.einsum("nyx,nyx->n", weights, values) / total
        anomalies = np.sqrt(weights) * (values - mean[:, None, None])
        floor = SPREAD_FLOOR * (np.abs(mean) + abs(self.range.mean))
        return anomalies.reshape(len(values), -1), floor

    def _add_errors(self, k: int, indices: np.ndarray, e: np.ndarray, weights: np.ndarray) -> None:
        for name, values in (("absolute", np.abs(e)), ("squares", e**2), ("error", e)):
            self.sample[name][k, indices] = np.einsum("nyx,nyx->n", weights, values)
            self.cell[name][k] += values.sum(axis=0)

    def _add_products(self, k: int, t: np.ndarray, p: np.ndarray) -> None:
        self.cell["sum"][k] += p.sum(axis=0)
        self.cell["sum_squares"][k] += np.einsum("nyx,nyx->yx", p, p)
        self.cell["products"][k] += np.einsum("nyx,nyx->yx", t, p)

    def add_rows(self, rows: slice, truth: np.ndarray, fields: np.ndarray) -> None:
        """Rank correlation over time of whole series: truth (n, r, x), fields (k, n, r, x)."""
        valid = np.isfinite(truth) & np.isfinite(fields).all(axis=0)
        last = np.ascontiguousarray(np.moveaxis(valid, 0, -1))
        ranks = centred_ranks(np.moveaxis(truth, 0, -1), last)
        for k, field in enumerate(fields):
            own = centred_ranks(np.moveaxis(field, 0, -1), last)
            self.spearman[k, rows] = correlate(ranks, own)
