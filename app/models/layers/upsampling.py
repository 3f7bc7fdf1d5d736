"""Learned upsampling: subpixel convolution, resize-convolution, transposed convolution."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

import keras
from keras import ops

from app.arrays import Json, Tensor
from app.models.layers.common import Shape, build_chain, register, run_chain
from app.models.layers.convolutions import ZERO, convolution, transposed
from app.models.layers.dense import TransitionBlock
from app.models.layers.resize import Resize

TRANSPOSED_KERNEL = 9


def prime_factors(number: int) -> list[int]:
    """Prime factors in ascending order: 12 gives [2, 2, 3]."""
    factors, divisor = [], 2
    while number > 1:
        while number % divisor == 0:
            factors.append(divisor)
            number //= divisor
        divisor += 1
    return factors


def depth_to_space(x: Tensor, factor: int) -> Tensor:
    """(B, h, w, factor² C) to (B, h·factor, w·factor, C); channels are ordered (row, column, C)."""
    _, height, width, channels = ops.shape(x)
    depth = int(channels) // factor**2
    # Rows join the batch and columns the channels, which leaves one transpose of four axes.
    x = ops.reshape(x, (-1, width, factor, factor * depth))
    x = ops.transpose(x, (0, 2, 1, 3))
    return ops.reshape(x, (-1, height * factor, width * factor, depth))


@register
class DepthToSpace(keras.layers.Layer):
    """`depth_to_space` as a layer. Input `(B, h, w, f² C)`, output `(B, h f, w f, C)`."""

    def __init__(self, factor: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.factor = factor

    def get_config(self) -> Json:
        return {**super().get_config(), "factor": self.factor}

    def call(self, inputs: Tensor) -> Tensor:
        return depth_to_space(inputs, self.factor)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        batch, height, width, channels = input_shape
        grow = (None if n is None else n * self.factor for n in (height, width))
        return (batch, *grow, int(channels or 0) // self.factor**2)


@register
class RepeatedSubpixels(keras.initializers.Initializer):
    """Kernels that start equal for all subpixels of a cell: no checkerboard to be unlearned.

    Reference: Aitken et al. 2017, arXiv:1707.02937 (ICNR).
    """

    def __init__(self, factor: int) -> None:
        self.factor = factor

    def get_config(self) -> Json:
        return {"factor": self.factor}

    def __call__(self, shape: Shape, dtype: Any = None) -> Tensor:
        copies = self.factor**2
        one = keras.initializers.GlorotUniform()((*shape[:-1], (shape[-1] or 0) // copies), dtype)
        return ops.tile(one, (1,) * (len(shape) - 1) + (copies,))


class Upsampling(keras.layers.Layer):
    """What the upsampling layers share. Output shape `(B, h·scale, w·scale, filters)`."""

    def __init__(self, scale: int, filters: int, padding: str = ZERO, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.scale = scale
        self.filters = filters
        self.padding = padding

    def get_config(self) -> Json:
        own = {"scale": self.scale, "filters": self.filters, "padding": self.padding}
        return {**super().get_config(), **own}

    def build(self, input_shape: Shape) -> None:
        self.chain = self._chain()
        build_chain(self.chain, input_shape)

    @abstractmethod
    def _chain(self) -> list[keras.layers.Layer]:
        """The layers that refine the grid, one after another."""

    def call(self, inputs: Tensor) -> Tensor:
        return run_chain(self.chain, inputs)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        grow = (None if n is None else n * self.scale for n in input_shape[1:3])
        return (input_shape[0], *grow, self.filters)


@register
class SubpixelUpsampling(Upsampling):
    """spc: for each prime factor of the scale a 3×3 convolution and depth-to-space.

    With `shared` one convolution serves all steps of the same factor; the input then has `filters`
    channels. Reference: Shi et al. 2016, arXiv:1609.05158.
    """

    def __init__(
        self, scale: int, filters: int, padding: str = ZERO, *, shared: bool = False, **kwargs: Any
    ) -> None:
        super().__init__(scale, filters, padding, **kwargs)
        self.shared = shared

    def get_config(self) -> Json:
        return {**super().get_config(), "shared": self.shared}

    def _chain(self) -> list[keras.layers.Layer]:
        chain: list[keras.layers.Layer] = []
        made: dict[int, keras.layers.Layer] = {}
        for factor in prime_factors(self.scale):
            if not self.shared or factor not in made:
                start = RepeatedSubpixels(factor)
                wide = self.filters * factor**2
                made[factor] = convolution(
                    wide, 3, self.dtype_policy, self.padding, kernel_initializer=start
                )
            chain += [made[factor], DepthToSpace(factor, dtype=self.dtype_policy)]
        return chain


@register
class ResizeUpsampling(Upsampling):
    """rc: interpolation, then a 3×3 convolution. Reference: Odena et al. 2016, Distill."""

    def __init__(self, scale: int, filters: int, method: str = "bilinear", **kwargs: Any) -> None:
        super().__init__(scale, filters, **kwargs)
        self.method = method

    def get_config(self) -> Json:
        return {**super().get_config(), "method": self.method}

    def _chain(self) -> list[keras.layers.Layer]:
        resize = Resize(self.method, scale=self.scale, dtype=self.dtype_policy)
        return [resize, convolution(self.filters, 3, self.dtype_policy, self.padding)]


@register
class TransposedUpsampling(Upsampling):
    """dc: a transition, then one transposed 9×9 convolution with the scale as its stride.

    The transition is to `narrow` channels, by default `filters`. Beyond scale 9 the kernel grows
    with the stride, since it would leave cells untouched.
    """

    def __init__(
        self,
        scale: int,
        filters: int,
        padding: str = ZERO,
        *,
        narrow: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(scale, filters, padding, **kwargs)
        self.narrow = narrow or filters

    def get_config(self) -> Json:
        return {**super().get_config(), "narrow": self.narrow}

    def _chain(self) -> list[keras.layers.Layer]:
        kernel = max(TRANSPOSED_KERNEL, self.scale)
        spread = transposed(self.filters, kernel, self.scale, self.dtype_policy, self.padding)
        return [TransitionBlock(self.narrow, dtype=self.dtype_policy), spread]


def upsampling_layer(
    kind: str,
    scale: int,
    filters: int,
    method: str,
    padding: str = ZERO,
    name: str | None = None,
    *,
    shared: bool = False,
    narrow: int | None = None,
) -> keras.layers.Layer:
    """The layer of an upsampling flag; "pin" stands for interpolation and nothing else.

    `shared` counts for spc, `narrow` for dc.
    """
    if kind == "spc":
        return SubpixelUpsampling(scale, filters, padding, shared=shared, name=name)
    if kind == "rc":
        return ResizeUpsampling(scale, filters, method, padding=padding, name=name)
    if kind == "dc":
        return TransposedUpsampling(scale, filters, padding, narrow=narrow, name=name)
    if kind == "pin":
        return Resize(method, scale=scale, name=name)
    raise ValueError(f"upsampling: expected spc, rc, dc or pin, received {kind!r}")
