"""What every baseline can do, and the block-wise reading they share."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Protocol

import numpy as np

from app.arrays import Array
from app.data.transforms import clip

if TYPE_CHECKING:
    from app.data.contract import Fields, PreparedData
    from app.data.description import Variable

BLOCK_BYTES = 64 * 2**20  # of float64 working memory per array in one block


class Baseline(Protocol):
    """A fitted reference method."""

    name: str

    def predict(self, indices: Array, split: str) -> Array:
        """Physical fields (n, y, x, C), float32, on the unpadded fine grid; NaN where unknown."""
        ...


def coarse_inputs(shards: Fields, indices: Array, split: str) -> Array:
    """Low-resolution channels and predictors side by side: (n, h, w, Cin)."""
    lr = shards.read("lr", split, indices)
    if not shards.variables.get("predictors"):
        return lr
    return np.concatenate([lr, shards.read("predictors", split, indices)], axis=-1)


def time_blocks(samples: int, values_per_sample: int) -> Iterator[Array]:
    """Consecutive index blocks small enough that memory does not grow with the period."""
    length = max(1, BLOCK_BYTES // (8 * max(1, values_per_sample)))
    for start in range(0, samples, length):
        yield np.arange(start, min(samples, start + length))


def clip_fields(fields: Array, variables: tuple[Variable, ...]) -> Array:
    """Hold each channel of (…, C) to its variable's valid range."""
    clipped = [clip(fields[..., c], variable) for c, variable in enumerate(variables)]
    result: Array = np.stack(clipped, axis=-1).astype(np.float32, copy=False)
    return result


def fine_values(shards: PreparedData) -> int:
    """Values of one fine sample over all predictands."""
    y, x = shards.geometry.fine_shape
    return y * x * len(shards.variables["hr"])


def split_size(shards: Fields, split: str) -> int:
    """Samples of a split; 0 where the data have no such split."""
    return shards.size(split) if split in shards.splits else 0
