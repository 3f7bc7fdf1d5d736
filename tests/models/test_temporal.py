"""The model in time: exact ends, any grid, saving, and gradients that reach everything."""

from pathlib import Path

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from app.data.sky import sky
from app.data.times import Stamps
from app.errors import InputError
from app.grids import Geometry, Grid
from app.grids.sun import sun_response
from app.methods.temdeep.model import fit_solar_coefficients
from app.models import Channel
from app.models.build import precision
from app.models.temporal import (
    TemporalArrays,
    TemporalModel,
    TemporalNetwork,
    TemporalSpec,
)
from app.models.temporal.network import interpolated

Y, X = 9, 13


def model(
    flow: bool = True,
    context: bool = True,
    guidance: int = 1,
    transform: str = "none",
    gaps: str = "mean",
) -> TemporalModel:
    """Random weights everywhere, so that nothing is exact by being zero."""
    rng = np.random.default_rng(0)
    winds = tuple(Channel(f"u{i}", "m s-1") for i in range(guidance))
    spec = TemporalSpec(
        (Channel("t", "K", transform=transform), Channel("q", "g kg-1")),
        winds,
        {"scale": 1},
        3600,
        context=context,
        statics=("z",),
        time_features=("hour",),
        gaps=gaps,
    )
    network = TemporalNetwork(
        n_outputs=2,
        n_guidance=guidance,
        n_static=1,
        n_time=2,
        context=context,
        flow_filters=(4, 6) if flow else (),
        n_filters=4,
        n_blocks=1,
    )
    for weight in network.trainable_variables:
        weight.assign(np.asarray(weight) + rng.normal(0, 0.1, weight.shape))
    arrays = TemporalArrays(
        np.array([2.0, 5.0] + [0.0] * guidance),
        np.array([3.0, 2.0] + [4.0] * guidance),
        rng.normal(size=(Y, X, 1)),
        np.zeros(1),
        np.ones(1),
    )
    return TemporalModel(spec, arrays, network)


def batch(n: int = 4, channels: int = 3, theta: float | np.ndarray = 0.3) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(1)
    return {
        "frames": rng.normal(4, 2, (n, 4, Y, X, channels)).astype("float32"),
        "theta": np.broadcast_to(np.float32(theta), (n,)),
        "length": np.full(n, 2.0),
        "time": rng.normal(size=(n, 8)),
    }


def answer(made: TemporalModel, inputs: dict[str, np.ndarray]) -> np.ndarray:
    """Physical fields, without the graph that `predict_fields` would build first."""
    return np.asarray(made({name: np.float32(values) for name, values in inputs.items()}))


@pytest.mark.parametrize("flow", [True, False])
@pytest.mark.parametrize("context", [True, False])
def test_known_frames_come_back_exactly(flow: bool, context: bool) -> None:
    made = model(flow, context)
    for theta, frame in ((0.0, 1), (1.0, 2)):
        inputs = batch(theta=theta)
        known = inputs["frames"][:, frame, ..., :2]
        np.testing.assert_array_equal(answer(made, inputs), known)
        # The network itself is exact too, before anything is put in by hand.
        told = {k: np.float32(v) for k, v in inputs.items()}
        encoded = np.asarray(made.codec.encode(told["frames"]))
        found = np.asarray(made.encoded(told)["field"])
        np.testing.assert_allclose(found, encoded[:, frame, ..., :2], atol=1e-6)
    between = answer(made, batch(theta=0.5))
    assert np.abs(between - known).max() > 0.1


def test_answer_depends_on_every_input() -> None:
    made, inputs = model(), batch()
    before = answer(made, inputs)
    for name in inputs:
        changed = {**inputs, name: inputs[name] + np.float32(0.1)}
        assert np.abs(answer(made, changed) - before).max() > 1e-5, name
    guide = inputs["frames"].copy()
    guide[..., 2] += 1
    assert np.abs(answer(made, {**inputs, "frames": guide}) - before).max() > 1e-5


def test_saved_model_gives_the_same_fields(tmp_path: Path) -> None:
    made = model(transform="log1p")
    made.save(tmp_path / "m.keras")
    again = TemporalModel.load(tmp_path / "m.keras")
    assert again.spec == made.spec
    np.testing.assert_array_equal(answer(again, batch()), answer(made, batch()))


def test_other_files_are_no_models_in_time(tmp_path: Path) -> None:
    (tmp_path / "m.keras").write_text("nothing")
    with pytest.raises(InputError, match="expected a model in time"):
        TemporalModel.load(tmp_path / "m.keras")


def test_missing_cells_stay_missing_and_touch_no_far_ones() -> None:
    made, inputs = model(), batch()
    holes = inputs["frames"].copy()
    holes[:, 1, 0, 0, 0] = np.nan
    holes[:, 0] = np.nan
    found = answer(made, {**inputs, "frames": holes})
    assert np.isnan(found[:, 0, 0, 0]).all()
    assert np.isnan(found).sum() == len(found)


def test_a_hole_in_an_even_field_is_not_seen_where_near_cells_fill_it() -> None:
    inputs = batch(1)
    inputs["frames"][:] = inputs["frames"][:, :, :1, :1]
    holes = {**inputs, "frames": inputs["frames"].copy()}
    holes["frames"][:, :, 3:6, 4:, :] = np.nan
    changed = {}
    for gaps in ("mean", "near"):
        made = model(gaps=gaps)
        difference = np.abs(answer(made, holes) - answer(made, inputs))
        assert np.isnan(difference[:, 3:6, 4:]).all()
        changed[gaps] = np.nanmax(difference)
    assert changed["near"] < 1e-4 < 1e-2 < changed["mean"]


@pytest.mark.parametrize(("lost", "degree"), [((), 3), ((0,), 2), ((3,), 2), ((0, 3), 1)])
def test_guess_is_the_polynomial_through_the_frames_there_are(
    lost: tuple[int, ...], degree: int
) -> None:
    made = model(flow=False)
    times = np.array([-1.0, 0.0, 1.0, 2.0])
    polynomial = np.polynomial.Polynomial([1.0, 2.0, -1.5, 0.7][: degree + 1])
    frames = np.tile(np.float32(polynomial(times))[None, :, None, None, None], (1, 1, Y, X, 3))
    frames[:, list(lost)] = np.nan
    told = {"theta": np.float32([0.3]), "length": np.float32([1]), "time": np.zeros((1, 8))}
    filled = made.network_inputs(frames, told)["frames"]
    guess = np.asarray(interpolated(filled, np.float32([[[[0.3]]]]), True))
    np.testing.assert_allclose(guess, polynomial(0.3), rtol=1e-5)


def test_correction_grows_with_the_square_of_the_interval() -> None:
    made = model(flow=False, context=False)
    for weight in made.network.entry.weights:  # the answer no longer knows the length
        weight.assign(0 * weight)
    short, long = ({**batch(), "length": np.full(4, length)} for length in (1.0, 2.0))
    linear = 0.7 * short["frames"][:, 1] + 0.3 * short["frames"][:, 2]
    first, second = (answer(made, one) - linear[..., :2] for one in (short, long))
    np.testing.assert_allclose(second, 4 * first, rtol=1e-3, atol=1e-4)


def test_every_weight_gets_a_gradient() -> None:
    import tensorflow as tf

    made = model()
    told = {name: tf.constant(np.float32(v)) for name, v in batch().items()}
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean(tf.abs(made.encoded(told)["field"]))
    variables = made.network.trainable_variables
    slopes = tape.gradient(loss, [v.value for v in variables])
    for weight, slope in zip(variables, slopes, strict=True):
        assert slope is not None, weight.path
        assert np.abs(np.asarray(slope)).max() > 0, weight.path


def test_course_of_the_sun_is_told_from_the_weather_and_restored(tmp_path: Path) -> None:
    """Known frames every 6 h of a weather that is cubic in time and a cell's share of the sun."""
    lat, lon = np.linspace(45, 60, Y), np.linspace(-20, 20, X)
    spec = TemporalSpec(
        (Channel("t", "K"),),
        (),
        Geometry.build(Grid(lat, lon), 1).to_dict(),
        6 * 3600,
        context=True,
        sun_response=(1.0,),
    )
    network = TemporalNetwork(n_outputs=1, context=True, n_sun=1, n_filters=4, n_blocks=1)
    blank, none = np.zeros((Y, X, 0)), np.zeros(0)
    made = TemporalModel(
        spec, TemporalArrays(np.array([280.0]), np.array([3.0]), blank, none, none + 1), network
    )
    share = np.random.default_rng(0).uniform(1, 9, (Y, X))

    def known(hours: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Fields (n, H, W, 1) in K, and the sun's places."""
        places = sky(Stamps(np.round(3600 * hours).astype(np.int64)))
        angles = (np.radians(a) for a in np.meshgrid(lat, lon, indexing="ij"))
        sun = sun_response(np, places.astype(float), *angles, (1.0,))
        weather = np.polynomial.Polynomial([280.0, 2.0, -1.0, 0.2])(hours / 24)
        return weather[:, None, None, None] + share[..., None] * sun, places

    def batch_at(start: float, theta: float, length: int) -> dict[str, np.ndarray]:
        offsets = 6 * length * np.array([-1.0, 0.0, 1.0, 2.0, theta])
        fields, places = known(start + offsets)
        told = {"frames": fields[:4], "target": fields[4], "sky": places}
        scalars = {"theta": theta, "length": float(length), "time": np.zeros(8)}
        return {k: np.asarray(v, "float32")[None] for k, v in {**told, **scalars}.items()}

    class Triples:
        def whole_train(self):
            return (batch_at(6.0 * k, 0.5, 2) for k in range(12))

    fit_solar_coefficients(made, Triples())  # type: ignore[arg-type]
    # Of one curve, ridge regression gives the share over 1 + its shrinkage, in units of 3 K.
    np.testing.assert_allclose(
        np.asarray(made.solar_coefficients)[..., 0, 0], share / 3 / 1.03, rtol=2e-3
    )
    made.save(tmp_path / "m.keras")
    again = TemporalModel.load(tmp_path / "m.keras")
    for theta in (1 / 3, 0.9):
        asked = batch_at(50.0, theta, 1)
        left = np.abs(answer(again, asked) - asked["target"])
        made.solar_coefficients.assign(0 * made.solar_coefficients)
        missed = np.abs(answer(made, asked) - asked["target"])
        assert left.mean() < 0.04 * missed.mean()


def test_half_precision_is_for_the_convolutions_alone() -> None:
    """The same weights under bfloat16: frames come back exactly, fields nearly."""
    single = model()
    with precision("mixed_bfloat16"):
        half = model()
    half.network.set_weights(single.network.get_weights())
    assert half.network.entry.compute_dtype == "bfloat16"
    between, known = batch(), batch(theta=np.float32([0, 0, 1, 1]))
    np.testing.assert_allclose(answer(half, between), answer(single, between), atol=0.3)
    frames = {k: np.float32(v) for k, v in known.items()}
    encoded = np.asarray(half.codec.encode(frames["frames"]))[[0, 1, 2, 3], [1, 1, 2, 2], ..., :2]
    np.testing.assert_allclose(np.asarray(half.encoded(frames)["field"]), encoded, atol=1e-6)


def test_motion_that_speeds_up_is_followed_where_context_tells() -> None:
    """A pattern that has gone t² cells: half way between 1 and 4 it is at 2.25, not at 2.5."""
    fine = gaussian_filter(np.random.default_rng(0).normal(size=(32, 200)), (2, 8))
    fine /= fine.std()

    def pattern(hours: float) -> np.ndarray:
        start = 36 - int(4 * hours**2)  # a quarter of a cell in one of the fine pattern
        return fine[:, start : start + 160 : 4]

    frames = np.stack([pattern(t) for t in (0, 1, 2, 3)])[None, ..., None].astype("float32")
    truth, inside = pattern(1.5)[8:-8, 8:-8], np.s_[0, 8:-8, 8:-8, 0]
    told = {"theta": np.float32([0.5]), "length": np.float32([1.0])}
    errors = {}
    for context in (False, True):
        network = TemporalNetwork(n_outputs=1, context=context, flow_filters=(4,), n_filters=4)
        network.head.bias.assign([0.0] * 6 + [30.0])  # the moved frames alone
        for there in (0.0, 1.0):
            known = {"there": np.full((1, 2), there, "float32"), "frames": frames}
            field = np.asarray(network({**told, **known})["field"])[inside]
            errors[context, there] = np.abs(field - truth).mean()
    assert errors[True, 1.0] < 0.5 * errors[False, 1.0]
    assert errors[True, 0.0] == pytest.approx(errors[False, 0.0], rel=1e-3)
