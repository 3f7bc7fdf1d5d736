"""The bilinear sampler on tensors."""

from __future__ import annotations

from keras import ops

from app.arrays import Tensor
from app.grids.warp import bend, blend, flows_at
from app.grids.warp import beyond as outside
from app.grids.warp import visibility as edges
from app.grids.warp import warp as sample

__all__ = ["bend", "beyond", "blend", "flows_at", "visibility", "warp"]
FAR = 4.0  # cells beyond the edge: farther makes no difference


def warp(fields: Tensor, flow: Tensor) -> Tensor:
    """`app.grids.warp.warp` within networks, differentiable in fields and flow."""
    return sample(ops, fields, flow)


def visibility(to_first: Tensor, to_second: Tensor) -> Tensor:
    """`app.grids.warp.visibility` on tensors."""
    return edges(ops, to_first, to_second)


def beyond(flow: Tensor) -> Tensor:
    """`app.grids.warp.beyond` from 0 to 1 for networks: 1 at `FAR` cells and more."""
    return ops.minimum(outside(ops, flow), FAR) / FAR
