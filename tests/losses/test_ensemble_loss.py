"""Scores of members: by hand, with gaps, over means of cells, and what they are in expectation."""

import numpy as np
import pytest

from app.losses.ensemble import FAIR, crps, energy_score

B, M, H, W, C = 3, 4, 6, 5, 2


@pytest.fixture
def fields() -> tuple[np.ndarray, np.ndarray]:
    """A truth with gaps and members, float32."""
    rng = np.random.default_rng(0)
    truth = rng.normal(size=(B, H, W, C)).astype("float32")
    truth[rng.random(truth.shape) < 0.2] = np.nan
    return truth, rng.normal(size=(B, M, H, W, C)).astype("float32")


def share(m: int) -> float:
    return FAIR + (1 - FAIR) * (m - 1) / m


def crps_by_hand(truth: np.ndarray, members: np.ndarray) -> float:
    """Of one cell (M,): the mean distance from the truth, less half of that between two members."""
    m = len(members)
    apart = np.abs(members[:, None] - members).sum() / (m * (m - 1))
    return float(np.abs(members - truth).mean() - 0.5 * share(m) * apart)


def test_crps_is_the_mean_of_known_cells(fields: tuple[np.ndarray, np.ndarray]) -> None:
    truth, members = fields
    expected = []
    for b in range(B):
        known = np.argwhere(np.isfinite(truth[b]))
        cells = [crps_by_hand(truth[b][tuple(i)], members[b][:, *i]) for i in known]
        expected.append(np.mean(cells))
    np.testing.assert_allclose(np.asarray(crps(truth, members)), expected, rtol=1e-5)


def test_means_of_cells_count_by_their_known_share(fields: tuple[np.ndarray, np.ndarray]) -> None:
    """2 × 2 blocks; the fifth column fills none."""
    truth, members = fields
    known = np.isfinite(truth)
    expected = []
    for b in range(B):
        total = weights = 0.0
        for y, x, c in np.ndindex(H // 2, W // 2, C):
            block = np.s_[2 * y : 2 * y + 2, 2 * x : 2 * x + 2, c]
            inside = known[b][block]
            if inside.any():
                means = members[b][:, *block][:, inside].mean(axis=1)
                total += inside.sum() * crps_by_hand(truth[b][block][inside].mean(), means)
                weights += inside.sum()
        expected.append(total / weights)
    np.testing.assert_allclose(np.asarray(crps(truth, members, (2,))), expected, rtol=1e-4)
    both = (np.asarray(crps(truth, members)) + expected) / 2
    np.testing.assert_allclose(np.asarray(crps(truth, members, (1, 2))), both, rtol=1e-4)


def test_energy_score_is_of_whole_fields(fields: tuple[np.ndarray, np.ndarray]) -> None:
    truth, members = fields

    def distance(a: np.ndarray, b: np.ndarray, known: np.ndarray) -> float:
        return float(np.sqrt(np.mean((a - b)[known] ** 2)))

    expected = []
    for b in range(B):
        known = np.isfinite(truth[b])
        error = np.mean([distance(own, truth[b], known) for own in members[b]])
        apart = [distance(members[b][i], members[b][j], known) for i in range(M) for j in range(i)]
        expected.append(error - 0.5 * share(M) * np.mean(apart))
    np.testing.assert_allclose(np.asarray(energy_score(truth, members)), expected, rtol=1e-5)


def test_expected_score_is_least_for_the_right_spread() -> None:
    """Of N(0, 1) it is 1/√π, a little more than which the plain part adds with two members."""
    rng = np.random.default_rng(1)
    truth = rng.normal(size=(1, 200, 200, 1)).astype("float32")
    normal = rng.normal(size=(1, 2, 200, 200, 1)).astype("float32")
    found = {s: float(crps(truth, s * normal)[0]) for s in (0.6, 0.8, 1.0, 1.2, 1.4)}
    plain = 0.5 * (1 - share(2)) * 2 / np.sqrt(np.pi)
    assert found[1.0] == pytest.approx(1 / np.sqrt(np.pi) + plain, rel=0.01)
    assert min(found, key=found.__getitem__) == 1.0


def test_a_field_without_truth_scores_nothing() -> None:
    truth = np.full((2, 4, 4, 1), np.nan, "float32")
    members = np.ones((2, 2, 4, 4, 1), "float32")
    for score in (crps, energy_score):
        assert np.isfinite(np.asarray(score(truth, members, (1, 2)))).all()
    assert not np.asarray(crps(truth, members, (1, 2))).any()
