"""What a model in time knows of its fields: channels, grid, steps, and the fitted arrays."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from app.models.spec import Channel, time_channels


@dataclass(frozen=True)
class TemporalSpec:
    """Everything about a model in time that is no array; JSON-able by `to_dict`.

    outputs: channels that are filled in. guidance: further channels of the known frames (winds).
    step: seconds between known frames in training, by which lengths of intervals are counted.
    sun_response: hours within which the fields follow the sun; none of them, no course of the sun.
    context: whether frames before and after the interval are seen. summed: the outputs are
    amounts of the time before their stamp. geometry: grid of the fields. domain: description of
    the training data, from which other files are read.
    """

    outputs: tuple[Channel, ...]
    guidance: tuple[Channel, ...]
    geometry: dict[str, Any]
    step: int
    context: bool = False
    summed: bool = False
    statics: tuple[str, ...] = ()
    time_features: tuple[str, ...] = ()
    sun_response: tuple[float, ...] = ()
    domain: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("geometry", "domain"):  # as a file will give them back: lists, no tuples
            object.__setattr__(self, name, json.loads(json.dumps(getattr(self, name))))

    @property
    def time_channels(self) -> tuple[int, ...]:
        """Which channels of "time" the network sees."""
        return time_channels(self.time_features)

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> TemporalSpec:
        """The inverse of `to_dict`, also of what JSON made of it."""
        plain = dict(stored)
        for role in ("outputs", "guidance"):
            plain[role] = tuple(Channel(**channel) for channel in plain[role])
        for name in ("statics", "time_features", "sun_response"):
            plain[name] = tuple(plain[name])
        return cls(**plain)


@dataclass(frozen=True, eq=False)
class TemporalArrays:
    """Arrays fitted on the known frames of training; encoded = (transformed - offset) / scale.

    offset, scale: of outputs, then guidance, `(C + G,)` or `(H, W, C + G)`. static `(H, W, S)`
    with its own static_offset and static_scale `(S,)`.
    """

    offset: np.ndarray
    scale: np.ndarray
    static: np.ndarray
    static_offset: np.ndarray
    static_scale: np.ndarray

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Shape of every array, which is what a saved file needs to make room for them."""
        return {name: getattr(self, name).shape for name in self.__dataclass_fields__}

    @classmethod
    def blank(cls, shapes: Mapping[str, Sequence[int]]) -> TemporalArrays:
        """Placeholders of the given shapes, to be read into."""
        return cls(**{name: np.ones(tuple(shape)) for name, shape in shapes.items()})
