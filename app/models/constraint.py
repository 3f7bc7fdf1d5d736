"""A hard constraint: block means of the fine field equal the coarse field that it came from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from app.arrays import Array, Json, Tensor
from app.models.layers.common import register

KINDS = ("additive", "multiplicative", "softmax")
LEAST_SHARE = 1e-6  # of the coarse value, added to every cell before it is multiplied
CELL_AXIS = 3  # of a field cut into blocks, (B, h, w, scale², C)


@register
class BlockConstraint(keras.layers.Layer):
    """Brings the area-weighted block means of physical fields to the coarse values; float32.

    With x the coarse value, y the cells of its block, w their areas and W = Σ w:
    additive y + (x − Σ w y / W); multiplicative y · x W / Σ w y, all cells x where y is 0 in
    the whole block; softmax x W exp(z) / Σ w exp(z), z the network's encoded field.

    The last two take y and x below 0 as 0. Their cells keep the sign of x, so that dry coarse
    cells give dry fine ones, and may exceed valid_max. The additive one comes behind the valid
    range and may leave it: the mean wins.

    Arguments:
        kind: additive, multiplicative or softmax.
        scale: fine cells per coarse cell and axis.
        channels: for each predictand the coarse input channel that holds it.
        shape: (H, W, C) of the padded fine grid.

    Inputs: {"fine": `(B, H, W, C)` physical, "encoded": the same before decoding,
    "coarse": `(B, h, w, Cin)` physical} and for patches "origin" `(B, 2)`, the first coarse row
    and column. Output: `(B, H, W, C)` physical. Cells without weight, and blocks whose coarse
    value is NaN, stay as they are.

    Reference: Harder et al. 2023, Hard-constrained deep learning for climate downscaling
    (JMLR 24); the weights by area are ours.
    """

    def __init__(
        self, kind: str, scale: int, channels: Sequence[int], shape: Sequence[int], **kwargs: Any
    ) -> None:
        kwargs["dtype"] = "float32"
        super().__init__(**kwargs)
        if kind not in KINDS:
            raise ValueError(f"kind: expected one of {', '.join(KINDS)}, received {kind!r}")
        self.kind = kind
        self.scale = scale
        self.channels = list(channels)
        self.shape = tuple(shape)
        self.shares = self.add_weight(
            shape=self.shape, initializer="zeros", trainable=False, name="shares"
        )
        self.built = True

    def get_config(self) -> Json:
        own = {"kind": self.kind, "scale": self.scale}
        own |= {"channels": list(self.channels), "shape": list(self.shape)}
        return {**super().get_config(), **own}

    def fit(self, areas: Array, mask: Array) -> None:
        """Take the cell areas (H, W) where the mask (H, W, C) holds, as shares of their block."""
        weights = areas.astype("float64")[..., None] * mask
        height, width, channels = self.shape
        s = self.scale
        blocks = weights.reshape(height // s, s, width // s, s, channels)
        total = blocks.sum(axis=(1, 3), keepdims=True)
        shares = blocks / np.where(total > 0, total, 1)
        self.shares.assign(shares.reshape(self.shape).astype("float32"))

    def call(self, inputs: dict[str, Tensor]) -> Tensor:
        y = self._blocks(inputs["fine"])
        w = self._blocks(self._shares_of(inputs))
        x = ops.take(inputs["coarse"], np.array(self.channels), axis=-1)[:, :, :, None]
        known = ops.logical_not(ops.isnan(x))
        x = ops.where(known, x, 0.0)
        if self.kind == "additive":
            held = _additive(y, x, w)
        elif self.kind == "multiplicative":
            held = _multiplicative(y, x, w)
        else:
            held = _softmax(self._blocks(inputs["encoded"]), x, w)
        return self._joined(ops.where(known, ops.where(w > 0, held, y), y))

    def compute_output_shape(self, input_shape: Json) -> Any:
        return input_shape["fine"]

    def _shares_of(self, inputs: dict[str, Tensor]) -> Tensor:
        """Shares `(1, H, W, C)` of whole fields, `(B, patch, patch, C)` of patches."""
        if "origin" not in inputs:
            return self.shares[None]
        height, width, channels = self.shape
        origin = ops.cast(inputs["origin"], "int32") * self.scale
        rows, columns = (np.arange(n, dtype="int32") for n in inputs["fine"].shape[1:3])
        rows, columns = origin[:, 0, None] + rows, origin[:, 1, None] + columns
        cells = rows[:, :, None] * width + columns[:, None, :]
        return ops.take(ops.reshape(self.shares, (height * width, channels)), cells, axis=0)

    def _blocks(self, fields: Tensor) -> Tensor:
        """`(B, H, W, C)` to `(B, h, w, scale², C)`."""
        height, width, channels = fields.shape[1:]
        s = self.scale
        cells = ops.reshape(fields, (-1, height // s, s, width // s, s, channels))
        cells = ops.transpose(cells, (0, 1, 3, 2, 4, 5))
        return ops.reshape(cells, (-1, height // s, width // s, s * s, channels))

    def _joined(self, blocks: Tensor) -> Tensor:
        """The inverse of `_blocks`."""
        h, w, _, channels = blocks.shape[1:]
        s = self.scale
        cells = ops.reshape(blocks, (-1, h, w, s, s, channels))
        cells = ops.transpose(cells, (0, 1, 3, 2, 4, 5))
        return ops.reshape(cells, (-1, h * s, w * s, channels))


def _sum(cells: Tensor) -> Tensor:
    return ops.sum(cells, axis=CELL_AXIS, keepdims=True)


def _additive(y: Tensor, x: Tensor, w: Tensor) -> Tensor:
    """The mean of differences keeps digits that the difference of means would lose."""
    return y + _sum(w * (x - y))


def _multiplicative(y: Tensor, x: Tensor, w: Tensor) -> Tensor:
    """(y + εx) · x / mean(y + εx): blocks of almost 0 pass smoothly into x everywhere."""
    x, y = ops.maximum(x, 0.0), ops.where(w > 0, ops.maximum(y, 0.0), 0.0)
    safe = ops.where(x > 0, x, 1.0)
    # Any common factor cancels; this one keeps products within float32.
    size = ops.maximum(ops.max(y, axis=CELL_AXIS, keepdims=True), safe)
    size = ops.stop_gradient(size)
    part = y / size + LEAST_SHARE * safe / size
    mean = _sum(w * part)
    return x * part / ops.where(mean > 0, mean, 1.0)


def _softmax(z: Tensor, x: Tensor, w: Tensor) -> Tensor:
    """The block's largest z is taken off, so that no exp overflows and none sums to 0."""
    counted = w > 0
    top = ops.max(ops.where(counted, z, -np.inf), axis=CELL_AXIS, keepdims=True)
    part = ops.exp(ops.where(counted, z - ops.stop_gradient(top), 0.0))
    total = _sum(w * part)
    return ops.maximum(x, 0.0) * part / ops.where(total > 0, total, 1.0)
