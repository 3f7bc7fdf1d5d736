"""What a model in time knows of its fields: channels, grid, steps, and the fitted arrays."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from app.arrays import Array, Json
from app.models.spec import Arrays, Channel, Spec


@dataclass(frozen=True)
class TemporalSpec(Spec):
    """Everything about a model in time that is no array; JSON-able by `to_dict`.

    outputs: channels that are filled in. guidance: further channels of the known frames (winds).
    step: seconds between known frames in training, by which lengths of intervals are counted.
    sun_response: hours within which the fields follow the sun; none of them, no course of the sun.
    context: whether frames before and after the interval are seen. summed: the outputs are
    amounts of the time before their stamp. geometry: grid of the fields. domain: description of
    the training data, from which other files are read. gaps: what the network sees in the place of
    missing values, see `app.models.layers.gaps.filled`.
    """

    channel_fields: ClassVar = ("outputs", "guidance")
    outputs: tuple[Channel, ...]
    guidance: tuple[Channel, ...]
    geometry: Json
    step: int
    context: bool = False
    summed: bool = False
    statics: tuple[str, ...] = ()
    time_features: tuple[str, ...] = ()
    sun_response: tuple[float, ...] = ()
    domain: Json = field(default_factory=dict)
    gaps: str = "mean"

    def fields_by_role(self) -> Iterator[tuple[Sequence[Channel], tuple[str, ...], str]]:
        yield (*self.outputs, *self.guidance), ("hr", "predictors"), "fields"


@dataclass(frozen=True, eq=False)
class TemporalArrays(Arrays):
    """Arrays fitted on the known frames of training; encoded = (transformed - offset) / scale.

    offset, scale: of outputs, then guidance, `(C + G,)` or `(H, W, C + G)`. static `(H, W, S)`
    with its own static_offset and static_scale `(S,)`.
    """

    offset: Array
    scale: Array
    static: Array
    static_offset: Array
    static_scale: Array
