"""Channel attention (squeeze and excitation)."""

from __future__ import annotations

import keras
from keras import ops

from app.arrays import Tensor
from app.models.layers.common import Shape, build_chain, register, run_chain

SQUEEZE = 4


@register
class ChannelAttention(keras.layers.Layer):
    """Weigh each channel by what the whole field says of it.

    Spatial mean, then 1×1 to a quarter of the channels (at least one), relu, 1×1, sigmoid,
    multiply. The mean runs over the last two grid axes only, so a time axis in front is kept.

    Input and output shape `(..., H, W, C)`. Reference: Hu et al. 2018, arXiv:1709.01507.
    """

    def build(self, input_shape: Shape) -> None:
        channels = int(input_shape[-1] or 0)
        squeezed = max(channels // SQUEEZE, 1)
        policy = self.dtype_policy
        self.gate = [
            keras.layers.Dense(squeezed, activation="relu", dtype=policy),
            keras.layers.Dense(channels, activation="sigmoid", dtype=policy),
        ]
        build_chain(self.gate, (*input_shape[:-3], 1, 1, channels))

    def call(self, inputs: Tensor) -> Tensor:
        return inputs * run_chain(self.gate, ops.mean(inputs, axis=(-3, -2), keepdims=True))

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return input_shape
