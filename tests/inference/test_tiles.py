"""Tiles agree with the whole where no cell's context was cut, and join without seams elsewhere."""

import keras
import numpy as np
import pytest

from app.errors import InputError
from app.inference.tiles import TiledModel
from app.models import Channel, LinearGuess, ModelArrays, ModelSpec, PhysicalModel, build_network
from app.options import ModelConfig

SCALE = 2
CELLS = (40, 31)  # coarse
FINE = (CELLS[0] * SCALE, CELLS[1] * SCALE)
PAD = (0, 1, 0, 3)
# Radius of what a fine cell sees, in coarse cells, by hand: stem 1, one residual block 2, trunk 1,
# sub-pixel convolution 1; in fine cells: statics' branch 2, refinement 2 and output 2, less than 4.
RADIUS = 5 * SCALE + 4


def physical(**options: object) -> PhysicalModel:
    keras.utils.set_random_seed(1)
    channel = Channel("t2m", "K")
    spec = ModelSpec(
        (channel,), (channel,), 1, {"scale": SCALE, "pad": list(PAD)}, statics=("orography",)
    )
    mask = np.ones((*FINE, 1), bool)
    mask[5:9, 7:12] = False
    static = np.random.default_rng(2).normal(size=(*FINE, 1))
    one = np.ones(1)
    arrays = ModelArrays(280 * one, 5 * one, 280 * one, 5 * one, mask, static)
    config = ModelConfig(n_filters=4, n_blocks=1, dropout_rate=0, **options)  # type: ignore[arg-type]
    shape = CELLS if config.localcon_layer else (None, None)
    network = build_network(
        config, n_inputs=1, n_static=1, n_outputs=1, scale=SCALE, coarse_shape=shape
    )
    return PhysicalModel(spec, arrays, network)


def batch(n: int = 2) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    coarse = rng.normal(280, 5, (n, *CELLS, 1)).astype("float32")
    return {"coarse": coarse, "time": np.zeros((n, 4), "float32")}


def test_tiles_agree_with_the_whole_at_an_overlap_of_the_receptive_field() -> None:
    model = physical()
    whole = model.predict_fields(batch(), seed=0, members=1)
    overlap = 2 * RADIUS
    tiled = TiledModel(model, 2 * overlap + 8, overlap).predict_fields(batch(), 0, 1)
    assert tiled.shape == whole.shape == (1, 2, FINE[0] - 1, FINE[1] - 3, 1)
    np.testing.assert_array_equal(np.isnan(tiled), np.isnan(whole))
    # 280 K in float32 is known to 3e-5 K; relative to the anomalies' 5 K this is 1e-5
    np.testing.assert_allclose(tiled, whole, atol=1e-4)


def test_a_smaller_overlap_changes_only_what_lies_near_edges() -> None:
    model = physical()
    whole = model.predict_fields(batch(), seed=0, members=1)
    tiled = TiledModel(model, 24, 8).predict_fields(batch(), 0, 1)
    difference = np.abs(tiled - whole)
    assert np.nanmax(difference) > 1e-3
    assert np.nanmax(difference[..., :2, :2, :]) < 1e-4  # the domain's own corner


def test_weights_add_up_to_one_between_neighbours() -> None:
    tiled = TiledModel(physical(), 40, 8)
    windows = list(tiled._windows(CELLS[0]))
    assert windows[0].start == 0
    assert windows[-1].stop == CELLS[0]
    assert len({w.stop - w.start for w in windows}) == 1
    first, second = windows[:2]
    total = np.zeros(FINE[0])
    for window in (first, second):
        total[tiled._fine(window)] += tiled._ramp(window, CELLS[0])
    np.testing.assert_allclose(total[: second.start * SCALE + 20], 1, atol=1e-12)


def test_models_tied_to_their_grid_and_odd_sizes_are_refused() -> None:
    with pytest.raises(InputError, match="belong to grid points"):
        TiledModel(physical(localcon_layer=True), 24, 8)
    with pytest.raises(InputError, match="--tile_overlap=7: expected a multiple of the scale 2"):
        TiledModel(physical(), 24, 7)
    tied = physical()
    tied.first_guess = LinearGuess(CELLS, n_lr=1, n_predictors=0, n_outputs=1, scale=SCALE)
    with pytest.raises(InputError, match="--first_guess=linear or regression"):
        TiledModel(tied, 24, 8)
