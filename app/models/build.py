"""From the model flags to a network in encoded space."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import keras

from app.arrays import Tensor
from app.errors import InputError
from app.models.layers import UnfoldFrames
from app.models.layers.noise import CoarseNoise
from app.models.layers.upsampling import upsampling_layer
from app.models.skeleton import head
from app.options import ModelConfig
from app.registry import REGISTRY


def build_network(
    model: ModelConfig,
    *,
    n_inputs: int,
    n_static: int,
    n_outputs: int,
    scale: int,
    n_noise: int = 0,
    coarse_shape: tuple[int | None, int | None] = (None, None),
    pad: tuple[int, int, int, int] = (0, 0, 0, 0),
    zero_output: bool = False,
    dtype: str | None = None,
) -> keras.Model:
    """The network of a configuration: encoded coarse fields to encoded fine fields.

    Example: `build_network(ModelConfig(), n_inputs=1, n_static=0, n_outputs=1, scale=4)`

    Arguments:
        model: the model flags.
        n_inputs, n_static, n_outputs: channels of low resolution and predictors together, of
            the statics, of the target.
        scale: fine cells per coarse cell and axis.
        n_noise: channels of noise that the network is told; spatial samples alone.
        coarse_shape: (h, w), or None where any size is to be served (impossible with an LCB, and
            where a dense layer leads to every cell).
        pad: fine cells (top, bottom, left, right) that are no target, for such a layer.
        zero_output: start at zero everywhere, for networks that correct a first guess.
        dtype: precision policy, "float32", "mixed_bfloat16" or "mixed_float16"; None takes
            Keras' global one.

    Inputs, by name: "coarse" `(B, h, w, n_inputs + n_static)`, on the fine grid
    `(B, H, W, …)` with pin; "static" `(B or 1, H, W, n_static)` only if there are statics; "noise"
    `(B, H, W, n_noise)` only if there is noise, which comes to the backbone on the coarse grid,
    and as it is to the head, or with pin to the backbone.
    Output: float32 `(B, H, W, n_outputs)`. With a time window of T frames "coarse" is
    `(B, T, h, w, n_inputs)`, without statics, and the output `(B, T, H, W, n_outputs)`.

    Raises InputError for options that do not go together.
    """
    check_options(model, coarse_shape)
    height, width = (None if cells is None else cells * scale for cells in coarse_shape)
    grid = (height, width) if model.upsampling == "pin" else coarse_shape
    frames = model.time_window
    with precision(dtype):
        if frames is None:
            coarse = keras.Input((*grid, n_inputs + n_static), name="coarse")
        else:
            coarse = keras.Input((frames, *grid, n_inputs), name="coarse")
        static = keras.Input((height, width, n_static), name="static") if n_static else None
        noise = keras.Input((height, width, n_noise), name="noise") if n_noise else None
        backbone = REGISTRY.resolve("backbone", model.backbone)
        if getattr(backbone, "whole", False):
            told = coarse[:, :, :, :n_inputs]  # the statics aside
            sizes = {"n_outputs": n_outputs, "scale": scale, "pad": pad}
            y = backbone(told, model, **sizes, zero_output=zero_output)
        else:
            told = coarse if noise is None else _with_noise(coarse, noise, scale, model.upsampling)
            y = backbone(told, model)
            wide = y.shape[-1] if model.wide_head else model.n_filters
            if model.upsampling != "pin":
                y = upsampling_layer(
                    model.upsampling,
                    scale,
                    wide,
                    model.rc_interpolation,
                    model.padding,
                    "upsampling",
                    shared=wide > model.n_filters,
                    narrow=model.n_filters,
                )(y)
            if noise is not None:
                y = keras.layers.Concatenate(name="join_noise")([y, noise])
            y = head(y, static, model, n_outputs, width=wide, zero_output=zero_output)
        y = keras.layers.Activation("linear", dtype="float32", name="encoded")(y)
        if frames is not None:
            y = UnfoldFrames(frames, dtype="float32", name="unfold")(y)
        named = {"coarse": coarse, "static": static, "noise": noise}
        inputs = {name: one for name, one in named.items() if one is not None}
        return keras.Model(inputs, y, name=f"{model.backbone}_{model.upsampling}")


def _with_noise(coarse: Tensor, noise: Tensor, scale: int, upsampling: str) -> Tensor:
    """The coarse inputs with noise of the size of coarse cells, and on a fine grid of its own."""
    on_fine_grid = upsampling == "pin"
    blocks = CoarseNoise(scale, repeated=on_fine_grid, name="coarse_noise")(noise)
    told = [coarse, blocks, noise] if on_fine_grid else [coarse, blocks]
    return keras.layers.Concatenate(name="told_noise")(told)


def check_options(model: ModelConfig, coarse_shape: tuple[int | None, int | None]) -> None:
    """Refuse unknown names and a layer of fixed size on grids of any size."""
    for kind in ("backbone", "upsampling"):
        REGISTRY.check(kind, getattr(model, kind))
    if model.localcon_layer and None in coarse_shape:
        raise InputError("localcon_layer needs one fixed grid: switch it off to train on patches")
    if model.one_grid and None in coarse_shape:
        raise InputError(f"--backbone={model.backbone} needs one fixed grid: expected another")


@contextmanager
def precision(dtype: str | None) -> Iterator[None]:
    """Keras' global precision policy for the duration of a block."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(dtype or before)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)
