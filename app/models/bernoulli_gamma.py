"""Amounts that are often zero: the probability of being wet, and a gamma of wet amounts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from keras import ops
from scipy.special import expit, gammaincinv

from app.arrays import Array, Tensor
from app.models.codec import Codec
from app.options.training import AMOUNT_PARAMETERS as N_PARAMETERS

LEAST_SHAPE = 1e-2
LEAST_SCALE = 1e-3  # in units of the predictand


@dataclass(frozen=True)
class BernoulliGammaOutput:
    """Logit of the wet probability p, shape α and scale β of wet amounts, for each predictand.

    `units`: what each predictand is divided by, in its own unit and untransformed; `thresholds`:
    the smallest wet value, in its own unit. The field is the mean p α β.
    Reference: Cannon 2008, doi:10.1175/2008JHM960.1.
    """

    units: tuple[float, ...]
    thresholds: tuple[float, ...]
    n_parameters: int = N_PARAMETERS
    layers: int = 1

    @property
    def scaled_thresholds(self) -> tuple[float, ...]:
        return tuple(t / unit for t, unit in zip(self.thresholds, self.units, strict=True))

    def encode(self, hr: Tensor, codec: Codec) -> Tensor:
        """Amounts `(B, H, W, C)` in `units`, which the parameters speak of."""
        return hr / np.array(self.units, "float32")

    def combine(self, y: Tensor, guess: Tensor | None) -> Tensor:
        """The parameters `(B, 3, H, W, C)`: logit of p, α and β."""
        shape = (*ops.shape(y)[:-1], y.shape[-1] // N_PARAMETERS, N_PARAMETERS)
        raw = ops.moveaxis(ops.reshape(y, shape), -1, 1)
        return ops.stack(
            [
                raw[:, 0],
                ops.softplus(raw[:, 1]) + LEAST_SHAPE,
                ops.softplus(raw[:, 2]) + LEAST_SCALE,
            ],
            axis=1,
        )

    def decode(self, encoded: Tensor, codec: Codec) -> Tensor:
        """The mean `(B, H, W, C)` in the predictands' own units."""
        logit, shape, scale = (encoded[:, i] for i in range(N_PARAMETERS))
        mean = ops.sigmoid(logit) * shape * scale
        return codec.clip(mean * np.array(self.units, "float32"))

    def quantiles(self, encoded: Array, level: Array | float) -> Array:
        """The quantile `(B, H, W, C)` at a level, or at levels of that shape, of the parameters.

        0 up to the level 1 - p. With uniform random levels these are samples.
        """
        logit, shape, scale = (encoded[:, i].astype("float64") for i in range(N_PARAMETERS))
        wet = expit(logit)
        rank = np.clip((level - (1 - wet)) / wet, 0.0, 1.0 - 1e-12)
        amounts = gammaincinv(shape, rank) * scale * np.array(self.units)
        return np.where(level <= 1 - wet, 0.0, amounts).astype("float32")
