"""U-Net backbone, for inputs that were interpolated to the fine grid."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from app.arrays import Tensor
from app.models.layers import ConvBlock
from app.models.layers.common import register
from app.models.layers.upsampling import upsampling_layer
from app.models.skeleton import block_options
from app.options import ModelConfig

MAX_FILTERS = 256
MIN_BOTTLENECK_CELLS = 2


@register
class CropJoin(keras.layers.Layer):
    """Cut decoder features to the size of the encoder's and put both side by side.

    Pooling rounds odd sizes up, so that what comes back is at most one row and column larger.
    Input shapes `(B, H, W, S)` and `(B, H or H+1, W or W+1, C)`, output `(B, H, W, S + C)`.
    """

    def call(self, inputs: list[Tensor]) -> Tensor:
        skip, y = inputs
        height, width = ops.shape(skip)[1:3]
        return ops.concatenate([skip, y[:, :height, :width]], axis=-1)

    def compute_output_shape(self, input_shape: list[tuple[int | None, ...]]) -> Any:
        skip, decoded = input_shape
        return (*skip[:-1], (skip[-1] or 0) + (decoded[-1] or 0))


def backbone(x: Tensor, config: ModelConfig) -> Tensor:
    """Encoder, bottleneck, decoder with skips. `(B, H, W, Cin)` to `(B, H, W, F)`.

    Filters double with the depth up to 256; the depth is `n_blocks`, cut where the bottleneck
    would have fewer than two cells a side. Reference: Ronneberger et al. 2015, arXiv:1505.04597.
    """
    options = block_options(config)
    depth = encoder_depth(x.shape[1:3], config.n_blocks)
    widths = [min(config.n_filters * 2**level, MAX_FILTERS) for level in range(depth + 1)]
    skips = []
    for level, filters in enumerate(widths[:-1], start=1):
        x = ConvBlock(filters, name=f"encoder_{level}", **options)(x)
        skips.append(x)
        x = keras.layers.MaxPooling2D(2, padding="same", name=f"pool_{level}")(x)
    x = ConvBlock(widths[-1], name="bottleneck", **options)(x)
    for level in range(depth, 0, -1):
        filters = widths[level - 1]
        grow = upsampling_layer(
            config.decoder_upsampling,
            2,
            filters,
            config.rc_interpolation,
            config.padding,
            f"grow_{level}",
        )
        x = CropJoin(name=f"join_{level}")([skips[level - 1], grow(x)])
        x = ConvBlock(filters, name=f"decoder_{level}", **options)(x)
    return x


def encoder_depth(size: tuple[int | None, ...], n_blocks: int) -> int:
    """How often the grid may be halved, rounding up; not cut where its size is unknown."""
    known = [cells for cells in size if cells is not None]
    depth = 0
    while depth < n_blocks and all(-(-c // 2) >= MIN_BOTTLENECK_CELLS for c in known):
        known = [-(-c // 2) for c in known]
        depth += 1
    return depth
