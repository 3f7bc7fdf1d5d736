"""The metrics that suit a predictand, in the order of their rows in the table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.registry import REGISTRY

if TYPE_CHECKING:
    from app.arrays import Array
    from app.metrics.metric import Metric, Subject
    from app.options.scoring import ScoringConfig


def metrics_of(subject: Subject, kind: str = "metric") -> tuple[Metric, ...]:
    """A fresh metric of every one that is wanted and suits a predictand; the errors come first.

    kind: under which they are registered, "metric" or, of frames filled in, "time_metric".
    """
    wanted = wanted_metrics(subject.scoring, kind)
    return tuple(own(subject) for own in wanted if own.suits(subject))


def check_times(scoring: ScoringConfig, times: Array) -> None:
    """InputError for times that a metric which is asked for cannot do with, before any work."""
    for own in wanted_metrics(scoring):
        own.check_times(scoring, times)


def wanted_metrics(scoring: ScoringConfig, kind: str = "metric") -> list[type[Metric]]:
    """The metrics that are asked for, whatever they suit; the first one always."""
    kinds = {name: REGISTRY.resolve(kind, name) for name in REGISTRY.names(kind)}
    first, *_ = kinds
    return [
        own
        for name, own in kinds.items()
        if name == first or scoring.wants(name, core=own.core, protocol=own.protocol)
    ]
