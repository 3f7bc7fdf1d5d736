"""Rank correlation against SciPy."""

import numpy as np
import pytest
from scipy.stats import spearmanr

from app.metrics.deterministic.spearman import correlate
from app.metrics.ordered import Ordered


def centred_ranks(values, valid):
    return Ordered.of(values, valid).centred_ranks


@pytest.mark.parametrize("ties", [False, True])
def test_matches_scipy_with_gaps_and_ties(ties):
    rng = np.random.default_rng(3)
    a, b = rng.normal(size=(2, 4, 50))
    if ties:
        a, b = np.round(a), np.maximum(b, 0)
    valid = rng.random((4, 50)) > 0.2
    got = correlate(centred_ranks(a, valid), centred_ranks(b, valid))
    expected = [spearmanr(x[v], y[v]).statistic for x, y, v in zip(a, b, valid, strict=True)]
    np.testing.assert_allclose(got, expected, rtol=1e-12)


def test_by_hand():
    a, b = np.array([[1.0, 2.0, 3.0]]), np.array([[10.0, 30.0, 20.0]])
    valid = np.ones((1, 3), bool)
    # 1 - 6 Σd² / (n(n² - 1)) with d = 0, 1, 1: 1 - 12/24
    assert correlate(centred_ranks(a, valid), centred_ranks(b, valid))[0] == pytest.approx(0.5)


def test_constant_series_has_no_correlation():
    valid = np.ones((1, 3), bool)
    ranks = centred_ranks(np.array([[1.0, 2.0, 3.0]]), valid)
    assert np.isnan(correlate(ranks, centred_ranks(np.ones((1, 3)), valid))[0])
