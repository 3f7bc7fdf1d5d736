"""Residual backbone."""

from __future__ import annotations

from app.arrays import Tensor
from app.models.layers import ResidualBlock
from app.models.skeleton import block_options, trunk
from app.options import ModelConfig


def backbone(x: Tensor, config: ModelConfig) -> Tensor:
    """Residual blocks, the stem added at the end. `(B, h, w, Cin)` to `(B, h, w, F)`."""
    options = block_options(config)
    return trunk(x, config, lambda f, name: ResidualBlock(f, name=name, **options), skip="add")
