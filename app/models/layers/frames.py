"""Windows of frames and single frames: time folded into the batch and taken out again.

Whatever works on a field of its own (convolution, normalisation, upsampling, attention) sees
folded frames, so that no frame's values leak into another's; only recurrent layers see windows.
"""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from app.arrays import Json, Tensor
from app.models.layers.common import Shape, register


def fold(x: Tensor) -> Tensor:
    """`(B, T, …)` to `(B·T, …)`, the frames of a window one after the other."""
    return ops.reshape(x, (-1, *ops.shape(x)[2:]))


def unfold(x: Tensor, frames: int) -> Tensor:
    """`(B·T, …)` to `(B, T, …)`, the inverse of `fold`."""
    return ops.reshape(x, (-1, frames, *ops.shape(x)[1:]))


@register
class FoldFrames(keras.layers.Layer):
    """`fold` as a layer. Input `(B, T, h, w, C)`, output `(B·T, h, w, C)`."""

    def call(self, inputs: Tensor) -> Tensor:
        return fold(inputs)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return (None, *input_shape[2:])


@register
class UnfoldFrames(keras.layers.Layer):
    """`unfold` as a layer. Input `(B·T, h, w, C)`, output `(B, T, h, w, C)`, T being `frames`."""

    def __init__(self, frames: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.frames = frames

    def get_config(self) -> Json:
        return {**super().get_config(), "frames": self.frames}

    def call(self, inputs: Tensor) -> Tensor:
        return unfold(inputs, self.frames)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return (None, self.frames, *input_shape[1:])
