"""What networks see in the place of missing values."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest
from scipy.ndimage import uniform_filter

from app.models import (
    Channel,
    InterpolationGuess,
    ModelArrays,
    ModelSpec,
    PhysicalModel,
    build_network,
)
from app.models.layers.convolutions import EDGE
from app.models.layers.gaps import MEAN, NEAR, filled
from app.models.saving import save_model
from app.options import ModelConfig

RNG = np.random.default_rng(2)


def test_mean_is_zero_and_near_leaves_the_known_cells_as_they_are() -> None:
    field = RNG.normal(size=(2, 3, 5, 6, 2)).astype("float32")  # windows of frames
    np.testing.assert_array_equal(filled(field, NEAR), field)
    lost = RNG.random(field.shape) < 0.4
    gappy = np.where(lost, np.float32(np.nan), field)
    np.testing.assert_array_equal(filled(gappy, MEAN), np.where(lost, 0, field))
    near = np.asarray(filled(gappy, NEAR))
    assert np.isfinite(near).all()
    np.testing.assert_array_equal(near[~lost], field[~lost])


def test_the_nearest_known_cells_are_averaged() -> None:
    """By hand: two columns of the sea take the mean of the coast's rows within reach."""
    field = np.full((1, 3, 3, 1), np.nan, "float32")
    field[0, :, 0, 0] = [1, 3, 8]
    near = np.asarray(filled(field, NEAR))[0, ..., 0]
    first = [2, 4, 5.5]
    np.testing.assert_allclose(near[:, 1], first, rtol=1e-6)
    np.testing.assert_allclose(near[:, 2], np.mean([1, 3, 8, *first]), rtol=1e-6)


def test_the_first_ring_agrees_with_scipy() -> None:
    field = RNG.normal(size=(12, 15)).astype("float32")
    field[RNG.random(field.shape) < 0.3] = np.nan
    known = np.isfinite(field)
    options = {"size": 3, "mode": "constant"}
    total, count = (
        uniform_filter(x.astype(float), **options) for x in (np.nan_to_num(field), known)
    )
    wanted = np.where(known, field, total / np.maximum(count, 1e-9))
    within = count > 1e-9
    near = np.asarray(filled(field[None, ..., None], NEAR))[0, ..., 0]
    np.testing.assert_allclose(near[within], wanted[within], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("cells", [15, 40])
def test_a_constant_field_goes_on_over_fifteen_cells(cells: int) -> None:
    field = np.full((1, 1, cells + 1, 1), np.nan, "float32")
    field[:, :, 0] = 2.5
    near = np.asarray(filled(field, NEAR)).ravel()
    np.testing.assert_allclose(near[:16], 2.5, rtol=1e-6)
    np.testing.assert_array_equal(near[16:], 0)


def test_a_field_without_any_value_is_zero() -> None:
    assert not np.asarray(filled(np.full((2, 4, 4, 3), np.nan, "float32"), NEAR)).any()


def model_of(gaps: str, upsampling: str) -> PhysicalModel:
    """2 × 8×8 cells with orography, of which the last two fine rows lie outside of the grid."""
    keras.utils.set_random_seed(4)
    channel = Channel("t2m", "K")
    spec = ModelSpec(
        (channel,),
        (channel,),
        1,
        {"scale": 2, "pad": [0, 2, 0, 0]},
        ("orography",),
        interpolation="bilinear" if upsampling == "pin" else None,
        gaps=gaps,
    )
    static = np.full((16, 16, 1), 1.3)
    static[-2:] = np.nan
    one = np.ones(1)
    arrays = ModelArrays(280 * one, 5 * one, 280 * one, 5 * one, np.ones((16, 16, 1)), static)
    config = ModelConfig(upsampling=upsampling, padding=EDGE, n_filters=4, n_blocks=1)
    network = build_network(config, n_inputs=1, n_static=1, n_outputs=1, scale=2)
    return PhysicalModel(spec, arrays, network, InterpolationGuess("bicubic", 2, [0]))


@pytest.mark.parametrize("upsampling", ["spc", "pin"])
def test_no_cell_of_a_model_knows_where_inputs_are_missing(upsampling: str, tmp_path: Path) -> None:
    """Warm cells everywhere, but for a sea without any: with the mean the coast is a cliff."""
    warm = np.full((1, 8, 8, 1), 291.0, "float32")
    coarse = warm.copy()
    coarse[:, 2:5, 3:] = np.nan
    time = np.zeros((1, 8), "float32")
    found = {}
    for gaps in (MEAN, NEAR):
        model = model_of(gaps, upsampling)
        found[gaps] = model.predict_fields({"coarse": coarse, "time": time})[0]
        save_model(model, tmp_path / "model.keras")
        again = PhysicalModel.load(tmp_path / "model.keras")
        np.testing.assert_array_equal(
            again.predict_fields({"coarse": coarse, "time": time})[0], found[gaps]
        )
    np.testing.assert_allclose(found[NEAR], found[NEAR][0, 0, 0, 0], atol=1e-3)
    assert np.ptp(found[MEAN]) > 0.1


def test_models_saved_before_there_was_a_choice_see_the_mean() -> None:
    spec = model_of(NEAR, "spc").spec
    stored = {name: value for name, value in spec.to_dict().items() if name != "gaps"}
    assert ModelSpec.from_dict(stored).gaps == MEAN
    assert ModelSpec.from_dict(spec.to_dict()).gaps == NEAR
    assert ModelConfig().gaps == MEAN
    assert ModelConfig(padding=EDGE).gaps == NEAR
