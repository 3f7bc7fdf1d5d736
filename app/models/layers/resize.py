"""Interpolation between grids as a layer: half-pixel centres, clamped at the edges."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from keras import ops

from app.arrays import Array, Json, Tensor
from app.grids.kernels import taps
from app.models.layers.common import Shape, register

METHODS = ("inter_area", "nearest", "bilinear", "bicubic", "lanczos")
MAX_MATRIX_CELLS = 256  # a side; a matrix is fastest, but its cost grows with the cells squared


def interpolation_matrix(source: int, target: int, method: str) -> Array:
    """(target, source) matrix of one axis; "inter_area" averages by overlap when shrinking."""
    if method == "inter_area" and target < source:
        return _overlap_matrix(source, target)
    matrix = np.zeros((target, source))
    for row in range(target):
        first, weights = taps((row + 0.5) * source / target - 0.5, method)
        columns = np.clip(np.arange(first, first + weights.size), 0, source - 1)
        np.add.at(matrix[row], columns, weights)
    return matrix


def _overlap_matrix(source: int, target: int) -> Array:
    edges = np.arange(target + 1) * source / target
    cells = np.arange(source)
    upper = np.minimum(edges[1:, None], cells + 1)
    lower = np.maximum(edges[:-1, None], cells)
    result: Array = np.maximum(upper - lower, 0.0) * target / source
    return result


@register
class Resize(keras.layers.Layer):
    """Interpolate fields by a whole factor, or to a size.

    Arguments:
        method: "nearest", "bilinear", "bicubic" (Keys, a = -0.5), "lanczos" (3 lobes) or
            "inter_area" (nearest when enlarging, overlap-weighted mean when shrinking).
        scale: factor of enlargement; works on grids of unknown size.
        size: (H, W) instead of a factor; needs a known input size.

    Input shape `(B, h, w, C)`, output shape `(B, h·scale, w·scale, C)` or `(B, H, W, C)`.
    """

    def __init__(
        self,
        method: str = "bilinear",
        *,
        scale: int | None = None,
        size: tuple[int, int] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if method not in METHODS:
            raise ValueError(f"method: expected one of {METHODS}, received {method!r}")
        if (scale is None) == (size is None):
            raise ValueError(f"expected either scale or size, received {scale} and {size}")
        self.method = method
        self.scale = scale
        self.size = None if size is None else tuple(size)

    def get_config(self) -> Json:
        own = {"method": self.method, "scale": self.scale, "size": self.size}
        return {**super().get_config(), **own}

    def call(self, inputs: Tensor) -> Tensor:
        known = all(n is not None and n <= MAX_MATRIX_CELLS for n in inputs.shape[1:3])
        if self.scale and (not known or self.method in ("nearest", "inter_area")):
            tall = _enlarge(inputs, 1, self.scale, self.method)
            return _enlarge(tall, 2, self.scale, self.method)
        _, target_rows, target_columns, channels = self.compute_output_shape(inputs.shape)
        rows = interpolation_matrix(inputs.shape[1], target_rows, self.method)
        columns = interpolation_matrix(inputs.shape[2], target_columns, self.method)
        flat = ops.reshape(inputs, (-1, inputs.shape[1], inputs.shape[2] * channels))
        tall = ops.matmul(ops.cast(rows, inputs.dtype), flat)
        tall = ops.reshape(tall, (-1, target_rows, inputs.shape[2], channels))
        return ops.matmul(ops.cast(columns, inputs.dtype), tall)

    def compute_output_shape(self, input_shape: Shape) -> Tensor:
        batch, height, width, channels = input_shape
        if self.size is not None:
            return (batch, *self.size, channels)
        times = self.scale or 1
        grow = (None if n is None else n * times for n in (height, width))
        return (batch, *grow, channels)


def _enlarge(x: Tensor, axis: int, scale: int, method: str) -> Tensor:
    """Interpolate axis 1 or 2 by a whole factor.

    The weights repeat from source cell to source cell, so that shifted copies of the whole
    field are summed, one sum per place within a cell; no matrix, any size.
    """
    if method in ("nearest", "inter_area"):
        return ops.repeat(x, scale, axis=axis)
    places = [taps((place + 0.5) / scale - 0.5, method) for place in range(scale)]
    before = max(-first for first, _ in places)
    after = max(first + weights.size - 1 for first, weights in places)
    padded = edge_pad(x, axis, before, after)
    fields = []
    for first, weights in places:
        parts = [
            float(weight) * _shifted(padded, axis, before + first + k, before + after)
            for k, weight in enumerate(weights)
            if weight != 0
        ]
        fields.append(sum(parts[1:], start=parts[0]))
    shape = list(ops.shape(x))
    shape[axis] = shape[axis] * scale
    return ops.reshape(ops.stack(fields, axis=axis + 1), shape)


def edge_pad(x: Tensor, axis: int, before: int, after: int) -> Tensor:
    """Repeat the first and last row (axis 1) or column (axis 2) outwards."""
    first, last = (x[:, :1], x[:, -1:]) if axis == 1 else (x[:, :, :1], x[:, :, -1:])
    return ops.concatenate([first] * before + [x] + [last] * after, axis=axis)


def edge_repeated(x: Tensor, before: int, after: int) -> Tensor:
    """A field with its edge repeated outwards along rows and columns."""
    return edge_pad(edge_pad(x, 1, before, after), 2, before, after)


def filled_up(x: Tensor, multiple: int) -> Tensor:
    """A field whose last row and column are repeated until both sides are multiples of a number."""
    height, width = x.shape[1:3]
    return edge_pad(edge_pad(x, 1, 0, -height % multiple), 2, 0, -width % multiple)


def reached(x: Tensor, kernel: int) -> Tensor:
    """A field with as much of its edge around it as a kernel reaches."""
    before, after = (kernel - 1) // 2, kernel // 2
    if any(n is None or n < 2 for n in x.shape[1:3]):
        return edge_repeated(x, before, after)

    @ops.custom_gradient
    def repeated(x: Tensor) -> tuple[Tensor, Callable[..., Tensor]]:
        def gradient(*given: Tensor, upstream: Tensor = None) -> Tensor:
            (upstream,) = given or (upstream,)
            return _gathered(_gathered(upstream, 2, before, after), 1, before, after)

        return edge_repeated(x, before, after), gradient

    return repeated(x)


def _gathered(slopes: Tensor, axis: int, before: int, after: int) -> Tensor:
    """The gradient of `edge_pad` on two cells or more: the edge takes what its copies have.

    The automatic one makes a field of zeros for every slice, which costs a tenth of a training
    step.
    """
    last = slopes.shape[axis] - after - 1

    def cells(start: int, stop: int) -> Tensor:
        return slopes[:, start:stop] if axis == 1 else slopes[:, :, start:stop]

    first = sum(cells(k, k + 1) for k in range(before + 1))
    end = sum(cells(k, k + 1) for k in range(last, last + after + 1))
    return ops.concatenate([first, cells(before + 1, last), end], axis=axis)


def _shifted(padded: Tensor, axis: int, start: int, margin: int) -> Tensor:
    """The part of a padded field that begins at `start` and has the unpadded size."""
    stop = start - margin or None
    return padded[:, start:stop] if axis == 1 else padded[:, :, start:stop]
