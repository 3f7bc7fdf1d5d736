"""The table of DL4DS 1.8, on the same quantities, with its errors mended."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from app.arrays import Array
from app.metrics.arithmetic import centre, divide, spread
from app.metrics.deterministic.correlation import Correlation
from app.metrics.deterministic.errors import PERCENT, Errors
from app.metrics.deterministic.psnr import Psnr
from app.metrics.deterministic.ssim import Ssim
from app.metrics.metric import Band, Block, Metric, Subject, Totals
from app.metrics.table import About

if TYPE_CHECKING:
    from app.metrics.table import Row

NAME = "dl4ds"
PREFIX = "dl4ds_"
BY_POINT = "time within each grid point, then mean and standard deviation over grid points"
BY_SAMPLE = "space within each sample, then mean and standard deviation over samples"
NONE = "none"


def _about(
    long_name: str, formula: str, order: str, estimator: str = "population moments"
) -> About:
    return About(long_name, formula, estimator, NONE, order)


class Dl4ds(Metric):
    """Mean and standard deviation of scores over samples and over grid points, no cell weighted.

    The scores are those of the metrics of this program, on a grid of equal cells.
    """

    core = False
    protocol = NAME
    summed = ("errors", "correlation", "ssim")
    about: ClassVar[Mapping[str, About]] = {
        f"{PREFIX}psnr": _about(
            "peak signal-to-noise ratio", "10 · log₁₀(range² / mse)", BY_SAMPLE
        ),
        f"{PREFIX}ssim": _about("structural similarity", "as ssim", BY_SAMPLE),
        f"{PREFIX}mae": _about("mean absolute error", "mean |x̂ - x|", BY_SAMPLE),
        f"{PREFIX}rmse_per_point": _about(
            "root mean square error per grid point", "sqrt(mean_t (x̂ - x)²)", BY_POINT
        ),
        f"{PREFIX}nrmse_per_point": _about(
            "that over the mean of the truth", "100 · sqrt(mean_t (x̂ - x)²) / mean x", BY_POINT
        ),
        f"{PREFIX}bias_per_point": _about(
            "normalised mean bias", "100 · mean_t (x̂ - x) / mean x", BY_POINT
        ),
        f"{PREFIX}pearson": _about("correlation", "Pearson", BY_SAMPLE),
        f"{PREFIX}spearman": _about("rank correlation", "Spearman", BY_SAMPLE),
        f"{PREFIX}pearson_per_point": _about("correlation per grid point", "Pearson", BY_POINT),
        f"{PREFIX}spearman_per_point": _about(
            "rank correlation per grid point", "Spearman", BY_POINT
        ),
        f"{PREFIX}rmse": _about("root mean square error", "sqrt(mean (x̂ - x)²)", BY_SAMPLE),
    }
    definitions = (
        "dl4ds_…: the table of DL4DS 1.8, no cell weighted; _std in summary.csv: over samples or"
        " grid points. Mended: errors per grid point have a root; percentages are multiplied by"
        " 100, not divided; a grid point that begins with 0 counts; the rank correlation per grid"
        " point is that, not the one of samples; missing cells are left out, not 0; the range of"
        " psnr and ssim is the truth's, as a range with the prediction's rewards outliers.",
    )

    def __init__(self, subject: Subject) -> None:
        super().__init__(subject)
        self._equal = replace(subject, area=np.ones(subject.area.shape))
        self.errors, self.correlation = Errors(self._equal), Correlation(self._equal)
        self.ssim = Ssim(self._equal)

    def add(self, block: Block) -> None:
        equal = replace(block, subject=self._equal)
        for metric in (self.errors, self.correlation, self.ssim):
            metric.add(equal)

    def add_series(self, band: Band) -> None:
        self.correlation.add_series(replace(band, subject=self._equal))

    def rows(self, errors: Totals) -> list[Row]:
        subject, own = self.subject, self.errors
        maps = {one.name: one.values for one in own.maps(own)}
        maps |= {one.name: one.values for one in self.correlation.maps(own)}
        mean = own.truth_sum.sum() / own.weight.sum() + subject.truth.mean
        samples = self.correlation.sample
        absolute = divide(own.sample["absolute"], own.weight)
        found: dict[str, tuple[str, Array]] = {
            "ssim": ("1", self.ssim.similarity),
            "mae": (subject.unit, absolute),
            "rmse": (subject.unit, own.sample_rmse),
            "pearson": ("1", samples["pearson"]),
            "spearman": ("1", samples["spearman"]),
            "rmse_per_point": (subject.unit, maps["rmse"]),
            "nrmse_per_point": ("%", PERCENT * divide(maps["rmse"], mean)),
            "bias_per_point": ("%", PERCENT * divide(maps["bias"], mean)),
            "pearson_per_point": ("1", maps["pearson"]),
            "spearman_per_point": ("1", maps["spearman"]),
        }
        (psnr,) = Psnr(self._equal).rows(own)
        rows = [replace(psnr, metric=f"{PREFIX}psnr")]
        for name, (unit, values) in found.items():
            pairs = np.array([(centre(one), spread(one)) for one in values])
            rows.append(subject.row(PREFIX + name, unit, *pairs.T))
        return rows

    def why_undefined(self, row: str) -> str | None:
        return "the truth or the prediction does not vary" if row.startswith(PREFIX) else None
