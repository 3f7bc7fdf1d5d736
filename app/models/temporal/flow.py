"""The flow module: motion between two frames, found without learning and then refined."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from app.arrays import Json, Tensor
from app.grids.motion import motion
from app.models.layers.common import Shape, register
from app.models.layers.convolutions import ZERO
from app.models.layers.resize import Resize, filled_up
from app.models.temporal.convolutions import convolution, enlarging
from app.models.temporal.warp import beyond, warp

FAR = 8.0  # cells: motion is told to the convolutions in these


@register
class FlowModule(keras.layers.Layer):
    """Flows from each of two frames to the other.

    A search and least squares, coarse to fine and without learning, align the second frame with
    the first. Strided convolutions look at what still differs, transposed ones carry that back to
    half of the resolution, and what they find is added to the motion. Both directions share all
    weights, and only what they find in opposition counts: a common part would change nothing half
    way between the frames, where most of the training looks, and so be learnt by nothing.

    Arguments: filters, the width of each level, finest first.

    Where frames before and after are given too, they tell how motion speeds up: how much farther
    it goes in this interval than in the one before, and in the next than in this one.

    Input {"first", "second": `(B, H, W, n)`, "beside": `(B, H, W, s)`, maybe "before", "after" with
    "there" `(B, 2)`, 1 where they are known}, all encoded; output two flows and the acceleration,
    `(B, H, W, 2)` in cells, float32.
    """

    def __init__(
        self,
        filters: Sequence[int],
        activation: str = "relu",
        padding: str = ZERO,
        **kwargs: Any,
    ) -> None:
        super().__init__(autocast=False, **kwargs)
        self.filters = list(filters)
        self.activation = activation
        self.padding = padding

    def get_config(self) -> Json:
        names = ("filters", "activation", "padding")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}

    @property
    def factor(self) -> int:
        """What height and width are padded to a multiple of."""
        return int(2 ** len(self.filters))

    def build(self, input_shape: dict[str, Shape]) -> None:
        fields, beside = (int(input_shape[name][-1] or 0) for name in ("first", "beside"))
        channels = 3 * fields + beside + 3
        own = {"dtype": self.dtype_policy, "padding": self.padding}
        options = {"activation": self.activation, **own}
        self.down, self.up = [], []
        for width in self.filters:
            entry = convolution(width, channels, strides=2, **options)
            self.down.append([entry, convolution(width, width, **options)])
            channels = width
        for width in reversed(self.filters[:-1]):
            self.up.append(enlarging(width, channels, **options))
            channels = 2 * width
        self.head = convolution(2, channels, kernel_initializer="zeros", **own)
        self.double = Resize("bilinear", scale=2, dtype="float32")
        self.built = True

    def call(self, inputs: dict[str, Tensor]) -> tuple[Tensor, Tensor, Tensor]:
        first, second = inputs["first"], inputs["second"]
        own, other = [first, second], [second, first]
        if "before" in inputs:
            own, other = [*own, first, second], [*other, inputs["before"], inputs["after"]]
        found = ops.stop_gradient(motion(ops, *(ops.concatenate(x, axis=0) for x in (own, other))))
        onward, back, *outward = ops.split(found, len(own), axis=0)
        both = (own[:2], other[:2], [onward, back], [inputs["beside"]] * 2)
        lacking = self._lacking(*(ops.concatenate(parts, axis=0) for parts in both))
        acceleration = 0.0 * onward
        if outward:
            known = inputs["there"][:, None, None, :]
            past, future = outward
            total = known[..., :1] * (onward + past) + known[..., 1:] * (back + future)
            acceleration = total / ops.maximum(ops.sum(known, axis=-1, keepdims=True), 1.0)
        return onward + lacking, back - lacking, acceleration

    def _lacking(self, own: Tensor, other: Tensor, start: Tensor, beside: Tensor) -> Tensor:
        """What the motion onward lacks, and that back has too much: `(B, H, W, 2)` in cells."""
        height, width = own.shape[1:3]
        aligned = warp(other, start)
        seen = [own, aligned, aligned - own, start / FAR, beyond(start), beside]
        found = self._decoded(ops.concatenate(seen, axis=-1))
        onward, back = ops.split(2.0 * self.double(found)[:, :height, :width], 2, axis=0)
        return (onward - back) / 2.0

    def _decoded(self, x: Tensor) -> Tensor:
        """Cells of half the resolution, for both directions: `(2 B, h, w, 2)`."""
        x = filled_up(x, self.factor)
        levels = []
        for level in self.down:
            for layer in level:
                x = layer(x)
            levels.append(x)
        for up, skipped in zip(self.up, levels[-2::-1], strict=True):
            x = ops.concatenate([up(x), skipped], axis=-1)
        return ops.cast(self.head(x), "float32")
