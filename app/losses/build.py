"""From a loss flag to a function of truth and prediction."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from inspect import signature
from typing import Any

import numpy as np

from app.arrays import Array, Json, Tensor
from app.registry import REGISTRY

Loss = Callable[..., Any]
WEIGHTS = {1: (1.0,), 2: (0.8, 0.2), 3: (0.6, 0.2, 0.2)}


def build_loss(
    name: str,
    *,
    data_range: Array,
    huber_delta: float = 1.0,
    quantiles: tuple[float, ...] = (),
    thresholds: tuple[float, ...] = (),
) -> Loss:
    """The loss of a flag: encoded `(y_true, y_pred)`, both `(B, H, W, C)`, to `(B,)`.

    A name of two parts weighs them 0.8 and 0.2, one of three 0.6, 0.2 and 0.2. NaN in y_true
    is left out. `data_range` (C,): range of the encoded training targets. `huber_delta`, in
    encoded units: see `huber`. `quantiles`: levels that the loss `quantile` is for, its y_pred
    being `(B, Q, H, W, C)`. `thresholds` (C,): wet ones, for the loss `bernoulli_gamma`. mse, mae
    and huber also take `cell_weights`. Raises InputError for an unknown name.
    """
    REGISTRY.check("loss", name)
    settings = {
        "data_range": np.maximum(np.asarray(data_range, "float32"), np.finfo("float32").tiny),
        "delta": huber_delta,
        "levels": quantiles,
        "thresholds": thresholds,
    }
    names = [name] if REGISTRY.entry("loss", name).path else name.split("_")
    parts = [_part(part, settings) for part in names]
    weights = WEIGHTS[len(parts)]

    def loss(y_true: Tensor, y_pred: Tensor, **given: Any) -> Tensor:
        terms = [w * part(y_true, y_pred, **given) for w, part in zip(weights, parts, strict=True)]
        return sum(terms[1:], start=terms[0])

    return loss


def _part(name: str, settings: Json) -> Loss:
    """A registered loss, given those settings that it has parameters for."""
    function = REGISTRY.resolve("loss", name)
    taken = signature(function).parameters.keys() & settings.keys()
    return partial(function, **{key: settings[key] for key in taken})
