"""Pixel losses on fields small enough for paper, and the names of all losses."""

import numpy as np
import pytest
import tensorflow as tf

from app.errors import InputError
from app.losses import build_loss, valid_fraction
from app.registry import REGISTRY

PARAMETERS = ("quantile", "bernoulli_gamma")  # losses of several parameters of a predictand
NAMES = tuple(name for name in REGISTRY.names("loss") if name not in PARAMETERS)
RANGE = np.array([4.0, 6.0])


def test_by_hand_with_a_gap():
    """Errors 1, 2, (gap), 3: mae 2, mse 14/3; three of four values known."""
    truth = np.array([0.0, 0.0, np.nan, 0.0], "float32").reshape(1, 2, 2, 1)
    guess = np.array([1.0, -2.0, 9.0, 3.0], "float32").reshape(1, 2, 2, 1)
    assert float(build_loss("mae", data_range=RANGE[:1])(truth, guess)[0]) == pytest.approx(2)
    assert float(build_loss("mse", data_range=RANGE[:1])(truth, guess)[0]) == pytest.approx(14 / 3)
    assert float(valid_fraction(truth)[0]) == 0.75


@pytest.mark.parametrize("name", NAMES)
def test_gaps_give_neither_loss_nor_gradient(name):
    rng = np.random.default_rng(0)
    truth = rng.normal(size=(3, 24, 26, 2)).astype("float32")
    truth[0, 3:9, 4:20] = np.nan
    truth[1] = np.nan
    guess = rng.normal(size=truth.shape).astype("float32")
    loss = build_loss(name, data_range=RANGE)
    with tf.GradientTape() as tape:
        y = tf.constant(guess)
        tape.watch(y)
        values = loss(truth, y)
    slope = np.asarray(tape.gradient(values, y))
    assert tuple(values.shape) == (3,)
    assert np.isfinite(slope).all()
    assert (slope[np.isnan(truth)] == 0).all()
    assert np.abs(slope[2]).max() > 0
    assert float(values[1]) == 0
    moved = loss(truth, np.where(np.isnan(truth), 99, guess).astype("float32"))
    np.testing.assert_allclose(values, moved, rtol=1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_a_perfect_field_has_no_loss(name):
    truth = np.random.default_rng(0).normal(size=(2, 24, 24, 2)).astype("float32")
    np.testing.assert_allclose(build_loss(name, data_range=RANGE)(truth, truth), 0, atol=1e-5)


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("dssim_mae", {"dssim": 0.8, "mae": 0.2}),
        ("dssim_mse", {"dssim": 0.8, "mse": 0.2}),
        ("dssim_mae_mse", {"dssim": 0.6, "mae": 0.2, "mse": 0.2}),
        ("msdssim_mae", {"msdssim": 0.8, "mae": 0.2}),
        ("msdssim_mae_mse", {"msdssim": 0.6, "mae": 0.2, "mse": 0.2}),
    ],
)
def test_mixes(name, parts):
    rng = np.random.default_rng(1)
    truth, guess = rng.normal(size=(2, 2, 24, 24, 2)).astype("float32")
    expected = sum(
        share * np.asarray(build_loss(part, data_range=RANGE)(truth, guess))
        for part, share in parts.items()
    )
    np.testing.assert_allclose(
        build_loss(name, data_range=RANGE)(truth, guess), expected, rtol=1e-5
    )


@pytest.mark.parametrize(
    ("delta", "expected"),
    [
        (1.0, (0.5**2 / 2 + (2 - 0.5) + (3 - 0.5)) / 3),  # squared up to 1, then 1 |e| - 1/2
        (2.5, (0.5**2 / 2 + 2**2 / 2 + 2.5 * (3 - 1.25)) / 3),
        (100.0, (0.5**2 + 2**2 + 3**2) / 6),  # half the squared error
    ],
)
def test_huber_by_hand_with_a_gap(delta, expected):
    """Errors 0.5, -2, (gap), 3."""
    truth = np.array([0.0, 0.0, np.nan, 0.0], "float32").reshape(1, 2, 2, 1)
    guess = np.array([0.5, -2.0, 9.0, 3.0], "float32").reshape(1, 2, 2, 1)
    loss = build_loss("huber", data_range=RANGE[:1], huber_delta=delta)
    assert float(loss(truth, guess)[0]) == pytest.approx(expected)


def test_charbonnier_by_hand_with_a_gap():
    """Errors 0.0024, (gap): sqrt(2.4² + 1²) = 2.6, less 1, in units of ε = 0.001."""
    truth = np.array([0.0, np.nan], "float32").reshape(1, 1, 2, 1)
    guess = np.array([-0.0024, 9.0], "float32").reshape(1, 1, 2, 1)
    loss = build_loss("charbonnier", data_range=RANGE[:1])
    assert float(loss(truth, guess)[0]) == pytest.approx(1.6e-3, rel=1e-5)
    assert float(loss(truth, guess * 1e4)[0]) == pytest.approx(24 - 1e-3, rel=1e-5)


def test_unknown_name_lists_the_known_ones():
    with pytest.raises(
        InputError,
        match=r"did you mean 'huber'.*mae, mse, huber, charbonnier, quantile, mae_smoothed, ds",
    ):
        build_loss("hubber", data_range=RANGE)


LEVELS = (0.1, 0.5, 0.9)


def test_pinball_by_hand_with_a_gap():
    """Truth 2, (gap); quantiles 1, 2, 4: 0.1 · 1, 0 and 0.1 · 2, of which the mean is 0.1."""
    truth = np.array([2.0, np.nan], "float32").reshape(1, 1, 2, 1)
    guess = np.array([[1.0, 7.0], [2.0, 7.0], [4.0, 7.0]], "float32").reshape(1, 3, 1, 2, 1)
    loss = build_loss("quantile", data_range=RANGE[:1], quantiles=LEVELS)
    with tf.GradientTape() as tape:
        y = tf.constant(guess)
        tape.watch(y)
        value = loss(truth, y)
    assert np.asarray(value) == pytest.approx([0.1])
    slope = np.asarray(tape.gradient(value, y)).squeeze()
    np.testing.assert_allclose(slope[[0, 2], 0], [-0.1 / 3, 0.1 / 3], rtol=1e-6)
    np.testing.assert_array_equal(slope[:, 1], 0)


def test_pinball_is_least_at_the_quantiles_of_the_truth():
    """On 2000 gamma values in a row, over constants 0.05 apart, per level and per variable."""
    rng = np.random.default_rng(0)
    truth = np.stack([rng.gamma(2, size=2000), 5 + rng.normal(size=2000)], axis=-1)
    loss = build_loss("quantile", data_range=RANGE, quantiles=(0.2,))
    offered = np.arange(-1, 9, 0.05)
    for c in range(2):
        fields = np.repeat(truth[None, :, None, [c]], len(offered), axis=0).astype("float32")
        guess = np.broadcast_to(offered[:, None, None, None, None], (len(offered), 1, 2000, 1, 1))
        best = offered[np.argmin(np.asarray(loss(fields, guess.astype("float32"))))]
        assert best == pytest.approx(np.quantile(truth[:, c], 0.2), abs=0.05)
