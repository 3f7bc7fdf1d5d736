"""A linear first guess whose coefficients are known only so well: members draw their own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from keras import ops

from app.arrays import Array, Json, Tensor
from app.models.first_guess import LinearGuess
from app.models.layers.common import register
from app.models.layers.upsampling import depth_to_space


@register
class UncertainGuess(LinearGuess):
    """A linear regression with the spread that fits without one fold each show.

    Called it is the regression itself. `drawn` takes coefficients from the normal distribution
    about it with the jackknife's covariance, (K - 1)/K Σ dₖ dₖᵀ, dₖ what the k-th of K fits
    differs by from their mean: the further a field lies from those of the training period, the
    more such draws differ.

    Arguments: n_fits, K; the others as for `LinearGuess`.
    Reference: Efron and Stein 1981, doi:10.1214/aos/1176345462 (jackknife).
    """

    def __init__(self, coarse_shape: tuple[int, int], *, n_fits: int, **kwargs: Any) -> None:
        super().__init__(coarse_shape, **kwargs)
        self.n_fits = n_fits
        self.deviations = self._constant((n_fits, *self.coefficients.shape), "deviations")

    @classmethod
    def from_fits(cls, fitted: LinearGuess, fits: Sequence[LinearGuess]) -> UncertainGuess:
        """Of a regression, and those that each lack one fold."""
        config = {name: value for name, value in fitted.get_config().items() if name != "name"}
        guess = cls(**{**config, "n_fits": len(fits)})
        guess.coefficients.assign(fitted.coefficients)
        guess.fill.assign(fitted.fill)
        found = np.stack([ops.convert_to_numpy(fit.coefficients) for fit in fits])
        scale = np.sqrt((len(fits) - 1) / len(fits))
        guess.deviations.assign(scale * (found - found.mean(axis=0)))
        return guess

    def get_config(self) -> Json:
        return {**super().get_config(), "n_fits": self.n_fits}

    def drawn(self, inputs: dict[str, Tensor], normal: Array) -> Tensor:
        """The fields of one draw, made of K standard normal numbers; shapes as for a call."""
        coefficients = self.coefficients + ops.tensordot(
            ops.cast(normal, "float32"), self.deviations, axes=1
        )
        features = self._features(inputs["coarse"], inputs["time"])
        fine = ops.einsum("bhwk,hwko->bhwo", features, coefficients)
        return depth_to_space(fine, self.scale)
