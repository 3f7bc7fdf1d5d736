"""Motion between two fields without learning, for arrays and for tensors alike.

`xp` is what computes: numpy, or keras.ops inside networks.
"""

from __future__ import annotations

from types import ModuleType
from typing import NamedTuple

import numpy as np

from app.arrays import Array, Tensor
from app.grids.warp import beyond, warp


class Level(NamedTuple):
    """What is done at a resolution: `cells` of the grid along a side of one of its cells.

    Whole moves up to `reach` are compared over windows of `window` cells; then come least-squares
    steps, each over windows of so many cells as `steps` says.
    """

    cells: int
    reach: int
    window: int
    steps: tuple[int, ...]


LEVELS = (Level(4, 4, 5, ()), Level(2, 2, 9, (7, 7)), Level(1, 0, 0, (5, 5)))
UNSEEN = 0.05  # share of a window that counts as unlike, so that moves from outside do not win
NEARER = 0.1  # share of the fields' power that the farthest move must be better by
DAMPING = 1e-3  # share of the gradients' mean power added to the normal equations
MAX_STEP = 2.0  # cells of a level that one least-squares step may move
TINY = 1e-12


def motion(xp: ModuleType, first: Tensor, second: Tensor) -> Tensor:
    """Flow `(B, H, W, 2)` in cells from the first fields `(B, H, W, C)` to the second.

    Coarse to fine: the best of all whole moves per window, then least squares with warping in
    between (Lucas and Kanade 1981; Bouguet 2001). What the flow so far takes from beyond the edge
    is left out of both, so that features that come in or go out mislead neither. Several channels
    share one flow; moves of up to about 20 cells are found. No missing values.
    """
    pyramid = {1: (first, second)}
    for cells in (2, 4):
        pyramid[cells] = tuple(_halved(xp, fields) for fields in pyramid[cells // 2])
    flow = None
    for cells, reach, window, steps in LEVELS:
        a, b = pyramid[cells]
        if flow is None:
            nothing = 0.0 * a[..., :1]
            flow = xp.concatenate([nothing, nothing], axis=-1)
        else:
            flow = 2.0 * _doubled(xp, flow, a.shape[1:3])
        if reach:
            flow = _mean(xp, _mean(xp, _searched(xp, a, b, flow, reach, window), window), window)
        for width in steps:
            flow = _mean(xp, flow + _step(xp, a, b, flow, width), 3)
    return flow


def _searched(
    xp: ModuleType, a: Tensor, b: Tensor, flow: Tensor, reach: int, window: int
) -> Tensor:
    """The flow and the whole move that then makes the windows of b most like those of a."""
    seen = _seen(xp, flow)
    around = _around(xp, seen * warp(xp, b, flow), reach)
    known = _around(xp, seen, reach)[..., 0]
    unlike = known * xp.sum((a[:, :, :, None] - around) ** 2, axis=-1)
    sums, weight = _window(xp, unlike, window), _window(xp, known, window)
    power = xp.mean(a * a + b * b, axis=(1, 2, 3), keepdims=True) + TINY
    cost = (sums + UNSEEN * power) / (weight + UNSEEN)
    side = range(-reach, reach + 1)
    moves = np.array([(dy, dx) for dx in side for dy in side], "float32")
    far = (moves**2).sum(axis=-1) / (2 * reach**2)
    return flow + xp.take(moves, xp.argmin(cost + NEARER * power * far, axis=-1), axis=0)


def _around(xp: ModuleType, fields: Tensor, reach: int) -> Tensor:
    """Every cell's neighbours `(B, H, W, (2 reach + 1)², C)`, those above first; 0 beyond edges."""
    height, width, channels = fields.shape[1:]
    for axis, size in ((1, height), (2, width)):
        wide = _padded(xp, fields, axis, reach, reach)
        parts = [_cut(wide, axis, k, size) for k in range(2 * reach + 1)]
        fields = xp.concatenate(parts, axis=-1)
    return xp.reshape(fields, (-1, height, width, (2 * reach + 1) ** 2, channels))


def _step(xp: ModuleType, a: Tensor, b: Tensor, flow: Tensor, window: int) -> Tensor:
    """One Gauss-Newton step of the flow from a to b, `(B, H, W, 2)`."""
    moved, seen = warp(xp, b, flow), _seen(xp, flow)
    mean = (a + moved) / 2
    gy, gx, difference = _slope(xp, mean, 1), _slope(xp, mean, 2), moved - a
    products = [gy * gy, gx * gx, gy * gx, gy * difference, gx * difference]
    sums = [seen * xp.sum(product, axis=-1, keepdims=True) for product in products]
    smooth = _window(xp, xp.concatenate(sums, axis=-1), window)
    yy, xx, xy, ey, ex = (smooth[..., k] for k in range(5))
    damping = DAMPING * xp.mean(yy + xx, axis=(1, 2), keepdims=True) + TINY
    yy, xx = yy + damping, xx + damping
    determinant = yy * xx - xy * xy
    step = xp.stack([xy * ex - xx * ey, xy * ey - yy * ex], axis=-1) / determinant[..., None]
    return xp.clip(step, -MAX_STEP, MAX_STEP)


def _seen(xp: ModuleType, flow: Tensor) -> Tensor:
    """1 where the flow points into the domain, else 0: `(B, H, W, 1)` float32."""
    return 1.0 - xp.sign(beyond(xp, flow))


def _slope(xp: ModuleType, fields: Tensor, axis: int) -> Tensor:
    """Central differences along an axis, halved steps at the edges."""
    wide = _extended(xp, fields, axis, 1, 1)
    n = fields.shape[axis]
    return (_cut(wide, axis, 2, n) - _cut(wide, axis, 0, n)) / 2


def _window(xp: ModuleType, fields: Tensor, width: int) -> Tensor:
    """Means over windows, weighed by a pyramid `2 width - 1` cells wide; 0 beyond the edges."""
    for axis in (1, 2):
        near = _near(fields.shape[axis], width)
        fields = _combined(xp, near @ near / width**2, fields, axis)
    return fields


def _mean(xp: ModuleType, fields: Tensor, width: int) -> Tensor:
    """Mean over windows of `width` cells a side, those within the domain."""
    for axis in (1, 2):
        near = _near(fields.shape[axis], width)
        fields = _combined(xp, near / near.sum(axis=1, keepdims=True), fields, axis)
    return fields


def _near(n: int, width: int) -> Array:
    """1 for every two of n cells that are at most `width // 2` apart."""
    apart = np.abs(np.subtract.outer(np.arange(n), np.arange(n)))
    result: Array = (apart <= width // 2).astype(np.float64)
    return result


def _combined(xp: ModuleType, matrix: Array, fields: Tensor, axis: int) -> Tensor:
    """Fields `(B, H, W, C)` whose cells along an axis are combined by the rows of a matrix."""
    # One product is quicker than a shift for every row's entries, and in graphs a node instead of
    # dozens; on domains of some hundred cells a side the zeros are still cheap.
    matrix = matrix.astype("float32")
    if axis == 2:
        return xp.matmul(matrix, fields)
    _, height, width, channels = fields.shape
    flat = xp.reshape(fields, (-1, height, width * channels))
    return xp.reshape(xp.matmul(matrix, flat), (-1, height, width, channels))


def _padded(xp: ModuleType, fields: Tensor, axis: int, before: int, after: int) -> Tensor:
    """Zeros put before and after along an axis."""
    widths = [(0, 0)] * len(fields.shape)
    widths[axis] = (before, after)
    return xp.pad(fields, widths)


def _halved(xp: ModuleType, fields: Tensor) -> Tensor:
    """Means of 2×2 cells; an odd last row or column counts twice."""
    even = _extended(xp, fields, 1, 0, fields.shape[1] % 2)
    even = _extended(xp, even, 2, 0, even.shape[2] % 2)
    rows = (even[:, ::2] + even[:, 1::2]) / 2
    return (rows[:, :, ::2] + rows[:, :, 1::2]) / 2


def _doubled(xp: ModuleType, flow: Tensor, shape: tuple[int, int]) -> Tensor:
    """Flow on the next finer level: bilinear between the centres of the coarse cells."""
    own = np.stack(np.meshgrid(*map(np.arange, shape), indexing="ij"), axis=-1)
    moves = (((own + 0.5) / 2 - 0.5) - own).astype("float32")[None]
    # Edges are replicated so that every fine cell has a place to sample from.
    wide = _extended(xp, flow, 1, 0, shape[0] - flow.shape[1])
    wide = _extended(xp, wide, 2, 0, shape[1] - flow.shape[2])
    return warp(xp, wide, 0.0 * wide + moves)


def _extended(xp: ModuleType, fields: Tensor, axis: int, before: int, after: int) -> Tensor:
    """First and last row (axis 1) or column (axis 2) repeated outwards."""
    ends = [_cut(fields, axis, 0, 1)] * before, [_cut(fields, axis, -1, 1)] * after
    return xp.concatenate([*ends[0], fields, *ends[1]], axis=axis) if before + after else fields


def _cut(fields: Tensor, axis: int, start: int, length: int) -> Tensor:
    """A part of an axis; -1 begins with the last one."""
    part = slice(start, start + length or None)
    return fields[:, part] if axis == 1 else fields[:, :, part]
