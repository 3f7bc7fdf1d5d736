"""The absolute error at three scales: as it is, pooled, and blurred."""

from __future__ import annotations

import numpy as np
from keras import ops

from app.arrays import Array, Tensor
from app.losses.masked import masked_mean, split_missing

POOL = 5  # cells a side
BLUR = 5  # cells a side of the Gaussian
BLUR_SIGMA = 1.0  # cells
TINY = 1e-6


def mae_smoothed(y_true: Tensor, y_pred: Tensor) -> Tensor:
    """Mean absolute error + that of 5×5 means + that of a Gaussian blur, `(B, H, W, C)` to `(B,)`.

    Means side by side and blurs around every cell are taken over known cells and lie within the
    grid; the kernels shrink to it where it is smaller. Those that know no cell do not count.
    Reference: the loss of DeepR's deterministic networks (ECMWF Code for Earth 2023).
    """
    truth, known = split_missing(y_true)
    error = (y_pred - truth) * known
    total = masked_mean(ops.abs(error), known)
    sides = [n for n in y_pred.shape[1:3] if n is not None]
    pool, blur = min([POOL, *sides]), min([BLUR, *sides])
    for weights, stride in ((np.ones(pool), pool), (_gaussian(blur), 1)):
        sums = _window_sums(error, weights, stride)
        weight = _window_sums(known, weights, stride)
        counted = ops.cast(weight > TINY, error.dtype)
        total += masked_mean(ops.abs(sums) / ops.maximum(weight, TINY), counted)
    return total


def _gaussian(cells: int) -> Array:
    distance = np.arange(cells) - (cells - 1) / 2
    result: Array = np.exp(-0.5 * (distance / BLUR_SIGMA) ** 2)
    return result


def _window_sums(x: Tensor, weights: Array, stride: int) -> Tensor:
    """Weighted sums over square windows that lie within the grid, channel by channel."""
    window = np.outer(weights, weights) / weights.sum() ** 2
    kernel = np.repeat(window[:, :, None, None], x.shape[-1], axis=2)
    return ops.depthwise_conv(x, ops.cast(kernel, x.dtype), strides=stride, padding="valid")
