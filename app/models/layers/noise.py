"""Noise beside the features of a network."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from app.arrays import Json, Tensor
from app.models.block_means import block_mean
from app.models.layers.common import Shape, register


@register
class CoarseNoise(keras.layers.Layer):
    """Block means of white noise, times what makes their variance 1 again.

    Input shape `(B, H, W, K)`, output shape `(B, H / scale, W / scale, K)`; with `repeated` each
    mean in all cells of its block, `(B, H, W, K)`.
    """

    def __init__(self, scale: int, repeated: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.scale, self.repeated = scale, repeated

    def get_config(self) -> Json:
        return {**super().get_config(), "scale": self.scale, "repeated": self.repeated}

    def call(self, inputs: Tensor) -> Tensor:
        means = self.scale * block_mean(inputs, self.scale)
        if not self.repeated:
            return means
        return ops.repeat(ops.repeat(means, self.scale, axis=1), self.scale, axis=2)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        batch, height, width, channels = input_shape
        if self.repeated:
            return input_shape
        return batch, _divided(height, self.scale), _divided(width, self.scale), channels


def _divided(cells: int | None, scale: int) -> int | None:
    return None if cells is None else cells // scale
