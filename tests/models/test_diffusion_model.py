"""The diffusion model: frames by hand, members keyed by what they are, and what a file keeps."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from app.errors import Interrupted
from app.inference.tiles import TiledModel
from app.models import (
    Channel,
    DiffusionModel,
    Drawing,
    InterpolationGuess,
    LinearGuess,
    ModelArrays,
    ModelSpec,
    PhysicalModel,
)
from app.models.diffusion.model import DiffusionSettings, classes_of, time_classes
from app.models.diffusion.noise import keyed_generator
from app.models.diffusion.process import Process
from app.models.diffusion.samplers import SamplingOptions
from app.models.diffusion.uncertain import UncertainGuess
from app.models.diffusion.unet import UNetOptions, build_denoiser

SCALE, CELLS, PAD = 2, (5, 4), (0, 1, 0, 0)
FINE = (CELLS[0] * SCALE, CELLS[1] * SCALE)
MEAN, SPREAD = 280.0, 5.0
OFFSET, TARGET_SPREAD = 0.1, 0.3
HOUR = 3600
ALL = slice(None)


def make(
    guess: bool = True,
    statics: bool = False,
    moved: bool = True,
    classes: tuple[str, ...] = (),
    constraint: str = "none",
    sampling: SamplingOptions | None = None,
    process: Process | None = None,
    pad: tuple[int, ...] = PAD,
    noise: float = 0.0,
    **settings: Any,
) -> DiffusionModel:
    keras.utils.set_random_seed(1)
    channel = Channel("t2m", "K")
    spec = ModelSpec(
        (channel,),
        (channel,),
        1,
        {"scale": SCALE, "pad": list(pad)},
        statics=("height",) if statics else (),
        interpolation="bilinear",
        constraint=constraint,
        twins=(0,) if constraint != "none" else (),
        input_noise=noise,
    )
    mask = np.ones((*FINE, 1), bool)
    mask[2, 3] = False
    one = np.ones(1)
    static = np.random.default_rng(1).normal(size=(*FINE, 1)) if statics else None
    arrays = ModelArrays(MEAN * one, SPREAD * one, MEAN * one, SPREAD * one, mask, static=static)
    network = build_denoiser(
        UNetOptions(4, (1, 2), (False, False), 1, 0.0),
        n_fields=1,
        n_condition=1 + statics + guess,
        classes=classes,
    )
    if moved:
        draw = np.random.default_rng(2)
        for weight in network.trainable_weights:
            weight.assign(weight + draw.normal(scale=0.1, size=weight.shape))
    model = DiffusionModel(
        spec,
        arrays,
        network,
        InterpolationGuess("bilinear", SCALE, [0]) if guess else None,
        settings=DiffusionSettings(
            process=process or Process(),
            residual=settings.pop("residual", guess),
            classes=classes,
            time_step=HOUR,
            sampling=sampling or SamplingOptions(steps=3),
            **settings,
        ),
        target_shape=(1,),
    )
    model.fit_target(np.full(1, OFFSET), np.full(1, TARGET_SPREAD))
    return model


def batch(n: int = 3) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    coarse = rng.normal(MEAN, SPREAD, (n, *CELLS, 1)).astype("float32")
    fine = rng.normal(MEAN, SPREAD, (n, *FINE, 1)).astype("float32")
    seconds = np.arange(n) * HOUR
    return {"coarse": coarse, "time": np.zeros((n, 8), "float32"), "hr": fine, "seconds": seconds}


def part(data: dict[str, np.ndarray], rows: Any) -> dict[str, np.ndarray]:
    return {name: values[rows] for name, values in data.items() if name != "hr"}


def test_targets_of_residuals_by_hand() -> None:
    model, data = make(), batch()
    z = np.asarray(model.targets(data, model.conditioning(data)))
    guess = np.asarray(model.first_guess({"coarse": data["coarse"]}))
    expected = ((data["hr"] - guess) / SPREAD - OFFSET) / TARGET_SPREAD
    np.testing.assert_allclose(z, expected, atol=1e-4)


def test_targets_under_instance_norm_by_hand() -> None:
    """Scaled by mean and standard deviation of the sample's own interpolated field."""
    data = batch()
    for residual in (True, False):
        model = make(instance_norm=True, residual=residual)
        z = np.asarray(model.targets(data, model.conditioning(data)))
        guess = np.asarray(model.first_guess({"coarse": data["coarse"]}))
        spread = guess.std(axis=(1, 2), keepdims=True)
        base = guess if residual else guess.mean(axis=(1, 2), keepdims=True)
        expected = ((data["hr"] - base) / spread - OFFSET) / TARGET_SPREAD
        np.testing.assert_allclose(z, expected, atol=1e-4)


@pytest.mark.parametrize("guess", [True, False])
def test_condition_holds_inputs_statics_and_guess(guess: bool) -> None:
    model, data = make(guess=guess, statics=True), batch()
    condition = np.asarray(model.conditioning(data).inputs["condition"])
    interpolated = InterpolationGuess("bilinear", SCALE, [0])({"coarse": data["coarse"]})
    encoded = (np.asarray(interpolated) - MEAN) / SPREAD
    assert condition.shape == (3, *FINE, 2 + guess)
    np.testing.assert_allclose(condition[..., :1], encoded, atol=1e-4)
    np.testing.assert_allclose(condition[0, ..., 1], np.asarray(model.static)[..., 0], atol=1e-6)
    if guess:
        np.testing.assert_allclose(condition[..., 2:], encoded, atol=1e-4)


def test_untrained_members_are_noise_of_the_targets_size_about_the_guess() -> None:
    """With F = 0 Heun's steps end in N(0, about 1), whatever the condition."""
    options = SamplingOptions(steps=24)
    model, data = make(moved=False, sampling=options, pad=(0, 0, 0, 0)), part(batch(60), ALL)
    fields = model.predict_fields(data, seed=4)[0]
    guess = np.asarray(model.first_guess({"coarse": data["coarse"]}))
    z = (((fields - guess) / SPREAD - OFFSET) / TARGET_SPREAD)[..., 0]
    known = np.isfinite(z[0])
    assert known.sum() == FINE[0] * FINE[1] - 1
    assert z[:, known].std() == pytest.approx(1, abs=0.05)
    assert z[:, known].mean() == pytest.approx(0, abs=0.1)


SAMPLERS = [SamplingOptions("heun", 3), SamplingOptions("ddpm", 4, noise_correlation=0.7)]


@pytest.mark.parametrize("options", SAMPLERS)
@pytest.mark.parametrize("formulation", ["edm", "v"])
def test_members_depend_on_seed_time_and_number_alone(
    options: SamplingOptions, formulation: str
) -> None:
    model = make(sampling=options, process=Process(formulation))
    data = part(batch(), ALL)
    together = model.predict_fields(data, seed=5, members=2)
    assert together.shape == (2, 3, FINE[0] - 1, FINE[1], 1)
    assert np.isnan(together[:, :, 2, 3]).all()
    alone = [model.predict_fields(part(data, [i]), seed=5, members=2) for i in (2, 0, 1)]
    for i, fields in zip((2, 0, 1), alone, strict=True):
        np.testing.assert_allclose(fields[:, 0], together[:, i], atol=2e-3)
    assert np.nanmin(np.abs(together[0] - together[1])) > 0
    other = model.predict_fields(data, seed=6, members=1)
    assert np.nanmin(np.abs(other[0] - together[0])) > 0


def test_requests_are_looked_for_before_every_evaluation() -> None:
    model = make(sampling=SamplingOptions(sampler="ddim", steps=5))
    looks = []

    def look() -> None:
        looks.append(len(looks))
        if len(looks) == 7:
            raise Interrupted("SIGTERM")

    how = Drawing(check=look)
    model.predict_fields(batch(), seed=0, members=1, how=how)
    assert len(looks) == 5
    with pytest.raises(Interrupted):
        model.predict_fields(batch(), seed=0, members=3, how=how)
    assert len(looks) == 7


def test_sampler_may_be_changed_after_training() -> None:
    model, data = make(), part(batch(), ALL)
    heun = model.predict_fields(data)
    other = Drawing(sampling=SamplingOptions("dpmpp_2m", steps=3))
    assert np.nanmax(np.abs(model.predict_fields(data, how=other) - heun)) > 1e-3


@pytest.mark.parametrize(
    "options",
    [
        {"statics": True, "instance_norm": True, "classes": ("hour",)},
        {"guess": False, "process": Process("epsilon", "cosine", min_snr=5.0)},
        {"constraint": "additive", "sampling": SamplingOptions("ddpm", 3)},
    ],
)
def test_a_saved_model_draws_the_same_members(options: dict[str, Any], tmp_path: Path) -> None:
    model, data = make(**options), part(batch(), ALL)
    model.save(tmp_path / "model.keras")
    loaded = PhysicalModel.load(tmp_path / "model.keras")
    assert isinstance(loaded, DiffusionModel)
    assert loaded.settings == model.settings
    np.testing.assert_array_equal(
        loaded.predict_fields(data, 3, 2), model.predict_fields(data, 3, 2)
    )
    np.testing.assert_array_equal(np.asarray(loaded(batch())), np.asarray(model(batch())))


def test_constraint_holds_in_every_member() -> None:
    model, data = make(constraint="additive", pad=(0, 0, 0, 0)), part(batch(), ALL)
    members = model.draw(data, seed=1, members=2)
    mask = np.asarray(model.mask)
    blocks = (2, 3, CELLS[0], SCALE, CELLS[1], SCALE, 1)
    shares = np.broadcast_to(mask, members.shape).reshape(blocks)
    means = (members.reshape(blocks) * shares).sum(axis=(3, 5)) / shares.sum(axis=(3, 5))
    np.testing.assert_allclose(means, np.stack([data["coarse"]] * 2), atol=1e-3)


def test_input_noise_is_put_on_the_coarse_fields_alone() -> None:
    """Its deviation is 0.5, less what the bilinear interpolation to twice as many cells smooths."""
    model, data = make(noise=0.5), part(batch(), ALL)
    clean, noisy = (
        np.asarray(model.conditioning(data, noisy=noisy).inputs["condition"])
        for noisy in (False, True)
    )
    added = noisy - clean
    assert 0.5 * 0.4 < added[..., 0].std() < 0.5
    np.testing.assert_array_equal(added[..., 1], 0.0)


def test_members_start_from_regressions_of_their_own() -> None:
    """The untrained network looks at no guess: members move by what their regressions differ."""
    rng = np.random.default_rng(4)
    shape = (*CELLS, 9 + 1, SCALE**2)
    options = {"n_lr": 1, "scale": SCALE, "lr_radius": 1, "predictor_radius": 0}
    own, *fits = (
        LinearGuess.from_arrays(rng.normal(size=shape), np.zeros((*CELLS, 1)), **options)
        for _ in range(4)
    )
    model, data = make(moved=False, residual=True), part(batch(), ALL)
    model.first_guess = own
    plain = model.draw(data, seed=5, members=2)
    model.first_guess = UncertainGuess.from_fits(own, fits)
    drawn = model.draw(data, seed=5, members=2)
    encoded = {"coarse": (data["coarse"] - MEAN) / SPREAD, "time": data["time"]}
    for member in range(2):
        normal = keyed_generator(5, member).standard_normal(3)
        moved = np.asarray(model.first_guess.drawn(encoded, normal)) - np.asarray(own(encoded))
        np.testing.assert_allclose(drawn[member] - plain[member], SPREAD * moved, atol=2e-3)
    alone = model.draw(part(data, slice(1, 2)), seed=5, members=2)
    np.testing.assert_allclose(alone, drawn[:, 1:2], atol=1e-3)


def test_tiles_see_the_noise_of_their_place() -> None:
    """An untrained network does not look around: tiles then are the whole, cell by cell."""
    model, data = make(moved=False, pad=(0, 0, 0, 0)), part(batch(), ALL)
    whole = model.predict_fields(data, 2, 2)
    tiled = TiledModel(model, 4, 0).predict_fields(data, 2, 2)
    coarse = np.asarray(model.first_guess({"coarse": data["coarse"]}))
    inner = (ALL, ALL, slice(1, 3), slice(1, 3))  # of the first tile
    np.testing.assert_array_equal(np.isnan(tiled), np.isnan(whole))
    assert coarse.shape[1:] == whole.shape[2:]
    np.testing.assert_allclose(tiled[inner], whole[inner], atol=1e-3)


def test_without_a_frame_the_field_itself_is_drawn() -> None:
    model, data = make(guess=False), batch()
    z = np.asarray(model.targets(data, model.conditioning(data)))
    np.testing.assert_allclose(
        z, ((data["hr"] - MEAN) / SPREAD - OFFSET) / TARGET_SPREAD, atol=1e-4
    )


def test_called_as_a_model_it_gives_one_denoised_field() -> None:
    """D at σ_max from x = 0, decoded: base + size · c_out · F."""
    model, data = make(process=Process(sigma_max=10.0)), batch()
    told = model.conditioning(data)
    level = np.full(3, 0.25 * np.log(10.0), "float32")
    zeros = np.zeros((3, *FINE, 1), "float32")
    inputs = {name: np.asarray(part) for name, part in told.inputs.items()}
    answer = model.network.predict_on_batch({**inputs, "noisy": zeros, "level": level})
    z = 10 / np.sqrt(101) * answer
    guess = np.asarray(model.first_guess({"coarse": data["coarse"]}))
    expected = guess + SPREAD * (OFFSET + TARGET_SPREAD * z)
    np.testing.assert_allclose(np.asarray(model(data)), expected, atol=1e-3)


def test_time_classes_count_hours_and_twelfths() -> None:
    hours, days = np.arange(24), np.array([0.0, 0.49, 0.51, 0.999])
    for values, count, name in ((hours / 24, 24, "hour"), (days, 12, "day_of_year")):
        angles = 2 * np.pi * values
        waves = np.stack([np.sin(angles), np.cos(angles)] * 2, axis=-1).astype("float32")
        found = np.asarray(time_classes(waves, (name,)))[:, 0]
        np.testing.assert_array_equal(found, np.floor(values * count + 1e-6))
    assert classes_of(()) == ()
    assert classes_of(("hour", "season", "day_of_year")) == ("hour", "day_of_year")


def test_estimates_keep_to_the_training_range_where_noise_prevails() -> None:
    """A network that misses the noise by 1 misses z by σ; with σ <= 1 nothing is cut."""
    model = make(process=Process("epsilon"), pad=(0, 0, 0, 0))
    model.fit_target(np.zeros(1), np.ones(1), np.array([[-0.5], [0.25]]))
    inputs = {name: np.asarray(part) for name, part in model.conditioning(batch()).inputs.items()}
    x = np.random.default_rng(3).normal(size=(3, *FINE, 1))
    model.network.predict_on_batch = lambda told: told["noisy"] - np.sign(told["noisy"])
    far = model._denoise(inputs, 100 * x, 100.0)
    assert far.min() == -0.5
    assert far.max() == 0.25
    near = model._denoise(inputs, x, 1.0)
    np.testing.assert_allclose(near, x - (x / np.sqrt(2) - np.sign(x)), atol=1e-6)
    assert near.max() > 1
