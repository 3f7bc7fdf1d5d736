"""Densely connected block and the 1×1 transition."""

from __future__ import annotations

from typing import Any

import keras

from app.arrays import Json, Tensor
from app.models.layers.blocks import Block
from app.models.layers.common import (
    Shape,
    activation_layers,
    build_chain,
    register,
    run_chain,
    widened,
)
from app.models.layers.convolutions import convolution

BOTTLENECK = 4


@register
class DenseBlock(Block):
    """[norm], act, [drop], 1×1 (4 f), [norm], act, [drop], 3×3 (f), [attention], beside its input.

    Input shape `(B, H, W, C)`, output shape `(B, H, W, C + filters)`.
    Reference: Huang et al. 2017, arXiv:1608.06993 (DenseNet-B order).
    """

    def build(self, input_shape: Shape) -> None:
        channels = int(input_shape[-1] or 0)
        wide = BOTTLENECK * self.filters
        squeeze = [*self._norm(channels), *self._act(), *self._drop(), self._conv(1, wide)]
        grow = [*self._norm(wide), *self._act(), *self._drop(), self._conv(3), *self._gate()]
        self.chain = [*squeeze, *grow]
        build_chain(self.chain, input_shape)

    def call(self, inputs: Tensor) -> Tensor:
        return keras.ops.concatenate([inputs, run_chain(self.chain, inputs)], axis=-1)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return (*input_shape[:-1], int(input_shape[-1] or 0) + self.filters)


@register
class TransitionBlock(keras.layers.Layer):
    """A 1×1 convolution to another width, with an activation if one is named.

    Input shape `(..., Cin)`, output shape `(..., filters)` (twice that with crelu).
    """

    def __init__(self, filters: int, activation: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.filters = filters
        self.activation = activation

    def get_config(self) -> Json:
        own = {"filters": self.filters, "activation": self.activation}
        return {**super().get_config(), **own}

    def build(self, input_shape: Shape) -> None:
        policy = self.dtype_policy
        self.chain = [
            convolution(self.filters, 1, policy),
            *activation_layers(self.activation, policy),
        ]
        build_chain(self.chain, input_shape)

    def call(self, inputs: Tensor) -> Tensor:
        return run_chain(self.chain, inputs)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return (*input_shape[:-1], widened(self.filters, self.activation))
