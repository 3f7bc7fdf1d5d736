"""Physical values to encoded ones and back: transform, standardisation, valid range."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import keras
import numpy as np
from keras import ops

from app.arrays import Array, Json, Tensor
from app.models.layers.common import register
from app.models.spec import Channel

MAX_LOG = 80.0  # exp of more does not fit into float32


@register
class Codec(keras.layers.Layer):
    """Encodes and decodes the channels of one field; always float32.

    Arguments:
        channels: one `Channel` (or its dictionary) per channel, C of them.
        shape: of offset and scale, (C,) or (H, W, C).

    NaN stays NaN both ways. Transformed amounts below 0 count as 0, encoded or not.
    """

    def __init__(
        self, channels: Sequence[Channel | Json], shape: Sequence[int], **kwargs: Any
    ) -> None:
        kwargs["dtype"] = "float32"
        super().__init__(**kwargs)
        self.channels = tuple(c if isinstance(c, Channel) else Channel(**c) for c in channels)
        self.shape = tuple(shape)
        zeros, ones = keras.initializers.Zeros(), keras.initializers.Ones()
        self.offset = self.add_weight(
            shape=self.shape, initializer=zeros, trainable=False, name="offset"
        )
        self.scale = self.add_weight(
            shape=self.shape, initializer=ones, trainable=False, name="scale"
        )
        self.built = True

    def get_config(self) -> Json:
        own = {"channels": [asdict(channel) for channel in self.channels], "shape": self.shape}
        return {**super().get_config(), **own}

    def fit(self, offset: Array, scale: Array) -> None:
        """Set offset and scale."""
        self.offset.assign(offset)
        self.scale.assign(scale)

    def encode(self, x: Tensor) -> Tensor:
        """Physical `(..., C)` to encoded."""
        return (self._by_channel(x, _transform) - self.offset) / self.scale

    def decode(self, y: Tensor) -> Tensor:
        """Encoded `(..., C)` to physical, within the valid range."""
        return self.clip(self._by_channel(y * self.scale + self.offset, _inverse))

    def clip(self, x: Tensor) -> Tensor:
        """Physical values brought into valid_min and valid_max."""
        low = [-np.inf if c.valid_min is None else c.valid_min for c in self.channels]
        high = [np.inf if c.valid_max is None else c.valid_max for c in self.channels]
        if np.isinf(low).all() and np.isinf(high).all():
            return x
        return ops.clip(x, np.array(low, "float32"), np.array(high, "float32"))

    def centre(self) -> Tensor:
        """Physical values whose code is 0: the training mean that stands in for missing ones."""
        return self.decode(ops.zeros_like(self.offset))

    def call(self, inputs: Tensor) -> Tensor:
        return self.encode(inputs)

    def _by_channel(self, x: Tensor, function: Any) -> Tensor:
        if all(channel.transform == "none" for channel in self.channels):
            return x
        parts = [function(x[..., i : i + 1], c) for i, c in enumerate(self.channels)]
        return ops.concatenate(parts, axis=-1)


def _transform(x: Tensor, channel: Channel) -> Tensor:
    """log1p(x / x0) or sqrt(x / x0), with a finite slope everywhere."""
    if channel.transform == "none":
        return x
    ratio = x / channel.transform_scale
    # The branch not taken needs a finite slope too: its gradient is 0 times that, and 0·inf NaN.
    above = ratio > 0
    safe = ops.where(above, ratio, 1.0)
    forward = ops.log1p(safe) if channel.transform == "log1p" else ops.sqrt(safe)
    return ops.where(ops.isnan(x), x, ops.where(above, forward, 0.0))


def _inverse(z: Tensor, channel: Channel) -> Tensor:
    if channel.transform == "none":
        return z
    if channel.transform == "log1p":
        return channel.transform_scale * ops.expm1(ops.clip(z, 0.0, MAX_LOG))
    return channel.transform_scale * ops.square(ops.maximum(z, 0.0))
