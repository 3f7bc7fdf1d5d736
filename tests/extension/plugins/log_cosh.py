"""A loss: log cosh of the error, squared near 0 and absolute far off."""

from __future__ import annotations

from typing import Any

import app


@app.register("loss", "log_cosh", "squared near 0, absolute far off")
def log_cosh(y_true: Any, y_pred: Any) -> Any:
    """Mean of log cosh e over the known cells of each sample, `(B, H, W, C)` to `(B,)`."""
    from keras import ops

    from app.losses.masked import masked_mean, split_missing

    truth, weight = split_missing(y_true)
    size = ops.abs(y_pred - truth)
    # log cosh e = |e| + log(1 + exp(-2 |e|)) - log 2, which does not overflow
    return masked_mean(size + ops.softplus(-2.0 * size) - ops.log(2.0), weight)
