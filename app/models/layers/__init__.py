"""The layers the networks are put together from; importing them registers them with Keras."""

from app.models.layers.attention import ChannelAttention
from app.models.layers.blocks import ConvBlock, ResidualBlock
from app.models.layers.common import CReLU
from app.models.layers.convnext import ConvNextBlock
from app.models.layers.dense import DenseBlock, TransitionBlock
from app.models.layers.dropout import McDropout, McGaussianDropout, McSpatialDropout
from app.models.layers.frames import FoldFrames, UnfoldFrames
from app.models.layers.local import LocalizedConvBlock, LocallyConnected1x1
from app.models.layers.recurrent import ConvLSTM, RecurrentBlock
from app.models.layers.resize import Resize
from app.models.layers.upsampling import (
    DepthToSpace,
    ResizeUpsampling,
    SubpixelUpsampling,
    TransposedUpsampling,
)

__all__ = [
    "CReLU",
    "ChannelAttention",
    "ConvBlock",
    "ConvLSTM",
    "ConvNextBlock",
    "DenseBlock",
    "DepthToSpace",
    "FoldFrames",
    "LocalizedConvBlock",
    "LocallyConnected1x1",
    "McDropout",
    "McGaussianDropout",
    "McSpatialDropout",
    "RecurrentBlock",
    "ResidualBlock",
    "Resize",
    "ResizeUpsampling",
    "SubpixelUpsampling",
    "TransitionBlock",
    "TransposedUpsampling",
    "UnfoldFrames",
]
