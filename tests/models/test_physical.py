"""The physical model: encoding, decoding, prediction, and the file it travels in."""

import json
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy import ndimage

from app.errors import InputError
from app.models import (
    Channel,
    InterpolationGuess,
    LinearGuess,
    ModelArrays,
    ModelSpec,
    PhysicalModel,
    build_network,
)
from app.models.block_means import block_mean
from app.options import ModelConfig

SCALE, COARSE = 4, (5, 6)
FINE = (20, 24)
TEMPERATURE = Channel("t2m", "K", valid_min=180.0, valid_max=340.0)
RAIN = Channel("tp", "mm", transform="log1p", transform_scale=0.5, valid_min=0.0)
WIND = Channel("wind", "m s-1", transform="sqrt", transform_scale=2.0, valid_min=0.0)
LEVELS = (0.1, 0.5, 0.9)
CONFIG = {"n_filters": 4, "n_blocks": 1, "dropout_rate": 0.0}


def make_model(
    *,
    upsampling="spc",
    zero=False,
    guess=None,
    statics=1,
    maps=False,
    dtype=None,
    noise=0.0,
    quantiles=(),
    **options,
) -> PhysicalModel:
    """Temperature, rain and wind to temperature and rain, 4 × 5×6 cells, of which 19×21 count."""
    rng = np.random.default_rng(0)
    lead = (COARSE, FINE) if maps else ((), ())
    spec = ModelSpec(
        inputs=(TEMPERATURE, RAIN, WIND),
        outputs=(TEMPERATURE, RAIN),
        n_lr=2,
        geometry={"scale": SCALE, "pad": [0, 1, 2, 1], "fine": {"lat": [1.0, 2.0]}},
        statics=("z",) * statics,
        domain={"sources": [{"files": ("a.nc", "b.nc"), "select": {}, "lags": (0, -1)}]},
        interpolation="bilinear" if upsampling == "pin" else None,
        input_noise=noise,
        quantiles=quantiles,
    )
    mask = np.ones((*FINE, 2))
    mask[3, 7, 1] = 0
    arrays = ModelArrays(
        input_offset=np.broadcast_to([280.0, 0.6, 1.1], (*lead[0], 3)),
        input_scale=np.broadcast_to([8.0, 0.5, 0.7], (*lead[0], 3)),
        output_offset=np.broadcast_to([281.0, 0.7], (*lead[1], 2)),
        output_scale=np.broadcast_to([9.0, 0.4], (*lead[1], 2)),
        mask=mask,
        static=rng.normal(500, 300, size=(*FINE, statics)),
        static_offset=np.full(statics, 500.0),
        static_scale=np.full(statics, 300.0),
    )
    config = ModelConfig(upsampling=upsampling, **{**CONFIG, **options})
    network = build_network(
        config,
        n_inputs=3,
        n_static=statics,
        n_outputs=2 * max(1, len(quantiles)),
        scale=SCALE,
        zero_output=zero,
        dtype=dtype,
    )
    return PhysicalModel(spec, arrays, network, guess)


def make_batch(size: int = 2) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(1)
    t = rng.normal(280.4, 5, size=(size, *COARSE, 1))
    p = rng.gamma(0.5, 3, size=(size, *COARSE, 1))
    w = rng.gamma(2, 3, size=(size, *COARSE, 1))
    coarse = np.concatenate([t, p, w], axis=-1).astype("float32")
    return {"coarse": coarse, "time": rng.normal(size=(size, 4)).astype("float32")}


def linear_guess() -> LinearGuess:
    rng = np.random.default_rng(2)
    return LinearGuess.from_arrays(
        rng.normal(size=(*COARSE, 2 * 9 + 1 + 5, SCALE**2 * 2), scale=0.01),
        np.ones((*COARSE, 3)),
        n_lr=2,
        scale=SCALE,
        lr_radius=1,
        predictor_radius=0,
        time_channels=(0, 1, 2, 3),
    )


@pytest.mark.parametrize("maps", [False, True])
def test_inputs_are_transformed_and_standardised(maps):
    model, batch = make_model(maps=maps), make_batch()
    batch["coarse"][0, 1, 2, 1] = np.nan
    batch["coarse"][0, 1, 3, 1] = -0.1
    t, p, w = np.moveaxis(batch["coarse"].astype("float64"), -1, 0)
    p = np.log1p(np.maximum(p, 0) / 0.5)
    expected = np.stack([(t - 280) / 8, (p - 0.6) / 0.5, (np.sqrt(w / 2) - 1.1) / 0.7], axis=-1)
    encoded = model.encode_inputs(batch["coarse"])
    assert tuple(encoded["coarse"].shape) == (2, *COARSE, 4)
    np.testing.assert_allclose(encoded["coarse"][..., :3], np.nan_to_num(expected), atol=1e-5)


def test_statics_join_both_inputs():
    model = make_model()
    static = (np.asarray(model.static) - 500) / 300
    encoded = model.encode_inputs(make_batch()["coarse"])
    np.testing.assert_allclose(encoded["static"], static[None], atol=1e-6)
    means = static.reshape(5, 4, 6, 4).mean(axis=(1, 3))
    np.testing.assert_allclose(encoded["coarse"][..., 3], np.stack([means] * 2), atol=1e-6)


def test_block_mean_skips_unknown_cells():
    field = np.array([[1, 2, np.nan, np.nan], [3, np.nan, np.nan, np.nan]], "float32")
    mean = np.asarray(block_mean(field[None, ..., None], 2))[0, 0, :, 0]
    np.testing.assert_array_equal(mean, [2, np.nan])


def test_pin_interpolates_encoded_fields_and_takes_fine_statics():
    model, batch = make_model(upsampling="pin"), make_batch()
    encoded = np.asarray(model.encode_inputs(batch["coarse"])["coarse"])
    temperature = (batch["coarse"][..., 0] - 280) / 8
    zoomed = ndimage.zoom(temperature, (1, 4, 4), order=1, mode="nearest", grid_mode=True)
    np.testing.assert_allclose(encoded[..., 0], zoomed, atol=1e-5)
    np.testing.assert_allclose(encoded[1, ..., 3:], (np.asarray(model.static) - 500) / 300)


@pytest.mark.parametrize("upsampling", ["spc", "pin"])
def test_patches_are_encoded_as_the_whole_field_is(upsampling):
    """Nearest to the corner, where interpolation clamps for patch and field alike."""
    model, batch = make_model(upsampling=upsampling), make_batch()
    whole = model.encode_inputs(batch["coarse"])
    static = np.stack([np.asarray(model.static)[:12, :16]] * 2)
    patch = model.encode_inputs(batch["coarse"][:, :3, :4], static)
    factor = SCALE if upsampling == "pin" else 1
    inner = (slice(None), slice(0, 2 * factor), slice(0, 3 * factor))
    np.testing.assert_allclose(patch["coarse"][inner], whole["coarse"][inner], atol=1e-6)
    assert tuple(patch["static"].shape) == (2, 12, 16, 1)


def test_targets_come_back_from_their_code():
    model = make_model()
    rng = np.random.default_rng(3)
    hr = np.stack([rng.normal(280, 9, (2, *FINE)), rng.gamma(1, 2, (2, *FINE))], axis=-1)
    hr = hr.astype("float32")
    hr[0, 0, 0] = np.nan
    code = np.asarray(model.encode_targets(hr))
    assert np.isnan(code[0, 0, 0]).all()
    np.testing.assert_allclose(
        code[1, ..., 1], (np.log1p(hr[1, ..., 1] / 0.5) - 0.7) / 0.4, rtol=1e-4, atol=1e-5
    )
    np.testing.assert_allclose(model.decode(code), hr, rtol=2e-5, atol=1e-4)


def test_decoded_fields_stay_finite_and_within_their_range():
    y = np.array([-1e6, -5.0, 0.0, 5.0, 1e6], "float32")[None, None, :, None]
    decoded = np.asarray(make_model().decode(np.concatenate([y, y], axis=-1)))
    assert np.isfinite(decoded).all()
    assert decoded[..., 0].min() == 180
    assert decoded[..., 0].max() == 340
    np.testing.assert_array_equal(decoded[0, 0, :2, 1], 0)


def test_gradients_of_transforms_are_finite_everywhere():
    model = make_model()
    coarse = tf.constant([[280.0, -1.0, -1.0], [280.0, 0.0, 0.0], [np.nan, np.nan, np.nan]])
    with tf.GradientTape() as tape:
        tape.watch(coarse)
        total = tf.reduce_sum(model.input_codec.encode(coarse)[:2])
    assert np.isfinite(tape.gradient(total, coarse)).all()


def test_noise_has_its_deviation_on_the_coarse_fields_alone():
    """Of 5×6×3×600 draws the mean is within 5 / sqrt(54000) of 0, the deviation within 2 %."""
    model, batch = make_model(noise=0.3), make_batch(600)
    clean = model.encode_inputs(batch["coarse"])
    noisy = model.encode_inputs(batch["coarse"], noisy=True)
    noise = np.asarray(noisy["coarse"] - clean["coarse"])
    assert abs(noise[..., :3].mean()) < 0.3 * 5 / 54000**0.5
    assert noise[..., :3].std() == pytest.approx(0.3, rel=0.02)
    assert np.abs(np.corrcoef(noise[:300, ..., 0].ravel(), noise[300:, ..., 0].ravel())[0, 1]) < 0.1
    np.testing.assert_array_equal(noise[..., 3], 0)
    np.testing.assert_array_equal(noisy["static"], clean["static"])


def test_noise_differs_from_step_to_step_and_is_off_in_prediction():
    noisy, plain, batch = make_model(noise=0.3), make_model(), make_batch()
    plain.network.set_weights(noisy.network.get_weights())
    steps = [np.asarray(noisy.encode_inputs(batch["coarse"], noisy=True)["coarse"]) for _ in "ab"]
    assert (steps[0][..., :3] != steps[1][..., :3]).all()
    before = np.array(noisy.noise.state)
    assert np.abs(noisy.encoded(batch, training=True) - plain.encoded(batch)).max() > 0
    assert (np.array(noisy.noise.state) != before).any()
    before = np.array(noisy.noise.state)
    np.testing.assert_array_equal(noisy.encoded(batch), plain.encoded(batch))
    np.testing.assert_array_equal(noisy.predict_fields(batch), plain.predict_fields(batch))
    np.testing.assert_array_equal(noisy.noise.state, before)


def test_zero_network_predicts_the_training_mean():
    """decode(0) is 281 K and x0 · (exp(0.7) − 1)."""
    y = np.asarray(make_model(zero=True)(make_batch()))
    np.testing.assert_allclose(y[..., 0], 281, rtol=1e-6)
    np.testing.assert_allclose(y[..., 1], 0.5 * np.expm1(0.7), rtol=1e-5)


@pytest.mark.parametrize("dtype", ["float32", "mixed_bfloat16", "mixed_float16"])
def test_zero_network_predicts_its_first_guess_in_full_precision(dtype):
    guess = InterpolationGuess("bilinear", SCALE, [0, 1])
    model, batch = make_model(zero=True, guess=guess, dtype=dtype), make_batch()
    keras.config.set_dtype_policy(dtype)
    try:
        y = np.asarray(model(batch))
    finally:
        keras.config.set_dtype_policy("float32")
    zoom = (1, SCALE, SCALE, 1)
    expected = ndimage.zoom(batch["coarse"][..., :2], zoom, order=1, mode="nearest", grid_mode=True)
    np.testing.assert_allclose(y, expected, rtol=1e-5, atol=1e-4)


def test_prediction_is_cropped_and_masked():
    model, batch = make_model(), make_batch(3)
    fields = model.predict_fields(batch)
    assert fields.shape == (1, 3, 19, 21, 2)
    assert fields.dtype == np.float32
    whole = np.array(model(batch))
    whole[:, 3, 7, 1] = np.nan
    np.testing.assert_allclose(fields[0], whole[:, :19, 2:23], rtol=1e-5)
    assert np.isnan(fields).sum() == 3


def test_members_follow_the_seed_and_leave_the_model_as_it_was():
    model = make_model(dropout_rate=0.3, dropout_variant="mcdrop")
    batch = make_batch()
    states = [np.array(v) for v in model.network.non_trainable_variables]
    first = model.predict_fields(batch, seed=5, members=3)
    assert len(states) > 1
    for variable, state in zip(model.network.non_trainable_variables, states, strict=True):
        np.testing.assert_array_equal(variable, state)
    np.testing.assert_array_equal(first, model.predict_fields(batch, seed=5, members=3))
    np.testing.assert_array_equal(first[:2], model.predict_fields(batch, seed=5, members=2))
    assert np.nanmax(np.abs(first[0] - first[1])) > 0
    other = model.predict_fields(batch, seed=6, members=1)
    assert np.nanmax(np.abs(first[0] - other[0])) > 0


@pytest.mark.parametrize("variant", ["mcdrop", "mcspatialdrop"])
def test_members_of_a_time_do_not_depend_on_the_batch(variant):
    model = make_model(dropout_rate=0.3, dropout_variant=variant)
    batch = make_batch(4) | {"seconds": np.array([-7200, 0, 3600, 7200])}
    fields = model.predict_fields(batch, seed=5, members=2)
    alone = {name: values[2:3] for name, values in batch.items()}
    np.testing.assert_array_equal(model.predict_fields(alone, 5, 2), fields[:, 2:3])
    turned = {name: values[::-1] for name, values in batch.items()}
    np.testing.assert_array_equal(model.predict_fields(turned, 5, 2), fields[:, ::-1])
    same = {"coarse": batch["coarse"][[0, 0]], "time": batch["time"][[0, 0]]}
    twice = model.predict_fields(same | {"seconds": np.array([0, 3600])}, 5, 1)[0]
    assert np.nanmax(np.abs(twice[0] - twice[1])) > 0


def test_ordinary_dropout_is_off_in_prediction():
    model = make_model(dropout_rate=0.3)
    fields = model.predict_fields(make_batch(), members=2)
    np.testing.assert_array_equal(fields[0], fields[1])


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"upsampling": "pin", "normalization": "bn", "dtype": "mixed_bfloat16"},
        {"maps": True, "statics": 0, "dtype": "mixed_float16"},
        {"guess": "bicubic", "zero": True, "noise": 0.2},
        {"guess": "linear", "dropout_rate": 0.3, "dropout_variant": "mcgaussiandrop"},
        {"guess": "bicubic", "quantiles": LEVELS, "maps": True},
    ],
)
def test_saved_model_predicts_the_same_bits(options, tmp_path):
    guesses = {
        "bicubic": lambda: InterpolationGuess("bicubic", SCALE, [0, 1]),
        "linear": linear_guess,
    }
    guess = options.pop("guess", None)
    model = make_model(**options, guess=guess and guesses[guess]())
    model.save(tmp_path / "model.keras")
    loaded = PhysicalModel.load(tmp_path / "model.keras")
    batch = make_batch()
    members = 1 if options.get("quantiles") else 2
    np.testing.assert_array_equal(
        loaded.predict_fields(batch, seed=3, members=members),
        model.predict_fields(batch, 3, members),
    )
    assert loaded.spec == model.spec
    assert loaded.shapes == model.shapes


@pytest.mark.slow
def test_saved_model_needs_nothing_but_the_package(tmp_path):
    model, batch = make_model(guess=linear_guess()), make_batch()
    model.save(tmp_path / "model.keras")
    np.savez(tmp_path / "batch.npz", **batch)
    script = (
        "import sys, keras, numpy as np, app.models\n"
        "folder = sys.argv[1]\n"
        "model = keras.models.load_model(folder + '/model.keras')\n"
        "batch = dict(np.load(folder + '/batch.npz'))\n"
        "np.save(folder + '/y.npy', model.predict_fields(batch))\n"
    )
    root = Path(__file__).resolve().parents[2]
    subprocess.run([sys.executable, "-c", script, str(tmp_path)], check=True, cwd=root)
    np.testing.assert_array_equal(np.load(tmp_path / "y.npy"), model.predict_fields(batch))


def test_spec_survives_json():
    spec = make_model().spec
    assert ModelSpec.from_dict(json.loads(json.dumps(spec.to_dict()))) == ModelSpec.from_dict(
        spec.to_dict()
    )
    assert spec.pad == (0, 1, 2, 1)


def test_arrays_without_data_are_made_harmless():
    bad = np.array([np.nan, 0.0, 2.0])
    arrays = ModelArrays(bad, bad, bad[:2], bad[:2], np.ones((4, 4, 2)))
    np.testing.assert_array_equal(arrays.input_offset, [0, 0, 2])
    np.testing.assert_array_equal(arrays.input_scale, [1, 1, 2])
    assert arrays.static.shape == (4, 4, 0)


def test_unreadable_models_are_refused_in_one_line(tmp_path):
    model = make_model()
    good = tmp_path / "good.keras"
    model.save(good)
    cut = tmp_path / "cut.keras"
    cut.write_bytes(good.read_bytes()[:-200])
    flipped = tmp_path / "flipped.keras"
    content = bytearray(good.read_bytes())
    content[len(content) // 2 : len(content) // 2 + 2000] = bytes(2000)
    flipped.write_bytes(content)
    other = tmp_path / "other.keras"
    model.network.save(other)
    for path, words in [
        (tmp_path / "none.keras", "no such file"),
        (cut, "cut short"),
        (flipped, "damaged: the checksum of model.weights.h5 in it differs"),
        (other, "expected a finescale PhysicalModel"),
    ]:
        with pytest.raises(InputError, match=words) as caught:
            PhysicalModel.load(path)
        assert "\n" not in str(caught.value)
        assert str(path) in str(caught.value)


def randomised(model: PhysicalModel) -> PhysicalModel:
    """Weights that make the channels of the output cross."""
    keras.utils.set_random_seed(4)
    for weight in model.network.trainable_variables:
        weight.assign(np.random.default_rng(weight.shape[-1]).normal(0, 0.15, weight.shape))
    return model


@pytest.mark.parametrize("maps", [False, True])
def test_quantiles_are_those_of_the_code_through_transform_and_scaling(maps):
    """Each cell's channels, sorted and decoded by NumPy one after the other."""
    guess = InterpolationGuess("bilinear", SCALE, [0, 1])
    model, batch = randomised(make_model(quantiles=LEVELS, guess=guess, maps=maps)), make_batch()
    raw = np.asarray(model.network(model.encode_inputs(batch["coarse"]))).astype("float64")
    raw = raw.reshape(2, *FINE, 2, 3) + np.asarray(model.guess(batch["coarse"], None))[..., None]
    assert (np.diff(raw) < 0).any()
    t, p = np.moveaxis(np.sort(raw), -2, 0)
    t = np.clip(t * 9 + 281, 180, 340)
    p = np.maximum(0.5 * np.expm1(np.maximum(p * 0.4 + 0.7, 0)), 0)
    expected = np.stack([t, p], axis=-1).transpose(3, 0, 1, 2, 4)[:, :, :19, 2:23]
    fields = model.predict_fields(batch)
    assert fields.shape == (3, 2, 19, 21, 2)
    counted = np.isfinite(fields)
    assert (~counted).sum() == 2 * 3
    np.testing.assert_allclose(fields[counted], expected[counted], rtol=1e-4, atol=1e-4)
    assert (np.diff(fields, axis=0)[counted[1:]] >= 0).all()


def test_quantiles_have_no_members():
    with pytest.raises(InputError, match="--members=2: the model predicts 3 quantiles"):
        make_model(quantiles=LEVELS).predict_fields(make_batch(), members=2)
