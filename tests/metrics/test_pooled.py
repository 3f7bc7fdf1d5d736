"""Scores of pooled fields: means by hand, and what shared and private errors make of them."""

import numpy as np
import pytest
from subjects import scored

from app.metrics.deterministic.pooled import Pooled, pool


def sums_of(truth, members):
    return scored(Pooled, truth, members.mean(axis=0, keepdims=True), members)


def test_weighted_means_by_hand():
    fields = np.arange(15.0).reshape(3, 5)
    weights = np.ones((3, 5))
    np.testing.assert_allclose(pool(fields, weights), [[3, 5]])  # odd row and column left out
    weights[0, 0] = 3
    # (3·0 + 1 + 5 + 6) / 6
    np.testing.assert_allclose(pool(fields, weights), [[2, 5]])


def test_blocks_with_a_gap_are_left_out():
    truth = np.zeros((1, 4, 4))
    members = np.ones((2, 1, 4, 4))
    truth[0, 1, 2] = np.nan
    sums = sums_of(truth, members)
    assert sums.weight[0] == 12
    assert sums.absolute[0, 0] == 12


@pytest.mark.parametrize(("shared", "ratio"), [(True, 1.0), (False, 0.5)])
def test_private_errors_average_out_and_shared_ones_do_not(shared: bool, ratio: float):
    """White members of a truth whose error is common to 2×2 cells spread half as much."""
    rng = np.random.default_rng(0)

    def common(*lead):
        return rng.normal(size=(*lead, 20, 20)).repeat(2, axis=-2).repeat(2, axis=-1)

    truth = common(40)
    members = common(16, 40) if shared else rng.normal(size=(16, 40, 40, 40))
    sums = sums_of(truth, members)
    # error of the mean: truth's 1 and the members' variance / 16
    spread = ratio * np.sqrt(17 / 16) / np.sqrt(1 + ratio**2 / 16)
    assert sums.ensemble.spread_skill == pytest.approx(spread, rel=0.02)
