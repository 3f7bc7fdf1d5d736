"""Running sums of one predictand for the scores of distributions: members, scales, wet cells."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from app.data.wet import WetLimit
from app.metrics.bins import BinSums
from app.metrics.ensemble import EnsembleSums
from app.metrics.persistence import ResidualPersistence
from app.metrics.pooled import PooledSums
from app.metrics.precipitation import WetSums
from app.metrics.quantile_scores import QuantileSums
from app.metrics.quantiles import last_axis_quantile
from app.metrics.spectra import Bands, SpectrumSums
from app.metrics.wet_probability import WetProbabilitySums

EXTREME = 0.99  # the quantile over time that is compared
REFERENCE = "bicubic"  # what persistence is measured against


def versions_of(fields: np.ndarray, members: np.ndarray | None) -> list[np.ndarray]:
    """Each candidate's equally likely fields (m, n, y, x): the members of the first, if any."""
    rest = [field[None] for field in fields[1:]]
    return [fields[:1] if members is None else members, *rest]


class DistributionScores:
    """Sums on the values that all scores use: truth and all candidates valid.

    The first candidate is the mean of the members or the median of the quantiles, where there
    are any. `levels` are the quantiles'. `pairs`: see `ResidualPersistence`.
    """

    def __init__(
        self,
        candidates: Sequence[str],
        samples: int,
        area: np.ndarray,
        *,
        bands: Bands,
        origin: float = 0.0,
        members: int = 1,
        levels: tuple[float, ...] = (),
        wet: WetLimit | None = None,
        pairs: np.ndarray | None = None,
        bins: BinSums | None = None,
    ) -> None:
        self.candidates, self.area, self.wet_limit = tuple(candidates), area, wet
        k = len(self.candidates)
        self.weight = np.zeros(samples)
        self.bins = bins
        self.ensemble = EnsembleSums(members, samples) if members > 1 else None
        self.quantiles = QuantileSums(levels, k, samples) if levels else None
        self.pooled = PooledSums(k, members, samples)
        self.persistence = None
        if pairs is not None and REFERENCE in self.candidates:
            self.persistence = ResidualPersistence(k, pairs)
        self.spectrum = SpectrumSums(k, bands, origin)
        limit = None if wet is None else wet.value
        self.wet = None if limit is None else WetSums(k, samples, limit)
        several = members > 1 and limit is not None
        self.wet_probability = WetProbabilitySums(limit) if several and limit else None
        self.truth_extreme = np.full(area.shape, np.nan)
        self.extreme = np.full((k, *area.shape), np.nan)

    def add(
        self,
        indices: np.ndarray,
        truth: np.ndarray,
        fields: np.ndarray,
        layers: np.ndarray | None = None,
    ) -> None:
        """Take in truth (n, y, x), fields (k, n, y, x), and members or quantiles (L, n, y, x)."""
        valid = np.isfinite(truth) & np.isfinite(fields).all(axis=0)
        weights = self.area * valid
        self.weight[indices] = weights.sum(axis=(1, 2))
        versions = versions_of(fields, layers if self.ensemble else None)
        if self.quantiles is not None and layers is not None:
            self.quantiles.add(indices, truth, layers, fields, weights)
        self.spectrum.add(truth, versions, valid)
        if self.ensemble is not None:
            self.ensemble.add(indices, truth, versions[0], weights)
        self.pooled.add(indices, truth, fields, versions[0], weights)
        if self.wet_probability is not None:
            self.wet_probability.add(truth, versions[0], weights)
        if self.bins is not None:
            self.bins.add(indices, truth, fields, versions, weights)
        if self.wet is not None:
            self.wet.add(indices, truth, versions, weights)

    def add_rows(
        self,
        rows: slice,
        truth: np.ndarray,
        fields: np.ndarray,
        layers: np.ndarray | None = None,
    ) -> None:
        """Extremes over time of whole series: truth (n, r, x), the others lead with an axis."""
        valid = np.isfinite(truth) & np.isfinite(fields).all(axis=0)

        def extreme(series: np.ndarray) -> np.ndarray:
            kept = np.where(valid, series, np.nan)
            return last_axis_quantile(np.moveaxis(kept, 0, -1), EXTREME)

        self.truth_extreme[rows] = extreme(truth)
        versions = versions_of(fields, layers if self.ensemble else None)
        if self.persistence is not None:
            reference = fields[self.candidates.index(REFERENCE)]
            self.persistence.add(np.where(valid, truth, np.nan), versions, reference)
        for k, stack in enumerate(versions):
            # a pool of members would reach further into the tail than the truth's one series
            self.extreme[k, rows] = np.mean([extreme(series) for series in stack], axis=0)
