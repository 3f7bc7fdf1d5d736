"""The physical model on windows: frame by frame what the spatial one does, but for the network."""

from pathlib import Path

import keras
import numpy as np
import pytest

from app.inference.tiles import TiledModel
from app.models import (
    Channel,
    InterpolationGuess,
    LinearGuess,
    ModelArrays,
    ModelSpec,
    PhysicalModel,
    build_network,
)
from app.models.layers.frames import fold
from app.options import ModelConfig

SCALE, COARSE, T, B = 2, (5, 4), 3, 2
FINE = (10, 8)
PAD = (0, 1, 1, 0)


def make_model(
    frames: int | None = T,
    *,
    guess: keras.layers.Layer | None = None,
    constraint: str = "none",
    quantiles: tuple[float, ...] = (),
    features: tuple[str, ...] = (),
    coarse: tuple[int, int] = COARSE,
    **options,
) -> PhysicalModel:
    """Temperature and rain, with one static field; random scaling that differs by channel."""
    keras.utils.set_random_seed(1)
    fine = tuple(SCALE * cells for cells in coarse)
    config = ModelConfig(
        **{"n_filters": 4, "n_blocks": 1, "dropout_rate": 0.0, "time_window": frames, **options}
    )
    channels = (Channel("t2m", "K"), Channel("tp", "mm", transform="sqrt", valid_min=0.0))
    spec = ModelSpec(
        channels,
        channels,
        2,
        {"scale": SCALE, "pad": list(PAD)},
        statics=("z",),
        interpolation="bicubic" if config.upsampling == "pin" else None,
        time_features=features,
        constraint=constraint,
        twins=(0, 1) if constraint != "none" else (),
        time_window=frames,
        quantiles=quantiles,
    )
    mask = np.ones((*fine, 2), bool)
    mask[2, 3, 1] = False
    static = np.random.default_rng(5).normal(size=(*fine, 1))
    arrays = ModelArrays(
        np.array([280.0, 1.0]),
        np.array([8.0, 0.5]),
        np.array([281.0, 1.2]),
        np.array([9.0, 0.4]),
        mask,
        static,
        areas=np.linspace(1, 2, fine[0])[:, None] * np.ones(fine[1]),
    )
    network = build_network(
        config,
        n_inputs=2 + len(spec.time_channels),
        n_static=1,
        n_outputs=2 * max(1, len(quantiles)),
        scale=SCALE,
        zero_output=guess is not None,
    )
    return PhysicalModel(spec, arrays, network, guess)


def make_batch(coarse: tuple[int, int] = COARSE) -> dict[str, np.ndarray]:
    draw = np.random.default_rng(0)
    shape = (B, T, *coarse)
    fields = np.stack([draw.normal(280, 8, shape), draw.gamma(1, 2, shape)], axis=-1)
    fields[0, 1, 2, 2, 0] = np.nan
    return {
        "coarse": fields.astype("float32"),
        "time": draw.normal(size=(B, T, 8)).astype("float32"),
    }


def folded(batch: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The same frames as samples of their own."""
    return {name: values.reshape(-1, *values.shape[2:]) for name, values in batch.items()}


@pytest.mark.parametrize("upsampling", ["spc", "pin"])
def test_inputs_are_those_of_single_frames_without_statics(upsampling: str) -> None:
    """Statics come by the auxiliary branch alone; time features are each frame's own."""
    batch, options = make_batch(), {"features": ("hour",), "upsampling": upsampling}
    whole = make_model(**options).encode_inputs(batch["coarse"], time=batch["time"])
    frames = folded(batch)
    single = make_model(None, **options).encode_inputs(frames["coarse"], time=frames["time"])
    assert whole["coarse"].shape[-1] == 2 + 2
    np.testing.assert_allclose(fold(whole["coarse"]), single["coarse"][..., :4], atol=1e-6)
    np.testing.assert_array_equal(whole["static"], single["static"])


def test_condition_is_that_of_single_frames_with_statics() -> None:
    batch = make_batch()
    ours = make_model(features=("hour", "day_of_year")).condition(batch)
    theirs = make_model(None, features=("hour", "day_of_year")).condition(folded(batch))
    assert ours.shape[-1] == 2 + 4 + 1
    np.testing.assert_allclose(ours, theirs, atol=1e-6)


def linear_guess() -> LinearGuess:
    draw = np.random.default_rng(2)
    return LinearGuess.from_arrays(
        draw.normal(size=(*COARSE, 2 * 9 + 2 + 1, SCALE**2 * 2), scale=0.1),
        np.zeros((*COARSE, 2)),
        n_lr=2,
        scale=SCALE,
        lr_radius=1,
        predictor_radius=0,
        time_channels=(0, 1),
    )


@pytest.mark.parametrize(
    "guess", [lambda: InterpolationGuess("bicubic", SCALE, [0, 1]), linear_guess]
)
def test_network_of_zeros_predicts_the_first_guess_of_each_frame(guess) -> None:
    batch = make_batch()
    ours = make_model(guess=guess())(batch)
    theirs = make_model(None, guess=guess())(folded(batch))
    assert tuple(ours.shape) == (B, T, *FINE, 2)
    np.testing.assert_allclose(fold(ours), theirs, rtol=1e-5)


def test_quantiles_of_frames_stand_in_the_place_of_members() -> None:
    """Rising everywhere, whatever the network says; the guess is added to each."""
    model, batch = make_model(quantiles=(0.1, 0.5, 0.9)), make_batch()
    fields = model.predict_fields(batch)
    assert fields.shape == (3, B, T, FINE[0] - 1, FINE[1] - 1, 2)
    assert np.nanmin(np.diff(fields, axis=0)) >= 0
    assert np.nanmax(np.diff(fields, axis=0)) > 0
    guess = InterpolationGuess("bicubic", SCALE, [0, 1])
    guided = make_model(quantiles=(0.1, 0.5, 0.9), guess=guess).predict_fields(batch)
    alone = make_model(guess=guess).predict_fields(batch)
    np.testing.assert_allclose(guided, np.repeat(alone, 3, axis=0), rtol=1e-5)


@pytest.mark.parametrize("part", [False, True])
def test_constraint_holds_in_every_frame(part: bool) -> None:
    """By hand: area-weighted means over the cells that count; patches know their areas."""
    model, batch = make_model(constraint="additive"), make_batch()
    rows, columns = (slice(1, 4), slice(2, 4)) if part else (slice(0, 5), slice(0, 4))
    fine = tuple(slice(2 * s.start, 2 * s.stop) for s in (rows, columns))
    given = {"coarse": batch["coarse"][:, :, rows, columns], "time": batch["time"]}
    if part:
        given["origin"] = np.tile([1, 2], (B, 1))
        given["static"] = np.repeat(np.asarray(model.static)[fine][None], B, axis=0)
    y = np.asarray(model(given), "float64")
    weights = (np.linspace(1, 2, 10)[:, None, None] * np.asarray(model.mask))[fine]
    h, w = weights.shape[0] // 2, weights.shape[1] // 2
    blocks = (weights * y).reshape(B, T, h, 2, w, 2, 2).sum(axis=(3, 5))
    means = blocks / weights.reshape(h, 2, w, 2, 2).sum(axis=(1, 3))
    known = np.isfinite(given["coarse"])
    np.testing.assert_allclose(means[known], given["coarse"][known], rtol=1e-5)


@pytest.mark.parametrize("options", [{}, {"upsampling": "pin"}, {"dropout_variant": "mcdrop"}])
def test_saved_model_predicts_the_same_bits_of_windows(options, tmp_path: Path) -> None:
    rate = 0.3 if options.get("dropout_variant") else 0.0
    model, batch = make_model(**options, dropout_rate=rate), make_batch()
    model.save(tmp_path / "model.keras")
    loaded = PhysicalModel.load(tmp_path / "model.keras")
    assert loaded.spec == model.spec
    fields = model.predict_fields(batch, 3, 2)
    assert fields.shape == (2, B, T, FINE[0] - 1, FINE[1] - 1, 2)
    assert np.isnan(fields[..., 2, 2, 1]).all()
    assert np.isnan(fields).sum() == 2 * B * T
    np.testing.assert_array_equal(loaded.predict_fields(batch, 3, 2), fields)
    assert (np.nanmax(np.abs(fields[0] - fields[1])) > 0) == (rate > 0)
    assert not model.tied_to_grid


def test_tiles_of_windows_agree_with_the_whole() -> None:
    """A memory looks 2 + 1 coarse cells a frame and layer, T - 1 frames far, in two blocks."""
    coarse = (52, 6)
    model = make_model(2, coarse=coarse)
    batch = {name: values[:, :2] for name, values in make_batch(coarse).items()}
    whole = model.predict_fields(batch)
    radius = SCALE * (2 * 2 * (2 + 1) + 1) + 4
    tiled = TiledModel(model, 2 * 2 * radius + 8, 2 * radius).predict_fields(batch, 0, 1)
    assert tiled.shape == whole.shape
    np.testing.assert_allclose(tiled, whole, atol=1e-4)
