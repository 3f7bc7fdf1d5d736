"""The flow module: motion between two frames, coarse to fine."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from app.grids.motion import motion
from app.models.layers.common import Shape, register
from app.models.layers.resize import Resize, edge_pad
from app.models.temporal.warp import warp

REACH = 2  # cells of a level within which features of the two frames are compared
KERNEL = 3


@register
class FlowModule(keras.layers.Layer):
    """Flows from each of two frames to the other.

    Strided convolutions make features of each frame at 1/2, 1/4, … of the resolution. From the
    coarsest level down, the second frame's features are warped by the flow so far and compared
    with the first's within `REACH` cells (Sun et al. 2018, arXiv:1709.02371); convolutions turn
    that into what the flow lacks, and transposed convolutions carry their state to the next
    level. What is learnt is added to motion found by least squares, which training does not
    change; both directions share all weights. A part of the answer is multiplied by the signed
    length of the interval, so that steady motion holds for intervals of any length.

    Arguments: filters, the width of each level, finest first.

    Input {"first", "second": `(B, H, W, n)`, "beside": `(B, H, W, s)`, "length": `(B,)`}, all
    encoded; output two flows `(B, H, W, 2)` in cells, float32.
    """

    def __init__(self, filters: Sequence[int], activation: str = "relu", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.filters = list(filters)
        self.activation = activation

    def get_config(self) -> dict[str, Any]:
        own = {"filters": self.filters, "activation": self.activation}
        return {**super().get_config(), **own}

    @property
    def factor(self) -> int:
        """What height and width are padded to a multiple of."""
        return int(2 ** len(self.filters))

    def build(self, input_shape: dict[str, Shape]) -> None:
        channels = int(input_shape["first"][-1] or 0) + int(input_shape["beside"][-1] or 0)
        self.encoder, self.states, self.estimators, self.heads = [], [], [], []
        for width in self.filters:
            self.encoder.append([self._conv(width, channels, strides=2), self._conv(width, width)])
            channels = width
        carried = 0
        for width in reversed(self.filters):
            if carried:
                up = keras.layers.Conv2DTranspose(
                    width, 4, strides=2, padding="same", activation=self.activation,
                    dtype=self.dtype_policy,
                )  # fmt: skip
                up.build((None, None, None, carried))
                self.states.append(up)
            seen = 2 * width + (2 * REACH + 1) ** 2 + 3 + (width if carried else 0)
            self.estimators.append([self._conv(width, seen), self._conv(width, width)])
            head = keras.layers.Conv2D(
                4, KERNEL, padding="same", kernel_initializer="zeros", dtype=self.dtype_policy
            )
            head.build((None, None, None, width))
            self.heads.append(head)
            carried = width
        self.double = Resize("bilinear", scale=2, dtype="float32")
        self.built = True

    def _conv(self, filters: int, channels: int, strides: int = 1) -> keras.layers.Layer:
        layer = keras.layers.Conv2D(
            filters,
            KERNEL,
            strides=strides,
            padding="same",
            activation=self.activation,
            dtype=self.dtype_policy,
        )
        layer.build((None, None, None, channels))
        return layer

    def call(self, inputs: dict[str, Any]) -> tuple[Any, Any]:
        both = ops.concatenate([inputs["first"], inputs["second"]], axis=0)
        beside = ops.concatenate([inputs["beside"]] * 2, axis=0)
        length = ops.concatenate([inputs["length"], -inputs["length"]], axis=0)
        height, width = both.shape[1:3]
        x = _padded(ops.concatenate([both, beside], axis=-1), self.factor)
        features = []
        for level in self.encoder:
            for layer in level:
                x = layer(x)
            features.append(ops.cast(x, "float32"))
        other = ops.concatenate([inputs["second"], inputs["first"]], axis=0)
        start = ops.stop_gradient(motion(ops, both, other))
        lacking = self._lacking(features, _padded(start, self.factor), length[:, None, None, None])
        flow = start + 2.0 * self.double(lacking)[:, :height, :width]
        forward, backward = ops.split(flow, 2, axis=0)
        return forward, backward

    def _lacking(self, features: list[Any], start: Any, length: Any) -> Any:
        """What the flow lacks at the finest level of features, in its cells."""
        state, flow = None, ops.zeros((*ops.shape(features[-1])[:3], 2), "float32")
        for number, own in enumerate(reversed(features)):
            cells = 2 ** (len(features) - number)  # of the grid in one of this level
            carried: list[Any] = []
            if state is not None:
                flow = 2.0 * self.double(flow)
                carried = [ops.cast(self.states[number - 1](state), "float32")]
            so_far = flow + ops.average_pool(start, cells, cells) / cells
            other = ops.concatenate(ops.split(own, 2, axis=0)[::-1], axis=0)
            other = warp(other, so_far)
            lengths = ops.broadcast_to(length, ops.shape(flow[..., :1]))
            told = [own, other, *carried, _compared(own, other), so_far, lengths]
            state = ops.concatenate(told, axis=-1)
            for layer in self.estimators[number]:
                state = layer(state)
            found = ops.cast(self.heads[number](state), "float32")
            flow = flow + found[..., :2] + length * found[..., 2:]
        return flow


def _padded(x: Any, factor: int) -> Any:
    """Height and width made multiples of the factor by repeating the last row and column."""
    height, width = x.shape[1:3]
    return edge_pad(edge_pad(x, 1, 0, -height % factor), 2, 0, -width % factor)


def _compared(own: Any, other: Any) -> Any:
    """Mean products over the channels with every cell within reach: `(B, h, w, side²)`."""
    height, width = own.shape[1:3]
    padded = edge_pad(edge_pad(other, 1, REACH, REACH), 2, REACH, REACH)
    side = range(2 * REACH + 1)
    products = [
        ops.mean(own * padded[:, dy : dy + height, dx : dx + width], axis=-1, keepdims=True)
        for dy in side
        for dx in side
    ]
    return ops.concatenate(products, axis=-1)
