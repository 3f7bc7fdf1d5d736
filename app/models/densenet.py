"""Densely connected backbone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from app.arrays import Tensor
from app.models.layers import DenseBlock, TransitionBlock
from app.models.skeleton import block_options, trunk
from app.options import ModelConfig


def backbone(x: Tensor, config: ModelConfig) -> Tensor:
    """Dense blocks, each followed by a transition to half its channels; the stem is joined
    at the end. `(B, h, w, Cin)` to `(B, h, w, F)`.
    """
    options = block_options(config)

    def dense_and_halved(filters: int, name: str) -> Callable[[Any], Any]:
        def apply(y: Tensor) -> Tensor:
            y = DenseBlock(filters, name=name, **options)(y)
            return TransitionBlock(max(y.shape[-1] // 2, 1), name=f"{name}_transition")(y)

        return apply

    return trunk(x, config, dense_and_halved, skip="concat")
