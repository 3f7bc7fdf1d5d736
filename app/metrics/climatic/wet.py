"""Wet cells: how many there are, how much falls there, and whether members tell them rightly."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from app.arrays import Array
from app.data.units import HOUR
from app.metrics.arithmetic import divide
from app.metrics.deterministic.mean_rows import mean_rows, ratio_rows
from app.metrics.metric import Block, Metric, Sheet, Subject, Totals
from app.metrics.sampled import HIGHEST, Sampled, mean_of
from app.metrics.table import About, Row

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from app.metrics.metric import Result

WET_RATIO = "wet_frequency_ratio"
BINS = 10  # of the forecast probability, at most


class Wet(Metric):
    """Area of wet cells of every sample, and the amounts that fell there.

    truth, truth_amount (n,); candidates, amounts (k, n). Nothing is summed where the unit does not
    tell what is wet.
    """

    summed = ("weight", "truth", "candidates", "truth_amount", "amounts")
    about: ClassVar[Mapping[str, About]] = {
        "wet_frequency": About("share of wet values", "mean [x̂ ≥ limit]"),
        "wet_intensity": About("mean of the wet values", "mean x̂ where x̂ ≥ limit"),
        "wet_frequency_ratio": About(
            "share of wet values over the truth's", "mean [x̂ ≥ limit] / mean [x ≥ limit]"
        ),
    }
    definitions = (
        "wet_frequency: area-weighted share of values that are wet. wet_intensity: area-weighted"
        " mean of the wet values. wet_frequency_ratio: wet_frequency / that of the truth. Values"
        " that are not wet are no extremes.",
    )
    undefined: ClassVar[dict[str, str]] = {
        "wet_intensity": "nothing of the prediction is wet",
        WET_RATIO: "nothing of the truth is wet",
    }

    def __init__(self, subject: Subject) -> None:
        super().__init__(subject)
        self.limit = _limit(subject)
        k = len(subject.candidates)
        self.weight, self.truth, self.truth_amount = subject.per_sample(3)
        self.candidates, self.amounts = subject.per_sample(2, k)

    @classmethod
    def suits(cls, subject: Subject) -> bool:
        return subject.wet is not None

    def add(self, block: Block) -> None:
        if self.limit is None:
            return
        indices = block.indices
        self.weight[indices] = block.total_weight
        wet = block.valid & (block.truth >= self.limit)
        self.truth[indices] = block.over_cells(wet)
        self.truth_amount[indices] = block.over_cells(np.where(wet, block.truth, 0.0))
        for area, amount, stack in zip(self.candidates, self.amounts, block.versions, strict=True):
            wet = block.valid & (stack >= self.limit)
            area[indices] = block.over_cells(wet).mean(axis=0)
            amount[indices] = block.over_cells(np.where(wet, stack, 0.0)).mean(axis=0)

    def rows(self, errors: Totals) -> list[Row]:
        subject = self.subject
        if self.limit is None:
            return [Row("wet_frequency", "1", {}), Row("wet_intensity", subject.unit, {})]
        amounts, wet = self.amounts, self.candidates
        return [
            subject.mean_row("wet_frequency", "1", wet, errors.weight, best=None),
            *mean_rows(subject, "wet_intensity", subject.unit, amounts, wet, best=None),
            *ratio_rows(subject, WET_RATIO, np.vstack([self.truth, self.candidates])),
        ]

    def remarks(self) -> list[str]:
        """What counts as wet and how much of the truth does, or why nothing can be said."""
        subject, limit = self.subject, self.subject.wet
        assert limit is not None
        if limit.value is None:
            return [
                f"no wet_frequency, the period that its amounts in {subject.unit} are summed over"
                " is not known; a rate such as mm day-1 needs none"
            ]
        own = "" if subject.variable.wet_threshold is not None else " (1 mm day-1)"
        summed = "" if limit.accumulation is None else f" in {limit.accumulation / HOUR:g} h"
        return [f"wet from {limit.value:.4g} {subject.unit}{summed}{own} up; {self._of_truth()}"]

    def _of_truth(self) -> str:
        wet = self.truth.sum()
        if not wet:
            return "nothing of the truth"
        share, amount = wet / self.weight.sum(), self.truth_amount.sum() / wet
        of_it = f"of {amount:.4g} {self.subject.unit} on average"
        return f"of the truth a share of {share:.4g}, {of_it}"


def _limit(subject: Subject) -> np.float32 | None:
    """The lowest wet value, as single as the fields are, so that a value of the limit is wet."""
    value = None if subject.wet is None else subject.wet.value
    return None if value is None else np.float32(value)


class WetProbability(Metric):
    """Area-weighted sums over the cells of each sample, of members' wet share p, and o, 0 or 1.

    brier (n,) of (p - o)², after Brier (1950); wet (n,) of o, whether the truth is wet.
    bins (3, b): weight, sum of p and sum of o by bins of p.
    """

    summed = ("weight", "brier", "wet", "bins")
    about: ClassVar[Mapping[str, About]] = {
        "brier_wet": About(
            "Brier score of being wet", "mean (p - o)²", "p: share of the members that are wet"
        ),
        "brier_skill_wet": About(
            "Brier skill score of being wet",
            "1 - mean (p - o)² / (ō(1 - ō))",
            "reference: the truth's own share of the period scored",
        ),
    }
    definitions = (
        "brier_wet: area-weighted mean of (p - o)², p the share of wet members, o whether the"
        " truth is wet; brier_skill_wet: 1 - that / that of always telling the truth's share.",
    )
    undefined: ClassVar[dict[str, str]] = {"brier_skill_wet": "the truth is always wet, or never"}

    def __init__(self, subject: Subject) -> None:
        super().__init__(subject)
        self.limit = _limit(subject)
        self.weight, self.brier, self.wet = subject.per_sample(3)
        # as many as there are shares of wet members, if these are few
        self.bins = np.zeros((3, min(BINS, subject.members + 1)))

    @classmethod
    def suits(cls, subject: Subject) -> bool:
        return subject.members > 1 and bool(_limit(subject))

    def add(self, block: Block) -> None:
        valid, weights = block.weights > 0, block.weights
        wet = block.truth >= self.limit
        share = (block.versions[0] >= self.limit).mean(axis=0)
        self.weight[block.indices] = weights.sum(axis=(1, 2))
        self.brier[block.indices] = np.einsum("nyx,nyx->n", weights, np.square(share - wet))
        self.wet[block.indices] = np.einsum("nyx,nyx->n", weights, wet)
        w, o, p = weights[valid], wet[valid].astype(np.float64), share[valid]
        count, members = self.bins.shape[1], self.subject.members
        if count == members + 1:
            place = np.rint(p * members).astype(int)
        else:
            place = np.minimum((p * count).astype(int), count - 1)
        for row, values in zip(self.bins, (w, w * p, w * o), strict=True):
            row += np.bincount(place, values, count)

    def rows(self, errors: Totals) -> list[Row]:
        subject, names = self.subject, self.subject.candidates
        score = mean_of(names, self.brier[None], self.weight)
        skill = Sampled(score.names, np.stack([self.brier, self.wet, self.weight]), _skill, HIGHEST)
        return [
            subject.sampled_row("brier_wet", "1", score),
            subject.sampled_row("brier_skill_wet", "1", skill),
        ]

    def tables(self) -> dict[str, Sheet]:
        name = self.subject.variable.name
        rows: list[list[object]] = [[name, *bin] for bin in zip(*self.reliability, strict=True)]
        columns = ("variable", "share", "probability", "wet_share_of_truth")
        return {"wet_reliability": Sheet(columns, rows)}

    def figures(self, result: Result) -> dict[str, Figure]:
        from app.metrics.drawing.reliability import reliability_chart

        share = self.wet.sum() / self.weight.sum()
        return {"wet_reliability": reliability_chart(*self.reliability, share, result)}

    @property
    def reliability(self) -> tuple[Array, Array, Array]:
        """Share of values, mean p and wet share of the truth in each bin (b,); NaN if empty."""
        weight, p, o = self.bins
        safe = np.where(weight > 0, weight, np.nan)
        return weight / max(self.weight.sum(), np.finfo(float).tiny), p / safe, o / safe


def _skill(totals: Array) -> Array:
    """1 - score / score of always telling the truth's share, of totals (…, 3): (…, 1)."""
    brier, wet, weight = np.moveaxis(totals, -1, 0)
    share = divide(wet, weight)
    result: Array = (1 - divide(divide(brier, weight), np.nan_to_num(share * (1 - share))))[
        ..., None
    ]
    return result
