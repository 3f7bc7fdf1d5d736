"""Dropout in six variants: three ordinary ones and their Monte Carlo twins, never switched off."""

from __future__ import annotations

from typing import Any

import keras

from app.arrays import Tensor
from app.models.layers.common import register


class DrawsAtInference:
    """Marks layers whose output is random in prediction too."""


@register
class McDropout(DrawsAtInference, keras.layers.Dropout):
    """Dropout that stays active at inference: each pass is one member (arXiv:1506.02142)."""

    def call(self, inputs: Tensor, training: bool = True) -> Tensor:
        return super().call(inputs, training=True)


@register
class McGaussianDropout(DrawsAtInference, keras.layers.GaussianDropout):
    """Multiplicative Gaussian noise that stays active at inference."""

    def call(self, inputs: Tensor, training: bool = True) -> Tensor:
        return super().call(inputs, training=True)


@register
class McSpatialDropout(DrawsAtInference, keras.layers.SpatialDropout2D):
    """Dropout of whole channels that stays active at inference."""

    def call(self, inputs: Tensor, training: bool = True) -> Tensor:
        return super().call(inputs, training=True)


VARIANTS: dict[str, type[keras.layers.Layer]] = {
    "vanilla": keras.layers.Dropout,
    "gaussian": keras.layers.GaussianDropout,
    "spatial": keras.layers.SpatialDropout2D,
    "mcdrop": McDropout,
    "mcgaussiandrop": McGaussianDropout,
    "mcspatialdrop": McSpatialDropout,
}


def dropout_layers(variant: str, rate: float, dtype: Any) -> list[keras.layers.Layer]:
    """The dropout as zero (rate 0) or one layers; each draws from a SeedGenerator of its own."""
    return [VARIANTS[variant](rate, dtype=dtype)] if rate > 0 else []
