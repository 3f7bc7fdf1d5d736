"""Where training has valid values, of inputs and of targets, and in what range."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from app.baselines.base import fine_values, time_blocks
from app.data.shards import Shards
from app.data.transforms import inverse
from app.models.known_inputs import KnownInputs

Rows = NDArray[np.int64]
Fields = NDArray[np.float32]


def known_inputs(shards: Shards, roles: Sequence[str] = ("lr", "predictors")) -> KnownInputs:
    """Where the inputs of these roles are ever valid in the training period, and their range."""
    low, high = [], []
    roles = [role for role in roles if shards.variables[role]]
    for role in roles:
        scaling = shards.scaling[role]
        for c, variable in enumerate(shards.variables[role]):
            low.append(float(inverse(scaling.minimum[..., c].min(), variable)))
            high.append(float(inverse(scaling.maximum[..., c].max(), variable)))

    def read(indices: Rows) -> Fields:
        return np.concatenate([shards.read(role, "train", indices) for role in roles], axis=-1)

    return KnownInputs(_ever_valid(shards, read), np.array(low), np.array(high))


def known_targets(shards: Shards) -> NDArray[np.bool_]:
    """(H, W, C) whether a training target was ever valid, False in the padding."""
    seen = _ever_valid(shards, lambda indices: shards.read("hr", "train", indices))
    return shards.geometry.pad_field(seen.astype(np.float32), fill=0.0, axes=(0, 1)) > 0


def _ever_valid(shards: Shards, read: Callable[[Rows], Fields]) -> NDArray[np.bool_]:
    """Of fields (n, y, x, C) of the training period, read no further than needed."""
    seen: NDArray[np.bool_] | None = None
    for indices in time_blocks(shards.size("train"), fine_values(shards)):
        valid = np.isfinite(read(indices)).any(axis=0)
        seen = valid if seen is None else seen | valid
        if seen.all():
            break
    assert seen is not None  # there is training
    return seen
