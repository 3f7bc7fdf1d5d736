"""A stack of super-resolution networks, one behind the other (DeepSD, Vandal et al. 2017).

Each stage enlarges by its own factor: interpolation, statics of that resolution beside it, a
network. All work in encoded space, and the stack of them is a network like any other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import Any

import keras
import numpy as np
from keras import ops

from app.arrays import Json, Tensor
from app.models.build import build_network
from app.models.layers.common import Shape, register
from app.models.layers.convolutions import convolution
from app.models.layers.resize import Resize
from app.models.skeleton import JoinStatic
from app.options import ModelConfig, StackConfig


@register
class TakeChannels(keras.layers.Layer):
    """Some channels of a field: `(..., C)` to `(..., len(channels))`."""

    def __init__(self, channels: Sequence[int], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.channels = list(channels)

    def get_config(self) -> Json:
        return {**super().get_config(), "channels": list(self.channels)}

    def call(self, inputs: Tensor) -> Tensor:
        return ops.take(inputs, np.array(self.channels, "int32"), axis=-1)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return (*input_shape[:-1], len(self.channels))


@register
class LowerBound(keras.layers.Layer):
    """Encoded fields `(..., C)` kept at or above the codes of valid_min, -inf where there is none.

    What passes from stage to stage is then a field that a true one could be.
    """

    def __init__(self, bounds: Sequence[float], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.bounds = [float(bound) for bound in bounds]

    def get_config(self) -> Json:
        return {**super().get_config(), "bounds": list(self.bounds)}

    def call(self, inputs: Tensor) -> Tensor:
        return ops.maximum(inputs, np.array(self.bounds, "float32"))

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return input_shape


@dataclass(frozen=True)
class Stage:
    """One stage of a stack, counted from 1: its factor, and the channels of its fields.

    `twins`: for each output the input channel that holds it, or None.
    """

    number: int
    factor: int
    n_inputs: int
    n_static: int
    n_outputs: int
    twins: tuple[int | None, ...]

    def inputs(self) -> Json:
        """Keras inputs by name: "coarse" and, only if there are statics, "static"."""
        found = {"coarse": keras.Input((None, None, self.n_inputs), name="coarse")}
        if self.n_static:
            found["static"] = keras.Input((None, None, self.n_static), name="static")
        return found

    def model(self, inputs: dict[str, Tensor], y: Tensor) -> keras.Model:
        """The network from the inputs to y, float32 whatever the policy."""
        y = keras.layers.Activation("linear", dtype="float32", name="encoded")(y)
        return keras.Model(inputs, y, name=stage_name(self.number))


def stage_name(number: int) -> str:
    """Name of a stage's network within the joined one."""
    return f"stage_{number}"


def bound_name(number: int) -> str:
    """Name of the layer before a stage, from the second on, that bounds what comes to it."""
    return f"bound_{number}"


def build_stages(
    stack: StackConfig,
    model: ModelConfig,
    *,
    n_inputs: int,
    n_static: int,
    n_outputs: int,
    twins: Sequence[int | None],
) -> list[keras.Model]:
    """The stages, coarse to fine: each encoded fields of one resolution to those of the next.

    Inputs, by name: "coarse" `(B, h, w, n)`, for the first stage n_inputs channels, for the
    others the n_outputs of the stage before; "static" `(B or 1, h·f, w·f, n_static)` only if
    there are statics. Output: float32 `(B, h·f, w·f, n_outputs)`. `twins`: for each output the
    first stage's input channel that holds it, or None.
    """
    stages = []
    for number, factor in enumerate(stack.sr_factors, start=1):
        channels, own = (n_inputs, twins) if number == 1 else (n_outputs, range(n_outputs))
        stage = Stage(number, factor, channels, n_static, n_outputs, tuple(own))
        if stack.sr_network == "srcnn":
            stages.append(_srcnn(stage, stack, model.padding))
        else:
            stages.append(_backbone(stage, model, stack.sr_interpolation))
    return stages


def join_stages(
    stages: Sequence[keras.Model],
    factors: Sequence[int],
    *,
    n_inputs: int,
    n_static: int,
    lower_bounds: Sequence[float],
) -> keras.Model:
    """The stages one behind the other, as a network that `PhysicalModel` wraps.

    Its "coarse" input has the coarse statics behind the `n_inputs` channels, which it does
    without: every stage sees the statics of its own resolution, averaged from the finest.
    """
    coarse = keras.Input((None, None, n_inputs + n_static), name="coarse")
    static = keras.Input((None, None, n_static), name="static") if n_static else None
    y = TakeChannels(range(n_inputs), name="fields")(coarse)
    for number, stage in enumerate(stages, start=1):
        if number > 1:
            y = LowerBound(lower_bounds, dtype="float32", name=bound_name(number))(y)
        inputs = {"coarse": y}
        if static is not None:
            inputs["static"] = averaged(static, prod(factors[number:]), f"static_{number}")
        y = stage(inputs)
    y = keras.layers.Activation("linear", dtype="float32", name="encoded")(y)
    inputs = {"coarse": coarse} if static is None else {"coarse": coarse, "static": static}
    return keras.Model(inputs, y, name="stack")


def averaged(static: Tensor, factor: int, name: str | None = None) -> Tensor:
    """Means of encoded statics over blocks of factor × factor cells; missing ones count as 0."""
    if factor == 1:
        return static
    return keras.layers.AveragePooling2D(factor, name=name, dtype="float32")(static)


def _srcnn(stage: Stage, stack: StackConfig, padding: str) -> keras.Model:
    """Interpolation, statics beside it, and convolutions with ReLU between them.

    With --srcnn_residual the convolutions correct the interpolated predictands, each scaled and
    shifted anew, as the coarse ones are encoded by other means and deviations.
    Reference: Dong et al. 2016, arXiv:1501.00092.
    """
    inputs = stage.inputs()
    resize = Resize(stack.sr_interpolation, scale=stage.factor, name="interpolation")
    y = enlarged = resize(inputs["coarse"])
    if stage.n_static:
        y = JoinStatic(name="join_static")([enlarged, inputs["static"]])
    *hidden, last = stack.srcnn_kernels
    for number, (filters, kernel) in enumerate(
        zip(stack.srcnn_filters, hidden, strict=True), start=1
    ):
        name = layer_name(number)
        y = convolution(filters, kernel, padding=padding, activation="relu", name=name)(y)
    channels = [twin for twin in stage.twins if twin is not None]
    residual = stack.srcnn_residual and len(channels) == stage.n_outputs
    y = convolution(
        stage.n_outputs,
        last,
        padding=padding,
        kernel_initializer="zeros" if residual else "glorot_uniform",
        name=layer_name(len(stack.srcnn_kernels)),
    )(y)
    if residual:
        own = TakeChannels(channels, name="own")(enlarged)
        own = keras.layers.DepthwiseConv2D(1, depthwise_initializer="ones", name="rescale")(own)
        y = keras.layers.Add(name="skip")([y, own])
    return stage.model(inputs, y)


def layer_name(number: int) -> str:
    """Name of an SRCNN's convolution, counted from 1."""
    return f"convolution_{number}"


def _backbone(stage: Stage, model: ModelConfig, interpolation: str) -> keras.Model:
    """A network of the model flags, as without a stack, for one factor."""
    inputs = stage.inputs()
    network = build_network(
        replace(model, localcon_layer=False),
        n_inputs=stage.n_inputs,
        n_static=stage.n_static,
        n_outputs=stage.n_outputs,
        scale=stage.factor,
    )
    pin = model.upsampling == "pin"
    fields = inputs["coarse"]
    if pin:
        fields = Resize(interpolation, scale=stage.factor, name="interpolation")(fields)
    given = {"coarse": fields}
    if stage.n_static:
        static = inputs["static"]
        beside = static if pin else averaged(static, stage.factor, "coarse_static")
        given = {"coarse": JoinStatic(name="join_static")([fields, beside]), "static": static}
    return stage.model(inputs, network(given))
