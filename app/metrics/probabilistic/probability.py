"""Probabilities of events: the Brier score and its parts, reliability, and the area under ROC."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from scipy.optimize import isotonic_regression

from app.arrays import Array
from app.metrics.arithmetic import divide
from app.metrics.bootstrap import TimeBlocks
from app.metrics.deterministic.mean_rows import mean_rows
from app.metrics.influence import expanded
from app.metrics.metric import Band, Metric, Sheet, Subject, Totals
from app.metrics.probabilistic.events import DEFINITION, beyond, levels, thresholds_of
from app.metrics.sampled import HIGHEST, LOWEST, Best, Sampled
from app.metrics.table import About

if TYPE_CHECKING:
    from app.metrics.table import Row

COLUMNS = (
    *("variable", "threshold", "candidate", "probability", "share"),
    *("observed", "isotonic"),
)
SHARE = "p: share of the members with the event, 0 or 1 of a single field"
BY_PROBABILITY = f"{SHARE}; values grouped by p"
RECALIBRATED = f"{SHARE}; recalibrated by isotonic regression of the event on p"
EVENT = np.array([0.0, 1.0])  # what is observed: none, or the event
ROUNDING = 1e-9  # of shares: sums over samples and over cells end differently
NEVER = "the event is always there, or never"


class Probability(Metric):
    """Weights by threshold T, candidate and number of members with the event, and by sample.

    counts, of each candidate (T, L, 2, b): of values without and with the event in truth, by
    blocks of samples.
    brier (T, k, n). events (T, n): weights of the values with the event.
    """

    core = False
    summed = ("counts", "brier", "events")
    about: ClassVar[Mapping[str, About]] = {
        "brier_": About("Brier score of an event", "mean (p - o)²", SHARE),
        "brier_skill_": About(
            "Brier skill score of an event", "1 - mean (p - o)² / (ō(1 - ō))", SHARE
        ),
        "brier_reliability_": About(
            "reliability part of the Brier score", "mean (p - ō_p)²", BY_PROBABILITY
        ),
        "brier_resolution_": About(
            "resolution part of the Brier score", "mean (ō_p - ō)²", BY_PROBABILITY
        ),
        "brier_uncertainty_": About("uncertainty part of the Brier score", "ō(1 - ō)", SHARE),
        "brier_miscalibration_": About(
            "miscalibration part of the Brier score", "mean (p - o)² - mean (p' - o)²", RECALIBRATED
        ),
        "brier_discrimination_": About(
            "discrimination part of the Brier score", "ō(1 - ō) - mean (p' - o)²", RECALIBRATED
        ),
        "roc_area_": About(
            "area under the ROC curve",
            "P(p of an event > p of none) + ½ P(the same)",
            f"{SHARE}; straight lines between the points of the curve",
        ),
    }
    definitions = (
        DEFINITION,
        "brier_T = brier_reliability_T - brier_resolution_T + brier_uncertainty_T (Murphy 1973) ="
        " brier_miscalibration_T - brier_discrimination_T + brier_uncertainty_T (Dimitriadis et"
        " al. 2021). roc_area_T: 0.5 without any discrimination. reliability.csv has the curves.",
    )

    def __init__(self, subject: Subject) -> None:
        super().__init__(subject)
        self.thresholds = thresholds_of(subject)
        t, k = len(self.thresholds), len(subject.candidates)
        self.blocks = TimeBlocks.of(subject.times)
        members = (max(subject.members, 1), *[1] * (k - 1))
        self.counts = [np.zeros((t, m + 1, 2, self.blocks.count)) for m in members]
        self.brier = subject.per_sample(t, k)
        self.events = subject.per_sample(t)

    def add_series(self, band: Band) -> None:
        weights = band.weights
        chosen = weights > 0
        kept, count = weights[chosen], self.blocks.count
        block = np.broadcast_to(self.blocks.place[:, None, None], chosen.shape)[chosen]
        for t, (threshold, level) in enumerate(
            zip(self.thresholds, levels(band, self.thresholds), strict=True)
        ):
            event = beyond(band.truth, level, threshold)
            self.events[t] += np.einsum("nyx,nyx->n", weights, event)
            for k, stack in enumerate(band.versions):
                votes = beyond(stack, level, threshold).sum(axis=0)
                squares = np.square(votes / len(stack) - event)
                self.brier[t, k] += np.einsum("nyx,nyx->n", weights, squares)
                place = (2 * votes[chosen] + event[chosen]) * count + block
                counts = self.counts[k][t]
                counts += np.bincount(place, kept, counts.size).reshape(counts.shape)

    @cached_property
    def parts(self) -> list[list[Parts]]:
        """By threshold and candidate, once all is in."""
        return [[Parts(own[t]) for own in self.counts] for t in range(len(self.thresholds))]

    def rows(self, errors: Totals) -> list[Row]:
        rows, subject = [], self.subject
        for t, threshold in enumerate(self.thresholds):
            name = f"brier_{threshold}"
            rows += mean_rows(subject, name, "1", self.brier[t], errors.weight)
            skill = self._skill(t, errors.weight)
            rows.append(subject.sampled_row(f"brier_skill_{threshold}", "1", skill))
            for name, best in Parts.ROWS.items():
                made = self._part(t, name.removeprefix("brier_"), best)
                rows.append(subject.sampled_row(f"{name}_{threshold}", "1", made))
        return rows

    def _part(self, t: int, name: str, best: Best) -> Sampled:
        """A part of the score of every candidate, and what each block of samples moves it by."""
        values = np.array([getattr(own, name) for own in self.parts[t]])
        influence = np.array([own.influence(name) for own in self.parts[t]])
        return expanded(self.subject.candidates, values, influence, best, self.blocks.span)

    def _skill(self, t: int, weight: Array) -> Sampled:
        names = self.subject.candidates
        k = len(names)

        def of(totals: Array) -> Array:
            score, event, total = totals[..., :k], totals[..., k:-1], totals[..., -1:]
            share = divide(event, total)
            varied = share * (1 - share)
            found: Array = 1 - divide(score, total * np.where(varied > ROUNDING, varied, 0.0))
            return found

        return Sampled(names, np.vstack([self.brier[t], self.events[t], weight]), of, HIGHEST)

    def why_undefined(self, row: str) -> str | None:
        return NEVER if row.startswith(("brier_skill_", "roc_area_")) else None

    def tables(self) -> dict[str, Sheet]:
        lines: list[list[object]] = []
        for threshold, found in zip(self.thresholds, self.parts, strict=True):
            for candidate, own in zip(self.subject.candidates, found, strict=True):
                head = [self.subject.variable.name, str(threshold), candidate]
                lines += [[*head, *map(float, point)] for point in own.curve]
        return {"reliability": Sheet(COLUMNS, lines)}


class Parts:
    """The Brier score of weights (L, 2, b), of values without and with the event by probability.

    They are of blocks of samples, and scores of all of them.
    """

    ROWS: ClassVar[dict[str, Best]] = {
        "brier_reliability": LOWEST,
        "brier_resolution": HIGHEST,
        "brier_uncertainty": None,
        "brier_miscalibration": LOWEST,
        "brier_discrimination": HIGHEST,
        "roc_area": HIGHEST,
    }

    def __init__(self, blocks: Array) -> None:
        counts = blocks.sum(axis=-1)
        held = counts.sum(axis=1) > 0
        self.blocks, self.counts = blocks[held], counts[held]
        self.p = np.linspace(0, 1, len(counts))[held]
        self.weights = self.counts.sum(axis=1)
        self.observed = self.counts[:, 1] / self.weights
        self.share = self.weights / self.weights.sum()
        self.base = float(self.share @ self.observed)

    def _score(self, p: Array) -> float:
        return float(self.share @ (p**2 - 2 * p * self.observed + self.observed))

    @property
    def reliability(self) -> float:
        return float(self.share @ np.square(self.p - self.observed))

    @property
    def resolution(self) -> float:
        return float(self.share @ np.square(self.observed - self.base))

    @property
    def uncertainty(self) -> float:
        return self.base * (1 - self.base)

    @cached_property
    def isotonic(self) -> Array:
        """What the event's frequency is at each probability, if it never falls."""
        result: Array = isotonic_regression(self.observed, weights=self.weights).x
        return result

    @property
    def miscalibration(self) -> float:
        return self._score(self.p) - self._score(self.isotonic)

    @property
    def discrimination(self) -> float:
        return self.uncertainty - self._score(self.isotonic)

    @property
    def roc_area(self) -> float:
        without, event = self.counts.T
        if not (without.any() and event.any()):
            return np.nan
        below = np.cumsum(without) - without / 2
        return float(event @ below / (event.sum() * without.sum()))

    def influence(self, name: str) -> Array:
        """What each block moves a score by (b,), to first order, their mean 0.

        Every value moves a score by a number that depends on its probability and on the event.
        """
        by_value: Array = getattr(self, f"_{name}_by_value")
        held = self.blocks.sum(axis=(0, 1))
        mean = np.einsum("le,le->", self.counts, by_value) / self.counts.sum()
        summed = np.einsum("leb,le->b", self.blocks, by_value) - mean * held
        result: Array = summed / held.mean()
        return result

    @property
    def _uncertainty_by_value(self) -> Array:
        return np.broadcast_to((1 - 2 * self.base) * EVENT, self.counts.shape)

    @property
    def _reliability_by_value(self) -> Array:
        off = (self.p - self.observed)[:, None]
        result: Array = 2 * off * (self.p[:, None] - EVENT) - off**2
        return result

    @property
    def _resolution_by_value(self) -> Array:
        # score = reliability - resolution + uncertainty
        return self._reliability_by_value + self._uncertainty_by_value - self._squares(self.p)

    @property
    def _miscalibration_by_value(self) -> Array:
        # the regression is the best there is: to first order the score does not move with it
        return self._squares(self.p) - self._squares(self.isotonic)

    @property
    def _discrimination_by_value(self) -> Array:
        return self._uncertainty_by_value - self._squares(self.isotonic)

    @property
    def _roc_area_by_value(self) -> Array:
        without, event = self.counts.T
        if not (without.any() and event.any()):
            return np.zeros(self.counts.shape)
        below = (np.cumsum(without) - without / 2) / without.sum()
        above = (event.sum() - np.cumsum(event) + event / 2) / event.sum()
        total = self.counts.sum()
        found = [above * total / without.sum(), below * total / event.sum()]
        lost = self.roc_area * total / np.array([without.sum(), event.sum()])
        result: Array = np.stack(found, axis=1) - lost
        return result

    def _squares(self, p: Array) -> Array:
        result: Array = np.square(p[:, None] - EVENT)
        return result

    @property
    def curve(self) -> Array:
        """Probability, share of the values, observed frequency, and the isotonic one (L, 4)."""
        return np.stack([self.p, self.share, self.observed, self.isotonic], axis=1)
