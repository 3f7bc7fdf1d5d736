"""Keyed noise: who asks, and together with whom, makes no difference."""

import numpy as np
import pytest

from app.models.diffusion.noise import MemberNoise, past_weights, white

HOUR = 3600
SHAPE = (8, 9, 1)


def drawn(seconds: list[int], member: int = 0, correlation: float = 0.0, seed: int = 3):
    noise = MemberNoise(
        SHAPE, np.array(seconds), seed, member, correlation=correlation, time_step=HOUR
    )
    return np.stack([noise(), noise()])


@pytest.mark.parametrize("correlation", [0.0, 0.8])
def test_a_sample_has_the_same_noise_in_any_company(correlation: float) -> None:
    times = [HOUR * i for i in (7, 3, 12, 8)]
    together = drawn(times, correlation=correlation)
    for i, second in enumerate(times):
        alone = drawn([second], correlation=correlation)
        np.testing.assert_array_equal(together[:, i], alone[:, 0])


def test_every_part_of_the_key_matters() -> None:
    base = drawn([0])
    others = [drawn([HOUR]), drawn([0], member=1), drawn([0], seed=4), drawn([-HOUR]), base[::-1]]
    for other in others:
        assert abs(np.corrcoef(base.ravel(), other.ravel())[0, 1]) < 0.4
        assert not (base == other).any()
    assert white(SHAPE, 3, 0, 0, 0).dtype == np.float32


@pytest.mark.parametrize("correlation", [0.3, 0.9])
def test_weights_make_an_ar1_process_of_unit_variance(correlation: float) -> None:
    weights = past_weights(correlation)
    assert np.sum(weights**2) == pytest.approx(1)
    for lag in (1, 2, 3):
        assert np.sum(weights[:-lag] * weights[lag:]) == pytest.approx(correlation**lag, abs=1e-3)
    assert weights[-1] / weights[0] < 2e-3 / correlation


def test_correlated_noise_in_time() -> None:
    """Lag-1 and lag-3 autocorrelation over time of many cells, and the variance."""
    fields = drawn([HOUR * i for i in range(300)], correlation=0.8)[0]
    assert fields.std() == pytest.approx(1, abs=0.03)
    for lag in (1, 3):
        found = np.mean(fields[lag:] * fields[:-lag])
        assert found == pytest.approx(0.8**lag, abs=0.05)
    first, second = drawn([HOUR * i for i in range(300)], correlation=0.8)
    assert abs(np.mean(first * second)) < 0.05


def test_without_a_time_step_there_is_no_past() -> None:
    plain = MemberNoise(SHAPE, np.array([5]), 1, 0)()
    stepless = MemberNoise(SHAPE, np.array([5]), 1, 0, correlation=0.9, time_step=0)()
    np.testing.assert_array_equal(plain, stepless)
