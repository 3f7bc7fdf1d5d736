"""Skill over the references that a network has to beat."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from app.arrays import Array
from app.metrics.arithmetic import divide
from app.metrics.metric import Metric, Totals
from app.metrics.sampled import mean_of
from app.metrics.table import About

if TYPE_CHECKING:
    from app.metrics.table import Row

REFERENCES = ("bicubic", "linear")
PREFIX = "skill_vs_"
ROUNDING = 1e-6  # of the values: errors of interpolation in float32 are smaller


class Skill(Metric):
    """1 - RMSE / RMSE of a reference, with the interval of resampled periods."""

    about: ClassVar[Mapping[str, About]] = {
        "skill_vs_": About(
            "skill over a baseline", "1 - rmse / rmse of the baseline", "ratio of the two errors"
        ),
    }
    definitions = ("skill_vs_X: 1 - rmse / rmse of X.",)

    def rows(self, errors: Totals) -> list[Row]:
        subject, rows = self.subject, []
        floor = ROUNDING * abs(subject.truth.mean)
        rmse = mean_of(subject.candidates, errors.sample["squares"], errors.weight, root=True)
        for name in REFERENCES:
            if name in subject.candidates:
                r = subject.candidates.index(name)

                def skill(totals: Array, r: int = r) -> Array:
                    own = rmse.of(totals)
                    return 1 - _ratio(own, own[..., [r]], floor)

                made = replace(rmse, of=skill, best=None)
                rows.append(subject.sampled_row(PREFIX + name, "1", made))
        return rows

    def why_undefined(self, row: str) -> str | None:
        return f"{row.removeprefix(PREFIX)} has no error" if row.startswith(PREFIX) else None


def _ratio(rmse: Array, reference: Array, floor: float) -> Array:
    """Ratio to the reference's RMSE, NaN where that is no more than rounding."""
    return divide(rmse, np.where(reference > floor, reference, 0.0))
