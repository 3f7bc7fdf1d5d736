"""Spells of events: how they begin, whether they stay, and how long they last."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

import numpy as np

from app.arrays import Array
from app.metrics.climatic.cells import CellStatistics, Measured
from app.metrics.metric import Subject
from app.metrics.probabilistic.events import DEFINITION, PERCENT, thresholds_of
from app.metrics.quantiles import last_axis_quantiles
from app.metrics.table import BY_CELL, About
from app.options.scoring import Threshold

LENGTH = "spell_length_"
PAIRS = "pairs of neighbouring times"


def limits_of(thresholds: Sequence[Threshold], truth: Array) -> Array:
    """Thresholds (T, y, x) of the truth's series (n, y, x)."""
    shares = [one.value / PERCENT for one in thresholds if one.local]
    own = iter(last_axis_quantiles(np.moveaxis(truth, 0, -1), shares) if shares else ())
    shape = truth.shape[1:]
    # fields are single, and so is what they are compared with
    return np.array(
        [
            next(own) if one.local else np.full(shape, float(np.float32(one.value)))
            for one in thresholds
        ]
    ).reshape(-1, *shape)


def spell_parts(
    thresholds: Sequence[Threshold], series: Array, limits: Array, first: Array
) -> dict[str, tuple[Array, Array]]:
    """Transitions and lengths of spells by name, of series (n, y, x).

    Each is the ratio of the sums over time of two fields (n, y, x). limits: (T, y, x). first: rows
    that the next row follows by a time step.
    """
    known = np.isfinite(series)
    found: dict[str, tuple[Array, Array]] = {}
    now, after = first, first + 1
    pairs = known[now] & known[after]
    for threshold, limit in zip(thresholds, limits, strict=True):
        event = known & ((series > limit) if threshold.local else (series >= limit))

        def placed(values: Array, after: Array = after) -> Array:
            """Values of pairs, at the later of their rows."""
            whole = np.zeros(series.shape, dtype=bool)
            whole[after] = values
            return whole

        stays = placed(pairs & event[now] & event[after])
        found[f"spell_stays_{threshold}"] = stays, placed(pairs & event[now])
        begins = placed(pairs & ~event[now] & event[after])
        found[f"spell_begins_{threshold}"] = begins, placed(pairs & ~event[now])
        # a spell goes on where both times of a pair have the event
        found[f"{LENGTH}{threshold}"] = event, event & ~stays
    return found


class Spells(CellStatistics):
    """Probabilities of transition and mean lengths of spells, by threshold."""

    about: ClassVar[Mapping[str, About]] = {
        "spell_stays_": About(
            "probability that an event is there a step after it was, less the truth's",
            "P(oₜ₊₁ | oₜ)",
            PAIRS,
            order=BY_CELL,
        ),
        "spell_begins_": About(
            "probability that an event is there a step after it was not, less the truth's",
            "P(oₜ₊₁ | not oₜ)",
            PAIRS,
            order=BY_CELL,
        ),
        LENGTH: About(
            "mean length of spells of an event in time steps, less the truth's",
            "Σ o / number of spells",
            "spells begin where the time before has no event, or is not known",
            order=BY_CELL,
        ),
    }
    definitions = (
        DEFINITION,
        "spell_stays_T, spell_begins_T, spell_length_T _bias: probability that an event follows an"
        " event, and no event; mean length of spells in time steps; less the truth's. Gaps end"
        " spells.",
    )

    def __init__(self, subject: Subject) -> None:
        assert subject.consecutive is not None
        self.thresholds = thresholds_of(subject, low=False)
        self.first = np.flatnonzero(subject.consecutive)
        super().__init__(subject)

    @classmethod
    def suits(cls, subject: Subject) -> bool:
        return subject.consecutive is not None and bool(subject.consecutive.any())

    def units_of(self, subject: Subject) -> dict[str, str]:
        return {
            f"spell_{what}_{threshold}": unit
            for threshold in self.thresholds
            for what, unit in (("stays", "1"), ("begins", "1"), ("length", "step"))
        }

    def level_of(self, truth: Array) -> Array:
        return limits_of(self.thresholds, truth)

    def measured(self, series: Array, level: Array, area: Array) -> dict[str, Measured]:
        parts = spell_parts(self.thresholds, series, level, self.first)
        return {name: Measured.of_ratio(*pair, area, self.blocks) for name, pair in parts.items()}

    def why_undefined(self, row: str) -> str | None:
        return "no cell has spells in both" if row.startswith("spell_") else None
