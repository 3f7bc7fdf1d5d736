"""Reductions that leave missing truth out of values and gradients alike."""

from __future__ import annotations

from keras import ops

from app.arrays import Tensor

CELL_AXES = (1, 2, 3)


def split_missing(y_true: Tensor) -> tuple[Tensor, Tensor]:
    """Truth with its gaps set to 0, and 1 where it is known, 0 where not."""
    missing = ops.isnan(y_true)
    return ops.where(missing, 0.0, y_true), 1.0 - ops.cast(missing, y_true.dtype)


def masked_mean(
    values: Tensor, weight: Tensor, axes: tuple[int, ...] = CELL_AXES, least: float = 1.0
) -> Tensor:
    """Weighted mean of values; 0 where weights are 0 everywhere.

    least: what sums of weights are taken as at least; of weights 0 and 1 none but 0 is less than 1.
    """
    return ops.sum(values * weight, axis=axes) / ops.maximum(ops.sum(weight, axis=axes), least)


def valid_fraction(y_true: Tensor) -> Tensor:
    """Share of known values in each sample, `(B, H, W, C)` to `(B,)`."""
    return 1.0 - ops.mean(ops.cast(ops.isnan(y_true), "float32"), axis=CELL_AXES)
