"""Convolutions that keep the grid's size, and what they see beyond its edge."""

from __future__ import annotations

from typing import Any

import keras

from app.arrays import Tensor
from app.models.layers.common import Shape, register
from app.models.layers.resize import edge_repeated, reached

ZERO, EDGE = "zero", "edge"
PADDINGS = (ZERO, EDGE)


def convolution(
    filters: int, kernel: int, dtype: Any = None, padding: str = ZERO, **options: Any
) -> keras.layers.Layer:
    """A 2-D convolution of h × w cells to ⌈h / strides⌉ × ⌈w / strides⌉.

    Beyond the edge it sees zeros, or with padding "edge" the field's own edge repeated.
    """
    if padding == ZERO or kernel == 1:
        return keras.layers.Conv2D(filters, kernel, padding="same", dtype=dtype, **options)
    return EdgeConv2D(filters, kernel, dtype=dtype, **options)


def depthwise(kernel: int, dtype: Any = None, padding: str = ZERO) -> keras.layers.Layer:
    """Likewise, each channel by itself."""
    if padding == ZERO:
        return keras.layers.DepthwiseConv2D(kernel, padding="same", dtype=dtype)
    return EdgeDepthwiseConv2D(kernel, dtype=dtype)


def transposed(
    filters: int, kernel: int, strides: int, dtype: Any = None, padding: str = ZERO, **options: Any
) -> keras.layers.Layer:
    """A transposed convolution of h × w cells to h · strides × w · strides."""
    kind = keras.layers.Conv2DTranspose if padding == ZERO else EdgeConv2DTranspose
    return kind(filters, kernel, strides=strides, padding="same", dtype=dtype, **options)


@register
class EdgeConv2D(keras.layers.Conv2D):
    """`keras.layers.Conv2D` on fields whose edge is repeated outwards; the size is kept.

    Input shape `(B, H, W, C)`, output shape `(B, ⌈H / strides⌉, ⌈W / strides⌉, filters)`.
    """

    def call(self, inputs: Tensor) -> Tensor:
        return super().call(reached(inputs, self.kernel_size[0]))

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return (*_strided(input_shape, self.strides[0]), self.filters)


@register
class EdgeDepthwiseConv2D(keras.layers.DepthwiseConv2D):
    """`keras.layers.DepthwiseConv2D` likewise, with strides of 1."""

    def call(self, inputs: Tensor) -> Tensor:
        return super().call(reached(inputs, self.kernel_size[0]))

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return tuple(input_shape)


@register
class EdgeConv2DTranspose(keras.layers.Conv2DTranspose):
    """`keras.layers.Conv2DTranspose` (padding "same") as if the field went on beyond its edge.

    Input shape `(B, h, w, C)`, output shape `(B, h · strides, w · strides, filters)`.
    """

    def call(self, inputs: Tensor) -> Tensor:
        kernel, stride = self.kernel_size[0], self.strides[0]
        beyond = -(-kernel // (2 * stride))  # cells that reach into the field
        y = super().call(edge_repeated(inputs, beyond, beyond))
        cut = beyond * stride
        return y[:, cut:-cut, cut:-cut]

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        stride = self.strides[0]
        grow = (None if n is None else n * stride for n in input_shape[1:3])
        return (input_shape[0], *grow, self.filters)


def _strided(shape: Shape, stride: int) -> tuple[int | None, ...]:
    return (shape[0], *(None if n is None else -(-n // stride) for n in shape[1:3]))
