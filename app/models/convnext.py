"""ConvNeXt backbone."""

from __future__ import annotations

from app.arrays import Tensor
from app.models.layers import ConvNextBlock
from app.models.skeleton import block_options, trunk
from app.options import ModelConfig

STEM_KERNEL = 7


def backbone(x: Tensor, config: ModelConfig) -> Tensor:
    """ConvNeXt blocks behind a 7×7 stem, which is added at the end. `(B, h, w, Cin)` to
    `(B, h, w, F)`.
    """
    options = block_options(config)
    return trunk(
        x,
        config,
        lambda f, name: ConvNextBlock(f, name=name, **options),
        skip="add",
        stem_kernel=STEM_KERNEL,
    )
