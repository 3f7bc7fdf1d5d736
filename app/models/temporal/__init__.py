"""Networks that fill in the times between known frames."""

from app.models.temporal.model import TemporalModel
from app.models.temporal.network import TemporalNetwork
from app.models.temporal.spec import TemporalArrays, TemporalSpec

__all__ = [
    "TemporalArrays",
    "TemporalModel",
    "TemporalNetwork",
    "TemporalSpec",
]
