"""The denoising U-Net."""

from __future__ import annotations

from dataclasses import dataclass

import keras

from app.arrays import Tensor
from app.models.build import precision
from app.models.diffusion.layers import (
    CropLike,
    GroupNorm,
    NoiseEmbedding,
    PadToMultiple,
    SelfAttention,
    TimedBlock,
)
from app.models.layers.convolutions import ZERO, convolution, transposed

EMBEDDING_FACTOR = 4  # width of the embedding in first-level channels
TIME_CLASSES = {"hour": 24, "day_of_year": 12}  # hours; twelfths of the year


@dataclass(frozen=True)
class UNetOptions:
    """Width of each level in `channels`, which of them attend, residual blocks a level."""

    channels: int = 16
    multipliers: tuple[int, ...] = (1, 2, 2, 4)
    attention: tuple[bool, ...] = (False, False, True, True)
    blocks: int = 2
    dropout_rate: float = 0.1
    embedding: str = "positional"
    padding: str = ZERO

    @property
    def widths(self) -> list[int]:
        return [self.channels * multiplier for multiplier in self.multipliers]


def build_denoiser(
    options: UNetOptions,
    *,
    n_fields: int,
    n_condition: int,
    classes: tuple[str, ...] = (),
    dtype: str | None = None,
) -> keras.Model:
    """The network that answers to a noisy field; see `Process` for what it is told and asked.

    Residual blocks, halving by strided and doubling by transposed convolutions, skips from every
    encoder block, self-attention on the levels that ask for it and in the middle. Any grid: it is
    padded to a multiple of 2^(levels - 1) and cut back.

    Inputs, by name: "noisy" `(B, H, W, n_fields)`, "condition" `(B, H, W, n_condition)`, "level"
    `(B,)` and, with `classes` (keys of TIME_CLASSES), "classes" `(B, len(classes))` int32.
    Output: float32 `(B, H, W, n_fields)`, zero at first.
    Reference: Ho et al. 2020, arXiv:2006.11239.
    """
    with precision(dtype):
        inputs = {
            "noisy": keras.Input((None, None, n_fields), name="noisy"),
            "condition": keras.Input((None, None, n_condition), name="condition"),
            "level": keras.Input((), name="level"),
        }
        if classes:
            inputs["classes"] = keras.Input((len(classes),), dtype="int32", name="classes")
        embedding = _embedding(inputs, options, classes)
        x = keras.layers.Concatenate(name="joined")([inputs["noisy"], inputs["condition"]])
        x = PadToMultiple(2 ** (len(options.widths) - 1), name="padded")(x)
        x = _hourglass(x, embedding, options)
        x = GroupNorm(name="last_norm")(x)
        x = keras.layers.Activation("silu", name="last_swish")(x)
        start = {"kernel_initializer": "zeros", "name": "output"}
        x = convolution(n_fields, 3, padding=options.padding, **start)(x)
        x = CropLike(name="cropped")([x, inputs["noisy"]])
        y = keras.layers.Activation("linear", dtype="float32", name="encoded")(x)
        return keras.Model(inputs, y, name="denoiser")


def _embedding(inputs: dict[str, Tensor], options: UNetOptions, classes: tuple[str, ...]) -> Tensor:
    """What every block is told of the noise level and the classes of time: `(B, E)`."""
    width = EMBEDDING_FACTOR * options.channels
    waves = NoiseEmbedding(width, options.embedding, name="level_waves")(inputs["level"])
    embedding = keras.layers.Dense(width, activation="silu", name="level_1")(waves)
    parts = [keras.layers.Dense(width, name="level_2")(embedding)]
    for i, name in enumerate(classes):
        table = keras.layers.Embedding(TIME_CLASSES[name], width, name=f"class_{name}")
        parts.append(table(inputs["classes"][:, i]))
    total = keras.layers.Add(name="told")(parts) if len(parts) > 1 else parts[0]
    return keras.layers.Activation("silu", name="told_swish")(total)


def _hourglass(x: Tensor, embedding: Tensor, options: UNetOptions) -> Tensor:
    """Encoder, middle and decoder: `(B, H, W, C)` to `(B, H, W, first width)`."""
    widths, rate = options.widths, options.dropout_rate
    beyond = options.padding
    x = convolution(widths[0], 3, padding=beyond, name="stem")(x)
    skips = [x]

    def block(x: Tensor, level: int, name: str) -> Tensor:
        x = TimedBlock(widths[level], rate, beyond, name=name)([x, embedding])
        return SelfAttention(name=f"{name}_attention")(x) if options.attention[level] else x

    for level, width in enumerate(widths):
        if level:
            x = convolution(width, 3, padding=beyond, strides=2, name=f"down_{level}")(x)
            skips.append(x)
        for number in range(options.blocks):
            x = block(x, level, f"encoder_{level}_{number}")
            skips.append(x)
    x = TimedBlock(widths[-1], rate, beyond, name="middle_0")([x, embedding])
    if any(options.attention):
        x = SelfAttention(name="middle_attention")(x)
    x = TimedBlock(widths[-1], rate, beyond, name="middle_1")([x, embedding])
    for level in reversed(range(len(widths))):
        for number in range(options.blocks + 1):
            name = f"decoder_{level}_{number}"
            x = keras.layers.Concatenate(name=f"{name}_skip")([x, skips.pop()])
            x = block(x, level, name)
        if level:
            x = transposed(widths[level], 4, 2, padding=beyond, name=f"up_{level}")(x)
    return x
