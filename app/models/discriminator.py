"""The discriminator: how real a fine field looks beside the coarse one it belongs to."""

from __future__ import annotations

import keras

from app.arrays import Tensor
from app.models.build import precision
from app.models.layers import ResidualBlock
from app.models.layers.convolutions import ZERO, convolution
from app.models.layers.upsampling import prime_factors
from app.options import TrainingConfig

ACTIVATION = "relu"  # kinked: the mean over all cells must tell texture from smoothness
DENSE_UNITS = 32
KERNEL = 3


def build_discriminator(
    *,
    n_condition: int,
    n_fields: int,
    scale: int,
    n_filters: int = TrainingConfig.n_disc_filters,
    n_blocks: int = TrainingConfig.n_disc_blocks,
    dropout_rate: float = TrainingConfig.disc_dropout_rate,
    padding: str = ZERO,
    dtype: str | None = None,
) -> keras.Model:
    """The network that tells encoded true fields from predicted ones.

    Example: `build_discriminator(n_condition=1, n_fields=1, scale=4)`

    Each branch is a 3×3 convolution and residual blocks; strided convolutions, one for each
    prime factor of the scale, bring the fine branch to the coarse grid. Joined: residual block,
    global mean, dropout, dense, dense.

    Arguments:
        n_condition: channels of the condition: low resolution, predictors, time and statics.
        n_fields: channels of the target.
        scale: fine cells per coarse cell and axis.
        n_filters, n_blocks: width of all blocks, and their number in each branch.
        dropout_rate: share of the mean features dropped in training.
        padding: what convolutions see beyond the edge, see `convolution`.
        dtype: precision policy; None takes Keras' global one.

    Inputs, by name: "condition" `(B, h, w, n_condition)`, "field" `(B, H, W, n_fields)`, of any
    size. Output: float32 logit `(B, 1)` of being true.

    Reference: Isola et al. 2017, arXiv:1611.07004 (conditioning, loss).
    """
    with precision(dtype):
        condition = keras.Input((None, None, n_condition), name="condition")
        field = keras.Input((None, None, n_fields), name="field")
        coarse = _branch(condition, n_filters, n_blocks, padding, "condition")
        fine = _branch(field, n_filters, n_blocks, padding, "field")
        for number, factor in enumerate(prime_factors(scale), start=1):
            fine = _shrunk(fine, n_filters, factor, padding, f"shrink_{number}")
        y = keras.layers.Concatenate(name="join")([coarse, fine])
        y = ResidualBlock(n_filters, activation=ACTIVATION, padding=padding, name="joined")(y)
        y = keras.layers.GlobalAveragePooling2D(name="mean")(y)
        y = keras.layers.Dropout(dropout_rate, name="dropout")(y)
        y = keras.layers.Dense(DENSE_UNITS, activation=ACTIVATION, name="dense")(y)
        y = keras.layers.Dense(1, dtype="float32", name="logit")(y)
        return keras.Model({"condition": condition, "field": field}, y, name="discriminator")


def _branch(x: Tensor, filters: int, n_blocks: int, padding: str, name: str) -> Tensor:
    """3×3 convolution and residual blocks, on the grid of `x`."""
    y = convolution(filters, KERNEL, padding=padding, name=f"{name}_stem")(x)
    for number in range(1, n_blocks + 1):
        block = f"{name}_block_{number}"
        y = ResidualBlock(filters, activation=ACTIVATION, padding=padding, name=block)(y)
    return y


def _shrunk(x: Tensor, filters: int, factor: int, padding: str, name: str) -> Tensor:
    """A strided convolution that looks at every cell: `(B, H, W, C)` to `(B, H/f, W/f, C)`."""
    return convolution(
        filters,
        max(KERNEL, factor),
        padding=padding,
        strides=factor,
        activation=ACTIVATION,
        name=name,
    )(x)
