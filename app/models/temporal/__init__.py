"""Networks that fill in the times between known frames."""

from app.models.temporal.model import TemporalModel, load_temporal_model
from app.models.temporal.network import TemporalNetwork
from app.models.temporal.spec import TemporalArrays, TemporalSpec

__all__ = [
    "TemporalArrays",
    "TemporalModel",
    "TemporalNetwork",
    "TemporalSpec",
    "load_temporal_model",
]
