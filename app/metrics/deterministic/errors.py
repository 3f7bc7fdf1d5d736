"""Mean absolute and root mean square error, bias, and their normalised forms."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from app.arrays import Array
from app.metrics.arithmetic import divide, spread
from app.metrics.metric import CONSTANT, Block, Map, SampleErrors, Subject, Totals
from app.metrics.moments import SPREAD_FLOOR, TruthMoments
from app.metrics.sampled import Sampled, mean_of
from app.metrics.table import AT_ONCE, About

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from app.metrics.metric import Result
    from app.metrics.table import Row

PERCENT = 100.0
OVER_TIME = "square root taken after the mean over time of (prediction - truth)^2"


class Errors(SampleErrors):
    """Sums of |e|, e² and e, e = prediction - truth, over the cells of samples and over time.

    Every evaluation has them. weight (n,), the others lead with the candidates' axis.
    """

    summed = ("weight", "count", "truth_sum", "sample", "moments", "cell", "offered", "missing")
    about: ClassVar[Mapping[str, About]] = {
        "mae": About("mean absolute error", "mean |x̂ - x|"),
        "rmse": About(
            "root mean square error", "sqrt(mean (x̂ - x)²)", order=f"{AT_ONCE}, the root last"
        ),
        "bias": About("mean error", "mean (x̂ - x)"),
        "nrmse": About(
            "root mean square error over the standard deviation of the truth",
            "rmse / sqrt(mean (x - mean x)²)",
            order=f"{AT_ONCE}, the root last",
        ),
        "relative_bias": About("mean error over the mean of the truth", "100 · bias / mean x"),
    }
    definitions = (
        "Values: those where the truth and all candidates are valid. Weights: cell areas"
        " (difference of the sine of latitude), mean 1.",
        "mae, rmse, bias: area-weighted mean over time and space of |e|, e², e = prediction -"
        " truth; the root of rmse comes last. nrmse: rmse / standard deviation of the truth over"
        " time and space. relative_bias: 100 · bias / mean of the truth.",
        "_std in summary.csv: standard deviation over samples of the sample's own score over space;"
        " how samples differ, not how uncertain the score is.",
    )
    undefined: ClassVar[dict[str, str]] = {
        "nrmse": CONSTANT,
        "relative_bias": "the mean of the truth is 0",
    }

    def __init__(self, subject: Subject) -> None:
        super().__init__(subject)
        k, shape = len(subject.candidates), subject.area.shape
        self.truth_sum = subject.per_sample()
        self.sample["error"] = subject.per_sample(k)
        self.moments = TruthMoments(subject)
        self.cell = {name: np.zeros((k, *shape)) for name in self.sample}
        self.offered = 0  # valid values of the truth
        self.missing = np.zeros(k, dtype=np.int64)  # of those, without a value of the candidate

    def add(self, block: Block) -> None:
        indices = block.indices
        if block.complete:
            self.offered += block.truth.size
        else:
            known = np.isfinite(block.truth)
            self.offered += int(known.sum())
            self.missing += (known & ~block.given).sum(axis=(1, 2, 3))
        self.count += int(block.valid.sum())
        self.weight[indices] = block.total_weight
        self.truth_sum[indices] = block.over_cells(block.truth_anomaly)
        self.moments.add(block)
        for k in range(len(block.fields)):
            e = block.error(k)
            for name, values in (("absolute", np.abs(e)), ("squares", np.square(e)), ("error", e)):
                self.sample[name][k, indices] = block.over_cells(values)
                self.cell[name][k] += values.sum(axis=0)

    @property
    def total(self) -> float:
        """Area-weighted number of values."""
        return float(self.weight.sum())

    @property
    def truth_spread(self) -> float:
        """Area-weighted standard deviation of the truth over time and space; 0 for rounding."""
        area = self.subject.area
        mean = (area * self.moments.total).sum() / self.weight.sum()
        variance = (area * self.moments.squares).sum() / self.weight.sum() - mean**2
        floor = (SPREAD_FLOOR * (abs(mean) + abs(self.subject.truth.mean))) ** 2
        return float(np.sqrt(variance)) if variance > floor else 0.0

    def rows(self, errors: Totals) -> list[Row]:
        subject, deviation = self.subject, self.truth_spread
        absolute, error = self.sample["absolute"], self.sample["error"]
        rmse_n = self.sample_rmse
        root = mean_of(subject.candidates, self.sample["squares"], self.weight, root=True)

        def row(metric: str, unit: str, made: Sampled, samples: Array) -> Row:
            spreads = np.array([spread(own) for own in samples])
            return subject.sampled_row(metric, unit, made, spreads)

        rows = [
            subject.mean_row("mae", subject.unit, absolute, self.weight),
            row("rmse", subject.unit, root, rmse_n),
            subject.mean_row("bias", subject.unit, error, self.weight, best=0.0),
            # of a standard deviation that is taken as known
            row(
                "nrmse",
                "1",
                replace(root, of=lambda t: divide(root.of(t), deviation), best=None),
                divide(rmse_n, deviation),
            ),
        ]
        if subject.variable.kind == "ratio":
            truth = self.truth_sum + subject.truth.mean * self.weight
            mean = truth.sum() / self.weight.sum()
            relative = mean_of(subject.candidates, PERCENT * error, truth, best=0.0)
            bias_n = divide(error, self.weight)
            rows.append(row("relative_bias", "%", relative, PERCENT * divide(bias_n, mean)))
        return rows

    def remarks(self) -> list[str]:
        truth = self.subject.truth
        return [
            f"{self.count} of {self.offered} valid truth values scored,"
            f" {int((self.moments.count > 0).sum())} grid points; truth from {truth.low:.5g} to"
            f" {truth.high:.5g} {self.subject.unit}"
        ]

    def series(self, errors: Totals) -> dict[str, Array]:
        # of single fields alone: that of members is another metric's
        crps = {} if self.subject.members else {"crps": self.sample["absolute"]}
        return {"weight": self.weight, **self.sample, **crps}

    def maps(self, errors: Totals) -> list[Map]:
        unit = self.subject.unit
        cell = {name: divide(sums, self.moments.count) for name, sums in self.cell.items()}
        _, variance, varies = self.moments.variance()
        rmse = np.sqrt(cell["squares"])
        nrmse = divide(rmse, np.sqrt(np.where(varies, variance, 0.0)))
        relative = "root mean square error over the truth's standard deviation"
        by_spread = "rmse of the grid point / population standard deviation of its truth over time"
        mean = "mean over time of "
        return [
            Map(
                "mae", cell["absolute"], unit, "mean absolute error", f"{mean}|prediction - truth|"
            ),
            Map("rmse", rmse, unit, "root mean square error", OVER_TIME),
            Map("bias", cell["error"], unit, "mean error", f"{mean}prediction - truth"),
            Map("nrmse", nrmse, "1", relative, by_spread),
        ]

    def figures(self, result: Result) -> dict[str, Figure]:
        from app.metrics.drawing.errors import rmse_maps, score_chart

        return {
            "rmse_map": rmse_maps(
                np.sqrt(divide(self.cell["squares"], self.moments.count)), result
            ),
            "scores": score_chart(self.sample_rmse, result),
        }
