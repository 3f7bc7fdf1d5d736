"""The network in encoded space: a field between two known frames."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from app.arrays import Json, Tensor
from app.models.layers.blocks import ResidualBlock
from app.models.layers.common import register
from app.models.layers.convolutions import ZERO
from app.models.layers.resize import filled_up
from app.models.temporal.convolutions import convolution, enlarging
from app.models.temporal.flow import FlowModule
from app.models.temporal.warp import bend, beyond, blend, flows_at, visibility, warp

LEAST_VISIBLE = 1e-3  # keeps both frames' weights above 0
CURVATURE = 0.1  # of an answer of 1: so that no first step of training outdoes the interpolation
REFINED = 0.25  # cells of an answer of 1: one cell on triples two steps wide
FIRST_TRUST = 2.0  # logit of the moved frames' weight before training: they count 88 %
FACTOR = 4  # what height and width are padded to a multiple of


@register
class TemporalNetwork(keras.Model):
    """Residual encoder-decoder and flow module side by side, and the fusion of both.

    The encoder-decoder corrects the interpolation in time (linear; cubic where frames before and
    after are given) by θ (1 - θ) ℓ² times its answer: in proportion to a second derivative, which
    does not depend on the interval's length ℓ. Beside it stands the course of the sun where
    that is told; the encoder-decoder weighs it. The flow module warps both frames to the time, with
    frames before and after along paths that speed up or slow down; the encoder-decoder refines
    its flows and weighs the frames by visibility, and the result against the corrected
    interpolation. All of that vanishes at θ = 0 and 1, where the known
    frames come back exactly. Negative ℓ means that time runs backwards.

    Arguments:
        n_outputs, n_guidance: channels to be filled in, and channels that only guide.
        n_static, n_time: statics, and features of the time.
        n_sun: curves that follow the sun.
        context: whether frames before and after the interval are given.
        flow_filters: widths of the flow module, none for a network without.
        n_filters, n_blocks: width and residual blocks of the encoder-decoder.
        activation: a Keras activation's name.
        padding: what convolutions see beyond the edge, "zero" or "edge".

    Input {"frames": `(B, 4, H, W, n_outputs + n_guidance)` before, first, second, after;
    "there": `(B, 2)`, 1 where before and after are known, 0 where they are continued; "theta",
    "length": `(B,)`; "time": `(B, n_time)`; "static": `(1, H, W, n_static)`; "sun":
    `(B, H, W, n_sun)`, what the interpolation misses of the curves; "course": `(B, H, W,
    n_outputs)`, what it therefore misses of the fields}, encoded and free of NaN. Output {"field":
    `(B, H, W, n_outputs)`, "smooth": `(B, H, W, k)` whose roughness in space is to be small}.
    """

    def __init__(
        self,
        *,
        n_outputs: int,
        n_guidance: int = 0,
        n_static: int = 0,
        n_time: int = 0,
        n_sun: int = 0,
        context: bool = False,
        flow_filters: Sequence[int] = (),
        n_filters: int = 16,
        n_blocks: int = 2,
        activation: str = "relu",
        padding: str = ZERO,
        **kwargs: Any,
    ) -> None:
        # Frames and positions stay float32: half precision is for the convolutions alone.
        super().__init__(autocast=False, **kwargs)
        self.n_outputs = n_outputs
        self.n_guidance = n_guidance
        self.n_static = n_static
        self.n_time = n_time
        self.n_sun = n_sun
        self.context = context
        self.flow_filters = list(flow_filters)
        self.n_filters = n_filters
        self.n_blocks = n_blocks
        self.activation = activation
        self.padding = padding
        self.flow_module = None
        channels, beside = n_outputs + n_guidance, n_static + 2
        if self.flow_filters:
            self.flow_module = FlowModule(self.flow_filters, activation, padding)
            sizes = {"first": channels, "beside": beside}
            self.flow_module.build({name: (None, None, None, n) for name, n in sizes.items()})
        self._build_decoder(self._n_seen(channels, beside))
        self.built = True

    def _n_seen(self, channels: int, beside: int) -> int:
        frames = (4 if self.context else 2) * channels + self.n_outputs
        moved = 3 * channels + 6 if self.flow_filters else 0
        return frames + moved + 2 + self.n_time + beside + self.n_sun

    def _build_decoder(self, seen: int) -> None:
        narrow, wide = self.n_filters, 2 * self.n_filters
        options: Json = {"activation": self.activation, "padding": self.padding}
        self.entry = convolution(narrow, seen, **options)
        self.down = [
            convolution(wide, channels, strides=2, **options) for channels in (narrow, wide)
        ]
        self.blocks = [ResidualBlock(wide, **options) for _ in range(self.n_blocks)]
        for block in self.blocks:
            block.build((None, None, None, wide))
        self.up = [enlarging(wide, wide, **options), enlarging(narrow, 2 * wide, **options)]
        self.exit = convolution(narrow, 2 * narrow, **options)
        answers = self.n_outputs * (2 if self.n_sun else 1) + (6 if self.flow_filters else 0)
        self.head = convolution(answers, narrow, kernel_initializer="zeros", padding=self.padding)
        if self.flow_filters:
            bias = np.zeros(answers, "float32")
            bias[-1] = FIRST_TRUST
            self.head.bias.assign(bias)

    def build(self, input_shape: Tensor = None) -> None:
        """Nothing is left to be built: all shapes are known from the start."""

    def get_config(self) -> Json:
        names = (
            *("n_outputs", "n_guidance", "n_static", "n_time", "n_sun", "context"),
            *("flow_filters", "n_filters", "n_blocks", "activation", "padding"),
        )
        return {"name": self.name, **{name: getattr(self, name) for name in names}}

    def call(self, inputs: dict[str, Tensor], training: bool = False) -> Json:
        frames = inputs["frames"]
        first, second = frames[:, 1], frames[:, 2]
        theta = inputs["theta"][:, None, None, None]
        length = inputs["length"][:, None, None, None]
        guess = interpolated(frames[..., : self.n_outputs], theta, self.context)
        beside = self._beside(inputs)
        seen = [first, second, guess]
        if self.context:
            seen += [frames[:, 0], frames[:, 3]]
        flows: list[Any] = []
        if self.flow_module is not None:
            *flows, acceleration = self._motion(inputs, beside)
            bent = bend(theta, acceleration)
            to_first, to_second = (flow + bent for flow in flows_at(theta, *flows))
            ahead, behind = warp(first, to_first), warp(second, to_second)
            # Where the moved frames differ, or come from outside, motion is not to be trusted.
            seen += [ahead, behind, ops.abs(ahead - behind), to_first, to_second]
            seen += [beyond(to_first), beyond(to_second)]
        seen += [beside, self._constant(inputs, first)]
        seen += [inputs["sun"]] if self.n_sun else []
        answers = self._decoded(ops.concatenate(seen, axis=-1), training)
        room, n = 4.0 * theta * (1.0 - theta), self.n_outputs
        correction = CURVATURE * ops.square(length) * answers[..., :n]
        field = guess + room * correction
        if self.n_sun:
            field = field + inputs["course"] * (1.0 + answers[..., n : 2 * n])
        if not flows:
            return {"field": field, "smooth": correction}
        first, second = first[..., :n], second[..., :n]
        # What motion lacks is how it changes, which grows with the square of the interval too.
        refined = REFINED * room * ops.square(length) * answers[..., -6:-2]
        to_first, to_second = to_first + refined[..., :2], to_second + refined[..., 2:]
        edges = visibility(to_first, to_second)
        visible = _between(ops.sigmoid(edges + answers[..., -2:-1]))
        moved = blend(theta, warp(first, to_first), warp(second, to_second), visible)
        trust = ops.sigmoid(answers[..., -1:])
        return {
            # The correction stays outside of what is weighed, so that it can mend both.
            "field": field + trust * (moved - guess),
            "smooth": ops.concatenate([*flows, refined], axis=-1),
        }

    def flows(self, inputs: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
        """F01 and F10 `(B, H, W, 2)` in cells, without refinement."""
        forward, backward, _ = self._motion(inputs, self._beside(inputs))
        return forward, backward

    def _motion(self, inputs: dict[str, Tensor], beside: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Both flows and the acceleration, 0 without context."""
        if self.flow_module is None:
            raise ValueError("the network has no flow module")
        frames = inputs["frames"]
        told = {"first": frames[:, 1], "second": frames[:, 2], "beside": beside}
        if self.context:
            told |= {"before": frames[:, 0], "after": frames[:, 3], "there": inputs["there"]}
        found: tuple[Any, Any, Any] = self.flow_module(told)
        return found

    def _beside(self, inputs: dict[str, Tensor]) -> Tensor:
        """Statics, and the place in the domain from -1 to 1: `(B, H, W, n_static + 2)`."""
        batch, _, height, width, _ = ops.shape(inputs["frames"])
        rows = np.linspace(-1, 1, height, dtype="float32")
        columns = np.linspace(-1, 1, width, dtype="float32")
        place = np.stack(np.meshgrid(rows, columns, indexing="ij"), axis=-1)[None]
        parts = [ops.broadcast_to(ops.convert_to_tensor(place), (batch, height, width, 2))]
        if self.n_static:
            shape = (batch, height, width, self.n_static)
            parts.append(ops.broadcast_to(inputs["static"], shape))
        return ops.concatenate(parts, axis=-1)

    def _constant(self, inputs: dict[str, Tensor], like: Tensor) -> Tensor:
        """θ, ℓ² and the features of the time, the same in every cell."""
        values = [inputs["theta"][:, None], ops.square(inputs["length"])[:, None]]
        if self.n_time:
            values.append(inputs["time"])
        joined = ops.concatenate(values, axis=-1)[:, None, None]
        return ops.broadcast_to(joined, (*ops.shape(like)[:3], 2 + self.n_time))

    def _decoded(self, x: Tensor, training: bool) -> Tensor:
        height, width = x.shape[1:3]
        whole = self.entry(filled_up(x, FACTOR))
        half = self.down[0](whole)
        x = self.down[1](half)
        for block in self.blocks:
            x = block(x, training=training)
        x = self.up[0](x)
        x = self.up[1](ops.concatenate([x, half], axis=-1))
        x = self.exit(ops.concatenate([x, whole], axis=-1))
        return ops.cast(self.head(x), "float32")[:, :height, :width]


def interpolated(frames: Tensor, theta: Tensor, context: bool) -> Tensor:
    """Between frames `(B, 4, H, W, C)` at `theta` `(B, 1, 1, 1)`: linear, or cubic with context.

    Cubic is Lagrange's polynomial through all four frames.
    """
    rest = 1.0 - theta
    first, second = frames[:, 1], frames[:, 2]
    if not context:
        return rest * first + theta * second
    before, after = frames[:, 0], frames[:, 3]
    ahead, beyond = theta + 1.0, 2.0 - theta
    return (
        ahead * rest * beyond / 2.0 * first
        + ahead * theta * beyond / 2.0 * second
        - theta * rest * (beyond * before + ahead * after) / 6.0
    )


def _between(share: Tensor) -> Tensor:
    return LEAST_VISIBLE + (1.0 - 2.0 * LEAST_VISIBLE) * share
