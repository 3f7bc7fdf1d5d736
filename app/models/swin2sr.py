"""Backbones of DeepR's deterministic networks."""

from __future__ import annotations

import keras

from app.arrays import Tensor
from app.models.layers.common import activation_layers, run_chain
from app.models.layers.dropout import dropout_layers
from app.models.layers.swin import SwinGroup, ValidConvolution
from app.options import ModelConfig

ADAPTER_KERNEL = 5  # cells a side


def swin2sr(x: Tensor, config: ModelConfig) -> Tensor:
    """Adapter, groups of Swin blocks, 3×3, + adapter. `(B, h, w, Cin)` to `(B, h, w, F)`.

    With --upsampling=spc (pixel shuffle), --first_guess=bicubic (the interpolation skip) and
    statics the counterpart of ConvSwin2SR. Reference: Conde et al. 2022, arXiv:2209.11345.
    """
    stem = ValidConvolution(config.n_filters, ADAPTER_KERNEL, name="stem")(x)
    y = stem
    for number in range(1, config.n_blocks + 1):
        y = SwinGroup(config.dropout_variant, config.dropout_rate, name=f"block_{number}")(y)
    y = ValidConvolution(config.n_filters, name="trunk")(y)
    return keras.layers.Add(name="skip")([stem, y])


def conv_baseline(x: Tensor, config: ModelConfig) -> Tensor:
    """Adapter and `n_blocks` plain 3×3 convolutions. `(B, h, w, Cin)` to `(B, h, w, F)`."""
    y = ValidConvolution(config.n_filters, ADAPTER_KERNEL, name="stem")(x)
    for number in range(1, config.n_blocks + 1):
        y = run_chain(activation_layers(config.activation, None), y)
        y = ValidConvolution(config.n_filters, name=f"block_{number}")(y)
        y = run_chain(dropout_layers(config.dropout_variant, config.dropout_rate, None), y)
    return y
