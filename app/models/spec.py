"""What a physical model knows of its fields: channels, geometry, and the fitted arrays."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import Any, ClassVar, Self

import numpy as np

from app.arrays import Array, Json
from app.data.times import time_channels


@dataclass(frozen=True)
class Channel:
    """One channel of a field, with what is needed to encode it and to write it.

    `transform_scale` is x0 of log1p(x / x0) and sqrt(x / x0), in `units`. Names and cell methods
    are those of the training's files, for the files that are written.
    """

    name: str
    units: str = ""
    transform: str = "none"
    transform_scale: float = 1.0
    valid_min: float | None = None
    valid_max: float | None = None
    standard_name: str | None = None
    long_name: str | None = None
    cell_methods: str | None = None

    @classmethod
    def of(cls, variable: Any) -> Channel:
        """The channel of a data description's Variable."""
        return cls(
            name=variable.name,
            units=variable.units or "",
            transform=variable.transform,
            transform_scale=float(variable.transform_scale),
            valid_min=variable.valid_min,
            valid_max=variable.valid_max,
            standard_name=variable.standard_name,
            long_name=variable.long_name,
            cell_methods=variable.cell_methods,
        )


class Spec(ABC):
    """Base of dataclasses that hold everything about a model that is no array; JSON-able.

    `channel_fields` names the fields that are tuples of `Channel`.
    """

    channel_fields: ClassVar[tuple[str, ...]]
    geometry: Json
    domain: Json
    time_features: tuple[str, ...]

    def __post_init__(self) -> None:
        for name in ("geometry", "domain"):  # as a file will give them back: lists, no tuples
            object.__setattr__(self, name, json.loads(json.dumps(getattr(self, name))))

    @property
    def time_channels(self) -> tuple[int, ...]:
        """Which channels of "time" the network sees."""
        return time_channels(self.time_features)

    @abstractmethod
    def fields_by_role(self) -> Iterator[tuple[Sequence[Channel], tuple[str, ...], str]]:
        """Channels, the roles of prepared data that hold them, and what messages call them."""

    def to_dict(self) -> Json:
        """All fields as plain containers."""
        result: Json = asdict(self)  # type: ignore[call-overload]
        return result

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> Self:
        """The inverse of `to_dict`, also of what JSON made of it."""
        values = {name: _tuples(value) for name, value in stored.items()}
        for role in cls.channel_fields:
            values[role] = tuple(Channel(**channel) for channel in values[role])
        return cls(**values)


def _tuples(value: Any) -> Any:
    """Lists, which is what JSON makes of tuples, as tuples; mappings as they are."""
    return tuple(map(_tuples, value)) if isinstance(value, list | tuple) else value


class Arrays:
    """Base of dataclasses that hold the fitted arrays of a model."""

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Shape of every array, which is what a saved file needs to make room for them."""
        return {one.name: getattr(self, one.name).shape for one in fields(self)}  # type: ignore[arg-type]

    @classmethod
    def blank(cls, shapes: Mapping[str, Sequence[int]]) -> Self:
        """Placeholders of the given shapes, to be read into."""
        return cls(**{name: np.ones(tuple(shape)) for name, shape in shapes.items()})


@dataclass(frozen=True)
class ModelSpec(Spec):
    """Everything about a physical model that is no array; JSON-able by `to_dict`.

    inputs: low-resolution channels, then predictors. n_lr: how many are low-resolution ones.
    geometry: at least "scale" and "pad" (top, bottom, left, right in fine cells), beside the
    coordinates of both grids. interpolation: method of pin, None for networks that upsample
    themselves. time_features: keys of TIME_FEATURES. input_noise: standard deviation of the noise
    on encoded coarse inputs in training. domain: free description of the training data.
    constraint: kind of `BlockConstraint` or "none"; twins: for each output the input channel that
    its block means are to equal. lower_bounds: physical values that softplus keeps each output
    above; none of them, no softplus. quantiles: levels that are predicted of each output, rising;
    none of them, one field of each. time_window: frames of a sample, None for spatial samples;
    bidirectional: whether every frame of a window has context on both sides. amounts: unit and wet
    threshold of each output whose Bernoulli-gamma distribution is predicted. observed: whether
    point observations of the outputs are told, as further channels beside the statics. gaps: what
    the network sees in the place of missing values, see `app.models.layers.gaps.filled`.
    scaled_correction: whether the network's correction of the first guess is multiplied by a share.
    """

    channel_fields: ClassVar = ("inputs", "outputs")
    inputs: tuple[Channel, ...]
    outputs: tuple[Channel, ...]
    n_lr: int
    geometry: Json
    statics: tuple[str, ...] = ()
    interpolation: str | None = None
    time_features: tuple[str, ...] = ()
    input_noise: float = 0.0
    domain: Json = field(default_factory=dict)
    constraint: str = "none"
    twins: tuple[int, ...] = ()
    lower_bounds: tuple[float, ...] = ()
    quantiles: tuple[float, ...] = ()
    time_window: int | None = None
    bidirectional: bool = True
    amounts: tuple[tuple[float, float], ...] = ()
    observed: bool = False
    gaps: str = "mean"
    scaled_correction: bool = False

    def fields_by_role(self) -> Iterator[tuple[Sequence[Channel], tuple[str, ...], str]]:
        yield self.inputs, ("lr", "predictors"), "inputs"
        yield self.outputs, ("hr",), "predictands"

    @property
    def scale(self) -> int:
        return int(self.geometry["scale"])

    @property
    def n_static(self) -> int:
        """Channels that the network sees on the fine grid: statics, observed values and masks."""
        return len(self.statics) + (2 * len(self.outputs) if self.observed else 0)

    @property
    def n_coarse(self) -> int:
        """Channels that the network sees on the coarse grid: inputs and features of the time."""
        return len(self.inputs) + len(self.time_channels)

    @property
    def n_condition(self) -> int:
        """Channels that the network is told in all."""
        return self.n_coarse + self.n_static

    @property
    def pad(self) -> tuple[int, int, int, int]:
        top, bottom, left, right = (int(cells) for cells in self.geometry["pad"])
        return top, bottom, left, right


@dataclass(frozen=True, eq=False)
class ModelArrays(Arrays):
    """Arrays fitted on the training period; encoded = (transformed - offset) / scale.

    input_offset, input_scale: (Cin,) or (h, w, Cin). output_offset, output_scale: (C,) or
    (H, W, C). static: (H, W, S) on the padded fine grid, NaN where unknown, and its own
    static_offset, static_scale (S,), which are 0 and 1 for statics that are standardised
    already. mask: (H, W, C), True where a training target was ever valid. areas: (H, W) of the
    cells, to any unit, 0 in the padding; None takes them as equal.
    NaN offsets become 0, NaN or zero scales 1: such cells carry no data.
    """

    input_offset: Array
    input_scale: Array
    output_offset: Array
    output_scale: Array
    mask: Array
    static: Array | None = None
    static_offset: Array | None = None
    static_scale: Array | None = None
    areas: Array | None = None

    def __post_init__(self) -> None:
        static = self.static
        if static is None:
            static = np.zeros((*np.shape(self.mask)[:2], 0))
        filled = {
            "static": np.asarray(static, "float32"),
            "static_offset": _or(self.static_offset, np.zeros(static.shape[-1])),
            "static_scale": _or(self.static_scale, np.ones(static.shape[-1])),
            "mask": np.asarray(self.mask, bool),
            "areas": _or(self.areas, np.ones(np.shape(self.mask)[:2])),
        }
        for name in ("input_offset", "input_scale", "output_offset", "output_scale"):
            filled[name] = np.asarray(getattr(self, name), "float32")
        for name, array in filled.items():
            object.__setattr__(self, name, _sound(name, array))


def _or(array: Array | None, default: Array) -> Array:
    return np.asarray(default if array is None else array, "float32")


def _sound(name: str, array: Array) -> Array:
    if name.endswith("_scale"):
        return np.where(np.isfinite(array) & (array != 0), array, 1).astype("float32")
    return np.nan_to_num(array) if name.endswith("_offset") else array
