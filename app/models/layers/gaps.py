"""Missing cells of encoded fields: what a network sees in their place."""

from __future__ import annotations

from keras import ops

from app.arrays import Tensor

MEAN, NEAR = "mean", "near"
RADII = (1, 2, 4, 8)  # cells; together they reach 15 cells into a gap


def filled(x: Tensor, how: str) -> Tensor:
    """Encoded fields `(..., H, W, C)` without NaN.

    "mean": missing values become 0, the training mean. "near": each becomes the mean of the known
    cells around it, so that no coast is a cliff: of those one cell away, where there is none of
    those two cells further, and so on; beyond 15 cells from any known one it becomes 0.
    """
    missing = ops.isnan(x)
    known = ops.where(missing, 0.0, x)
    if how == MEAN:
        return known
    return ops.cond(ops.any(missing), lambda: _spread(known, missing), lambda: known)


def _spread(known: Tensor, missing: Tensor) -> Tensor:
    """Fields that are 0 where missing, with the known cells' values carried into the gaps."""
    shape = ops.shape(known)
    flat = (-1, *shape[-3:])
    fields = ops.reshape(known, flat)
    weight = ops.reshape(1.0 - ops.cast(missing, known.dtype), flat)
    for radius in RADII:
        near = _box_mean(weight, radius)
        mean = _box_mean(fields, radius) / ops.where(near > 0, near, 1.0)
        fields = ops.where(weight > 0, fields, mean)
        weight = ops.maximum(weight, ops.cast(near > 0, weight.dtype))
    return ops.reshape(fields, shape)


def _box_mean(x: Tensor, radius: int) -> Tensor:
    """Means over squares of 2 · radius + 1 cells a side, cut off at the edges."""
    side = 2 * radius + 1
    rows = ops.average_pool(x, (side, 1), strides=1, padding="same")
    return ops.average_pool(rows, (1, side), strides=1, padding="same")
