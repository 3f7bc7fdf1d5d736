"""DeepESD: convolutions on the coarse grid, and one dense layer to every cell of the target."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from app.arrays import Json, Tensor
from app.models.layers.common import Shape, register
from app.models.layers.convolutions import convolution
from app.options import ModelConfig
from app.options.network import DEEPESD_FILTERS

Pad = tuple[int, int, int, int]


@register
class DenseToCells(keras.layers.Layer):
    """Every value of the coarse grid, by a weight of its own, in every value of the fine one.

    Input shape `(B, h, w, C)` with known h and w, output shape `(B, H, W, channels)`: a fine grid
    of rows × columns cells, and zeros in its padding (top, bottom, left, right) around it.
    """

    def __init__(
        self,
        cells: tuple[int, int],
        channels: int,
        pad: Pad,
        zero_output: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.cells, self.channels, self.pad = tuple(cells), channels, tuple(pad)
        self.zero_output = zero_output

    def get_config(self) -> Json:
        names = ("cells", "channels", "pad", "zero_output")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}

    def build(self, input_shape: Shape) -> None:
        _, height, width, channels = input_shape
        if height is None or width is None:
            raise ValueError(f"expected a grid of known size, received input shape {input_shape}")
        rows, columns = self.cells
        self.dense = keras.layers.Dense(
            rows * columns * self.channels,
            kernel_initializer="zeros" if self.zero_output else "glorot_uniform",
            dtype=self.dtype_policy,
            name="dense",
        )
        self.dense.build((None, height * width * int(channels or 0)))

    def call(self, inputs: Tensor) -> Tensor:
        _, height, width, channels = inputs.shape
        flat = ops.reshape(inputs, (-1, height * width * channels))
        fields = ops.reshape(self.dense(flat), (-1, *self.cells, self.channels))
        top, bottom, left, right = self.pad
        return ops.pad(fields, ((0, 0), (top, bottom), (left, right), (0, 0)))

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        (rows, columns), (top, bottom, left, right) = self.cells, self.pad
        return (input_shape[0], rows + top + bottom, columns + left + right, self.channels)


def network(
    x: Tensor, config: ModelConfig, *, n_outputs: int, scale: int, pad: Pad, zero_output: bool
) -> Tensor:
    """`(B, h, w, Cin)` to `(B, H, W, n_outputs)`, 0 in the padding of the target.

    Every weight of the dense layer belongs to a coarse cell and a fine one, so that statics, which
    are the same at all times, would add nothing. `pad`: fine cells (top, bottom, left, right)
    beyond the target. Reference: Baño-Medina et al. 2022, doi:10.5194/gmd-15-6747-2022.
    """
    height, width = (int(cells or 0) for cells in x.shape[1:3])
    for number, filters in enumerate(DEEPESD_FILTERS, start=1):
        x = convolution(filters, 3, padding=config.padding, name=f"convolution_{number}")(x)
        x = keras.layers.Activation(config.activation, name=f"activation_{number}")(x)
    top, bottom, left, right = pad
    cells = height * scale - top - bottom, width * scale - left - right
    return DenseToCells(cells, n_outputs, pad, zero_output, name="output")(x)


network.whole = True  # type: ignore[attr-defined]
