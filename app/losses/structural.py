"""Structural dissimilarity, single- and multi-scale, on fields with gaps."""

from __future__ import annotations

import numpy as np
from keras import ops

from app.arrays import Array, Tensor
from app.losses.masked import masked_mean, split_missing

WINDOW = 11  # cells a side
SIGMA = 1.5  # cells
K1, K2 = 0.01, 0.03
MIN_WINDOW_WEIGHT = 0.5  # share of the window's weight that must be known at a centre
SCALE_POWERS = (0.0448, 0.2856, 0.3001, 0.2363)
TINY = 1e-6


def dssim(y_true: Tensor, y_pred: Tensor, data_range: Array) -> Tensor:
    """(1 - SSIM) / 2 of each sample, `(B, H, W, C)` to `(B,)`; mean over windows, then channels.

    Gaussian windows of 11×11 cells (fewer on smaller grids) lie within the grid; their weights
    are renormalised over known cells, and centres with less than half the weight known do not
    count. `data_range` (C,) is the range of the training targets.
    Reference: Wang et al. 2004, doi:10.1109/TIP.2003.819861.
    """
    truth, weight = split_missing(y_true)
    luminance, contrast, counted = _moments(truth, y_pred, weight, data_range)
    similarity = _per_channel(luminance * contrast, counted)
    return (1.0 - _over_channels(similarity, counted)) / 2.0


def msdssim(y_true: Tensor, y_pred: Tensor, data_range: Array) -> Tensor:
    """(1 - MS-SSIM) / 2 of each sample, `(B, H, W, C)` to `(B,)`.

    Powers 0.0448, 0.2856, 0.3001, 0.2363 from fine to coarse, each scale a 2×2 mean of the one
    before. On grids whose last scales would be smaller than a window fewer scales are taken,
    with their powers raised to the same sum.
    Reference: Wang et al. 2003, doi:10.1109/ACSSC.2003.1292216.
    """
    truth, weight = split_missing(y_true)
    powers = scale_powers(y_pred.shape[1:3])
    product, counted_first = None, None
    for number, power in enumerate(powers):
        luminance, contrast, counted = _moments(truth, y_pred, weight, data_range)
        last = number == len(powers) - 1
        factor = _per_channel(luminance * contrast if last else contrast, counted)
        factor = ops.power(ops.maximum(factor, TINY), power)
        # A scale on which nothing is known says nothing: it must not count as dissimilar.
        factor = ops.where(ops.any(counted > 0, axis=(1, 2)), factor, 1.0)
        product = factor if product is None else product * factor
        counted_first = counted if counted_first is None else counted_first
        if not last:
            truth, y_pred, weight = _halved(truth, y_pred, weight)
    return (1.0 - _over_channels(product, counted_first)) / 2.0


def scale_powers(size: tuple[int | None, int | None]) -> tuple[float, ...]:
    """Powers of the scales a grid is large enough for; all four where its size is unknown."""
    cells = min((n for n in size if n is not None), default=None)
    count = len(SCALE_POWERS)
    while cells is not None and count > 1 and cells // 2 ** (count - 1) < WINDOW:
        count -= 1
    raised = sum(SCALE_POWERS) / sum(SCALE_POWERS[:count])
    return tuple(power * raised for power in SCALE_POWERS[:count])


def _moments(
    truth: Tensor, pred: Tensor, weight: Tensor, data_range: Array
) -> tuple[Tensor, Tensor, Tensor]:
    """Luminance and contrast-structure terms at every window, and 1 where a window counts."""
    pred = pred * weight
    stacked = ops.concatenate(
        [weight, truth, pred, truth * truth, pred * pred, truth * pred], axis=-1
    )
    known, *sums = ops.split(_blurred(stacked), 6, axis=-1)
    total = ops.maximum(known, TINY)
    mean_t, mean_p, square_t, square_p, product = (part / total for part in sums)
    c1, c2 = ((k * np.asarray(data_range, "float32")) ** 2 for k in (K1, K2))
    luminance = (2 * mean_t * mean_p + c1) / (mean_t**2 + mean_p**2 + c1)
    variances = ops.maximum(square_t - mean_t**2, 0.0) + ops.maximum(square_p - mean_p**2, 0.0)
    contrast = (2 * (product - mean_t * mean_p) + c2) / (variances + c2)
    counted = ops.cast(known >= MIN_WINDOW_WEIGHT, pred.dtype)
    return luminance, contrast, counted


def _blurred(x: Tensor) -> Tensor:
    """Gaussian-weighted sums in all windows that lie within the grid."""
    channels = x.shape[-1]
    for axis in (1, 2):
        size = x.shape[axis]
        taps = gaussian_window(WINDOW if size is None else min(WINDOW, size))
        shape = [1, 1, 1, 1]
        shape[axis - 1] = taps.size
        kernel = np.broadcast_to(taps.reshape(shape), (*shape[:2], channels, 1))
        x = ops.depthwise_conv(x, ops.cast(kernel, x.dtype), padding="valid")
    return x


def gaussian_window(cells: int) -> Array:
    """Weights of one axis that sum to 1."""
    distance = np.arange(cells) - (cells - 1) / 2
    weights = np.exp(-0.5 * (distance / SIGMA) ** 2)
    result: Array = weights / weights.sum()
    return result


def _halved(truth: Tensor, pred: Tensor, weight: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """2×2 means over known cells; a mean needs half of them. Odd last rows are dropped."""
    known = ops.average_pool(weight, 2)
    total = ops.maximum(known, TINY)
    counted = ops.cast(known >= MIN_WINDOW_WEIGHT, pred.dtype)
    means = (ops.average_pool(part * weight, 2) / total * counted for part in (truth, pred))
    return (*means, counted)


def _per_channel(values: Tensor, counted: Tensor) -> Tensor:
    return masked_mean(values, counted, axes=(1, 2))


def _over_channels(values: Tensor, counted: Tensor) -> Tensor:
    """Mean over the channels that have any counted window; 1, no loss, where none has."""
    has = ops.cast(ops.any(counted > 0, axis=(1, 2)), values.dtype)
    mean = masked_mean(values, has, axes=(1,))
    return ops.where(ops.any(has > 0, axis=1), mean, 1.0)
