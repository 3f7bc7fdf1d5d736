"""DeepESD: convolutions on the coarse grid, and one dense layer to every cell of the target."""

from __future__ import annotations

import keras

from app.arrays import Tensor
from app.models.layers.convolutions import convolution
from app.options import ModelConfig
from app.options.network import DEEPESD_FILTERS

Pad = tuple[int, int, int, int]


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
    x = keras.layers.Flatten(name="flat")(x)
    top, bottom, left, right = pad
    rows, columns = height * scale - top - bottom, width * scale - left - right
    initializer = "zeros" if zero_output else "glorot_uniform"
    x = keras.layers.Dense(
        rows * columns * n_outputs, kernel_initializer=initializer, name="output"
    )(x)
    x = keras.layers.Reshape((rows, columns, n_outputs), name="cells")(x)
    return keras.layers.ZeroPadding2D(((top, bottom), (left, right)), name="padded")(x)


network.whole = True  # type: ignore[attr-defined]
