"""What every block is made of: registration, activations, normalisation and chains of layers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

import keras
from keras import ops

from app.arrays import Tensor

PACKAGE = "finescale"
MIN_LAYER_NORM_CHANNELS = 8
Shape = tuple[int | None, ...]
Registered = TypeVar("Registered", bound=Callable[..., Any])


def register(thing: Registered) -> Registered:
    """Make a class known to `keras.models.load_model`, under the package's own name."""
    decorated: Registered = keras.saving.register_keras_serializable(PACKAGE)(thing)
    return decorated


@register
class CReLU(keras.layers.Layer):
    """Concatenated rectifier: relu(x) and relu(-x) side by side, which doubles the channels.

    Input shape `(..., C)`, output shape `(..., 2 C)`. Reference: Shang et al. 2016,
    arXiv:1603.05201.
    """

    def call(self, inputs: Tensor) -> Tensor:
        return ops.relu(ops.concatenate([inputs, -inputs], axis=-1))

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return (*input_shape[:-1], widened(input_shape[-1] or 0, "crelu"))


def widened(channels: int, activation: str | None) -> int:
    """Channels behind an activation: crelu doubles them, every other one keeps them."""
    return 2 * channels if activation == "crelu" else channels


def activation_layers(name: str | None, dtype: Any) -> list[keras.layers.Layer]:
    """The activation as zero or one layers, ready to be put into a chain."""
    if name is None:
        return []
    if name == "crelu":
        return [CReLU(dtype=dtype)]
    return [keras.layers.Activation(name, dtype=dtype)]


def normalization_layers(name: str | None, channels: int, dtype: Any) -> list[keras.layers.Layer]:
    """Batch ("bn") or layer ("ln") normalisation as zero or one layers.

    "ln" normalises over the channels of a cell, but over rows, columns and channels together
    where there are fewer than `MIN_LAYER_NORM_CHANNELS` of them: on one channel the former
    gives a constant field, on two nothing but a sign.
    """
    if name is None:
        return []
    if name == "bn":
        return [keras.layers.BatchNormalization(dtype=dtype)]
    if name != "ln":
        raise ValueError(f"normalization: expected bn, ln or None, received {name!r}")
    if channels >= MIN_LAYER_NORM_CHANNELS:
        return [keras.layers.LayerNormalization(epsilon=1e-5, dtype=dtype)]
    return [keras.layers.GroupNormalization(groups=1, epsilon=1e-5, dtype=dtype)]


def build_chain(chain: Sequence[keras.layers.Layer], shape: Shape) -> Shape:
    """Build layers one behind the other; the shape behind the last one.

    Explicit building gives every nested weight its place before a saved file is read into it. A
    layer that comes twice has its weights once.
    """
    for layer in chain:
        if not layer.built:
            layer.build(shape)
        shape = tuple(layer.compute_output_shape(shape))
    return shape


def run_chain(chain: Iterable[keras.layers.Layer], x: Tensor) -> Tensor:
    """Pass `x` through layers one behind the other."""
    for layer in chain:
        x = layer(x)
    return x
