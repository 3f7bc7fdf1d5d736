"""Class means by hand."""

import cftime
import numpy as np
import pytest
from memory_shards import perfect_prog

from app.baselines.climatology import MIN_CLASS_SAMPLES, Climatology, month_hour
from app.data.moments import RunningMoments


def test_monthly_means_of_daily_data():
    rng = np.random.default_rng(0)
    hr = rng.normal(size=(100, 4, 4, 1))
    shards = perfect_prog(hr, shares=(0.59, 0.6))  # trains on January and February 2001
    fields = Climatology(shards).predict(np.arange(40), "test")
    np.testing.assert_allclose(fields[0], hr[:59].mean(axis=0), rtol=1e-5)  # March was not seen
    january = Climatology(shards).predict(np.arange(1), "train")
    np.testing.assert_allclose(january[0], hr[:31].mean(axis=0), rtol=1e-5)


def test_hourly_data_have_a_daily_cycle():
    n = 24 * 30
    cycle = np.sin(2 * np.pi * (np.arange(n) % 24) / 24)
    hr = np.broadcast_to(cycle[:, None, None, None], (n, 4, 4, 1))
    shards = perfect_prog(hr, step_hours=1, shares=(0.7, 0.8))
    fields = Climatology(shards).predict(np.arange(48), "test")
    np.testing.assert_allclose(fields, hr[576 : 576 + 48], atol=1e-6)


def test_few_samples_fall_back_cell_by_cell():
    hr = np.ones((80, 4, 4, 1))
    hr[31:] = 3.0  # February and March
    hr[: 31 - MIN_CLASS_SAMPLES + 1, 0, 0] = np.nan  # one valid January day too few
    shards = perfect_prog(hr, shares=(0.7, 0.75))  # 56 days of training
    january = Climatology(shards).predict(np.arange(1), "train")[0, ..., 0]
    few = MIN_CLASS_SAMPLES - 1
    assert january[0, 0] == pytest.approx((few * 1 + 25 * 3) / (few + 25))
    assert january[1, 1] == 1.0


def test_cells_never_seen_are_missing():
    hr = np.ones((80, 4, 4, 1))
    hr[:, 2, 1] = np.nan
    fields = Climatology(perfect_prog(hr)).predict(np.arange(3), "test")
    assert np.isnan(fields[:, 2, 1]).all()
    assert np.isfinite(fields).sum() == 3 * 15


def test_classes_in_other_calendars():
    times = np.array(
        [cftime.DatetimeNoLeap(2001, 3, 1, 6), cftime.DatetimeNoLeap(2001, 12, 31, 18)]
    )
    assert month_hour(times, sub_daily=True) == [(3, 6), (12, 18)]
    assert month_hour(times, sub_daily=False) == [(3, -1), (12, -1)]


def test_running_moments_match_numpy_with_gaps():
    rng = np.random.default_rng(2)
    values = 280 + 0.01 * rng.normal(size=(50, 3, 2))
    values[rng.random(values.shape) < 0.3] = np.nan
    values[:, 2, 1] = np.nan
    moments = RunningMoments()
    for block in np.array_split(values, 7):
        moments.add(block)
    with np.errstate(invalid="ignore"), pytest.warns(RuntimeWarning):
        mean, std = np.nanmean(values, axis=0), np.nanstd(values, axis=0)
    np.testing.assert_allclose(moments.mean, mean)
    np.testing.assert_allclose(moments.std, std, rtol=1e-8)
