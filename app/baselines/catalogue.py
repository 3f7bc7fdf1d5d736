"""The baselines by name, in the order of the score table."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING

from app.baselines.base import Baseline
from app.baselines.orography import OrographyCorrected, height_field
from app.registry import REGISTRY

if TYPE_CHECKING:
    from app.data.contract import PreparedData

UNFITTED = ("nearest", "bilinear", "bicubic")  # these need no training period
INTERPOLATED = (
    "nearest",
    "bilinear",
    "bicubic",
    "bicubic_orography",
    "bias_corrected",
    "quantile_mapping",
    "bcsd",
)  # these need a low-resolution twin
FOR_RATIOS = ("quantile_mapping", "bcsd")  # costly, and meant for what is zero or skewed


def baselines_for(shards: PreparedData) -> tuple[str, ...]:
    """The baselines that a score table shows unless others are asked for.

    Data without a training period have those alone that are not fitted.
    """
    names = REGISTRY.names("baseline")
    kinds = {variable.kind for variable in shards.predictands}
    unsuited: set[str] = set() if "ratio" in kinds else set(FOR_RATIOS)
    if "interval" not in kinds or height_field(shards) is None:
        unsuited.add(OrographyCorrected.name)
    if not shards.coarse_predictand:
        unsuited.update(INTERPOLATED)
    if "train" not in shards.splits:
        unsuited.update(name for name in names if name not in UNFITTED)
    return tuple(name for name in names if name not in unsuited)


def makers_of(
    shards: PreparedData, names: Iterable[str] | None = None
) -> list[Callable[[], Baseline]]:
    """What fits each of the named baselines, or of those that suit the data, in training.

    Raises InputError for an unknown name.
    """
    chosen = baselines_for(shards) if names is None else names
    return [partial(REGISTRY.resolve("baseline", name), shards) for name in chosen]
