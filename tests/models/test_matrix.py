"""Every network of the matrix trains, is saved and predicts, on a grid that is odd and not square.

Samples × backbone × upsampling × scale × (statics and predictors, or none). Each plain run takes
a selection of cells in which every pair of options meets; `pytest -m matrix` takes all cells.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import astuple, dataclass
from itertools import combinations, product
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from contract import run_training_contract

from app.models import Channel, ModelArrays, ModelSpec, PhysicalModel, build_network
from app.models.layers import ChannelAttention
from app.options import ModelConfig

FINE = (13, 17)
FRAMES = 3
BATCH = 2
UPSAMPLINGS = ("pin", "spc", "rc", "dc")
UP = 5.0  # bias of the two rectified units of attention
NORMALIZATIONS = (None, "bn", "ln")


@dataclass(frozen=True)
class Cell:
    """One network; `upsampling` is the decoder's for unet, which always takes pin itself."""

    family: tuple[str, str]
    upsampling: str
    scale: int
    extras: bool

    def __str__(self) -> str:
        extras = "extras" if self.extras else "plain"
        return "-".join((*self.family, self.upsampling, f"x{self.scale}", extras))

    def pairs(self) -> set[tuple[object, ...]]:
        """Every two of its options, with their places."""
        return set(combinations(enumerate(astuple(self)), 2))


FAMILIES = [
    *product(["space"], ["convnet", "resnet", "densenet", "convnext", "unet"]),
    *product(["time"], ["convnet", "resnet", "densenet"]),
]
MATRIX = [Cell(*options) for options in product(FAMILIES, UPSAMPLINGS, (2, 3, 4, 5), (True, False))]


def pairwise_selection(cells: list[Cell]) -> list[Cell]:
    """Cells, found greedily, that hold every pair of options which any cell holds."""
    missing = set().union(*(cell.pairs() for cell in cells))
    chosen = []
    while missing:
        best = max(cells, key=lambda cell: len(cell.pairs() & missing))
        chosen.append(best)
        missing -= best.pairs()
    return chosen


SELECTION = pairwise_selection(MATRIX)


@pytest.fixture(autouse=True)
def _eager() -> Iterator[None]:
    """Three steps do not repay compiling."""
    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


def model_of(cell: Cell) -> PhysicalModel:
    """Smooth activations, and attention's rectified units well above 0: none is off for good.

    Normalisation, attention and direction alternate over the matrix.
    """
    number = MATRIX.index(cell)
    samples, backbone = cell.family
    unet = backbone == "unet"
    config = ModelConfig(
        backbone=backbone,
        upsampling="pin" if unet else cell.upsampling,
        decoder_upsampling=cell.upsampling,
        normalization=NORMALIZATIONS[number % len(NORMALIZATIONS)],
        attention=number % 4 == 1,
        localcon_layer=number % 8 >= 6,
        activation="elu",
        n_filters=8,
        n_blocks=1,
        dropout_rate=0.0,
        time_window=FRAMES if samples == "time" else None,
        bidirectional=number % 5 > 0,
    )
    coarse = tuple(-(-cells // cell.scale) for cells in FINE)
    padded = tuple(cells * cell.scale for cells in coarse)
    pad = [0, padded[0] - FINE[0], 0, padded[1] - FINE[1]]
    inputs = tuple(Channel(name, "K") for name in ("t2m", "d2m", "sst")[: 3 if cell.extras else 1])
    statics = ("orography", "mask") if cell.extras else ()
    spec = ModelSpec(
        inputs,
        (Channel("t2m", "K"), Channel("wind", "m s-1"))[: 2 if cell.extras else 1],
        1,
        {"scale": cell.scale, "pad": pad},
        statics=statics,
        interpolation="bilinear" if config.upsampling == "pin" else None,
        time_window=config.time_window,
        bidirectional=config.bidirectional,
    )
    n_in, n_out = len(inputs), len(spec.outputs)
    static = np.random.default_rng(0).normal(size=(*padded, len(statics))) if statics else None
    arrays = ModelArrays(
        np.full(n_in, 280.0),
        np.full(n_in, 5.0),
        np.full(n_out, 280.0),
        np.full(n_out, 5.0),
        np.ones((*padded, n_out), bool),
        static=static,
    )
    network = build_network(
        config,
        n_inputs=n_in,
        n_static=len(statics),
        n_outputs=n_out,
        scale=cell.scale,
        coarse_shape=coarse if config.localcon_layer or unet else (None, None),
    )
    for layer in network._flatten_layers():
        if isinstance(layer, ChannelAttention):
            layer.gate[0].bias.assign(np.full(layer.gate[0].units, UP))
    return PhysicalModel(spec, arrays, network)


def batch_of(cell: Cell, model: PhysicalModel) -> dict[str, np.ndarray]:
    draw = np.random.default_rng(1)
    lead = (BATCH, FRAMES) if cell.family[0] == "time" else (BATCH,)
    coarse = tuple(-(-cells // cell.scale) for cells in FINE)
    fine = tuple(cells * cell.scale for cells in coarse)
    shapes = {
        "coarse": (*lead, *coarse, len(model.spec.inputs)),
        "hr": (*lead, *fine, len(model.spec.outputs)),
    }
    fields = {name: draw.normal(280, 5, shape).astype("float32") for name, shape in shapes.items()}
    fields["hr"][..., FINE[0] :, :, :] = np.nan
    fields["hr"][..., FINE[1] :, :] = np.nan
    time = np.zeros((*lead, 8), "float32")
    return {**fields, "time": time, "weight": np.ones(BATCH, "float32")}


def run_cell(cell: Cell, folder: Path) -> None:
    keras.utils.set_random_seed(1)
    model = model_of(cell)
    lead = (FRAMES,) if cell.family[0] == "time" else ()
    expected = (*lead, *FINE, len(model.spec.outputs))
    run_training_contract(model, batch_of(cell, model), expected, folder / "model.keras")


@pytest.mark.parametrize("cell", SELECTION, ids=str)
def test_pairwise_selection(cell: Cell, tmp_path: Path) -> None:
    run_cell(cell, tmp_path)


@pytest.mark.slow
@pytest.mark.matrix
@pytest.mark.parametrize("cell", MATRIX, ids=str)
def test_every_cell(cell: Cell, tmp_path: Path) -> None:
    run_cell(cell, tmp_path)


def test_selection_holds_every_pair_and_is_small() -> None:
    """8 families × 4 upsamplings need 32 cells at least."""
    everything = set().union(*(cell.pairs() for cell in MATRIX))
    assert everything == set().union(*(cell.pairs() for cell in SELECTION))
    by_hand = 8 * 4 + 8 * 4 + 8 * 2 + 4 * 4 + 4 * 2 + 4 * 2
    assert len(everything) == by_hand
    assert 32 <= len(SELECTION) <= 40
    assert len(MATRIX) == 8 * 4 * 4 * 2
