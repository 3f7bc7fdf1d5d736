"""Blocks and intervals."""

import cftime
import numpy as np
import pytest

from app.metrics.bootstrap import RESAMPLES, block_length, interval, resampled_sums


def stamps(step: str, n: int = 60) -> np.ndarray:
    return np.datetime64("2001-01-01", "ns") + np.arange(n) * np.timedelta64(*step).astype(
        "timedelta64[ns]"
    )


@pytest.mark.parametrize(
    ("step", "expected"), [((1, "h"), 24), ((6, "h"), 4), ((1, "D"), 7), ((30, "D"), 1)]
)
def test_block_length(step, expected):
    assert block_length(stamps(step)) == expected


def test_block_length_in_other_calendars():
    times = np.array([cftime.DatetimeNoLeap(2001, 1, day) for day in range(1, 20)])
    assert block_length(times) == 7


def test_too_short_a_period_has_no_interval():
    assert resampled_sums(np.ones((20, 1)), 7) is None


def test_constant_sums_have_no_spread():
    drawn = resampled_sums(np.full((30, 1), 2.0), 5)
    assert drawn.shape == (RESAMPLES, 1)
    np.testing.assert_allclose(drawn, 60.0)


def test_independent_samples_give_the_textbook_standard_error():
    values = np.random.default_rng(4).normal(size=(400, 1))
    means = resampled_sums(values, 1) / 400
    assert means.std() == pytest.approx(values.std() / 20, rel=0.1)
    low, high = interval(means)
    assert (high - low) / 2 == pytest.approx(1.96 * values.std() / 20, rel=0.15)


def test_dependent_samples_have_wider_intervals():
    rng = np.random.default_rng(5)
    values = np.repeat(rng.normal(size=(40, 1)), 24, axis=0)
    assert resampled_sums(values, 24).std() > 3 * resampled_sums(values, 1).std()


def test_columns_are_resampled_together_and_repeatably():
    values = np.random.default_rng(6).normal(size=(50, 1))
    drawn = resampled_sums(np.hstack([values, 2 * values]), 5)
    np.testing.assert_allclose(drawn[:, 1], 2 * drawn[:, 0])
    np.testing.assert_allclose(drawn[:, :1], resampled_sums(values, 5), rtol=1e-9)


def test_the_ends_of_the_period_count_as_much_as_its_middle():
    """Errors that grow to the end: on average a resample has the mean of the period."""
    values = np.linspace(0, 1, 40)[:, None] ** 3
    drawn = resampled_sums(values, 10) / 40
    assert drawn.mean() == pytest.approx(values.mean(), abs=4 * drawn.std() / RESAMPLES**0.5)
    low, high = interval(drawn)
    assert low < values.mean() < high


def test_a_block_at_the_end_goes_on_at_the_beginning():
    """Six samples in blocks of two: a resample is three of 1 + 2, 2 + 4, …, and 32 + 1."""
    drawn = resampled_sums(np.array([[1.0], [2.0], [4.0], [8.0], [16.0], [32.0]]), 2)
    pairs = [3.0, 6.0, 12.0, 24.0, 48.0, 33.0]
    possible = {a + b + c for a in pairs for b in pairs for c in pairs}
    assert set(drawn[:, 0]) <= possible
    assert (drawn == 3 * 33.0).any()
