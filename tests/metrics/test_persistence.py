"""Autocorrelation of residuals: against the processes they were drawn from, and by hand."""

import numpy as np
import pytest

from app.metrics.persistence import ResidualPersistence


def autoregressive(correlation, shape=(400, 3, 4), seed=0):
    rng = np.random.default_rng(seed)
    series = rng.normal(size=shape)
    for t in range(1, shape[0]):
        fresh = np.sqrt(1 - correlation**2) * series[t]
        series[t] = correlation * series[t - 1] + fresh
    return series


def test_truth_members_and_candidates_have_their_own():
    reference = np.random.default_rng(9).normal(280, 5, (400, 3, 4))
    truth = reference + autoregressive(0.8)
    members = reference + np.stack([autoregressive(0.3, seed=i) for i in (1, 2, 3)]) + 2
    sums = ResidualPersistence(2, np.ones(399, bool))
    sums.add(truth, [members, reference[None]], reference)
    truth_found, found, nothing = sums.correlations
    assert truth_found == pytest.approx(0.8, abs=0.03)
    assert found == pytest.approx(0.3, abs=0.03)
    assert np.isnan(nothing)


def test_pairs_gaps_and_missing_values_by_hand():
    """Pairs (1, 3) and (3, 2); the jump to 9 is over a gap, the NaN's pair is not known."""
    series = np.array([1.0, 3, 2, 9, np.nan]).reshape(5, 1, 1)
    sums = ResidualPersistence(1, np.array([True, True, False, True]))
    sums.add(series, [series[None]], np.zeros((5, 1, 1)))
    # centred: (-1, 1) and (0.5, -0.5)
    np.testing.assert_allclose(sums.correlations, -1.0)


def test_rows_add_up():
    a, b = autoregressive(0.5, seed=4), autoregressive(0.9, seed=5)
    together, apart = (ResidualPersistence(1, np.ones(399, bool)) for _ in range(2))
    zeros = np.zeros(a.shape)
    together.add(a, [b[None]], zeros)
    for row in range(3):
        rows = slice(row, row + 1)
        apart.add(a[:, rows], [b[None, :, rows]], zeros[:, rows])
    np.testing.assert_allclose(apart.correlations, together.correlations)
