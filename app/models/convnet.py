"""Plain convolutional backbone."""

from __future__ import annotations

from app.arrays import Tensor
from app.models.layers import ConvBlock
from app.models.skeleton import block_options, trunk
from app.options import ModelConfig


def backbone(x: Tensor, config: ModelConfig) -> Tensor:
    """Convolutional blocks without any skip. `(B, h, w, Cin)` to `(B, h, w, F)`."""
    options = block_options(config)
    return trunk(x, config, lambda f, name: ConvBlock(f, name=name, **options), skip="none")
