"""Layers of the denoising network."""

from __future__ import annotations

import math
from typing import Any

import keras
from keras import ops

from app.arrays import Json, Tensor
from app.models.layers.common import Shape, build_chain, register, run_chain
from app.models.layers.convolutions import ZERO, convolution

MAX_GROUPS = 8
LEAST_CHANNELS = 4  # in a group
EPSILON = 1e-5
LONGEST_PERIOD = 10_000.0
LEVEL_UNIT = 1000.0  # positional angles are those of the level in thousandths
FOURIER_SPREAD = 16.0
KERNEL = 3


def group_count(channels: int) -> int:
    """Largest number of equal groups, up to 8 and of at least 4 channels; 1 where there is none.

    A channel normalised alone would forget what the noise level added to it.
    """
    few = min(MAX_GROUPS, max(1, channels // LEAST_CHANNELS))
    return max(g for g in range(1, few + 1) if channels % g == 0)


@register
class GroupNorm(keras.layers.Layer):
    """Group normalisation, the number of groups following from the width.

    Works out channel moments first and combines them, which on CPUs is several times faster
    than reshaping whole fields. Input and output shape `(B, H, W, C)`.
    Reference: Wu and He 2018, arXiv:1803.08494.
    """

    def build(self, input_shape: Shape) -> None:
        channels = int(input_shape[-1] or 0)
        self.groups = group_count(channels)
        self.gamma = self.add_weight(shape=(channels,), initializer="ones", name="gamma")
        self.beta = self.add_weight(shape=(channels,), initializer="zeros", name="beta")

    def call(self, inputs: Tensor) -> Tensor:
        x = ops.cast(inputs, "float32")
        channels = x.shape[-1]
        mean = ops.mean(x, axis=(1, 2))
        variance = ops.mean(ops.square(x - mean[:, None, None]), axis=(1, 2))
        grouped = (-1, self.groups, channels // self.groups)
        means, variances = ops.reshape(mean, grouped), ops.reshape(variance, grouped)
        centre = ops.mean(means, axis=-1, keepdims=True)
        spread = ops.mean(variances + ops.square(means - centre), axis=-1, keepdims=True)
        factor = ops.ones_like(means) * ops.rsqrt(spread + EPSILON)
        factor = ops.reshape(factor, (-1, channels)) * ops.cast(self.gamma, "float32")
        shift = ops.reshape(ops.ones_like(means) * centre, (-1, channels))
        shift = ops.cast(self.beta, "float32") - shift * factor
        return ops.cast(x * factor[:, None, None] + shift[:, None, None], self.compute_dtype)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return input_shape


@register
class NoiseEmbedding(keras.layers.Layer):
    """Sines and cosines of the noise level: `(B,)` to `(B, width)`; float32.

    kind: "positional", wavelengths in geometric progression; "fourier", fixed random ones.
    References: Vaswani et al. 2017, arXiv:1706.03762; Tancik et al. 2020, arXiv:2006.10739.
    """

    def __init__(self, width: int, kind: str = "positional", **kwargs: Any) -> None:
        kwargs["dtype"] = "float32"
        super().__init__(**kwargs)
        if kind not in ("positional", "fourier") or width % 2:
            raise ValueError(
                f"expected positional or fourier and an even width, received {kind!r} and {width}"
            )
        self.width = width
        self.kind = kind

    def get_config(self) -> Json:
        return {**super().get_config(), "width": self.width, "kind": self.kind}

    def build(self, input_shape: Shape) -> None:
        if self.kind == "fourier":
            self.frequencies = self.add_weight(
                shape=(self.width // 2,),
                initializer=keras.initializers.RandomNormal(stddev=FOURIER_SPREAD),
                trainable=False,
                name="frequencies",
            )

    def call(self, inputs: Tensor) -> Tensor:
        level = ops.cast(inputs, "float32")[:, None]
        if self.kind == "fourier":
            angles = 2 * math.pi * level * self.frequencies[None]
        else:
            place = ops.arange(self.width // 2, dtype="float32") / (self.width // 2)
            angles = LEVEL_UNIT * level * ops.exp(-math.log(LONGEST_PERIOD) * place)[None]
        return ops.concatenate([ops.sin(angles), ops.cos(angles)], axis=-1)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return (input_shape[0], self.width)


@register
class TimedBlock(keras.layers.Layer):
    """Norm, swish, 3×3, + linear of the embedding, norm, swish, dropout, 3×3, + shortcut.

    The second convolution starts at zero, the block as its shortcut.
    Input shapes `(B, H, W, C)` and `(B, E)`, output shape `(B, H, W, filters)`.
    """

    def __init__(
        self, filters: int, dropout_rate: float = 0.0, padding: str = ZERO, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.filters = filters
        self.dropout_rate = dropout_rate
        self.padding = padding

    def get_config(self) -> Json:
        names = ("filters", "dropout_rate", "padding")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}

    def build(self, input_shape: list[Shape]) -> None:
        field, embedding = input_shape
        policy = self.dtype_policy
        swish = {"activation": "silu", "dtype": policy}
        self.first = [
            GroupNorm(dtype=policy),
            keras.layers.Activation(**swish),
            convolution(self.filters, KERNEL, policy, self.padding),
        ]
        self.shift = keras.layers.Dense(self.filters, dtype=policy)
        self.second = [GroupNorm(dtype=policy), keras.layers.Activation(**swish)]
        if self.dropout_rate:
            self.second.append(keras.layers.Dropout(self.dropout_rate, dtype=policy))
        zero = {"kernel_initializer": "zeros"}
        self.second.append(convolution(self.filters, KERNEL, policy, self.padding, **zero))
        self.shortcut = []
        if field[-1] != self.filters:
            self.shortcut = [convolution(self.filters, 1, policy)]
        inner = build_chain(self.first, field)
        self.shift.build(embedding)
        build_chain(self.second, inner)
        build_chain(self.shortcut, field)

    def call(self, inputs: list[Tensor]) -> Tensor:
        x, embedding = inputs
        y = run_chain(self.first, x) + self.shift(embedding)[:, None, None]
        return run_chain(self.second, y) + run_chain(self.shortcut, x)

    def compute_output_shape(self, input_shape: list[Shape]) -> Shape:
        return (*input_shape[0][:-1], self.filters)


@register
class SelfAttention(keras.layers.Layer):
    """Norm, then every cell looks at every other one (one head), added to the input.

    The output projection starts at zero. Input and output shape `(B, H, W, C)`; memory grows
    with (H·W)².
    """

    def build(self, input_shape: Shape) -> None:
        channels = int(input_shape[-1] or 0)
        policy = self.dtype_policy
        self.norm = GroupNorm(dtype=policy)
        self.question = keras.layers.Dense(channels, dtype=policy)
        # A bias of the keys would shift all scores of a cell alike, which softmax does not see.
        self.key = keras.layers.Dense(channels, use_bias=False, dtype=policy)
        self.content = keras.layers.Dense(channels, dtype=policy)
        self.out = keras.layers.Dense(channels, kernel_initializer="zeros", dtype=policy)
        for layer in (self.norm, self.question, self.key, self.content, self.out):
            layer.build(input_shape)

    def call(self, inputs: Tensor) -> Tensor:
        _, height, width, channels = ops.shape(inputs)
        cells = (-1, height * width, channels)
        x = self.norm(inputs)
        question, key, content = (
            ops.reshape(layer(x), cells) for layer in (self.question, self.key, self.content)
        )
        scores = ops.matmul(question, ops.transpose(key, (0, 2, 1))) * channels**-0.5
        shares = ops.cast(ops.softmax(ops.cast(scores, "float32")), scores.dtype)
        mixed = ops.reshape(ops.matmul(shares, content), (-1, height, width, channels))
        return inputs + self.out(mixed)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return input_shape


@register
class PadToMultiple(keras.layers.Layer):
    """Repeat the last row and column until both sides are multiples of a number.

    Input shape `(B, H, W, C)`, output shape `(B, H', W', C)`.
    """

    def __init__(self, multiple: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.multiple = multiple

    def get_config(self) -> Json:
        return {**super().get_config(), "multiple": self.multiple}

    def call(self, inputs: Tensor) -> Tensor:
        x = inputs
        for axis in (1, 2):
            size = ops.shape(x)[axis]
            if isinstance(size, int) and size % self.multiple == 0:
                continue
            cells = ops.minimum(ops.arange(self._padded(size)), size - 1)
            x = ops.take(x, cells, axis=axis)
        return x

    def _padded(self, size: Any) -> Tensor:
        return -(-size // self.multiple) * self.multiple

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        batch, *sides, channels = input_shape
        return (batch, *(None if n is None else self._padded(n) for n in sides), channels)


@register
class CropLike(keras.layers.Layer):
    """Cut the first field to the second one's size: what `PadToMultiple` added falls away."""

    def call(self, inputs: list[Tensor]) -> Tensor:
        x, like = inputs
        height, width = ops.shape(like)[1:3]
        return x[:, :height, :width]

    def compute_output_shape(self, input_shape: list[Shape]) -> Shape:
        field, like = input_shape
        return (field[0], like[1], like[2], field[-1])
