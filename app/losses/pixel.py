"""Losses cell by cell."""

from __future__ import annotations

from typing import Any

from keras import ops

from app.losses.masked import masked_mean, split_missing


def mse(y_true: Any, y_pred: Any) -> Any:
    """Mean squared error over the known cells of each sample, `(B, H, W, C)` to `(B,)`."""
    truth, weight = split_missing(y_true)
    return masked_mean(ops.square(y_pred - truth), weight)


def mae(y_true: Any, y_pred: Any) -> Any:
    """Mean absolute error over the known cells of each sample, `(B, H, W, C)` to `(B,)`."""
    truth, weight = split_missing(y_true)
    return masked_mean(ops.abs(y_pred - truth), weight)
