"""Dense weights against the formulas evaluated point by point."""

import numpy as np
import pytest

from app.losses import build_loss
from app.losses.dense import (
    COUNT_UNIT,
    DenseWeights,
    Lookup,
    ValueGrid,
    bandwidth_of,
    dense_weights,
    relative_density,
)

N = 10_000
ALPHAS = (0.5, 1.0, 2.0, 4.0)
EPSILON = 1e-6


def normal(rng):
    return rng.normal(285.0, 8.0, N)


def skewed(rng):
    return rng.gamma(2.0, 3.0, N)


def two_peaks(rng):
    return np.concatenate([rng.normal(-4, 1, N // 2), rng.normal(3, 0.5, N - N // 2)])


def rain(rng):
    return np.where(rng.random(N) < 0.6, 0.0, rng.gamma(0.6, 4.0, N))


def fitted(values, alpha, parts=1):
    """The lookup as it is made from a histogram, itself summed over parts of the values."""
    bandwidth = bandwidth_of(values.std(), values.size)
    grid = ValueGrid.of(values.min(), values.max(), bandwidth)
    counts = sum(grid.histogram(part) for part in np.array_split(values, parts))
    relative = relative_density(grid.density(counts, bandwidth), counts)
    return Lookup(grid, dense_weights(relative, counts, alpha, EPSILON), relative)


def direct(values, alpha):
    """p', w* and w at every value, straight from the definition."""
    h = 1.06 * values.std() * values.size ** (-1 / 5)
    scaled, back, counts = np.unique(values / h, return_inverse=True, return_counts=True)
    blocks = [
        np.exp(-((part[:, None] - scaled) ** 2) / 2) @ counts
        for part in np.array_split(scaled, 100)
    ]
    density = np.concatenate(blocks)[back] / (values.size * h * np.sqrt(2 * np.pi))
    relative = (density - density.min()) / (density.max() - density.min())
    raw = np.maximum(1 - alpha * relative, EPSILON)
    return relative, raw, raw / raw.mean()


@pytest.mark.parametrize(
    ("sample", "tolerance"), [(normal, 1e-3), (skewed, 1e-3), (two_peaks, 1e-3), (rain, 1e-2)]
)
def test_agrees_with_the_formulas_at_each_of_ten_thousand_points(sample, tolerance):
    values = sample(np.random.default_rng(1))
    relative, _, weights = direct(values, 1.0)
    lookup = fitted(values, 1.0)
    found = np.interp(values, lookup.grid.values, lookup.relative)
    assert np.abs(found - relative).max() <= 1e-3
    assert np.abs(np.asarray(lookup(values.astype("float32"))) - weights).max() <= tolerance


@pytest.mark.parametrize("alpha", ALPHAS)
@pytest.mark.parametrize("sample", [normal, rain])
def test_mean_weight_is_one(sample, alpha):
    values = sample(np.random.default_rng(2))
    lookup = fitted(values, alpha)
    found = np.interp(values, lookup.grid.values, lookup.weights)
    assert found.mean() == pytest.approx(1.0, abs=1e-6)


def test_weights_do_not_change_when_values_are_scaled_and_shifted():
    values = skewed(np.random.default_rng(3))
    own, other = fitted(values, 1.0), fitted(250.0 - 0.02 * values, 1.0)
    a = np.interp(values, own.grid.values, own.weights)
    b = np.interp(250.0 - 0.02 * values, other.grid.values, other.weights)
    np.testing.assert_allclose(a, b, atol=1e-6)


def test_sum_of_histograms_is_the_histogram_of_all():
    values = rain(np.random.default_rng(4))
    grid = ValueGrid.of(values.min(), values.max(), 0.5)
    parts = [grid.histogram(part) for part in np.array_split(values, 7)]
    np.testing.assert_array_equal(sum(parts), grid.histogram(values))
    assert grid.histogram(values).sum() == N * COUNT_UNIT


def test_grid_is_refined_where_the_bandwidth_falls_below_two_steps():
    assert ValueGrid.of(0.0, 4095.0, 2.0).nodes == 4096
    fine = ValueGrid.of(0.0, 4095.0, 1.9)
    assert fine.nodes > 4096
    assert 1.9 / fine.step >= 2


def test_common_values_of_rain_weigh_next_to_nothing_at_alpha_one():
    values = rain(np.random.default_rng(5))
    lookup = fitted(values, 1.0)
    assert float(np.asarray(lookup(np.zeros(1, "float32")))[0]) < 0.05
    assert float(np.asarray(lookup(np.full(1, 20.0, "float32")))[0]) > 2


def test_values_beyond_the_grid_take_its_nearest_end():
    lookup = Lookup(ValueGrid(1.0, 0.5, 3), np.array([4.0, 2.0, 1.0]), np.zeros(3))
    found = np.asarray(lookup(np.array([-9.0, 1.0, 1.25, 2.0, 50.0], "float32")))
    np.testing.assert_allclose(found, [4.0, 4.0, 3.0, 1.0, 1.0])


def test_dry_values_weigh_one_where_only_wet_ones_are_weighed():
    plain = Lookup(ValueGrid(0.1, 0.1, 2), np.array([3.0, 5.0]), np.zeros(2), 0.1)
    np.testing.assert_allclose(plain(np.array([0.0, 0.05, 0.1, 0.15], "float32")), [1, 1, 3, 4])
    log = Lookup(ValueGrid(0.0, np.log(4.0), 2), np.array([3.0, 5.0]), np.zeros(2), 0.1, True)
    np.testing.assert_allclose(log(np.array([0.0, 0.1, 0.2, 0.4], "float32")), [1, 3, 4, 5], 1e-6)


@pytest.mark.parametrize("name", ["mse", "mae", "huber"])
def test_weighted_losses_by_hand(name):
    truth = np.array([[[[0.0], [2.0]], [[np.nan], [4.0]]]], "float32")
    predicted = np.array([[[[1.0], [5.0]], [[7.0], [4.5]]]], "float32")
    weights = np.array([[[[2.0], [0.5]], [[9.0], [1.0]]]], "float32")
    by_hand = {
        "mse": (2 * 1 + 0.5 * 9 + 0.25) / 3,
        "mae": (2 * 1 + 0.5 * 3 + 0.5) / 3,
        "huber": (2 * 0.5 + 0.5 * 2.5 + 0.125) / 3,
    }
    loss = build_loss(name, data_range=np.ones(1))
    found = np.asarray(loss(truth, predicted, cell_weights=weights))
    np.testing.assert_allclose(found, [by_hand[name]], rtol=1e-6)


@pytest.mark.parametrize("name", ["mse", "mae", "huber"])
def test_alpha_zero_is_the_plain_loss_to_the_last_bit(name):
    rng = np.random.default_rng(6)
    truth, predicted = (rng.normal(size=(4, 8, 8, 1)).astype("float32") for _ in range(2))
    weights = DenseWeights([fitted(normal(rng), 0.0)])(truth)
    loss = build_loss(name, data_range=np.ones(1))
    plain = np.asarray(loss(truth, predicted))
    weighted = np.asarray(loss(truth, predicted, cell_weights=weights))
    assert plain.tobytes() == weighted.tobytes()
