"""Networks and the physical model around them; importing this registers all of it with Keras."""

import app.models.backbones
import app.models.diffusion.uncertain
import app.models.stack
import app.models.temporal  # noqa: F401  their layers, which saved networks consist of
from app.data.times import time_channels
from app.models.build import build_network
from app.models.constraint import BlockConstraint
from app.models.diffusion.model import DiffusionModel
from app.models.diffusion.regression import ModelGuess
from app.models.first_guess import InterpolationGuess, LinearGuess
from app.models.fitted import Drawing, FittedModel
from app.models.noisy import NoisyModel
from app.models.output import FieldOutput, QuantileOutput, output_of
from app.models.physical import PhysicalModel
from app.models.spec import Channel, ModelArrays, ModelSpec

__all__ = [
    "BlockConstraint",
    "Channel",
    "DiffusionModel",
    "Drawing",
    "FieldOutput",
    "FittedModel",
    "InterpolationGuess",
    "LinearGuess",
    "ModelArrays",
    "ModelGuess",
    "ModelSpec",
    "NoisyModel",
    "PhysicalModel",
    "QuantileOutput",
    "build_network",
    "output_of",
    "time_channels",
]
