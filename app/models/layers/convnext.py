"""ConvNeXt block."""

from __future__ import annotations

from app.arrays import Tensor
from app.models.layers.blocks import Block
from app.models.layers.common import Shape, build_chain, register, run_chain
from app.models.layers.convolutions import depthwise

DEPTHWISE_KERNEL = 7
EXPANSION = 4


@register
class ConvNextBlock(Block):
    """Depthwise 7×7, [norm], 1×1 (4 f), act, [drop], 1×1 (f), [attention], + shortcut.

    The shortcut is a 1×1 convolution where the widths differ.

    Input shape `(B, H, W, Cin)`, output shape `(B, H, W, filters)`.
    Reference: Liu et al. 2022, arXiv:2201.03545.
    """

    def build(self, input_shape: Shape) -> None:
        spread = depthwise(DEPTHWISE_KERNEL, self.dtype_policy, self.padding)
        mix = [self._conv(1, EXPANSION * self.filters), *self._act(), *self._drop(), self._conv(1)]
        self.chain = [spread, *self._norm(int(input_shape[-1] or 0)), *mix, *self._gate()]
        build_chain(self.chain, input_shape)
        self.shortcut = self._shortcut(input_shape)

    def call(self, inputs: Tensor) -> Tensor:
        return run_chain(self.chain, inputs) + run_chain(self.shortcut, inputs)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return (*input_shape[:-1], self.filters)
