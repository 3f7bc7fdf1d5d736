"""The metrics that suit a predictand, in the order of their rows in the table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.registry import REGISTRY

if TYPE_CHECKING:
    from app.metrics.metric import Metric, Subject


def metrics_of(subject: Subject) -> tuple[Metric, ...]:
    """A fresh metric of every registered kind that suits a predictand; the errors come first."""
    kinds = [REGISTRY.resolve("metric", name) for name in REGISTRY.names("metric")]
    return tuple(kind(subject) for kind in kinds if kind.suits(subject))
