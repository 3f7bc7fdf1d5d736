"""Convolutions of the networks in time, built for their channels at once."""

from __future__ import annotations

from typing import Any

import keras

KERNEL = 3
UP_KERNEL = 4


def convolution(filters: int, channels: int, strides: int = 1, **options: Any) -> Any:
    """3 × 3 on `channels`, with strides of 2 at half the resolution."""
    layer = keras.layers.Conv2D(filters, KERNEL, strides=strides, padding="same", **options)
    layer.build((None, None, None, channels))
    return layer


def enlarging(filters: int, channels: int, **options: Any) -> Any:
    """Transposed, at twice the resolution."""
    layer = keras.layers.Conv2DTranspose(filters, UP_KERNEL, strides=2, padding="same", **options)
    layer.build((None, None, None, channels))
    return layer
