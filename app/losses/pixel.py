"""Losses cell by cell; `cell_weights`, of the shape of the truth, weigh the errors of cells."""

from __future__ import annotations

import numpy as np
from keras import ops

from app.arrays import Tensor
from app.losses.masked import masked_mean, split_missing

CHARBONNIER_EPSILON = 1e-3  # encoded units: below it the loss is round, above it absolute


def _weighted(errors: Tensor, cell_weights: Tensor | None) -> Tensor:
    """Errors times weights of mean 1, where there are any; the sum is not divided by them."""
    return errors if cell_weights is None else cell_weights * errors


def mse(y_true: Tensor, y_pred: Tensor, cell_weights: Tensor | None = None) -> Tensor:
    """Mean squared error over the known cells of each sample, `(B, H, W, C)` to `(B,)`."""
    truth, weight = split_missing(y_true)
    return masked_mean(_weighted(ops.square(y_pred - truth), cell_weights), weight)


def mae(y_true: Tensor, y_pred: Tensor, cell_weights: Tensor | None = None) -> Tensor:
    """Mean absolute error over the known cells of each sample, `(B, H, W, C)` to `(B,)`."""
    truth, weight = split_missing(y_true)
    return masked_mean(_weighted(ops.abs(y_pred - truth), cell_weights), weight)


def huber(
    y_true: Tensor, y_pred: Tensor, cell_weights: Tensor | None = None, *, delta: float = 1.0
) -> Tensor:
    """Mean Huber loss over the known cells of each sample, `(B, H, W, C)` to `(B,)`.

    e² / 2 of errors |e| ≤ δ, δ (|e| - δ / 2) of larger ones; δ in encoded units.
    Reference: Huber 1964, doi:10.1214/aoms/1177703732.
    """
    truth, weight = split_missing(y_true)
    error = ops.abs(y_pred - truth)
    inner = ops.minimum(error, delta)
    return masked_mean(_weighted(inner * (error - inner / 2), cell_weights), weight)


def pinball(y_true: Tensor, y_pred: Tensor, levels: tuple[float, ...]) -> Tensor:
    """Mean pinball loss over levels and known cells, `(B, H, W, C)`, `(B, Q, H, W, C)` to `(B,)`.

    max(τ e, (τ - 1) e) with e = truth - prediction: least where a share τ of the truth lies at
    or below the prediction. Reference: Koenker and Bassett 1978, doi:10.2307/1913643.
    """
    truth, weight = split_missing(y_true)
    error = truth[:, None] - y_pred
    share = np.reshape(np.asarray(levels, "float32"), (-1, *[1] * (len(y_pred.shape) - 2)))
    return masked_mean(ops.mean(ops.maximum(share * error, (share - 1) * error), axis=1), weight)


def charbonnier(y_true: Tensor, y_pred: Tensor) -> Tensor:
    """Mean Charbonnier loss over the known cells of each sample, `(B, H, W, C)` to `(B,)`.

    sqrt(e² + ε²) - ε with ε = 1e-3 in encoded units, the absolute error with a round bottom;
    less ε, so that a perfect field has none.
    Reference: Charbonnier et al. 1994, doi:10.1109/ICIP.1994.413553.
    """
    truth, weight = split_missing(y_true)
    error = ops.sqrt(ops.square(y_pred - truth) + CHARBONNIER_EPSILON**2)
    return masked_mean(error - CHARBONNIER_EPSILON, weight)
