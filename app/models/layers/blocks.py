"""Convolutional and residual blocks, and the options all blocks share."""

from __future__ import annotations

from typing import Any

import keras

from app.arrays import Json, Tensor
from app.models.layers.attention import ChannelAttention
from app.models.layers.common import (
    Shape,
    activation_layers,
    build_chain,
    normalization_layers,
    register,
    run_chain,
    widened,
)
from app.models.layers.convolutions import ZERO, convolution
from app.models.layers.dropout import dropout_layers

OPTIONS = (
    "filters",
    "activation",
    "normalization",
    "dropout_variant",
    "dropout_rate",
    "attention",
    "padding",
)


class Block(keras.layers.Layer):
    """What the blocks share: the options, their serialisation and the small parts.

    Arguments:
        filters: width of the block.
        activation: a Keras activation's name, "crelu" (doubles the width) or None.
        normalization: "bn", "ln" or None.
        dropout_variant, dropout_rate: see `dropout_layers`.
        attention: whether channel attention closes the block.
        padding: what convolutions see beyond the edge, see `convolution`.
    """

    def __init__(
        self,
        filters: int,
        *,
        activation: str | None = "relu",
        normalization: str | None = None,
        dropout_variant: str = "vanilla",
        dropout_rate: float = 0.0,
        attention: bool = False,
        padding: str = ZERO,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.filters = filters
        self.activation = activation
        self.normalization = normalization
        self.dropout_variant = dropout_variant
        self.dropout_rate = dropout_rate
        self.attention = attention
        self.padding = padding

    def get_config(self) -> Json:
        return {**super().get_config(), **{name: getattr(self, name) for name in OPTIONS}}

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return (*input_shape[:-1], widened(self.filters, self.activation))

    def _conv(self, kernel: int, filters: int | None = None, **options: Any) -> keras.layers.Layer:
        policy = self.dtype_policy
        return convolution(filters or self.filters, kernel, policy, self.padding, **options)

    def _norm(self, channels: int) -> list[keras.layers.Layer]:
        return normalization_layers(self.normalization, channels, self.dtype_policy)

    def _act(self) -> list[keras.layers.Layer]:
        return activation_layers(self.activation, self.dtype_policy)

    def _drop(self) -> list[keras.layers.Layer]:
        return dropout_layers(self.dropout_variant, self.dropout_rate, self.dtype_policy)

    def _gate(self) -> list[keras.layers.Layer]:
        return [ChannelAttention(dtype=self.dtype_policy)] if self.attention else []

    def _shortcut(self, input_shape: Shape) -> list[keras.layers.Layer]:
        """A 1×1 convolution where the widths differ, nothing otherwise; built."""
        chain = [] if input_shape[-1] == self.filters else [self._conv(1)]
        build_chain(chain, input_shape)
        return chain


@register
class ConvBlock(Block):
    """[drop], 3×3, [norm], act, [drop], 3×3, [norm], act, [attention].

    `zero_output` starts the second convolution at zero, so that the block first gives nothing.

    Input shape `(B, H, W, Cin)`, output shape `(B, H, W, filters)` (twice that with crelu).
    """

    def __init__(self, filters: int, *, zero_output: bool = False, **kwargs: Any) -> None:
        super().__init__(filters, **kwargs)
        self.zero_output = zero_output

    def get_config(self) -> Json:
        return {**super().get_config(), "zero_output": self.zero_output}

    def build(self, input_shape: Shape) -> None:
        last = "zeros" if self.zero_output else "glorot_uniform"
        chain = []
        for initializer in ("glorot_uniform", last):
            chain += [*self._drop(), self._conv(3, kernel_initializer=initializer)]
            chain += [*self._norm(self.filters), *self._act()]
        self.chain = [*chain, *self._gate()]
        build_chain(self.chain, input_shape)

    def call(self, inputs: Tensor) -> Tensor:
        return run_chain(self.chain, inputs)


@register
class ResidualBlock(Block):
    """[drop], 3×3, [norm], act, [drop], 3×3, [norm], [attention], + shortcut, act.

    The shortcut is a 1×1 convolution where the widths differ.

    Input shape `(B, H, W, Cin)`, output shape `(B, H, W, filters)` (twice that with crelu).
    Reference: He et al. 2016, arXiv:1512.03385.
    """

    def build(self, input_shape: Shape) -> None:
        first = [*self._drop(), self._conv(3), *self._norm(self.filters), *self._act()]
        second = [*self._drop(), self._conv(3), *self._norm(self.filters), *self._gate()]
        self.chain = [*first, *second]
        shape = build_chain(self.chain, input_shape)
        self.shortcut = self._shortcut(input_shape)
        self.closing = self._act()
        build_chain(self.closing, shape)

    def call(self, inputs: Tensor) -> Tensor:
        summed = run_chain(self.chain, inputs) + run_chain(self.shortcut, inputs)
        return run_chain(self.closing, summed)
