"""What is done to values before a network sees them: transform, then scaling; and back."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from app.arrays import Array
from app.data.description import SCALING_AXES, SCALINGS, Variable, check_choice
from app.data.moments import RunningMoments
from app.errors import InputError


def forward(x: ArrayLike, variable: Variable) -> Array:
    """log1p(x / x0) or sqrt(x / x0), x0 in the variable's unit; negative amounts count as 0."""
    values = np.asarray(x)
    if variable.transform == "none":
        return values
    ratio = np.maximum(values, 0) / variable.transform_scale
    result: Array = np.log1p(ratio) if variable.transform == "log1p" else np.sqrt(ratio)
    return result


def inverse(z: ArrayLike, variable: Variable) -> Array:
    """x of `forward`; below 0, where no amount is transformed to, it is 0."""
    values = np.asarray(z)
    if variable.transform == "none":
        return values
    amount = np.maximum(values, 0)
    ratio = np.expm1(amount) if variable.transform == "log1p" else np.square(amount)
    result: Array = ratio * variable.transform_scale
    return result


def clip(x: ArrayLike, variable: Variable) -> Array:
    """Values within valid_min and valid_max, where these are given; NaN stays NaN."""
    values = np.asarray(x)
    if variable.valid_min is None and variable.valid_max is None:
        return values
    return np.clip(values, variable.valid_min, variable.valid_max)


def forward_all(x: ArrayLike, variables: tuple[Variable, ...]) -> NDArray[np.float32]:
    """`forward` per channel of (..., C)."""
    return _per_channel(forward, x, variables)


def _per_channel(function: Any, x: ArrayLike, variables: tuple[Variable, ...]) -> Array:
    values = np.asarray(x, np.float32)
    out = np.empty_like(values)
    for channel, variable in enumerate(variables):
        out[..., channel] = function(values[..., channel], variable)
    return out


@dataclass(frozen=True, eq=False)
class Scaling:
    """encoded = (z - offset) / scale, and the statistics of the training period behind it.

    Arrays float64, of transformed values: (C,), or maps (y, x, C). `data_range` (C,) is the
    encoded maximum less the encoded minimum over the whole domain, 1 where these are equal.
    """

    mean: Array
    std: Array
    minimum: Array
    maximum: Array
    offset: Array
    scale: Array
    data_range: Array

    def encode(self, z: ArrayLike) -> NDArray[np.float32]:
        """Transformed values (..., C), or (..., y, x, C) for maps, as the network sees them."""
        return ((np.asarray(z) - self.offset) / self.scale).astype(np.float32)

    def decode(self, z: ArrayLike) -> NDArray[np.float32]:
        """The inverse of `encode`."""
        return (np.asarray(z) * self.scale + self.offset).astype(np.float32)

    def to_arrays(self) -> dict[str, Array]:
        """The fields by name, for JSON or NetCDF."""
        return {part.name: getattr(self, part.name) for part in fields(self)}

    @classmethod
    def from_arrays(cls, arrays: dict[str, ArrayLike]) -> Scaling:
        """The scaling that `to_arrays` came from."""
        return cls(**{p.name: np.asarray(arrays[p.name], np.float64) for p in fields(cls)})


class ScalingFit(RunningMoments):
    """Statistics (y, x, C) of transformed values, from which a scaling is made.

    `names` are the channels', for messages.
    """

    def __init__(self, names: tuple[str, ...] = ()) -> None:
        super().__init__()
        self.names = names

    def result(self, kind: str = "standard", axes: str = "domain") -> Scaling:
        """Scaling of `kind` "standard", "minmax" or "none", over the "domain" or per "pixel".

        A constant field gets scale 1; a pixel without valid values, the domain's numbers.
        InputError for a channel without any valid value.
        """
        check_choice("scaling", kind, SCALINGS, "scaling")
        check_choice("scaling_axes", axes, SCALING_AXES, "scaling")
        if not self.state:
            raise InputError("scaling: expected at least one training sample, received none")
        domain = _pooled(self.state)
        empty = np.flatnonzero(domain["count"] == 0)
        if len(empty):
            name = self.names[empty[0]] if self.names else f"number {empty[0]}"
            raise InputError(f"variable {name}: no valid value in the training period")
        measured = domain
        if axes == "pixel":
            seen = self.state["count"] > 0
            spread = {**self.state, "std": _std(self.state)}
            measured = {key: np.where(seen, spread[key], domain[key]) for key in domain}
        return _scaling(kind, measured)


def _std(state: dict[str, Array]) -> Array:
    result: Array = np.sqrt(state["squares"] / np.maximum(state["count"], 1))
    return result


def _pooled(state: dict[str, Array]) -> dict[str, Array]:
    """Statistics over all pixels, (C,)."""
    pixels = (0, 1)
    count = state["count"].sum(axis=pixels)
    mean = (state["count"] * state["mean"]).sum(axis=pixels) / np.maximum(count, 1)
    between = state["count"] * np.square(state["mean"] - mean)
    pooled = {
        "count": count,
        "mean": mean,
        "squares": (state["squares"] + between).sum(axis=pixels),
        "minimum": state["minimum"].min(axis=pixels),
        "maximum": state["maximum"].max(axis=pixels),
    }
    return {**pooled, "std": _std(pooled)}


def _scaling(kind: str, measured: dict[str, Array]) -> Scaling:
    mean, std = measured["mean"], measured["std"]
    minimum, maximum = measured["minimum"], measured["maximum"]
    offset, scale = {
        "standard": (mean, std),
        "minmax": (minimum, maximum - minimum),
        "none": (np.zeros_like(mean), np.ones_like(mean)),
    }[kind]
    # Rounding leaves a constant field a tiny spread that must not be blown up to noise.
    negligible = np.finfo(np.float32).eps * np.maximum(np.abs(minimum), np.abs(maximum))
    scale = np.where(scale > negligible, scale, 1.0)
    pixels = tuple(range(mean.ndim - 1))
    highest = ((maximum - offset) / scale).max(axis=pixels)
    lowest = ((minimum - offset) / scale).min(axis=pixels)
    data_range = np.where(highest > lowest, highest - lowest, 1.0)
    return Scaling(mean, std, minimum, maximum, offset, scale, data_range)
