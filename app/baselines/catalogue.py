"""The baselines by name, in the order of the score table."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from absl import logging

from app.baselines.base import Baseline
from app.baselines.interpolation import coarse_view
from app.registry import REGISTRY

if TYPE_CHECKING:
    from app.data.shards import Shards

BASELINES = REGISTRY.names("baseline")


def fit_baselines(shards: Shards, names: Iterable[str] = BASELINES) -> list[Baseline]:
    """Fit the named baselines on the training period.

    Bicubic interpolation is left out, with a log line, where the low-resolution grid is not
    rectilinear. Raises InputError for an unknown name.
    """
    fitted = []
    for name in names:
        fit = REGISTRY.resolve("baseline", name)
        if name == "bicubic" and not coarse_view(shards)[0].rectilinear:
            logging.info("bicubic: left out, the low-resolution grid is not rectilinear")
            continue
        fitted.append(fit(shards))
    return fitted
