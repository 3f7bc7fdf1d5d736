"""The metrics that suit a predictand, in the order of their rows in the table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.registry import REGISTRY

if TYPE_CHECKING:
    from app.metrics.metric import Metric, Subject


def metrics_of(subject: Subject, kind: str = "metric") -> tuple[Metric, ...]:
    """A fresh metric of every one that is wanted and suits a predictand; the errors come first.

    kind: under which they are registered, "metric" or, of frames filled in, "time_metric".
    """
    kinds = {name: REGISTRY.resolve(kind, name) for name in REGISTRY.names(kind)}
    first, *_ = kinds
    return tuple(
        own(subject)
        for name, own in kinds.items()
        if (name == first or subject.scoring.wants(name, core=own.core, protocol=own.protocol))
        and own.suits(subject)
    )
