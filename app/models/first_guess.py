"""First guesses, which a network then only has to correct."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from app.arrays import Array, Json, Tensor
from app.models.layers.common import register
from app.models.layers.resize import Resize, edge_repeated
from app.models.layers.upsampling import depth_to_space

MIN_WEIGHT = 1e-3  # share of the interpolation weight that must be valid


@register
class InterpolationGuess(keras.layers.Layer):
    """The predictands' own coarse channels, interpolated to the fine grid.

    Arguments:
        method: see `Resize`.
        scale: fine cells per coarse cell and axis.
        channels: for each predictand the coarse input channel that holds it.

    Input {"coarse": `(B, h, w, Cin)` physical, ...}, output `(B, h·scale, w·scale, C)` physical.
    Where coarse cells are missing the rest is weighed anew, bilinearly; NaN where none is near.
    """

    encoded = False  # in which space it works
    tied_to_grid = False  # whether weights belong to grid points
    n_fits = 0  # of which members draw their own

    def __init__(self, method: str, scale: int, channels: list[int], **kwargs: Any) -> None:
        kwargs["dtype"] = "float32"
        super().__init__(**kwargs)
        self.method = method
        self.scale = scale
        self.channels = list(channels)
        self.resize = Resize(method, scale=scale, dtype="float32")
        self.spread = Resize("bilinear", scale=scale, dtype="float32")
        self.built = True

    def get_config(self) -> Json:
        own = {"method": self.method, "scale": self.scale, "channels": list(self.channels)}
        return {**super().get_config(), **own}

    def call(self, inputs: dict[str, Tensor]) -> Tensor:
        coarse = ops.take(inputs["coarse"], np.array(self.channels), axis=-1)
        missing = ops.isnan(coarse)
        filled = ops.where(missing, 0.0, coarse)
        gaps = ops.cast(missing, "float32")
        weight = 1.0 - self.spread(gaps)
        renormalised = self.spread(filled) / ops.maximum(weight, MIN_WEIGHT)
        renormalised = ops.where(weight > MIN_WEIGHT, renormalised, np.nan)
        touched = self.resize(ops.max(gaps, axis=-1, keepdims=True)) != 0
        return ops.where(touched, renormalised, self.resize(filled))


@register
class LinearGuess(keras.layers.Layer):
    """Linear regression per fine cell on what the coarse grid holds around it.

    Features of a coarse cell, K of them: for each low-resolution channel the cells within
    `lr_radius` (south to north, west to east, edges replicated), for each predictor those
    within `predictor_radius`, the chosen features of the time, the constant 1.

    Arguments:
        coarse_shape: (h, w). n_lr, n_predictors, n_outputs: numbers of channels.
        scale: fine cells per coarse cell and axis. lr_radius, predictor_radius: coarse cells.
        time_channels: which features in "time" it sees.

    Input {"coarse": `(B, h, w, n_lr + n_predictors)`, "time": `(B, 8)`}, encoded, NaN allowed;
    output `(B, h·scale, w·scale, n_outputs)` encoded.
    """

    encoded = True  # in which space it works
    tied_to_grid = True
    n_fits = 0  # of which members draw their own

    def __init__(
        self,
        coarse_shape: tuple[int, int],
        *,
        n_lr: int,
        n_predictors: int,
        n_outputs: int,
        scale: int,
        lr_radius: int = 1,
        predictor_radius: int = 0,
        time_channels: Sequence[int] = (),
        **kwargs: Any,
    ) -> None:
        kwargs["dtype"] = "float32"
        super().__init__(**kwargs)
        self.coarse_shape = tuple(coarse_shape)
        self.n_lr = n_lr
        self.n_predictors = n_predictors
        self.n_outputs = n_outputs
        self.scale = scale
        self.lr_radius = lr_radius
        self.predictor_radius = predictor_radius
        self.time_channels = list(time_channels)
        shape = (*self.coarse_shape, self.n_features, scale**2 * n_outputs)
        self.coefficients = self._constant(shape, "coefficients")
        self.fill = self._constant((*self.coarse_shape, n_lr + n_predictors), "fill")
        self.built = True

    @classmethod
    def from_arrays(
        cls,
        coefficients: Array,
        fill: Array,
        *,
        n_lr: int,
        scale: int,
        lr_radius: int,
        predictor_radius: int,
        time_channels: Sequence[int] = (),
    ) -> LinearGuess:
        """A fitted guess: coefficients `(h, w, K, scale² C)`, output (row, column, C) ordered;
        fill `(h, w, Cin)` stands in for missing inputs.
        """
        guess = cls(
            (coefficients.shape[0], coefficients.shape[1]),
            n_lr=n_lr,
            n_predictors=fill.shape[-1] - n_lr,
            n_outputs=coefficients.shape[-1] // scale**2,
            scale=scale,
            lr_radius=lr_radius,
            predictor_radius=predictor_radius,
            time_channels=time_channels,
        )
        guess.coefficients.assign(coefficients)
        guess.fill.assign(np.nan_to_num(fill))
        return guess

    def get_config(self) -> Json:
        shape = ("coarse_shape", "n_lr", "n_predictors", "n_outputs", "scale")
        names = (*shape, "lr_radius", "predictor_radius", "time_channels")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}

    @property
    def n_features(self) -> int:
        near = self.n_lr * (2 * self.lr_radius + 1) ** 2
        return (
            near
            + self.n_predictors * (2 * self.predictor_radius + 1) ** 2
            + len(self.time_channels)
            + 1
        )

    def call(self, inputs: dict[str, Tensor]) -> Tensor:
        features = self._features(inputs["coarse"], inputs["time"])
        fine = ops.einsum("bhwk,hwko->bhwo", features, self.coefficients)
        return depth_to_space(fine, self.scale)

    def _features(self, coarse: Tensor, time: Tensor) -> Tensor:
        coarse = ops.where(ops.isnan(coarse), self.fill, coarse)
        height, width = self.coarse_shape
        waves = ops.take(time, np.array(self.time_channels, "int32"), axis=-1)[:, None, None]
        shape = (ops.shape(time)[0], height, width, len(self.time_channels))
        parts = [
            *neighbours(coarse[..., : self.n_lr], self.lr_radius),
            *neighbours(coarse[..., self.n_lr :], self.predictor_radius),
            ops.broadcast_to(waves, shape),
            ops.ones_like(coarse[..., :1]),
        ]
        return ops.concatenate(parts, axis=-1)

    def _constant(self, shape: tuple[int, ...], name: str) -> Tensor:
        return self.add_weight(shape=shape, initializer="zeros", trainable=False, name=name)


def neighbours(fields: Tensor, radius: int) -> list[Tensor]:
    """The cells around each cell, channel by channel: one `(B, h, w, side²)` per channel."""
    height, width, channels = fields.shape[1:]
    side = range(2 * radius + 1)
    padded = edge_repeated(fields, radius, radius)
    shifted = [padded[:, dy : dy + height, dx : dx + width] for dy in side for dx in side]
    return [
        ops.concatenate([cells[..., c : c + 1] for cells in shifted], axis=-1)
        for c in range(channels)
    ]
