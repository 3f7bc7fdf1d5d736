"""What is restored of frames withheld between known ones, against interpolation in time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from app.arrays import Array
from app.data.times import DAY
from app.metrics.arithmetic import divide
from app.metrics.deterministic.mean_rows import mean_rows
from app.metrics.metric import Block, SampleErrors, Sheet, TimeSubject, Totals
from app.metrics.sampled import Sampled
from app.metrics.table import About

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from app.metrics.metric import Result
    from app.metrics.table import Row

REFERENCE = "linear"
RIVALS = ("cubic", "optical_flow")
HOUR = 3600  # seconds
NAME = "restoration_rate"


class Restoration(SampleErrors):
    """Errors of the withheld frames, and what they are of those of linear interpolation."""

    subject: TimeSubject
    summed = ("weight", "count", "sample")
    about: ClassVar[Mapping[str, About]] = {
        "restoration_rate": About(
            "share of the error of linear interpolation in time that is restored",
            "1 - Σ|x̂ - x| / Σ|x_linear - x|",
        ),
        "gain_vs_": About("restoration rate less that of another candidate", "rate - rate of it"),
        "mae": About("mean absolute error", "mean |x̂ - x|"),
        "mae_": About("mean absolute error by steps from the nearest known frame", "mean |x̂ - x|"),
        "rmse": About("root mean square error", "sqrt(mean (x̂ - x)²)"),
    }
    definitions = (
        "restoration_rate: 1 − Σ|x̂ − x| / Σ|x_linear − x| over the withheld frames, cells weighed "
        "by area; linear interpolation in time scores 0, the truth 1. This is a definition of this "
        "program's own, not to be compared with rates published under the same name.",
        "gain_vs_cubic, gain_vs_optical_flow: restoration rate less theirs on the same resamples; "
        "low and high: ends of the 95 % interval of a moving-block bootstrap of 24 h blocks.",
        "mae_N: of the withheld frames N steps from the nearest known one.",
    )

    def add(self, block: Block) -> None:
        rows = block.indices
        valid, area = block.valid, block.weights
        error = np.where(valid, block.fields - block.truth, 0.0).astype(np.float64)
        self.count += int(valid.sum())
        self.weight[rows] = area.sum(axis=(1, 2))
        self.sample["absolute"][:, rows] = (area * np.abs(error)).sum(axis=(2, 3))
        self.sample["squares"][:, rows] = (area * error**2).sum(axis=(2, 3))

    def rates(self, absolute: Array) -> Array:
        """Restoration rates of sums (…, k) of absolute errors; NaN where linear makes none."""
        reference = self.subject.candidates.index(REFERENCE)
        return 1 - divide(absolute, absolute[..., [reference]])

    def rows(self, errors: Totals) -> list[Row]:
        subject, absolute = self.subject, self.sample["absolute"]
        rows = self._rates_with_intervals()
        rows.append(subject.mean_row("mae", subject.unit, absolute, self.weight))
        rows += mean_rows(
            subject, "rmse", subject.unit, self.sample["squares"], self.weight, root=True
        )
        distance = self._distance()
        for steps in np.unique(distance[subject.scored]):
            here = distance == steps
            sums, weight = np.where(here, absolute, 0.0), np.where(here, self.weight, 0.0)
            rows += mean_rows(subject, f"mae_{steps:g}", subject.unit, sums, weight)
        return rows

    def _rates_with_intervals(self) -> list[Row]:
        subject = self.subject
        rates = Sampled(subject.candidates, self.sample["absolute"], self.rates)
        rows = [subject.sampled_row(NAME, "1", rates)]
        for rival in RIVALS:
            k = subject.candidates.index(rival)

            def gain(totals: Array, k: int = k) -> Array:
                own = self.rates(totals)
                difference: Array = own - own[..., [k]]
                return difference

            rows.append(subject.sampled_row(f"gain_vs_{rival}", "1", replace(rates, of=gain)))
        return rows

    def _distance(self) -> Array:
        """Wanted steps from each time to the nearest known frame, or middle of a sum."""
        axis = self.subject.axis
        share = np.minimum(axis.theta, 1 - axis.theta)
        return np.round(share * axis.interval / self.subject.steps.target_step, 3)

    def by_hour(self) -> dict[str, Array]:
        """Restoration rate and mae by hour of the day (24, k), NaN where nothing is scored."""
        hour = self.subject.axis.stamps.seconds % DAY // HOUR
        chosen = [hour == h for h in range(DAY // HOUR)]
        sums = np.stack([self.sample["absolute"][:, here].sum(axis=1) for here in chosen])
        weights = np.array([self.weight[here].sum() for here in chosen])
        return {NAME: self.rates(sums), "mae": divide(sums, weights[:, None])}

    def tables(self) -> dict[str, Sheet]:
        found = self.by_hour()
        columns = [f"{score}_{name}" for score in found for name in self.subject.candidates]
        rows: list[list[object]] = []
        for hour in range(DAY // HOUR):
            values = np.concatenate([score[hour] for score in found.values()])
            if np.isfinite(values).any():
                rows.append([self.subject.variable.name, hour, *(f"{v:.6g}" for v in values)])
        return {"by_hour": Sheet(("variable", "hour", *columns), rows, "\r\n")}

    def figures(self, result: Result) -> dict[str, Figure]:
        from app.metrics.drawing.between_frames import hours_figure, rates_figure

        return {
            "restoration": rates_figure(result),
            "by_hour": hours_figure(self.subject, self.by_hour()["mae"]),
        }
