"""Bilinear sampling of fields at displaced positions, for arrays and for tensors alike.

`xp` is what computes: numpy, or keras.ops inside networks, where gradients pass through.
"""

from __future__ import annotations

from types import ModuleType

import numpy as np

from app.arrays import Tensor

UNSEEN = 7.0  # logit: a frame whose cell lies beyond the edge counts a thousandth of the other


def warp(xp: ModuleType, fields: Tensor, flow: Tensor) -> Tensor:
    """Fields at the cells to which the flow points: out(y, x) = fields(y + dy, x + dx).

    `fields` `(B, H, W, C)`, `flow` `(B, H, W, 2)` of rows dy and columns dx, in cells; bilinear,
    positions beyond the edge count as on it. A flow of 0 gives every field back exactly.
    """
    batch, height, width, channels = xp.shape(fields)
    rows = xp.reshape(xp.arange(height, dtype="float32"), (1, height, 1))
    columns = xp.reshape(xp.arange(width, dtype="float32"), (1, 1, width))
    y = xp.clip(rows + flow[..., 0], 0.0, height - 1.0)
    x = xp.clip(columns + flow[..., 1], 0.0, width - 1.0)
    top, left = xp.floor(y), xp.floor(x)
    dy, dx = (y - top)[..., None], (x - left)[..., None]
    top, left = _whole(xp, top), _whole(xp, left)
    bottom, right = xp.minimum(top + 1, height - 1), xp.minimum(left + 1, width - 1)
    flat = xp.reshape(fields, (-1, channels))
    first = xp.reshape(xp.arange(batch, dtype="int32") * height * width, (-1, 1, 1))

    def cell(row: Tensor, column: Tensor) -> Tensor:
        return xp.take(flat, first + row * width + column, axis=0)

    upper = (1.0 - dx) * cell(top, left) + dx * cell(top, right)
    lower = (1.0 - dx) * cell(bottom, left) + dx * cell(bottom, right)
    return (1.0 - dy) * upper + dy * lower


def flows_at(theta: Tensor, forward: Tensor, backward: Tensor) -> tuple[Tensor, Tensor]:
    """Flows from the time between two frames back to each of them.

    `theta` `(B, 1, 1, 1)` is the share of the interval that has passed, `forward` F01 points from
    the first frame's cells to the second's, `backward` F10 the other way. Motion along straight
    lines (Jiang et al. 2018, arXiv:1712.00080): F(t→0) = -(1-t) t F01 + t² F10 and
    F(t→1) = (1-t)² F01 - t (1-t) F10; 0 at the frame itself.
    """
    rest = 1.0 - theta
    to_first = -rest * theta * forward + theta * theta * backward
    to_second = rest * rest * forward - theta * rest * backward
    return to_first, to_second


def bend(theta: Tensor, acceleration: Tensor) -> Tensor:
    """What both flows of `flows_at` gain where motion speeds up by so many cells an interval.

    Then a cell goes t F01 + t (t-1)/2 a in a share t of the interval (Xu et al. 2019,
    arXiv:1911.00627), and comes t (1-t)/2 a less far than along straight lines.
    """
    return theta * (1.0 - theta) / 2.0 * acceleration


def blend(theta: Tensor, first: Tensor, second: Tensor, visibility: Tensor) -> Tensor:
    """Two warped frames weighed by nearness in time and by visibility V, and 1 - V, above 0.

    ((1-t) V w0 + t (1-V) w1) / ((1-t) V + t (1-V)), written so that the ends are exact.
    """
    near, far = (1.0 - theta) * visibility, theta * (1.0 - visibility)
    share = near / (near + far)
    return share * first + (1.0 - share) * second


def visibility(xp: ModuleType, to_first: Tensor, to_second: Tensor) -> Tensor:
    """Logit of how much more the first frame is to be trusted than the second: `(B, H, W, 1)`.

    What comes from beyond the edge of a frame is not seen in it.
    """
    lost = [xp.minimum(beyond(xp, flow), 1.0) for flow in (to_first, to_second)]
    return UNSEEN * (lost[1] - lost[0])


def beyond(xp: ModuleType, flow: Tensor) -> Tensor:
    """How far beyond the edge of the domain each cell's flow points, in cells: `(B, H, W, 1)`."""
    height, width = flow.shape[1:3]
    rows = np.arange(height, dtype="float32")[None, :, None]
    columns = np.arange(width, dtype="float32")[None, None]
    y, x = rows + flow[..., 0], columns + flow[..., 1]
    outside = xp.abs(y - xp.clip(y, 0.0, height - 1.0)) + xp.abs(x - xp.clip(x, 0.0, width - 1.0))
    return outside[..., None]


def _whole(xp: ModuleType, numbers: Tensor) -> Tensor:
    """As indices."""
    return xp.cast(numbers, "int32") if hasattr(xp, "cast") else numbers.astype(np.int32)
