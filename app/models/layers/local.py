"""Localized convolution: weights of its own in every cell, for what only the place explains."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from app.arrays import Json, Tensor
from app.models.layers.common import Shape, register
from app.models.layers.dense import TransitionBlock

LOCAL_CHANNELS = 2


@register
class LocallyConnected1x1(keras.layers.Layer):
    """y[b,h,w,o] = sum_i x[b,h,w,i] K[h,w,i,o] + b[h,w,o]: a 1×1 layer that shares no weights.

    Input shape `(B, H, W, Cin)` with known H and W, output shape `(B, H, W, filters)`.
    """

    def __init__(self, filters: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.filters = filters

    def get_config(self) -> Json:
        return {**super().get_config(), "filters": self.filters}

    def build(self, input_shape: Shape) -> None:
        _, height, width, channels = input_shape
        if height is None or width is None:
            raise ValueError(f"expected a grid of known size, received input shape {input_shape}")
        self.kernel = self.add_weight(
            shape=(height, width, channels, self.filters),
            # Glorot's limit for one cell; the default would count the grid into the fan.
            initializer=keras.initializers.RandomUniform(*_glorot_limits(channels, self.filters)),
            name="kernel",
        )
        self.bias = self.add_weight(
            shape=(height, width, self.filters), initializer="zeros", name="bias"
        )

    def call(self, inputs: Tensor) -> Tensor:
        # On so few channels multiply-and-sum beats an einsum, which would transpose to a matmul.
        return ops.sum(ops.expand_dims(inputs, -1) * self.kernel, axis=-2) + self.bias

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return (*input_shape[:-1], self.filters)


def _glorot_limits(fan_in: int | None, fan_out: int) -> tuple[float, float]:
    limit = (6.0 / ((fan_in or 0) + fan_out)) ** 0.5
    return -limit, limit


@register
class LocalizedConvBlock(keras.layers.Layer):
    """Transition to 2 channels, locally connected 1×1 with bias, joined to the input.

    Input shape `(B, H, W, C)` with known H and W, output shape `(B, H, W, C + 2)`.
    """

    def build(self, input_shape: Shape) -> None:
        self.transition = TransitionBlock(LOCAL_CHANNELS, dtype=self.dtype_policy)
        self.transition.build(input_shape)
        self.local = LocallyConnected1x1(LOCAL_CHANNELS, dtype=self.dtype_policy)
        self.local.build(self.transition.compute_output_shape(input_shape))

    def call(self, inputs: Tensor) -> Tensor:
        return ops.concatenate([inputs, self.local(self.transition(inputs))], axis=-1)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return (*input_shape[:-1], int(input_shape[-1] or 0) + LOCAL_CHANNELS)
