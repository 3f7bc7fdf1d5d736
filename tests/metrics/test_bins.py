"""Scores by the size of the true value."""

import csv

import numpy as np
import pytest
from memory_shards import perfect_prog
from subjects import scored
from test_distribution import RAIN, dataset, rain_shards, truth_of

from app.metrics.climate import Climate, Histogram, training_climate
from app.metrics.deterministic.bins import ValueBins
from app.metrics.evaluate import evaluate

DAY = 86400


def test_bins_on_paper():
    climate = Climate(0.0, 10.0, (8.0, 9.0))
    truth = np.array([[[1.0, 9.5]], [[3.0, np.nan]], [[-1.0, 12.0]]])
    field = np.array([[[[2.0, 7.5]], [[3.0, 0.0]], [[1.0, 13.0]]]])
    sums = scored(ValueBins, truth, field, area=np.array([[1.0, 3.0]]), climate=climate)
    np.testing.assert_array_equal(sums.weight[0], [1, 0, 1])  # below 2
    np.testing.assert_array_equal(sums.weight[1], [0, 1, 0])  # 2 to 4
    np.testing.assert_array_equal(sums.weight[4], [3, 0, 3])  # 8 and more
    np.testing.assert_array_equal(sums.weight[6], [3, 0, 3])  # above the 99.9th percentile
    np.testing.assert_array_equal(sums.sums["squares"][0, 4], [3 * 4, 0, 3])
    np.testing.assert_array_equal(sums.sums["absolute"][0, 0], [1, 0, 2])
    np.testing.assert_array_equal(sums.sums["error"][0, 4], [-6, 0, 3])


@pytest.mark.parametrize(("days", "enough"), [(29, False), (30, True)])
def test_a_bin_is_scored_from_thirty_days_on_however_many_values_a_day(days, enough):
    n = 4 * days
    truth = np.full((n, 2, 2), 0.1)
    climate = Climate(0.0, 1.0, (0.9, 0.99))
    result = scored(ValueBins, truth, truth[None] + 0.5, days=0.25, climate=climate).scores
    assert result.days[0] == days
    assert result.scored[0] == enough
    expected = 0.5 if enough else np.nan
    np.testing.assert_allclose(result.rmse[0, 0], expected, equal_nan=True)
    np.testing.assert_allclose(result.rmse_low[0, 0], expected, equal_nan=True)


def test_quantiles_of_a_histogram_are_those_of_the_values_to_a_cell():
    values = np.random.default_rng(0).gamma(0.5, 4.0, 20_000)
    histogram = Histogram.empty(0.0, 60.0)
    for part in np.array_split(values, 5):
        histogram.add(part)
    levels = (0.5, 0.9, 0.99, 0.999)
    np.testing.assert_allclose(
        histogram.quantiles(levels), np.quantile(values, levels, method="inverted_cdf"), atol=1e-3
    )


def test_edges_come_from_the_training_period_alone():
    rng = np.random.default_rng(1)
    hr = rng.uniform(0, 10, (50, 8, 8, 1)).astype("float32")
    hr[40:] += 90  # the test period
    (climate,) = training_climate(perfect_prog(hr, variables=RAIN))
    assert 0 <= climate.low < 0.1
    assert 9.9 < climate.high <= 10
    assert climate.tails == pytest.approx((9.9, 9.99), abs=0.05)


def test_values_all_alike_have_no_bins():
    hr = np.full((50, 8, 8, 1), 3.0, "float32")
    assert training_climate(perfect_prog(hr, variables=RAIN)) == [None]


def test_tables_hold_each_bin_and_candidate(tmp_path):
    shards = rain_shards()
    truth = truth_of(shards)
    evaluate(shards, dataset(shards, truth + 0.25, ("time",)), tmp_path, candidates=("nearest",))
    with (tmp_path / "bins.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["candidate"] == "model"]
    assert [row["bin"] for row in rows] == [
        *(f"bin_{i}" for i in range(1, 6)),
        "above_p99",
        "above_p99.9",
    ]
    for row in rows:
        if row["rmse"]:
            assert float(row["rmse"]) == pytest.approx(0.25, rel=1e-4)
    assert sum(float(row["share"]) for row in rows[:5]) == pytest.approx(1)
    with (tmp_path / "quantiles.csv").open() as file:
        biases = [float(r["bias"]) for r in csv.DictReader(file) if r["candidate"] == "model"]
    np.testing.assert_allclose(biases, 0.25, atol=2e-3)
