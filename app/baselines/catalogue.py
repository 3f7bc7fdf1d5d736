"""The baselines by name, in the order of the score table."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING

from absl import logging

from app.baselines.base import Baseline
from app.baselines.bias import BiasCorrected
from app.baselines.climatology import Climatology
from app.baselines.interpolation import METHODS, Interpolation, coarse_view
from app.baselines.ridge import Linear
from app.errors import InputError

if TYPE_CHECKING:
    from app.data.shards import Shards

BASELINES: dict[str, Callable[[Shards], Baseline]] = {
    **{method: partial(Interpolation, method) for method in METHODS},
    "climatology": Climatology,
    "bias_corrected": BiasCorrected,
    "linear": Linear,
}


def fit_baselines(shards: Shards, names: Iterable[str] = tuple(BASELINES)) -> list[Baseline]:
    """Fit the named baselines on the training period.

    Bicubic interpolation is left out, with a log line, where the low-resolution grid is not
    rectilinear. Raises InputError for an unknown name.
    """
    fitted = []
    for name in names:
        if name not in BASELINES:
            known = ", ".join(BASELINES)
            raise InputError(f"unknown baseline {name!r}, expected some of: {known}")
        if name == "bicubic" and not coarse_view(shards)[0].rectilinear:
            logging.info("bicubic: left out, the low-resolution grid is not rectilinear")
            continue
        fitted.append(BASELINES[name](shards))
    return fitted
