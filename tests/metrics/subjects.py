"""Predictands on a made grid, and metrics that have taken in whole fields."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypeVar

import numpy as np

from app.data.description import Variable
from app.grids import Grid
from app.metrics.metric import Band, Block, Metric, Subject, TruthRange

M = TypeVar("M", bound=Metric)
NAMES = ("model", "bicubic", "linear")
START = np.datetime64("2001-01-01", "ns")


def subject_of(
    truth: np.ndarray,
    candidates: tuple[str, ...] = NAMES[:1],
    *,
    area: np.ndarray | None = None,
    origin: float | None = None,
    kind: str = "interval",
    grid: Grid | None = None,
    days: float = 1,
    **more: Any,
) -> Subject:
    """A predictand of truth (n, y, x), NaN where there is none; `days` between samples."""
    n, y, x = truth.shape
    finite = truth[np.isfinite(truth)]
    mean = float(finite.mean()) if origin is None else origin
    found = TruthRange(mean, float(finite.min()), float(finite.max()))
    return Subject(
        Variable("t", "t", units="K", kind=kind),
        candidates,
        START + (np.arange(n) * days * 86400e9).astype("timedelta64[ns]"),
        grid or Grid(lat=np.arange(y) * 0.1, lon=np.arange(x) * 0.1),
        np.ones((y, x)) if area is None else area,
        found,
        **more,
    )


def fed(
    metrics: Iterable[Metric],
    truth: np.ndarray,
    fields: np.ndarray,
    layers: np.ndarray | None = None,
    *,
    parts: Iterable[np.ndarray] | None = None,
) -> None:
    """Give metrics the truth (n, y, x), fields (k, n, y, x) and layers, in parts if wanted."""
    for indices in [np.arange(len(truth))] if parts is None else parts:
        behind = None if layers is None else layers[:, indices]
        for metric in metrics:
            own = truth[indices], fields[:, indices], behind
            metric.add(Block(metric.subject, indices, *own))
    for metric in metrics:
        metric.add_series(Band(metric.subject, np.arange(truth.shape[1]), truth, fields, layers))


def scored(
    kind: type[M],
    truth: np.ndarray,
    fields: np.ndarray,
    layers: np.ndarray | None = None,
    **about: Any,
) -> M:
    """A metric of a kind that has taken in all samples; `about`: see `subject_of`."""
    names = NAMES[: len(fields)]
    if layers is not None and "quantiles" not in about:
        about["members"] = len(layers)
    metric = kind(subject_of(truth, names, **about))
    fed([metric], truth, fields, layers)
    return metric
