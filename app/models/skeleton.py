"""What all networks share: the trunk on one grid, and the head on the fine grid."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
from keras import ops

from app.arrays import Json, Tensor
from app.models.layers import (
    ConvBlock,
    FoldFrames,
    LocalizedConvBlock,
    RecurrentBlock,
    TransitionBlock,
)
from app.models.layers.common import register, run_chain
from app.models.layers.convolutions import convolution
from app.models.layers.dropout import dropout_layers
from app.models.layers.frames import fold, unfold
from app.options import ModelConfig

# What `build_network` and `head` put behind a backbone, by layer names.
BEHIND_BACKBONE = frozenset(
    {"upsampling", "localized", "static", "auxiliary", "join_static", "noise", "join_noise"}
    | {"transition", "coarse_noise", "told_noise"}
    | {"refine", "output", "encoded", "unfold"}
)

MakeBlock = Callable[[int, str], Callable[[Any], Any]]


@register
class JoinStatic(keras.layers.Layer):
    """Features of the statics put beside those of the samples, repeated along batch and time.

    Input shapes `(B·frames, H, W, C)` and `(B or 1, H, W, S)`, output shape
    `(B·frames, H, W, C + S)`. A static batch of one spares the auxiliary branch from working out
    the same field for each sample.
    """

    def __init__(self, frames: int = 1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.frames = frames

    def get_config(self) -> Json:
        return {**super().get_config(), "frames": self.frames}

    def call(self, inputs: list[Tensor]) -> Tensor:
        fields, static = unfold(inputs[0], self.frames), inputs[1][:, None]
        shape = (*ops.shape(fields)[:-1], static.shape[-1])
        return fold(ops.concatenate([fields, ops.broadcast_to(static, shape)], axis=-1))

    def compute_output_shape(self, input_shape: list[tuple[int | None, ...]]) -> Any:
        fields, static = input_shape
        return (*fields[:-1], (fields[-1] or 0) + (static[-1] or 0))


def block_options(config: ModelConfig) -> Json:
    """The options every block takes, from the model flags."""
    return {
        "activation": config.activation,
        "normalization": config.normalization,
        "dropout_variant": config.dropout_variant,
        "dropout_rate": config.dropout_rate,
        "attention": config.attention,
        "padding": config.padding,
    }


def trunk(
    x: Tensor, config: ModelConfig, make_block: MakeBlock, *, skip: str, stem_kernel: int = 3
) -> Tensor:
    """Stem, blocks of growing width (block i has i·F filters), 3×3, dropout, skip from the stem.

    The result has F channels, with --wide_head those of the last block. `skip` is "none", "add" or
    "concat" (followed by a transition back to that width). With a time window recurrent blocks
    take the place of all others, and the frames come out folded.
    """
    if config.time_window is not None:
        return _recurrent_trunk(x, config, skip)
    filters = config.n_filters
    stem = convolution(filters, stem_kernel, padding=config.padding, name="stem")(x)
    y = stem
    for number in range(1, config.n_blocks + 1):
        y = make_block(number * filters, f"block_{number}")(y)
    width = config.n_blocks * filters if config.wide_head else filters
    y = convolution(width, 3, padding=config.padding, name="trunk")(y)
    return _skipped(stem, y, config, skip)


def _recurrent_trunk(x: Tensor, config: ModelConfig, skip: str) -> Tensor:
    """A recurrent stem and `n_blocks` recurrent blocks of F filters, dropout, skip from the stem.

    `(B, T, h, w, Cin)` to `(B·T, h, w, F)`.
    """
    options = {**block_options(config), "bidirectional": config.bidirectional}
    filters = config.n_filters
    stem = RecurrentBlock(filters, name="stem", **{**options, "dropout_rate": 0.0})(x)
    y = stem
    for number in range(1, config.n_blocks + 1):
        y = RecurrentBlock(filters, name=f"block_{number}", **options)(y)
    return _skipped(FoldFrames(name="fold_stem")(stem), FoldFrames(name="fold")(y), config, skip)


def _skipped(stem: Tensor, y: Tensor, config: ModelConfig, skip: str) -> Tensor:
    """Dropout, then the stem added, joined (with a transition behind it), or left out."""
    width = y.shape[-1] if config.wide_head else config.n_filters
    y = run_chain(dropout_layers(config.dropout_variant, config.dropout_rate, None), y)
    if skip == "add":
        if stem.shape[-1] != y.shape[-1]:
            stem = TransitionBlock(width, name="skip_transition")(stem)
        return keras.layers.Add(name="skip")([stem, y])
    if skip == "concat":
        joined = keras.layers.Concatenate(name="skip")([stem, y])
        return TransitionBlock(width, name="skip_transition")(joined)
    return y


def head(
    y: Tensor,
    static: Tensor | None,
    config: ModelConfig,
    n_outputs: int,
    *,
    width: int,
    zero_output: bool,
) -> Tensor:
    """[LCB], [auxiliary branch of the statics], transition (F), ConvBlock (F), ConvBlock (C).

    `(B, H, W, …)` to `(B, H, W, C)`; frames of windows are folded into the batch. `width`: filters
    of the auxiliary branch.
    The transition carries the activation: without one, nothing behind the upsampling would be
    able to let the statics act differently in different weather. The last block is neither
    normalised nor thinned by dropout, so that its few channels keep their values. softplus is
    left to the physical model, which knows where the code of 0 lies.
    """
    filters = config.n_filters
    last = None if config.output_activation == "softplus" else config.output_activation
    if config.localcon_layer:
        y = LocalizedConvBlock(name="localized")(y)
    if static is not None:
        options = {**block_options(config), "attention": False}
        branch = ConvBlock(width, name="auxiliary", **options)(static)
        y = JoinStatic(config.time_window or 1, name="join_static")([y, branch])
    y = TransitionBlock(filters, config.activation, name="transition")(y)
    y = ConvBlock(
        filters,
        activation=None,
        normalization=config.normalization,
        attention=config.attention,
        padding=config.padding,
        name="refine",
    )(y)
    return ConvBlock(
        n_outputs,
        activation=last,
        zero_output=zero_output,
        padding=config.padding,
        name="output",
    )(y)


def backbone_layers(network: keras.Model) -> list[keras.layers.Layer]:
    """The layers before the upsampling and the head: stem, blocks, trunk and skip, or a U-Net."""
    return [layer for layer in network.layers if layer.name not in BEHIND_BACKBONE]
