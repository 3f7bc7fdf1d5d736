"""Where the truth lies among the members, season by season, and the error of endless members."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from app.arrays import Array
from app.data.times import Stamps
from app.metrics.bootstrap import TimeBlocks
from app.metrics.climatic.days import SEASONS, season_of
from app.metrics.deterministic.mean_rows import mean_rows
from app.metrics.metric import Block, Metric, Sheet, Subject, Totals
from app.metrics.probabilistic.ensemble import deviation_from_flat
from app.metrics.table import AT_ONCE, About

if TYPE_CHECKING:
    from app.metrics.table import Row

COLUMNS = ("variable", "season", "rank", "share")
DEBIASED, MEAN_RANK, BY_SEASON = "rmse_debiased", "mean_rank", "reliability_index_"


class RankSeasons(Metric):
    """Rank histograms of blocks of one season (M + 1, b); errors by sample (n,).

    rank (n,): area-weighted sums of the truth's rank among the members, 0
    to 1. squares (n,): of squared errors of the mean less the members' variance over M.
    """

    core = False
    summed = ("histograms", "rank", "squares")
    about: ClassVar[Mapping[str, About]] = {
        DEBIASED: About(
            "root mean square error of the mean of endless members",
            "sqrt(mean ((x̄ - x)² - s²/M))",
            "unbiased variance s² of M members",
            order=f"{AT_ONCE}, the root last",
        ),
        MEAN_RANK: About(
            "mean rank of the truth among the members",
            "mean (members below + ½ · members tied) / M",
            "0.5 without bias, below 0.5 where members are too high",
        ),
        BY_SEASON: About(
            "deviation of a season's rank histogram from a flat one",
            "100 · Σ|f - 1/(M + 1)|",
            "shares f of the M + 1 ranks, ties shared among them",
        ),
    }
    definitions = (
        "rmse_debiased: root of the mean square error of the members' mean less mean s²/M, what"
        " their finite number adds. mean_rank: of the truth among the members, 0.5 without bias,"
        " below it where members are too high. reliability_index_S: of a season, ties shared among"
        " the ranks; rank_histogram.csv has the histograms.",
    )

    def __init__(self, subject: Subject) -> None:
        super().__init__(subject)
        _, months = Stamps.of(subject.times).fields()
        season = season_of(months)
        self.blocks = TimeBlocks.of(subject.times, season)
        self.season = np.zeros(self.blocks.count, np.int64)
        self.season[self.blocks.place] = season
        self.histograms = np.zeros((subject.members + 1, self.blocks.count))
        self.rank, self.squares = subject.per_sample(2)

    @classmethod
    def suits(cls, subject: Subject) -> bool:
        return subject.members > 1

    def add(self, block: Block) -> None:
        members, truth, weights = block.versions[0], block.truth, block.weights
        m = len(members)
        below, tied = (members < truth).sum(axis=0), (members == truth).sum(axis=0)
        own = np.where(block.valid, (below + tied / 2) / m, 0.0)
        self.rank[block.indices] = np.einsum("nyx,nyx->n", weights, own)
        apart = np.where(block.valid, members - truth.astype(np.float64), 0.0)
        squares = np.square(apart.mean(axis=0)) - apart.var(axis=0, ddof=1) / m
        self.squares[block.indices] = np.einsum("nyx,nyx->n", weights, squares)
        place = self.blocks.place[block.indices]
        for b in np.unique(place):
            chosen = block.valid & (place == b)[:, None, None]
            own = shared_ranks(below[chosen], tied[chosen], weights[chosen], m)
            self.histograms[:, b] += own

    @cached_property
    def seasons(self) -> dict[str, Array]:
        """Rank histograms (M + 1, b) of the seasons that are there."""
        held = self.histograms.any(axis=0)
        parts = {name: held & (self.season == s) for s, name in enumerate(SEASONS)}
        return {name: self.histograms[:, own] for name, own in parts.items() if own.any()}

    def rows(self, errors: Totals) -> list[Row]:
        subject, weight = self.subject, errors.weight
        squares, rank = self.squares[None], self.rank[None]
        rows = [
            *mean_rows(subject, DEBIASED, subject.unit, squares, weight, root=True),
            *mean_rows(subject, MEAN_RANK, "1", rank, weight, best=None),
        ]
        for name, own in self.seasons.items():
            made = deviation_from_flat(subject.candidates[:1], own, self.blocks.span)
            rows.append(subject.sampled_row(BY_SEASON + name, "%", made))
        return rows

    def tables(self) -> dict[str, Sheet]:
        lines: list[list[object]] = [
            [self.subject.variable.name, season, rank, float(share)]
            for season, own in self.seasons.items()
            for rank, share in enumerate(own.sum(axis=1) / own.sum())
        ]
        return {"rank_histogram": Sheet(COLUMNS, lines)}


def shared_ranks(below: Array, tied: Array, weights: Array, members: int) -> Array:
    """Weights (M + 1,) by rank of values (v,), each shared among the ranks of tied members."""
    part = weights / (tied + 1)
    steps = np.bincount(below, part, members + 2)
    steps -= np.bincount(below + tied + 1, part, members + 2)
    result: Array = np.cumsum(steps)[:-1]
    return result
