"""Scores of an ensemble: how near its members are to the truth, and whether it knows its error."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from app.arrays import Array
from app.metrics.bootstrap import TimeBlocks
from app.metrics.deterministic.mean_rows import mean_rows
from app.metrics.influence import expanded
from app.metrics.metric import Block, Metric, Sheet, Subject, Sums, Totals
from app.metrics.sampled import LOWEST, Sampled, ratio_of
from app.metrics.table import AT_ONCE, About

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from app.metrics.metric import Result
    from app.metrics.table import Row

TIES_SEED = 20060101  # ranks of tied values are drawn, the same in every evaluation
PERCENT = 100.0
NO_ERROR = "the mean of the members has no error"


def fair_crps(distances: Array) -> Array:
    """CRPS (…) of the distribution that members (M, …) were drawn from; `distances`: less truth.

    E|X - Y| - Σᵢⱼ|Xᵢ - Xⱼ| / (2M(M - 1)), in the variable's unit; the double sum is twice
    Σᵢ(2i - M - 1)X₍ᵢ₎ over the sorted members.
    Ferro (2014), doi:10.1002/qj.2270
    """
    m = len(distances)
    weights = (2.0 * np.arange(1, m + 1) - m - 1) / (m * (m - 1))
    ranked = np.sort(np.moveaxis(distances, 0, -1), axis=-1)
    result: Array = np.abs(ranked).mean(axis=-1) - ranked @ weights
    return result


def truth_ranks(distances: Array, drawn: Array) -> Array:
    """Number of members (M, …) below the truth, and of tied ones the share drawn from [0, 1)."""
    below, tied = (distances < 0).sum(axis=0), (distances == 0).sum(axis=0)
    result: Array = below + (drawn * (tied + 1)).astype(np.int64)
    return result


SPREAD_SKILL, OUTSIDE = "spread_skill", "outside"  # rows


class EnsembleSums(Sums):
    """Area-weighted sums over the cells of each sample; rank histograms of blocks (M + 1, b)."""

    summed = ("crps", "variance", "squares", "outside", "histograms")

    def __init__(self, members: int, times: Array) -> None:
        self.members = members
        self.crps, self.variance, self.squares, self.outside = np.zeros((4, len(times)))
        self.blocks = TimeBlocks.of(times)
        self.histograms = np.zeros((members + 1, self.blocks.count))

    def add(self, indices: Array, truth: Array, members: Array, weights: Array) -> None:
        """Take in truth and weights (n, y, x), 0 where not scored, and members (M, n, y, x)."""
        valid = weights > 0
        distances = np.where(valid, members - truth.astype(np.float64), 0.0)
        squares = np.square(distances.mean(axis=0))
        for sums, values in (
            (self.crps, fair_crps(distances)),
            (self.variance, distances.var(axis=0, ddof=1)),
            (self.squares, squares),
        ):
            sums[indices] = np.einsum("nyx,nyx->n", weights, values)
        # of each sample by its number: the same, whichever rank has it
        drawn = [np.random.default_rng((TIES_SEED, i)).random(truth.shape[1:]) for i in indices]
        ranks = truth_ranks(distances, np.stack(drawn))
        beyond = (ranks == 0) | (ranks == self.members)
        self.outside[indices] = np.einsum("nyx,nyx->n", weights, beyond)
        place = self.blocks.place[indices][:, None, None] + self.blocks.count * ranks
        own = np.bincount(place[valid], weights[valid], self.histograms.size)
        self.histograms += own.reshape(self.histograms.shape)

    def spread_to_error(self, candidates: Sequence[str]) -> Sampled:
        """sqrt((M + 1)/M · mean unbiased variance) / RMSE of the mean; 1 if members are reliable.

        Fortin et al. (2014), doi:10.1175/JHM-D-14-0008.1
        """
        sums = np.stack([self.squares, (self.members + 1) / self.members * self.variance])
        return ratio_of(candidates[:1], sums, root=True)

    @property
    def spread_skill(self) -> float:
        """Its value."""
        return float(self.spread_to_error(("",)).values[0])

    @property
    def reliability_index(self) -> float:
        """Its value; see `deviation_from_flat`."""
        return float(self.deviation(("",)).values[0])

    def deviation(self, candidates: Sequence[str]) -> Sampled:
        """The reliability index of the first candidate, which has the members."""
        return deviation_from_flat(candidates[:1], self.histograms, self.blocks.span)

    @property
    def shares(self) -> Array:
        """Rank histogram (M + 1,): shares of the area-weighted values."""
        histogram = self.histograms.sum(axis=1)
        result: Array = histogram / histogram.sum()
        return result


def deviation_from_flat(names: Sequence[str], histograms: Array, span: int) -> Sampled:
    """Reliability index of rank histograms (M + 1, b): Σ|f - 1/(M + 1)|, in %; 0 where flat.

    Delle Monache et al. (2006), reliability index of ensemble rank histograms. Intervals are of
    first order: resamples of a flat histogram are all less flat.
    """
    held = histograms.sum(axis=0)
    shares = histograms.sum(axis=1) / held.sum()
    off = shares - 1 / len(shares)
    value = PERCENT * np.abs(off).sum()
    influence = PERCENT * np.sign(off) @ (histograms - shares[:, None] * held) / held.mean()
    return expanded(names, np.array([value]), influence[None], LOWEST, span)


class Ensemble(Metric):
    """CRPS of all candidates; spread, reliability and rank histogram of the members."""

    summed = ("sums",)
    about: ClassVar[Mapping[str, About]] = {
        "crps": About(
            "continuous ranked probability score",
            "mean |xᵢ - x| - Σᵢⱼ|xᵢ - xⱼ| / (2M(M - 1))",
            "fair estimator over M members; the absolute error of a single field",
        ),
        "spread_skill": About(
            "spread of the members over the error of their mean",
            "sqrt((M + 1)/M · mean s²) / sqrt(mean (x̄ - x)²)",
            "unbiased variance s² of the members",
            order=f"{AT_ONCE}, the roots last",
        ),
        "reliability_index": About(
            "deviation of the rank histogram from a flat one",
            "100 · Σ|f - 1/(M + 1)|",
            "shares f of the M + 1 ranks, ties drawn",
        ),
        "outside": About(
            "share of the truth outside the members", "mean [x < min xᵢ or x > max xᵢ]"
        ),
    }
    definitions = (
        "crps: mean |x - y| - sum |x - x'| / (2M(M - 1)) over members x, x' and truth y (fair"
        " estimator); that of a single field is its mae, so that the row compares.",
        "spread_skill: sqrt((M + 1)/M · area-weighted mean of the members' unbiased variance) /"
        " rmse of their mean; 1 for a reliable ensemble, below 1 too little spread."
        " reliability_index: Σ|f - 1/(M + 1)| over the M + 1 ranks of the truth among the members,"
        " in %, 0 where all are as frequent; shares f area-weighted, ties at random. outside: share"
        " of the truth below or above all members, 2/(M + 1) where it is right.",
    )
    undefined: ClassVar[dict[str, str]] = {"spread_skill": NO_ERROR}

    def __init__(self, subject: Subject) -> None:
        super().__init__(subject)
        self.sums = EnsembleSums(subject.members, subject.times)

    @classmethod
    def suits(cls, subject: Subject) -> bool:
        return subject.members > 1

    @property
    def outside_if_calibrated(self) -> float:
        """Share of the truth beyond all members, where it is one of them as any other."""
        return 2 / (self.subject.members + 1)

    def add(self, block: Block) -> None:
        self.sums.add(block.indices, block.truth, block.versions[0], block.weights)

    def rows(self, errors: Totals) -> list[Row]:
        subject, sums, weight = self.subject, self.sums, errors.weight
        outside = sums.outside[None]
        return [
            subject.mean_row("crps", subject.unit, self._crps(errors), weight),
            subject.sampled_row(SPREAD_SKILL, "1", sums.spread_to_error(subject.candidates)),
            subject.sampled_row("reliability_index", "%", sums.deviation(subject.candidates)),
            *mean_rows(subject, OUTSIDE, "1", outside, weight, best=self.outside_if_calibrated),
        ]

    def _crps(self, errors: Totals) -> Array:
        return np.vstack([self.sums.crps, errors.sample["absolute"][1:]])

    def series(self, errors: Totals) -> dict[str, Array]:
        return {"crps": self._crps(errors)}

    def tables(self) -> dict[str, Sheet]:
        name = self.subject.variable.name
        rows: list[list[object]] = [[name, "all", i, s] for i, s in enumerate(self.sums.shares)]
        return {"rank_histogram": Sheet(("variable", "season", "rank", "share"), rows)}

    def figures(self, result: Result) -> dict[str, Figure]:
        from app.metrics.drawing.ranks import rank_chart

        return {"rank_histogram": rank_chart(self.sums.shares, result)}
