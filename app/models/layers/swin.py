"""Attention within windows, on grids of any size: Swin transformer blocks, version 2."""

from __future__ import annotations

import math
from typing import Any

import keras
import numpy as np
from keras import ops

from app.arrays import Array, Json, Tensor
from app.models.layers.common import Shape, build_chain, register, run_chain
from app.models.layers.dropout import dropout_layers
from app.models.layers.resize import reached

WINDOW = 8  # cells a side
LEAST_HEAD = 8  # channels of a head
MLP_RATIO = 2
BIAS_HIDDEN = 32  # units of the network that gives the bias of positions
BIAS_RANGE = 16.0
FIRST_SHARPNESS = 10.0
MAX_LOG_SHARPNESS = math.log(100.0)
SHUT = -1e9  # score of a cell that is not to be seen
EPSILON = 1e-6


def head_count(channels: int) -> int:
    """Largest number of equal heads of 8 channels or more; 1 where there is none."""
    most = max(1, channels // LEAST_HEAD)
    return max(n for n in range(1, most + 1) if channels % n == 0)


@register
class ValidConvolution(keras.layers.Layer):
    """A convolution that sees no zeros beyond the edge: the field's own edge is repeated there.

    Input shape `(B, H, W, C)`, output shape `(B, H, W, filters)`.
    """

    def __init__(self, filters: int, kernel: int = 3, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.filters = filters
        self.kernel = kernel

    def get_config(self) -> Json:
        return {**super().get_config(), "filters": self.filters, "kernel": self.kernel}

    def build(self, input_shape: Shape) -> None:
        options: Json = {"padding": "valid", "dtype": self.dtype_policy}
        self.convolution = keras.layers.Conv2D(self.filters, self.kernel, **options)
        self.convolution.build((None, None, None, input_shape[-1]))

    def call(self, inputs: Tensor) -> Tensor:
        return self.convolution(reached(inputs, self.kernel))

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return (*input_shape[:-1], self.filters)


@register
class SwinBlock(keras.layers.Layer):
    """Attention within windows, norm, + input; two dense layers, norm, + input.

    Scores are cosines times a learnt sharpness, plus a bias that a small network gives of the
    logarithm of two cells' distance. With `shift` the windows lie half a window further, and
    what wraps around the edge is not seen. Grids are filled up to whole windows, and the filling
    is not seen.

    Input and output shape `(B, H, W, C)`. Reference: Liu et al. 2022, arXiv:2111.09883.
    """

    def __init__(
        self,
        shift: bool = False,
        window: int = WINDOW,
        dropout_variant: str = "vanilla",
        dropout_rate: float = 0.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.shift = shift
        self.window = window
        self.dropout_variant = dropout_variant
        self.dropout_rate = dropout_rate

    def get_config(self) -> Json:
        names = ("shift", "window", "dropout_variant", "dropout_rate")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}

    def build(self, input_shape: Shape) -> None:
        channels = int(input_shape[-1] or 0)
        self.heads = head_count(channels)
        policy = self.dtype_policy

        def dense(units: int, **options: Any) -> keras.layers.Layer:
            return keras.layers.Dense(units, dtype=policy, **options)

        # A bias of the keys would only be scaled away by the cosine's norm.
        self.question, self.content = dense(channels), dense(channels)
        self.key = dense(channels, use_bias=False)
        self.joined = dense(channels)
        self.norms = [keras.layers.LayerNormalization(epsilon=1e-5, dtype=policy) for _ in "12"]
        drop = dropout_layers(self.dropout_variant, self.dropout_rate, policy)
        self.hidden = [dense(MLP_RATIO * channels, activation="gelu"), *drop, dense(channels)]
        for layer in (self.question, self.key, self.content, self.joined, *self.norms):
            layer.build(input_shape)
        build_chain(self.hidden, input_shape)
        self.sharpness = self.add_weight(
            shape=(self.heads,),
            initializer=keras.initializers.Constant(math.log(FIRST_SHARPNESS)),
            name="sharpness",
        )
        self.places = [
            keras.layers.Dense(BIAS_HIDDEN, activation="relu", dtype="float32"),
            keras.layers.Dense(self.heads, use_bias=False, dtype="float32"),
        ]
        build_chain(self.places, (1, 2))

    def call(self, inputs: Tensor) -> Tensor:
        x = inputs + self.norms[0](self._attended(inputs))
        return x + self.norms[1](run_chain(self.hidden, x))

    def _attended(self, x: Tensor) -> Tensor:
        """Every cell's mixture of its window's cells."""
        height, width = ops.shape(x)[1:3]
        channels, side = x.shape[-1], self.window
        rows, columns = (-(-n // side) * side for n in (height, width))
        moved = side // 2 if self.shift else 0
        padded = ops.pad(x, [[0, 0], [0, rows - height], [0, columns - width], [0, 0]])
        padded = ops.roll(padded, (-moved, -moved), axis=(1, 2))
        question, key, content = (
            self._windows(layer(padded), channels // self.heads)
            for layer in (self.question, self.key, self.content)
        )
        seen = self._seen((height, rows), (width, columns), moved)
        mixed = self._mixed(question, key, content, seen)
        shape = (-1, rows // side, columns // side, self.heads, side, side, channels // self.heads)
        whole = ops.transpose(ops.reshape(mixed, shape), (0, 1, 4, 2, 5, 3, 6))
        whole = ops.reshape(whole, (-1, rows, columns, channels))
        whole = ops.roll(whole, (moved, moved), axis=(1, 2))[:, :height, :width]
        return self.joined(whole)

    def _windows(self, x: Tensor, depth: int) -> Tensor:
        """`(B, H, W, C)` to (B, windows, heads, cells, depth)."""
        _, rows, columns, _ = ops.shape(x)
        side = self.window
        shape = (-1, rows // side, side, columns // side, side, self.heads, depth)
        parts = ops.transpose(ops.reshape(x, shape), (0, 1, 3, 5, 2, 4, 6))
        windows = (rows // side) * (columns // side)
        return ops.reshape(parts, (-1, windows, self.heads, side**2, depth))

    def _mixed(self, question: Tensor, key: Tensor, content: Any, seen: Tensor) -> Tensor:
        """Attention within each window; scores in float32."""
        question, key = (_unit(ops.cast(part, "float32")) for part in (question, key))
        sharpness = ops.exp(ops.minimum(ops.cast(self.sharpness, "float32"), MAX_LOG_SHARPNESS))
        scores = ops.matmul(question, ops.transpose(key, (0, 1, 2, 4, 3)))
        scores = scores * sharpness[:, None, None] + self._position_bias()
        shares = ops.softmax(ops.where(seen[None, :, None], scores, SHUT))
        return ops.matmul(ops.cast(shares, content.dtype), content)

    def _position_bias(self) -> Tensor:
        """(heads, cells, cells)."""
        cells = self.window**2
        bias = run_chain(self.places, log_distances(self.window).reshape(-1, 2))
        bias = BIAS_RANGE * ops.sigmoid(bias)
        return ops.transpose(ops.reshape(bias, (cells, cells, self.heads)), (2, 0, 1))

    def _seen(
        self, rows: tuple[Tensor, Tensor], columns: tuple[Tensor, Tensor], moved: int
    ) -> Tensor:
        """(windows, cells, cells) whether a cell may look at another one."""
        side = self.window
        labels = []
        for real, filled in (rows, columns):
            place = ops.arange(filled)
            source = place + moved
            wrapped = ops.cast(source >= filled, "int32")
            source = source - wrapped * filled
            known = ops.cast(source < real, "int32")
            labels.append((wrapped, known))
        (wrapped_y, known_y), (wrapped_x, known_x) = labels
        region = 2 * wrapped_y[:, None] + wrapped_x[None, :]
        known = known_y[:, None] * known_x[None, :]
        grid = (rows[1] // side, side, columns[1] // side, side)

        def cut(field: Tensor) -> Tensor:
            parts = ops.transpose(ops.reshape(field, grid), (0, 2, 1, 3))
            return ops.reshape(parts, (-1, side**2))

        region, known = cut(region), cut(known)
        alike = region[:, :, None] == region[:, None, :]
        # Cells of the filling look at all the rest, which nobody sees: no row may be empty.
        return ops.logical_and(alike, known[:, None, :] > 0)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return input_shape


def log_distances(window: int) -> Array:
    """(cells, cells, 2) signed row and column distances, logarithmic, the farthest one 1."""
    places = np.stack(np.meshgrid(*[np.arange(window)] * 2, indexing="ij"), -1).reshape(-1, 2)
    apart = (places[:, None] - places[None]).astype("float32")
    result: Array = np.sign(apart) * np.log1p(np.abs(apart)) / np.log(max(window, 2))
    return result


def _unit(x: Tensor) -> Tensor:
    return x * ops.rsqrt(ops.sum(ops.square(x), axis=-1, keepdims=True) + EPSILON)


@register
class SwinGroup(keras.layers.Layer):
    """A block with windows as they lie, one with shifted windows, 3×3, + input.

    Input and output shape `(B, H, W, C)`.
    Reference: Conde et al. 2022, arXiv:2209.11345 (Swin2SR).
    """

    def __init__(
        self, dropout_variant: str = "vanilla", dropout_rate: float = 0.0, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.dropout_variant = dropout_variant
        self.dropout_rate = dropout_rate

    def get_config(self) -> Json:
        own = {"dropout_variant": self.dropout_variant, "dropout_rate": self.dropout_rate}
        return {**super().get_config(), **own}

    def build(self, input_shape: Shape) -> None:
        options: Json = {
            "dropout_variant": self.dropout_variant,
            "dropout_rate": self.dropout_rate,
            "dtype": self.dtype_policy,
        }
        blocks = [SwinBlock(shift, **options) for shift in (False, True)]
        width = int(input_shape[-1] or 0)
        self.chain = [*blocks, ValidConvolution(width, dtype=self.dtype_policy)]
        build_chain(self.chain, input_shape)

    def call(self, inputs: Tensor) -> Tensor:
        return inputs + run_chain(self.chain, inputs)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return input_shape
