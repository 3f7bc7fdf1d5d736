"""Autocorrelation of residuals: against the processes they were drawn from, and by hand."""

import numpy as np
import pytest
from subjects import subject_of

from app.metrics.metric import Band
from app.metrics.temporal.persistence import ResidualPersistence


def residuals(truth, fields, members=None, pairs=None, rows=None):
    """The metric of fields (k, n, y, x), the last of them the reference; `rows`: bands of them."""
    names = (*("model", "linear")[: len(fields) - 1], "bicubic")
    pairs = np.ones(len(truth) - 1, bool) if pairs is None else pairs
    more = 0 if members is None else len(members)
    metric = ResidualPersistence(subject_of(truth, names, members=more, consecutive=pairs))
    for band in rows or [np.arange(truth.shape[1])]:
        layers = None if members is None else members[:, :, band]
        metric.add_series(Band(metric.subject, band, truth[:, band], fields[:, :, band], layers))
    return metric


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
    fields = np.stack([members.mean(axis=0), reference])
    truth_found, found, nothing = residuals(truth, fields, members).correlations
    assert truth_found == pytest.approx(0.8, abs=0.03)
    assert found == pytest.approx(0.3, abs=0.03)
    assert np.isnan(nothing)


def test_pairs_gaps_and_missing_values_by_hand():
    """Pairs (1, 3) and (3, 2); the jump to 9 is over a gap, the NaN's pair is not known."""
    series = np.array([1.0, 3, 2, 9, np.nan]).reshape(5, 1, 1)
    fields = np.stack([np.nan_to_num(series), np.zeros((5, 1, 1))])
    sums = residuals(series, fields, pairs=np.array([True, True, False, True]))
    # centred: (-1, 1) and (0.5, -0.5)
    np.testing.assert_allclose(sums.correlations[0], -1.0)


def test_rows_add_up():
    a, b = autoregressive(0.5, seed=4), autoregressive(0.9, seed=5)
    fields = np.stack([b, np.zeros(a.shape)])
    apart = residuals(a, fields, rows=[np.array([row]) for row in range(3)])
    np.testing.assert_allclose(apart.correlations, residuals(a, fields).correlations)
