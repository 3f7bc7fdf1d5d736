"""Convolutions of the networks in time, built for their channels at once."""

from __future__ import annotations

from typing import Any

from app.arrays import Tensor
from app.models.layers import convolutions

KERNEL = 3
UP_KERNEL = 4


def convolution(filters: int, channels: int, strides: int = 1, **options: Any) -> Tensor:
    """3 × 3 on `channels`, with strides of 2 at half the resolution."""
    layer = convolutions.convolution(filters, KERNEL, strides=strides, **options)
    layer.build((None, None, None, channels))
    return layer


def enlarging(filters: int, channels: int, **options: Any) -> Tensor:
    """Transposed, at twice the resolution."""
    layer = convolutions.transposed(filters, UP_KERNEL, 2, **options)
    layer.build((None, None, None, channels))
    return layer
