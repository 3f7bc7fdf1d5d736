"""Brier score and reliability of wet members."""

import numpy as np
import pytest

from app.metrics.wet_probability import BINS, WetProbabilitySums


def test_on_paper():
    sums = WetProbabilitySums(1.0)
    truth = np.array([[[2.0, 0.0, 0.5, 1.0]]])
    members = np.array([[[[3.0, 0, 1, 0]]], [[[1.0, 0, 9, 9]]]])  # wet shares 1, 0, 1, 0.5
    sums.add(truth, members, np.array([[[1.0, 1.0, 2.0, 0.0]]]))
    assert sums.score == pytest.approx(2 / 4)  # only the third is wrong, and weighs 2
    assert sums.skill == pytest.approx(1 - 0.5 / (0.25 * 0.75))
    share, told, found = sums.reliability
    np.testing.assert_allclose(share[[0, -1]], [0.25, 0.75])
    np.testing.assert_allclose(told[[0, -1]], [0, 1])
    np.testing.assert_allclose(found[[0, -1]], [0, 1 / 3])
    assert np.isnan(told[1:-1]).all()


def test_members_drawn_from_the_true_probability_are_reliable():
    rng = np.random.default_rng(0)
    p = rng.random((50, 20, 20))
    sums = WetProbabilitySums(0.5)
    wet = (rng.random((200, *p.shape)) < p).astype(float)
    sums.add((rng.random(p.shape) < p).astype(float), wet, np.ones(p.shape))
    _, told, found = sums.reliability
    assert len(told) == BINS
    np.testing.assert_allclose(found, told, atol=0.04)
    assert sums.skill == pytest.approx(1 / 3, abs=0.03)  # 1 - E p(1 - p) / 0.25
