"""From a loss flag to a function of truth and prediction."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from app.errors import InputError
from app.losses.pixel import mae, mse
from app.losses.structural import dssim, msdssim

Loss = Callable[[Any, Any], Any]
WEIGHTS = {1: (1.0,), 2: (0.8, 0.2), 3: (0.6, 0.2, 0.2)}
MIXES = ("", "_mae", "_mse", "_mae_mse")
NAMES = ("mae", "mse", *("dssim" + mix for mix in MIXES), *("msdssim" + mix for mix in MIXES))


def build_loss(name: str, *, data_range: np.ndarray) -> Loss:
    """The loss of a flag: encoded `(y_true, y_pred)`, both `(B, H, W, C)`, to `(B,)`.

    A name of two parts weighs them 0.8 and 0.2, one of three 0.6, 0.2 and 0.2. NaN in y_true
    is left out. `data_range` (C,): range of the encoded training targets.
    Raises InputError for an unknown name.
    """
    if name not in NAMES:
        raise InputError(f"loss is {name!r}, expected one of {', '.join(NAMES)}")
    spans = np.maximum(np.asarray(data_range, "float32"), np.finfo("float32").tiny)
    known: dict[str, Loss] = {
        "mae": mae,
        "mse": mse,
        "dssim": partial(dssim, data_range=spans),
        "msdssim": partial(msdssim, data_range=spans),
    }
    parts = [known[part] for part in name.split("_")]
    weights = WEIGHTS[len(parts)]

    def loss(y_true: Any, y_pred: Any) -> Any:
        terms = [w * part(y_true, y_pred) for w, part in zip(weights, parts, strict=True)]
        return sum(terms[1:], start=terms[0])

    return loss
