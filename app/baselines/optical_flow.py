"""Optical flow without learning: both frames moved to the time between, and blended."""

from __future__ import annotations

import numpy as np

from app.arrays import Array
from app.grids.motion import motion
from app.grids.warp import blend, flows_at, warp


def between(first: Array, second: Array, theta: Array) -> Array:
    """Frames `(B, H, W, C)` at the shares `theta` `(B,)` of the interval, by unlearned motion."""
    first, second = np.asarray(first, np.float32), np.asarray(second, np.float32)
    forward, backward = motion(np, first, second), motion(np, second, first)
    share = np.asarray(theta, np.float32)[:, None, None, None]
    to_first, to_second = flows_at(share, forward, backward)
    half = np.full((1, 1, 1, 1), 0.5, np.float32)
    result: Array = blend(share, warp(np, first, to_first), warp(np, second, to_second), half)
    return result
