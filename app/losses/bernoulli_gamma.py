"""Negative log-likelihood of amounts that are zero or gamma distributed."""

from __future__ import annotations

import numpy as np
from keras import ops

from app.arrays import Tensor
from app.losses.masked import masked_mean, split_missing

STIRLING_FROM = 6  # Γ is shifted this far, where the series below is exact to 1e-8
TINY = 1e-12


def bernoulli_gamma(y_true: Tensor, y_pred: Tensor, thresholds: tuple[float, ...]) -> Tensor:
    """Mean -log likelihood over the known cells of each sample, to `(B,)`.

    y_true `(B, H, W, C)`, amounts in the units of the parameters; y_pred `(B, 3, H, W, C)`,
    logit of the wet probability p, shape α and scale β. -log(1 - p) of values below the wet
    threshold; of others -log p - log γ, γ = y^(α - 1) e^(-y / β) / (β^α Γ(α)). `thresholds` (C,)
    in the same units.
    """
    truth, known = split_missing(y_true)
    logit, shape, scale = (y_pred[:, i] for i in range(3))
    wet = truth >= np.array(thresholds, "float32")
    # The branch not taken needs a finite slope too: its gradient is 0 times that.
    amount = ops.where(wet, truth, 1.0)
    density = (shape - 1) * ops.log(amount + TINY) - amount / scale
    density = density - shape * ops.log(scale) - log_gamma(shape)
    loss = ops.where(wet, ops.softplus(-logit) - density, ops.softplus(logit))
    return masked_mean(loss, known)


def log_gamma(x: Tensor) -> Tensor:
    """log Γ(x) for x > 0: Γ(x) = Γ(x + n) / (x (x + 1) … (x + n - 1)), and Stirling's series."""
    product = x
    for i in range(1, STIRLING_FROM):
        product = product * (x + i)
    z = x + STIRLING_FROM
    series = 1 / (12 * z) - 1 / (360 * z**3) + 1 / (1260 * z**5)
    return (z - 0.5) * ops.log(z) - z + 0.5 * np.log(2 * np.pi) + series - ops.log(product)
