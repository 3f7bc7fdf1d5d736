"""Peak signal-to-noise ratio."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from app.metrics.arithmetic import divide
from app.metrics.metric import CONSTANT, Metric, Totals
from app.metrics.table import BY_SAMPLE, About

if TYPE_CHECKING:
    from app.metrics.table import Row


class Psnr(Metric):
    """Mean over samples of 10·log10(range² / mse), in dB."""

    about: ClassVar[Mapping[str, About]] = {
        "psnr": About(
            "peak signal-to-noise ratio",
            "10 · log₁₀(range² / mean (x̂ - x)²)",
            "range of the truth over the period scored; samples without error left out",
            order=BY_SAMPLE,
        ),
    }
    definitions = (
        "psnr: mean over samples of 10·log10(range² / mse), samples without error left out;"
        " range: of the truth over the period scored.",
    )

    def rows(self, errors: Totals) -> list[Row]:
        mse = errors.sample_rmse**2
        with np.errstate(divide="ignore"):
            # an exact sample has no finite ratio and is left out of the mean
            width = np.full_like(mse, self.subject.truth.width**2)
            psnr = 10 * np.log10(divide(width, mse))
        return [self.subject.score_row("psnr", "dB", psnr)]

    def why_undefined(self, row: str) -> str | None:
        if row != "psnr":
            return None
        return "no sample has an error" if self.subject.truth.width else CONSTANT
