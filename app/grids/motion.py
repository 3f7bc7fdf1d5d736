"""Motion between two fields without learning, for arrays and for tensors alike.

`xp` is what computes: numpy, or keras.ops inside networks.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from app.grids.warp import warp

WINDOW = 7  # cells a side over which motion counts as one, at every level of the pyramid
COARSEST = 8  # cells: the shorter side of the pyramid's top has at least so many
REFINEMENTS = 4  # warps at every level
DAMPING = 1e-3  # share of the gradients' mean power added to the normal equations
MAX_STEP = 2.0  # cells of a level that one refinement may move
TINY = 1e-12


def motion(xp: Any, first: Any, second: Any) -> Any:
    """Flow `(B, H, W, 2)` in cells from the first fields `(B, H, W, C)` to the second.

    Least squares over windows, coarse to fine, warping in between (Lucas and Kanade 1981;
    Bouguet 2001); several channels share one flow. No missing values.
    """
    pyramid = [(first, second)]
    while min(pyramid[-1][0].shape[1:3]) >= 2 * COARSEST:
        pyramid.append((_halved(xp, pyramid[-1][0]), _halved(xp, pyramid[-1][1])))
    top = pyramid[-1][0][..., :1]
    flow = xp.concatenate([0.0 * top, 0.0 * top], axis=-1)
    for level, (a, b) in enumerate(reversed(pyramid)):
        if level:
            flow = 2.0 * _doubled(xp, flow, a.shape[1:3])
        for _ in range(REFINEMENTS):
            flow = _smooth(xp, flow + _step(xp, a, warp(xp, b, flow)), 3)
    return flow


def _step(xp: Any, a: Any, b: Any) -> Any:
    """One Gauss-Newton step of the flow from a to b, `(B, H, W, 2)`."""
    mean = (a + b) / 2
    gy, gx, difference = _slope(xp, mean, 1), _slope(xp, mean, 2), b - a
    products = [gy * gy, gx * gx, gy * gx, gy * difference, gx * difference]
    sums = [xp.sum(product, axis=-1, keepdims=True) for product in products]
    smooth = _smooth(xp, xp.concatenate(sums, axis=-1), WINDOW)
    yy, xx, xy, ey, ex = (smooth[..., k] for k in range(5))
    damping = DAMPING * xp.mean(yy + xx, axis=(1, 2), keepdims=True) + TINY
    yy, xx = yy + damping, xx + damping
    determinant = yy * xx - xy * xy
    step = xp.stack([xy * ex - xx * ey, xy * ey - yy * ex], axis=-1) / determinant[..., None]
    return xp.clip(step, -MAX_STEP, MAX_STEP)


def _slope(xp: Any, fields: Any, axis: int) -> Any:
    """Central differences along an axis, halved steps at the edges."""
    wide = _padded(xp, fields, axis, 1, 1)
    n = fields.shape[axis]
    return (_cut(wide, axis, 2, n) - _cut(wide, axis, 0, n)) / 2


def _smooth(xp: Any, fields: Any, width: int) -> Any:
    """Mean over windows of `width` cells a side, edges replicated."""
    for axis in (1, 2):
        wide = _padded(xp, fields, axis, width // 2, width // 2)
        parts = [_cut(wide, axis, k, fields.shape[axis]) for k in range(width)]
        fields = sum(parts[1:], start=parts[0]) / width
    return fields


def _halved(xp: Any, fields: Any) -> Any:
    """Means of 2×2 cells; an odd last row or column counts twice."""
    even = _padded(xp, fields, 1, 0, fields.shape[1] % 2)
    even = _padded(xp, even, 2, 0, even.shape[2] % 2)
    rows = (even[:, ::2] + even[:, 1::2]) / 2
    return (rows[:, :, ::2] + rows[:, :, 1::2]) / 2


def _doubled(xp: Any, flow: Any, shape: tuple[int, int]) -> Any:
    """Flow on the next finer level: bilinear between the centres of the coarse cells."""
    own = np.stack(np.meshgrid(*map(np.arange, shape), indexing="ij"), axis=-1)
    moves = (((own + 0.5) / 2 - 0.5) - own).astype("float32")[None]
    # Edges are replicated so that every fine cell has a place to sample from.
    wide = _padded(xp, flow, 1, 0, shape[0] - flow.shape[1])
    wide = _padded(xp, wide, 2, 0, shape[1] - flow.shape[2])
    return warp(xp, wide, 0.0 * wide + moves)


def _padded(xp: Any, fields: Any, axis: int, before: int, after: int) -> Any:
    """First and last row (axis 1) or column (axis 2) repeated outwards."""
    ends = [_cut(fields, axis, 0, 1)] * before, [_cut(fields, axis, -1, 1)] * after
    return xp.concatenate([*ends[0], fields, *ends[1]], axis=axis) if before + after else fields


def _cut(fields: Any, axis: int, start: int, length: int) -> Any:
    """A part of an axis; -1 begins with the last one."""
    part = slice(start, start + length or None)
    return fields[:, part] if axis == 1 else fields[:, :, part]
