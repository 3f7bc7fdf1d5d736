"""The hard constraint: by hand, against the grid's own coarsening, and within the model."""

from dataclasses import replace

import keras
import numpy as np
import pytest
import tensorflow as tf
from contract import run_layer_test

from app.grids import Geometry, Grid
from app.models import (
    BlockConstraint,
    Channel,
    ModelArrays,
    ModelSpec,
    PhysicalModel,
    build_network,
)
from app.models.constraint import KINDS
from app.options import ModelConfig
from app.registry import REGISTRY

SCALE = 4
LARGEST_VIOLATION = 1e-4  # of the coarse field's standard deviation
TEMPERATURE = Channel("t2m", "K", valid_min=180.0, valid_max=340.0)
RAIN = Channel("tp", "mm", transform="log1p", transform_scale=0.5, valid_min=0.0)
WIND = Channel("wind", "m s-1", transform="sqrt", transform_scale=2.0, valid_min=0.0)
OFFSETS = {"t2m": 281.0, "tp": 0.7, "wind": 1.1}
SPREADS = {"t2m": 9.0, "tp": 0.4, "wind": 0.7}


def one_block(kind, y, x, z=None, areas=(1, 1, 1, 1), mask=(1, 1, 1, 1)):
    """Four cells of one coarse cell, constrained."""
    layer = BlockConstraint(kind, 2, [0], (2, 2, 1))
    layer.fit(np.reshape(areas, (2, 2)), np.reshape(mask, (2, 2, 1)))
    shape = (1, 2, 2, 1)
    fine = np.reshape(y, shape).astype("float32")
    encoded = np.reshape(y if z is None else z, shape).astype("float32")
    coarse = np.full((1, 1, 1, 1), x, "float32")
    return np.asarray(layer({"fine": fine, "encoded": encoded, "coarse": coarse})).ravel()


@pytest.mark.parametrize(
    ("kind", "y", "x", "expected"),
    [
        # areas 1, 1, 2, 4: mean of 1, 2, 3, 4 is 25/8
        ("additive", [1, 2, 3, 4], 4.0, [1.875, 2.875, 3.875, 4.875]),
        ("multiplicative", [1, 2, 3, 4], 6.25, [2, 4, 6, 8]),
        ("multiplicative", [-5, 0, 1, 0], 1.0, [0, 0, 4, 0]),
        ("multiplicative", [0, 0, 0, 0], 3.0, [3, 3, 3, 3]),
        ("multiplicative", [1, 2, 3, 4], 0.0, [0, 0, 0, 0]),
        ("multiplicative", [1, 2, 3, 4], -0.1, [0, 0, 0, 0]),
        # exp: 1, 2, 4, 8; weighted sum 43, so that the factor is 8·x/43
        ("softmax", np.log([1, 2, 4, 8]), 43.0, [8, 16, 32, 64]),
        ("softmax", [1e4, -1e4, -1e4, -1e4], 1.0, [8, 0, 0, 0]),
        ("softmax", [1, 2, 3, 4], -0.1, [0, 0, 0, 0]),
        *((kind, [1, 2, 3, 4], np.nan, [1, 2, 3, 4]) for kind in KINDS),
    ],
)
def test_blocks_by_hand(kind, y, x, expected):
    held = one_block(kind, y, x, areas=(1, 1, 2, 4))
    np.testing.assert_allclose(held, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_cells_outside_the_mask_neither_count_nor_change(kind):
    """Two cells of equal area are left: one block mean of 5 between them."""
    held = one_block(kind, [2, 6, 99, 1e30], 5.0, mask=(1, 1, 0, 0))
    assert held[:2].mean() == pytest.approx(5, rel=1e-6)
    np.testing.assert_array_equal(held[2:], np.array([99, 1e30], "float32"))
    untouched = one_block(kind, [2, 6, 7, 8], 5.0, mask=(0, 0, 0, 0))
    np.testing.assert_array_equal(untouched, [2, 6, 7, 8])


def test_unknown_kinds_are_refused():
    with pytest.raises(ValueError, match="additive, multiplicative, softmax, received 'none'"):
        BlockConstraint("none", 2, [0], (2, 2, 1))


def test_flag_and_layer_know_the_same_kinds():
    assert REGISTRY.names("constraint") == ("none", *KINDS)


@pytest.mark.parametrize("kind", KINDS)
def test_layer_keeps_the_contract(kind, tmp_path):
    def make():
        layer = BlockConstraint(kind, 3, [2, 0], (6, 9, 2))
        layer.fit(np.arange(1.0, 55).reshape(6, 9), np.ones((6, 9, 2)))
        return layer

    shapes = {"fine": (2, 6, 9, 2), "encoded": (2, 6, 9, 2), "coarse": (2, 2, 3, 3)}
    run_layer_test(make, shapes, (2, 6, 9, 2), tmp_path)


def geometry(halo=0):
    """13×18 cells of 2.5° up to 71° north, where areas differ: padded to 16×20."""
    fine = Grid(lat=41 + 2.5 * np.arange(13), lon=-10 + 2.5 * np.arange(18))
    return Geometry.build(fine, SCALE, halo)


def truth(channels, size=2, seed=0):
    """Fields (size, 13, 18, C) with a hole, in which one coarse cell lies as a whole."""
    rng = np.random.default_rng(seed)
    draw = {
        "t2m": lambda shape: rng.normal(280, 5, shape),
        "tp": lambda shape: rng.gamma(0.2, 5, shape) * (rng.random(shape) > 0.5),
        "wind": lambda shape: rng.gamma(2, 3, shape),
    }
    fields = np.stack([draw[c.name]((size, 13, 18)) for c in channels], axis=-1)
    fields[:, :5, :6, 0] = np.nan
    fields[:, 9, 11, -1] = np.nan
    fields[0, 4:8, 8:12] = np.where(np.arange(len(channels)) > 0, 0.0, 280.0)  # dry
    return fields.astype("float32")


def coarsened(grid, fields):
    return np.moveaxis(grid.coarsen(np.moveaxis(fields, -1, 1)), 1, -1)


def make_model(kind, channels, grid, *, upsampling="spc", dtype=None, size=4.0):
    """An untrained network with weights large enough that constraints have work to do."""
    keras.utils.set_random_seed(1)
    offset = np.array([OFFSETS[c.name] for c in channels])
    spread = np.array([SPREADS[c.name] for c in channels])
    seen = np.isfinite(truth(channels)).any(axis=0).astype("float32")
    arrays = ModelArrays(
        offset,
        spread,
        offset,
        spread,
        grid.pad_field(seen, fill=0.0, axes=(0, 1)) > 0,
        static=np.random.default_rng(2).normal(size=(*grid.padded_shape, 1)),
        areas=grid.weights(),
    )
    n = len(channels)
    spec = ModelSpec(
        channels,
        channels,
        n,
        {**grid.to_dict(), "pad": grid.pad},
        statics=("z",),
        interpolation="bilinear" if upsampling == "pin" else None,
        constraint=kind,
        twins=tuple(range(n)),
    )
    config = ModelConfig(n_filters=4, n_blocks=1, dropout_rate=0, upsampling=upsampling)
    network = build_network(config, n_inputs=n, n_static=1, n_outputs=n, scale=SCALE, dtype=dtype)
    last = network.get_layer("output").trainable_weights[-2]
    last.assign(last * size)
    return PhysicalModel(spec, arrays, network)


def batch_of(coarse):
    return {"coarse": coarse, "time": np.zeros((len(coarse), 4), "float32")}


def violation(grid, predicted, coarse):
    """Largest deviation of block means, in standard deviations of the coarse field."""
    means = coarsened(grid, predicted)
    inside = slice(grid.halo, -grid.halo or None)
    error = (means - coarse)[:, inside, inside]
    assert np.isfinite(error).mean() > 0.8
    return np.nanmax(np.abs(error), axis=(0, 1, 2)) / np.nanstd(coarse, axis=(0, 1, 2))


CASES = [
    *(("additive", (TEMPERATURE, RAIN, WIND), dtype) for dtype in ("float32", "mixed_bfloat16")),
    ("additive", (TEMPERATURE,), "mixed_float16"),
    ("multiplicative", (WIND, RAIN), "float32"),
    ("multiplicative", (WIND, RAIN), "mixed_float16"),
    ("softmax", (WIND, RAIN), "float32"),
    ("softmax", (WIND, RAIN), "mixed_bfloat16"),
]


@pytest.mark.parametrize("halo", [0, 1])
@pytest.mark.parametrize(("kind", "channels", "dtype"), CASES)
def test_predicted_fields_coarsen_to_their_input(kind, channels, dtype, halo):
    grid = geometry(halo)
    coarse = coarsened(grid, truth(channels))
    free = make_model("none", channels, grid, dtype=dtype).predict_fields(batch_of(coarse))[0]
    model = make_model(kind, channels, grid, dtype=dtype)
    held = model.predict_fields(batch_of(coarse))[0]
    assert (violation(grid, free, coarse) > 0.1).all()
    assert (violation(grid, held, coarse) < LARGEST_VIOLATION).all()
    np.testing.assert_array_equal(np.isnan(held), np.isnan(free))
    if kind != "additive":
        assert np.nanmin(held) >= 0
        assert np.nanmax(held[0, 4:8, 8:12, 1]) == 0  # a dry coarse cell


def test_the_mean_wins_over_the_valid_range():
    """Additive, behind clipping to 0: block means hold, though cells may leave the range."""
    grid, channels = geometry(), (WIND, RAIN)
    coarse = coarsened(grid, truth(channels))
    held = make_model("additive", channels, grid).predict_fields(batch_of(coarse))[0]
    assert (violation(grid, held, coarse) < LARGEST_VIOLATION).all()
    assert np.nanmin(held) < 0


@pytest.mark.parametrize("kind", KINDS)
def test_blocks_without_coarse_value_are_left_alone(kind):
    grid, channels = geometry(), (WIND, RAIN)
    coarse = coarsened(grid, truth(channels))
    coarse[1, 2, 3] = np.nan
    free, held = (
        make_model(k, channels, grid).predict_fields(batch_of(coarse))[0] for k in ("none", kind)
    )
    block = (1, slice(8, 12), slice(12, 16))
    np.testing.assert_array_equal(held[block], free[block])
    assert np.nanmax(np.abs(held - free)) > 0


@pytest.mark.parametrize("upsampling", ["spc", "pin"])
@pytest.mark.parametrize("kind", KINDS)
def test_patches_are_held_to_their_own_means(kind, upsampling):
    """Areas and mask of each patch are cut out of the whole field's, sample by sample."""
    grid, channels = geometry(), (WIND, RAIN)
    coarse = coarsened(grid, truth(channels))
    model = make_model(kind, channels, grid, upsampling=upsampling)
    origin = np.array([[1, 2], [0, 0]], "int32")
    cut = np.stack([c[y : y + 3, x : x + 2] for c, (y, x) in zip(coarse, origin, strict=True)])
    batch = {**batch_of(cut), "origin": origin, "static": np.zeros((2, 12, 8, 1), "float32")}
    code = np.asarray(model.encoded(batch))
    patches = np.asarray(model.constrain(batch, model.unconstrained(batch)))
    np.testing.assert_allclose(code, model.encode_targets(patches), atol=1e-5)
    for patch, part, corner in zip(patches, cut, origin, strict=True):
        top, left = corner * SCALE
        rows, columns = slice(top, top + 12), slice(left, left + 8)
        weights = grid.weights()[rows, columns, None] * np.asarray(model.mask)[rows, columns]
        weights = weights.reshape(3, SCALE, 2, SCALE, 2)
        total = weights.sum(axis=(1, 3))
        means = (patch.reshape(weights.shape) * weights).sum(axis=(1, 3)) / np.maximum(total, 1e-9)
        known = (total > 0) & np.isfinite(part)
        np.testing.assert_allclose(means[known], part[known], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("size", [0.0, 1.0, 1e4])
def test_gradients_are_finite_everywhere(kind, size):
    """Dry and missing cells, fields clipped throughout, codes far beyond any sense."""
    grid, channels = geometry(), (WIND, RAIN)
    fields = truth(channels)
    coarse = coarsened(grid, fields)
    coarse[1, 1, 1] = np.nan
    model = make_model(kind, channels, grid, size=size)
    target = model.encode_targets(grid.pad_field(fields, axes=(1, 2)))
    with tf.GradientTape() as tape:
        code = model.encoded(batch_of(coarse), training=True)
        loss = tf.reduce_mean(tf.abs(tf.where(tf.math.is_nan(target), 0.0, code - target)))
    gradients = tape.gradient(loss, [weight.value for weight in model.trainable_variables])
    assert np.isfinite(loss)
    assert all(np.isfinite(part).all() for part in gradients)
    assert size != 1 or all(np.abs(part).max() > 0 for part in gradients)


def test_loss_sees_what_is_written():
    grid, channels = geometry(), (WIND, RAIN)
    coarse = coarsened(grid, truth(channels))
    model = make_model("softmax", channels, grid)
    written = np.asarray(model(batch_of(coarse)))
    np.testing.assert_allclose(
        model.encoded(batch_of(coarse)), model.encode_targets(written), atol=1e-5
    )


@pytest.mark.parametrize("kind", KINDS)
def test_saved_model_carries_its_constraint(kind, tmp_path):
    grid, channels = geometry(), (WIND, RAIN)
    coarse = coarsened(grid, truth(channels))
    model = make_model(kind, channels, grid)
    model.save(tmp_path / "model.keras")
    loaded = PhysicalModel.load(tmp_path / "model.keras")
    assert loaded.spec == model.spec
    assert loaded.spec.constraint == kind
    np.testing.assert_array_equal(
        loaded.predict_fields(batch_of(coarse)), model.predict_fields(batch_of(coarse))
    )


def test_softplus_keeps_fields_above_their_lower_bounds():
    """log(1 + exp) of the distance to the bound's code: at the bound itself log 2."""
    grid, channels = geometry(), (TEMPERATURE, RAIN)
    model = make_model("none", channels, grid, size=1e3)
    model.spec = replace(model.spec, lower_bounds=(270.0, 0.0))
    coarse = coarsened(grid, truth(channels))
    y = np.asarray(model(batch_of(coarse)))
    assert y[..., 0].min() >= 270
    assert y[..., 1].min() >= 0
    last = model.network.get_layer("output").trainable_weights
    for weight in last:
        weight.assign(weight * 0)
    last[-1].assign([(270 - 281) / 9, -0.7 / 0.4])
    code = np.asarray(model.encoded(batch_of(coarse)))
    np.testing.assert_allclose(code[..., 0], (270 - 281) / 9 + np.log(2), rtol=1e-5)
    np.testing.assert_allclose(code[..., 1], -0.7 / 0.4 + np.log(2), rtol=1e-5)
