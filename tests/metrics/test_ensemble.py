"""Ensemble scores on paper, against another library and against theory."""

import numpy as np
import pytest
import scores.probability
import xarray as xr

from app.metrics.probabilistic.ensemble import EnsembleSums, fair_crps, truth_ranks


def days(count):
    return np.datetime64("2001-01-01", "ns") + np.arange(count) * np.timedelta64(1, "D")


def sums_of(truth, members, weights=None):
    weights = np.ones(truth.shape) if weights is None else weights
    sums = EnsembleSums(len(members), days(len(truth)))
    sums.add(np.arange(len(truth)), truth, members, weights)
    return sums


def exchangeable(members, shape=(200, 10, 10), seed=0):
    """Truth and members drawn from N(μ, 1), μ itself another for every value."""
    rng = np.random.default_rng(seed)
    centre = 280 + 3 * rng.normal(size=shape)
    return centre + rng.normal(size=shape), centre + rng.normal(size=(members, *shape))


def test_crps_on_paper():
    # members 1, 2, 4 and truth 3: (2 + 1 + 1)/3 - 2·(1 + 3 + 2)/(2·3·2)
    assert fair_crps(np.array([1.0, 4.0, 2.0]) - 3) == pytest.approx(4 / 3 - 1)
    # two members about the truth: 1 - 2·2/(2·2·1)
    assert fair_crps(np.array([-1.0, 1.0])) == pytest.approx(0.0)


@pytest.mark.parametrize("members", [2, 7])
def test_crps_matches_the_scores_package(members):
    truth, drawn = exchangeable(members, (5, 6, 4))
    expected = scores.probability.crps_for_ensemble(
        xr.DataArray(drawn, dims=("member", "t", "y", "x")),
        xr.DataArray(truth, dims=("t", "y", "x")),
        "member",
        method="fair",
        preserve_dims="all",
    )
    np.testing.assert_allclose(fair_crps(drawn - truth), expected, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("members", [2, 10])
def test_fair_crps_of_a_calibrated_ensemble_is_that_of_its_distribution(members):
    sums = sums_of(*exchangeable(members))
    # E|X - Y| - E|X - X'|/2 of standard normal variables: (1 - 1/2) · 2/sqrt(π)
    assert sums.crps.sum() / 20000 == pytest.approx(1 / np.sqrt(np.pi), rel=0.02)


def test_crps_of_a_normal_distribution():
    # Gneiting and Raftery (2007), doi:10.1198/016214506000001437: at z = 1.3, σ = 1
    from scipy.stats import norm

    z = 1.3
    expected = z * (2 * norm.cdf(z) - 1) + 2 * norm.pdf(z) - 1 / np.sqrt(np.pi)
    drawn = np.random.default_rng(1).normal(size=(200_000, 1))
    assert fair_crps(drawn - z)[0] == pytest.approx(expected, rel=0.01)


@pytest.mark.parametrize("members", [2, 3, 16])
def test_a_calibrated_ensemble_is_reliable(members):
    sums = sums_of(*exchangeable(members))
    assert sums.spread_skill == pytest.approx(1.0, rel=0.02)
    expected = 1 / (members + 1)
    error = np.sqrt(expected * (1 - expected) / 20000)
    np.testing.assert_allclose(sums.shares, expected, atol=4 * error)
    assert sums.reliability_index < 5


def test_too_little_spread_is_seen():
    truth, members = exchangeable(8)
    sums = sums_of(truth, 280 + 0.5 * (members - 280))
    assert sums.spread_skill < 0.5
    assert sums.shares[0] > 2 / 9
    assert sums.shares[-1] > 2 / 9


def test_spread_and_ranks_on_paper():
    truth = np.array([[[0.0, 5.0]]])
    members = np.array([[[[1.0, 1.0]]], [[[3.0, 2.0]]]])
    area = np.array([[[0.5, 1.5]]])
    sums = sums_of(truth, members, area)
    # variances 2 and 1/2, errors of the mean 2 and -3.5, weights 1/4 and 3/4
    variance, square = (2 + 3 * 0.5) / 4, (4 + 3 * 12.25) / 4
    assert sums.spread_skill == pytest.approx(np.sqrt(1.5 * variance / square))
    np.testing.assert_allclose(sums.shares, [0.25, 0, 0.75])
    assert sums.reliability_index == pytest.approx(100 * (1 / 12 + 1 / 3 + 5 / 12))


def test_ties_are_broken_evenly_and_the_same_way_however_cut():
    dry = np.zeros((400, 5, 5))
    members = np.zeros((4, *dry.shape))
    sums = sums_of(dry, members)
    np.testing.assert_allclose(sums.shares, 0.2, atol=0.02)
    cut = EnsembleSums(4, days(400))
    for indices in np.array_split(np.arange(400), 7):
        cut.add(indices, dry[indices], members[:, indices], np.ones((len(indices), 5, 5)))
    np.testing.assert_allclose(cut.histograms, sums.histograms)
    assert np.isnan(sums.spread_skill)  # no error to compare the spread with


def test_a_tie_stays_among_the_tied():
    distances = np.array([-1.0, 0.0, 0.0, 2.0])[:, None] * np.ones(300)
    ranks = truth_ranks(distances, np.random.default_rng(0).random(300))
    np.testing.assert_array_equal(np.unique(ranks), [1, 2, 3])


def test_values_without_weight_have_no_say():
    truth, members = exchangeable(3, (4, 5, 5))
    weights = np.ones(truth.shape)
    weights[:, 2] = 0
    spoiled = members.copy()
    spoiled[:, :, 2] = np.nan
    for name in ("crps", "variance", "squares", "histograms"):
        expected = getattr(sums_of(truth, members, weights), name)
        np.testing.assert_allclose(getattr(sums_of(truth, spoiled, weights), name), expected)
