"""Brier score and reliability of wet members."""

import numpy as np
import pytest
from subjects import fed, scored, subject_of

from app.data.wet import WetLimit
from app.metrics.climatic.wet import BINS, WetProbability


def wet_share(truth, members, limit, **about):
    mean = members.mean(axis=0, keepdims=True)
    return scored(WetProbability, truth, mean, members, wet=WetLimit(limit, None), **about)


def values(metric):
    return {row.metric: row.values["model"][0] for row in metric.rows(None)}


def test_on_paper():
    truth = np.array([[[2.0, 0.0, 0.5, np.nan]]])
    members = np.array([[[[3.0, 0, 1, 0]]], [[[1.0, 0, 9, 9]]]])  # wet shares 1, 0, 1, 0.5
    area = np.array([[1.0, 1.0, 2.0, 1.0]])
    sums = wet_share(truth, members, 1.0, area=area)
    found = values(sums)
    assert found["brier_wet"] == pytest.approx(2 / 4)  # only the third is wrong, and weighs 2
    assert found["brier_skill_wet"] == pytest.approx(1 - 0.5 / (0.25 * 0.75))
    share, told, found = sums.reliability
    np.testing.assert_allclose(share[[0, -1]], [0.25, 0.75])
    np.testing.assert_allclose(told[[0, -1]], [0, 1])
    np.testing.assert_allclose(found[[0, -1]], [0, 1 / 3])
    assert np.isnan(told[1:-1]).all()


def test_members_drawn_from_the_true_probability_are_reliable():
    rng = np.random.default_rng(0)
    p = rng.random((50, 20, 20))
    wet = (rng.random((200, *p.shape)) < p).astype(float)
    sums = wet_share((rng.random(p.shape) < p).astype(float), wet, 0.5)
    _, told, found = sums.reliability
    assert len(told) == BINS
    np.testing.assert_allclose(found, told, atol=0.04)
    assert values(sums)["brier_skill_wet"] == pytest.approx(
        1 / 3, abs=0.03
    )  # 1 - E p(1 - p) / 0.25


@pytest.mark.parametrize(("members", "bins"), [(4, 5), (9, 10), (16, 10)])
def test_few_members_have_a_bin_for_each_share(members, bins):
    rng = np.random.default_rng(2)
    shape = (40, 5, 5)
    layers = np.where(rng.random((members, *shape)) < 0.4, 2.0, 0.0)
    truth = np.where(rng.random(shape) < 0.4, 2.0, 0.0)
    subject = subject_of(truth, ("model",), members=members, wet=WetLimit(1.0, None))
    metric = WetProbability(subject)
    fed([metric], truth, layers.mean(axis=0)[None], layers)
    share, told, _ = metric.reliability
    assert len(share) == bins
    if bins == members + 1:
        known = np.isfinite(told)
        np.testing.assert_allclose(told[known], (np.arange(bins) / members)[known])
    assert share.sum() == pytest.approx(1)
