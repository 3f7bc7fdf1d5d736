"""Recurrent convolution over the frames of a window, on grids of any size."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from app.arrays import Json, Tensor
from app.models.layers.blocks import Block
from app.models.layers.common import Shape, register
from app.models.layers.convolutions import ZERO, convolution
from app.models.layers.frames import fold, unfold

GATES = 4  # input, forget, candidate, output: the order of their channels
FORGET_BIAS = 1.0  # the memory is kept before anything is learnt
KERNELS = (5, 3)


@register
class ConvLSTM(keras.layers.Layer):
    """Convolutional long short-term memory; every frame of the window comes out.

    c_t = σ(f_t + 1) c_{t-1} + σ(i_t) tanh(g_t), h_t = σ(o_t) tanh(c_t), where the gates i, f, g, o
    are W * x_t + U * h_{t-1} + b and h, c begin at 0. One convolution gives W * x for all frames
    at once; only U * h goes frame by frame. Keras' own layer refuses grids of unknown size.

    Arguments:
        filters: channels of h and c.
        kernel: cells a side of W and U.
        bidirectional: a second memory runs backwards, and both outputs are added, so that every
            frame has context on both sides.
        padding: what W and U see beyond the edge, see `convolution`.

    Input shape `(B, T, h, w, Cin)` with known T, output shape `(B, T, h, w, filters)`.
    Reference: Shi et al. 2015, arXiv:1506.04214 (without peepholes).
    """

    def __init__(
        self,
        filters: int,
        kernel: int,
        *,
        bidirectional: bool = False,
        padding: str = ZERO,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.filters = filters
        self.kernel = kernel
        self.bidirectional = bidirectional
        self.padding = padding

    def get_config(self) -> Json:
        names = ("filters", "kernel", "bidirectional", "padding")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}

    def build(self, input_shape: Shape) -> None:
        _, frames, height, width, channels = input_shape
        if frames is None:
            raise ValueError(f"expected a known number of frames, received shape {input_shape}")
        wide, policy = GATES * self.filters, self.dtype_policy
        directions = 2 if self.bidirectional else 1
        self.inward = convolution(wide * directions, self.kernel, policy, self.padding)
        self.inward.build((None, height, width, channels))
        start = {"use_bias": False, "kernel_initializer": "orthogonal"}
        self.recurrent = [
            convolution(wide, self.kernel, policy, self.padding, **start) for _ in range(directions)
        ]
        for layer in self.recurrent:
            layer.build((None, height, width, self.filters))

    def call(self, inputs: Tensor) -> Tensor:
        frames = inputs.shape[1]
        gates = unfold(self.inward(fold(inputs)), frames)
        parts = ops.split(gates, len(self.recurrent), axis=-1)
        outputs = self._run([parts[0][:, t] for t in range(frames)], self.recurrent[0])
        if self.bidirectional:
            later_first = [parts[1][:, t] for t in reversed(range(frames))]
            backward = self._run(later_first, self.recurrent[1])[::-1]
            outputs = [a + b for a, b in zip(outputs, backward, strict=True)]
        return ops.stack(outputs, axis=1)

    def _run(self, gates: Sequence[Tensor], recurrent: keras.layers.Layer) -> list[Tensor]:
        """The memory's output at each frame, frames in the order given."""
        outputs: list[Any] = []
        cell: Tensor = None
        for own in gates:
            if outputs:
                own = own + recurrent(outputs[-1])
            admit, keep, candidate, release = ops.split(own, GATES, axis=-1)
            new = ops.sigmoid(admit) * ops.tanh(candidate)
            cell = new if cell is None else ops.sigmoid(keep + FORGET_BIAS) * cell + new
            outputs.append(ops.sigmoid(release) * ops.tanh(cell))
        return outputs

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return (*input_shape[:-1], self.filters)


@register
class RecurrentBlock(Block):
    """[drop], ConvLSTM 5×5, [norm], act, [drop], ConvLSTM 3×3, [norm], act, [attention].

    All but the memories see each frame alone.

    Input shape `(B, T, h, w, Cin)`, output shape `(B, T, h, w, filters)` (twice that with crelu).
    """

    def __init__(self, filters: int, *, bidirectional: bool = False, **kwargs: Any) -> None:
        super().__init__(filters, **kwargs)
        self.bidirectional = bidirectional

    def get_config(self) -> Json:
        return {**super().get_config(), "bidirectional": self.bidirectional}

    def build(self, input_shape: Shape) -> None:
        chain: list[keras.layers.Layer] = []
        for kernel in KERNELS:
            memory = ConvLSTM(
                self.filters,
                kernel,
                bidirectional=self.bidirectional,
                padding=self.padding,
                dtype=self.dtype_policy,
            )
            chain += [*self._drop(), memory, *self._norm(self.filters), *self._act()]
        self.chain = [*chain, *self._gate()]
        shape = input_shape
        for layer in self.chain:
            if isinstance(layer, ConvLSTM):
                layer.build(shape)
                shape = layer.compute_output_shape(shape)
            else:
                layer.build((None, *shape[2:]))
                after = tuple(layer.compute_output_shape((None, *shape[2:])))
                shape = (*shape[:2], *after[1:])

    def call(self, inputs: Tensor) -> Tensor:
        y, frames = inputs, inputs.shape[1]
        for layer in self.chain:
            y = layer(y) if isinstance(layer, ConvLSTM) else unfold(layer(fold(y)), frames)
        return y
