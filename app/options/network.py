"""Which network."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from app.options.bounds import BELOW_ONE, WIDTH, Bounds
from app.options.option import Options, option, registered
from app.options.rules import Rule
from app.options.sampling import FrameOptions

SPATIAL_ONLY = ("unet", "convnext", "swin2sr", "conv_baseline", "deepesd")
FITTED_GUESSES = ("linear", "regression")  # first guesses that are fitted, cell by cell
PLAIN_BLOCKS = ("swin2sr", "conv_baseline")  # these have their own normalisation, or none
DENSE = "deepesd"  # whose last layer leads from every coarse cell to every fine one
DEEPESD_FILTERS = (50, 25, 10)


@dataclass(frozen=True)
class NetworkOptions(Options):
    """The network."""

    backbone: str = registered("resnet", "Backbone of the network.", common=True)
    upsampling: str = registered("spc", "How and where the grid is refined.", common=True)
    decoder_upsampling: str = registered(
        "rc", "Upsampling in the decoder of unet.", registry="upsampling"
    )
    first_guess: str = registered("none", "Field that the network corrects.", common=True)
    first_guess_radius: int = option(
        1,
        "Coarse cells around its own that the linear first guess sees; one less of predictors.",
        bounds=Bounds(1, 16),
    )
    scaled_correction: bool = option(
        False,
        "With a first guess: multiply the network's correction by what the validation period "
        "supports, from 0 to 1.",
    )
    constraint: str = registered(
        "none", "How block means of the output are brought to the coarse field."
    )
    time_features: tuple[str, ...] = registered(
        (), "What the network and a linear first guess know of the time; several with commas."
    )
    coordinate_channels: bool = option(
        False, "Latitude and longitude of the cells as static fields."
    )
    observations: str | None = option(
        None, "NetCDF file of stations whose values the network is told, each in its nearest cell."
    )
    n_filters: int = option(8, "Filters of the first block.", bounds=Bounds(1, WIDTH), common=True)
    n_blocks: int = option(6, "Blocks of the backbone.", bounds=Bounds(1, 1000), common=True)
    wide_head: bool = option(
        False,
        "Keep the width of the last block through the upsampling, as DL4DS does, where blocks grow "
        "(convnet, resnet, densenet, convnext); equal steps of spc then share their weights. "
        "--recipe=dl4ds and data of --data_module do so unless told otherwise.",
    )
    bidirectional: bool = option(
        True, "With --time_window: recurrent layers run both ways, so that frames see later ones."
    )
    normalization: str | None = registered(None, "Normalisation within blocks.")
    activation: str = registered("relu", "Activation within blocks.")
    output_activation: str | None = registered(
        None, "Activation of the last layer.", registry="activation"
    )
    attention: bool = option(False, "Channel attention at the end of each block.")
    localcon_layer: bool = option(False, "Localized convolutional block; ties the net to its grid.")
    padding: str = option(
        "zero",
        "What convolutions see beyond the edge, and inputs where they are missing: zeros (the "
        "training mean), or the nearest cells of the field.",
        choices=("zero", "edge"),
    )
    dropout_variant: str = registered("vanilla", "What dropout drops.")
    dropout_rate: float = option(0.2, "Share dropped; 0 for none.", bounds=BELOW_ONE)
    rc_interpolation: str = registered(
        "bilinear", "Interpolation of resize convolution.", registry="interpolation"
    )


@dataclass(frozen=True)
class ModelConfig(NetworkOptions, FrameOptions):
    """The network, and what it is given."""

    rules: ClassVar[tuple[Rule[ModelConfig], ...]] = (
        Rule(
            lambda m: m.time_window is not None and m.backbone in SPATIAL_ONLY,
            "--backbone={backbone} with --time_window={time_window}: this backbone takes spatial "
            "samples only; expected convnet, resnet or densenet",
        ),
        Rule(
            lambda m: m.backbone == "unet" and m.upsampling != "pin",
            "--backbone=unet with --upsampling={upsampling}: unet works on the fine grid and needs "
            "--upsampling=pin",
        ),
        Rule(
            lambda m: m.backbone == DENSE and (m.upsampling == "pin" or m.localcon_layer),
            "--backbone=deepesd with --upsampling={upsampling}, --localcon_layer={localcon_layer}: "
            "this backbone leads from the coarse grid to every cell by itself; expected spc, and "
            "no localized block",
        ),
        Rule(
            lambda m: m.backbone in (*PLAIN_BLOCKS, DENSE) and m.attention,
            "--backbone={backbone} with --attention: the blocks of this backbone are fixed; leave "
            "it out",
        ),
        Rule(
            lambda m: m.backbone in (*PLAIN_BLOCKS, DENSE) and m.normalization,
            "--backbone={backbone} with --normalization={normalization}: the blocks of this "
            "backbone are fixed; leave it out",
        ),
        Rule(
            lambda m: m.output_activation == "crelu",
            "--output_activation=crelu doubles the output channels; expected one of elu, relu, "
            "gelu, leaky_relu, selu, softplus or none",
        ),
        Rule(
            lambda m: m.scaled_correction and m.first_guess == "none",
            "--scaled_correction with --first_guess=none: there is nothing that is corrected; "
            "expected a first guess",
        ),
        Rule(
            lambda m: m.output_activation is not None and m.first_guess != "none",
            "--output_activation={output_activation} with --first_guess={first_guess}: the "
            "network's output is a correction, of either sign; leave one of them out",
        ),
    )

    @property
    def one_grid(self) -> bool:
        """Whether weights belong to cells, so that the network is made for one grid."""
        return self.localcon_layer or self.backbone == DENSE

    def dense_weights(self, coarse: int, values: int) -> int:
        """Weights that lead from all coarse cells to all fine values; 0 as a rule."""
        return (DEEPESD_FILTERS[-1] * coarse + 1) * values if self.backbone == DENSE else 0

    @property
    def gaps(self) -> str:
        """What networks see in the place of missing inputs: "mean", or "near" values."""
        return "near" if self.padding == "edge" else "mean"
