"""Variability and extremes against fields whose ratios to the truth are known."""

import numpy as np
import pytest
from subjects import fed, scored, subject_of

from app.data.wet import WetLimit
from app.metrics.climatic.extremes import Extremes
from app.metrics.climatic.variability import Variability
from app.metrics.climatic.wet import Wet
from app.metrics.confidence import confidence_of
from app.metrics.deterministic.errors import Errors
from app.metrics.probabilistic.ensemble import Ensemble

RNG = np.random.default_rng(1)
TRUTH = 280 + RNG.normal(size=(200, 6, 7))


def values(metric, row, candidate="model"):
    rows = confidence_of(metric.rows(None), metric.subject).rows
    found = {r.metric: r.values for r in rows}
    return tuple(found[row + end][candidate][0] for end in ("", "_low", "_high"))


def test_damped_fields_have_the_ratio_they_were_damped_by():
    mean = TRUTH.mean(axis=0)
    metric = scored(Variability, TRUTH, np.stack([mean + 0.6 * (TRUTH - mean), TRUTH + 5]))
    assert values(metric, "std_ratio") == pytest.approx((0.6, 0.6, 0.6))
    assert values(metric, "std_ratio", "bicubic") == pytest.approx((1, 1, 1))
    centre = TRUTH.mean(axis=(1, 2), keepdims=True)
    metric = scored(Variability, TRUTH, (centre + 0.25 * (TRUTH - centre))[None])
    assert values(metric, "detail_ratio") == pytest.approx((0.25, 0.25, 0.25))


def test_of_members_the_mean_variance_counts():
    mean = TRUTH.mean(axis=0)
    members = np.stack([mean + share * (TRUTH - mean) for share in (0.6, 0.8)])
    metric = scored(Variability, TRUTH, members.mean(axis=0)[None], members)
    assert values(metric, "std_ratio")[0] == pytest.approx(np.sqrt((0.36 + 0.64) / 2))


def test_changes_between_neighbouring_times_alone():
    consecutive = np.ones(199, bool)
    consecutive[99] = False  # a gap
    field = np.where(np.arange(200)[:, None, None] < 100, 3 * TRUTH, 1e3 + 3 * TRUTH)
    metric = scored(Variability, TRUTH, field[None], consecutive=consecutive)
    assert values(metric, "step_ratio")[0] == pytest.approx(3)
    rng = np.random.default_rng(0)
    restless = rng.permutation(np.cumsum(TRUTH - 280, axis=0))
    metric = scored(
        Variability, np.cumsum(TRUTH - 280, axis=0), restless[None], consecutive=consecutive
    )
    assert values(metric, "step_ratio")[1] > 2


def test_neighbours_of_missing_cells_do_not_count():
    truth = TRUTH.copy()
    truth[:, 2, 3] = np.nan
    wild = np.where(np.isnan(truth), 1e6, truth)
    assert values(scored(Variability, truth, wild[None]), "detail_ratio")[0] == pytest.approx(1)


def test_how_often_the_truths_percentiles_are_passed():
    n = 200  # the truth passes its P99 of 200 values twice, and so on the other side
    series = np.broadcast_to(RNG.permutation(n)[:, None, None], (n, 3, 4)).astype(float)
    field = np.where(series >= n - 6, 1e3, series)  # six values above
    field[series < 1] = -1e3
    field[series == 1] = 50.0  # one below
    metric = scored(Extremes, series, field[None])
    assert values(metric, "frequency_above_p99")[0] == pytest.approx(6 / 2)
    assert values(metric, "frequency_below_p1")[0] == pytest.approx(1 / 2)
    low, high = values(metric, "frequency_below_p1")[1:]
    assert 0 <= low < 0.5 < high


@pytest.mark.parametrize(("samples", "row"), [(40, "frequency_above_p95"), (12, None)])
def test_few_samples_have_less_extreme_extremes_or_none(samples, row):
    names = [r.metric for r in scored(Extremes, TRUTH[:samples], TRUTH[None, :samples]).rows(None)]
    assert (row in names) if row else names == ["p99_bias"]


def test_dry_values_are_no_extremes():
    truth = np.zeros((200, 2, 2))
    truth[0] = 5.0
    drizzle = np.full_like(truth, 0.2)
    drizzle[0] = 5.0
    limit = WetLimit(1.0, None)
    metric = Extremes(subject_of(truth, ("model",), kind="ratio", wet=limit))
    fed([metric], truth, drizzle[None])
    assert values(metric, "frequency_above_p99")[0] == pytest.approx(1)
    assert not any("below" in row.metric for row in metric.rows(None))


def test_wet_cells_as_often_as_in_truth():
    truth = np.where(RNG.random((60, 4, 4)) < 0.25, 3.0, 0.0)
    field = truth + np.where(np.arange(60)[:, None, None] % 3 == 0, 2.0, 0.0)
    metric = Wet(subject_of(truth, ("model",), kind="ratio", wet=WetLimit(1.0, None)))
    errors = Errors(metric.subject)
    fed([errors, metric], truth, field[None])
    row = next(r for r in metric.rows(errors) if r.metric == "wet_frequency_ratio")
    assert row.values["model"][0] == pytest.approx((field >= 1).mean() / (truth >= 1).mean())


def test_the_truth_lies_outside_few_members_as_often_as_chance_has_it():
    members, centre = 4, RNG.normal(size=(300, 5, 5))
    truth = centre + RNG.normal(size=centre.shape)
    drawn = centre + RNG.normal(size=(members, *centre.shape))
    metric = Ensemble(subject_of(truth, ("model",), members=members))
    errors = Errors(metric.subject)
    fed([errors, metric], truth, drawn.mean(axis=0)[None], drawn)
    found = confidence_of(metric.rows(errors), metric.subject).rows
    rows = {row.metric: row.values["model"][0] for row in found}
    assert metric.outside_if_calibrated == pytest.approx(2 / 5)
    assert rows["outside_low"] < 2 / 5 < rows["outside_high"]
    assert rows["spread_skill_low"] < rows["spread_skill"] < rows["spread_skill_high"]
    assert rows["spread_skill"] == pytest.approx(1, abs=0.03)
    outside = ((truth < drawn.min(axis=0)) | (truth > drawn.max(axis=0))).mean()
    assert rows["outside"] == pytest.approx(outside)
    assert rows["crps_low"] < rows["crps"] < rows["crps_high"]
