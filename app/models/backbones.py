"""The backbones by name, as the registry looks them up."""

from app.models.convnet import backbone as convnet
from app.models.convnext import backbone as convnext
from app.models.deepesd import network as deepesd
from app.models.densenet import backbone as densenet
from app.models.resnet import backbone as resnet
from app.models.swin2sr import conv_baseline, swin2sr
from app.models.unet import backbone as unet

__all__ = [
    "conv_baseline",
    "convnet",
    "convnext",
    "deepesd",
    "densenet",
    "resnet",
    "swin2sr",
    "unet",
]
