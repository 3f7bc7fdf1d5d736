"""Intervals of rows and comparisons of candidates, against other ways to work them out."""

import csv
import json

import numpy as np
import pytest
from memory_shards import perfect_prog
from scipy.stats import binom, ttest_rel
from subjects import NAMES, fed, subject_of
from test_evaluate import truth_fields, y_hat

from app.metrics.bootstrap import resampled_sums
from app.metrics.catalogue import metrics_of
from app.metrics.confidence import (
    ALIKE,
    BETTER,
    WORSE,
    Comparison,
    confidence_of,
    effective_samples,
    holm,
    long_run_variance,
    sentences,
)
from app.metrics.deterministic.errors import Errors
from app.metrics.evaluate import evaluate
from app.metrics.sampled import mean_of, mean_score, ratio_of
from app.metrics.spatial.spectra import Spectrum
from app.options.scoring import ScoringConfig

N = 300
SHAPE = (N, 4, 5)


def compared(error: np.ndarray, other: np.ndarray, rows=("rmse",)) -> dict[str, Comparison]:
    """The first of two candidates against the second, by their errors of a constant truth."""
    truth = 280 + np.random.default_rng(9).normal(size=SHAPE)
    metric = Errors(subject_of(truth, NAMES[:2]))
    fed([metric], truth, np.stack([truth + error, truth + other]))
    found = confidence_of(metric.rows(metric), metric.subject)
    return {one.metric: one for one in found.comparisons if one.metric in rows}


def drawn(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=SHAPE)


def test_a_smaller_error_is_better_and_a_larger_one_worse() -> None:
    better = compared(0.9 * drawn(0), drawn(1))["rmse"]
    worse = compared(drawn(1), 0.9 * drawn(0))["rmse"]
    assert (better.conclusion, worse.conclusion) == (BETTER, WORSE)
    assert 0 < better.low < better.gain < better.high
    assert worse.gain == pytest.approx(-better.gain)
    assert (worse.low, worse.high) == pytest.approx((-better.high, -better.low))
    assert better.gain == pytest.approx(better.rival_value - better.value)


def test_a_bias_is_judged_by_its_distance_from_0() -> None:
    """-0.1 is nearer to 0 than 0.5, and as near as 0.1."""
    found = compared(0.1 * drawn(0) - 0.1, 0.1 * drawn(1) + 0.5, ("bias", "rmse"))
    assert found["bias"].conclusion == BETTER
    assert found["bias"].gain == pytest.approx(0.4, abs=0.01)
    same = compared(0.1 * drawn(0) - 0.1, 0.1 * drawn(1) + 0.1, ("bias",))["bias"]
    assert same.conclusion == ALIKE


def test_errors_of_one_kind_are_told_apart_as_rarely_as_is_said() -> None:
    """Of 5 % tests on independent samples no more than chance has it are positive."""
    trials, p = 200, []
    rng = np.random.default_rng(3)
    for _ in range(trials):
        scores = rng.normal(size=(2, N))
        made = mean_score(NAMES[:2], scores)
        subject = subject_of(np.zeros((N, 1, 1)), NAMES[:2])
        (one,) = confidence_of([subject.sampled_row("x", "1", made)], subject).comparisons
        p.append((one.p, one.p_dm))
    allowed = binom.ppf(0.999, trials, 0.08)  # blocks of seven make it a little liberal
    assert ((np.array(p) < 0.05).sum(axis=0) <= allowed).all()


def test_diebold_mariano_is_the_paired_test_where_samples_are_independent() -> None:
    rng = np.random.default_rng(4)
    scores = rng.normal(size=(2, 20_000)) + np.array([[0.0], [0.02]])
    made = mean_score(NAMES[:2], scores)
    subject = subject_of(np.zeros((20_000, 1, 1)), NAMES[:2])
    (one,) = confidence_of([subject.sampled_row("x", "1", made)], subject).comparisons
    expected = ttest_rel(*scores)  # the higher score is the better one
    assert one.statistic == pytest.approx(expected.statistic, rel=0.1)
    assert one.p_dm == pytest.approx(expected.pvalue, rel=0.5)
    assert one.samples == pytest.approx(20_000, rel=0.1)


def test_the_long_run_variance_is_that_of_the_definition() -> None:
    series = np.random.default_rng(5).normal(size=60)
    centred, lags = series - series.mean(), 7
    total = 0.0
    for i in range(60):
        for j in range(60):
            total += max(0.0, 1 - abs(i - j) / (lags + 1)) * centred[i] * centred[j]
    assert long_run_variance(series, 7) == pytest.approx(total / 60)


def test_dependent_samples_count_less() -> None:
    """An autoregressive series is worth n (1 - r) / (1 + r) independent values."""
    rng, r, n = np.random.default_rng(6), 0.6, 40_000
    noise, series = rng.normal(size=n), np.zeros(n)
    for i in range(1, n):
        series[i] = r * series[i - 1] + noise[i]
    (number,) = effective_samples(mean_score(("a",), series[None]), 40)
    assert number == pytest.approx(n * (1 - r) / (1 + r), rel=0.1)
    (independent,) = effective_samples(mean_score(("a",), noise[None]), 1)
    assert independent == pytest.approx(n, rel=0.02)


def test_samples_without_weight_tell_nothing() -> None:
    sums, weight = np.random.default_rng(7).gamma(2.0, size=(2, 2, N))
    weight = weight[0] * (np.arange(N) % 2 == 0)
    made = mean_of(("a", "b"), sums * (weight > 0), weight, root=True)
    half = mean_of(("a", "b"), sums[:, ::2], weight[::2], root=True)
    np.testing.assert_allclose(made.values, half.values)
    # every other sample alone: neighbours are two steps apart
    np.testing.assert_allclose(effective_samples(made, 1), effective_samples(half, 1), rtol=0.35)


def test_holm_by_hand() -> None:
    found = holm([0.04, 0.01, np.nan, 0.03])
    np.testing.assert_allclose(found, [0.06, 0.03, np.nan, 0.06])
    assert holm([]).shape == (0,)


def test_intervals_are_percentiles_of_the_same_blocks_for_all() -> None:
    sums = np.random.default_rng(8).gamma(2.0, size=(3, N))
    subject = subject_of(np.zeros((N, 1, 1)), NAMES[:2])
    row = subject.sampled_row("x", "1", ratio_of(NAMES[:2], sums))
    rows = {r.metric: r.values for r in confidence_of([row], subject).rows}
    again = resampled_sums(sums.T, 7)
    assert again is not None
    for k, name in enumerate(NAMES[:2], start=1):
        low, high = np.percentile(again[:, k] / again[:, 0], (2.5, 97.5))
        assert rows["x_low"][name][0] == pytest.approx(low)
        assert rows["x_high"][name][0] == pytest.approx(high)


def test_in_bounded_memory_the_resamples_are_the_same(monkeypatch) -> None:
    sums = np.random.default_rng(8).normal(size=(N, 3))
    whole = resampled_sums(sums, 7)
    monkeypatch.setattr("app.metrics.bootstrap.DRAWN", 8 * 43 * 11)
    np.testing.assert_allclose(resampled_sums(sums, 7), whole)


@pytest.mark.parametrize("kind", ["members", "quantiles"])
def test_rows_of_all_scores_are_what_their_sums_make(kind: str) -> None:
    """Values, ends around them, and no comparison of a row without a best value."""
    rng = np.random.default_rng(10)
    truth = rng.gamma(1.0, 3.0, (60, 8, 9))
    layers = np.sort(rng.gamma(1.0, 3.0, (3, *truth.shape)), axis=0)
    own = {"members": 3} if kind == "members" else {"quantiles": (0.1, 0.5, 0.9)}
    subject = subject_of(truth, NAMES, kind="ratio", scoring=ScoringConfig(scores=("all",)), **own)
    metrics = metrics_of(subject)
    fed(metrics, truth, np.stack([layers.mean(axis=0), truth + 1, truth * 1.1]), layers)
    rows = [row for metric in metrics for row in metric.rows(metrics[0])]
    made = {row.metric: row.sampled for row in rows if row.sampled is not None}
    assert {"mae", "rmse", "bias", "pearson", "ssim", "std_ratio"} < set(made)
    assert made["log_spectral_distance"].sums.shape[1] == -(-60 // 7)  # blocks of a week
    found = confidence_of(rows, subject)
    names = [row.metric for row in found.rows]
    for row in rows:
        if row.sampled is None:
            continue
        at = names.index(row.metric)
        assert names[at + 1 : at + 3] == [f"{row.metric}_low", f"{row.metric}_high"]
        for name, value in zip(row.sampled.names, row.sampled.values, strict=True):
            assert row.values[name][0] == pytest.approx(value, nan_ok=True), row.metric
    assert {one.metric for one in found.comparisons} <= {
        name for name, one in made.items() if one.best is not None
    }


def test_spectra_have_intervals_of_whole_blocks() -> None:
    """Twice the anomalies have four times the variance in every resample; noise has some spread."""
    truth = 280 + np.random.default_rng(12).normal(size=(60, 16, 16))
    noisy = truth + 0.5 * np.random.default_rng(13).normal(size=truth.shape)
    subject = subject_of(truth, NAMES[:2])
    metric = Spectrum(subject)
    fed([metric], truth, np.stack([280 + 2 * (truth - 280), noisy]))
    found = confidence_of(metric.rows(Errors(subject)), subject)
    rows = {row.metric: row.values for row in found.rows}
    for end in ("", "_low", "_high"):
        assert rows[f"power_ratio_high{end}"]["model"][0] == pytest.approx(10 * np.log10(4))
    low, value, high = (
        rows[f"power_ratio_high{end}"][NAMES[1]][0] for end in ("_low", "", "_high")
    )
    assert low < value < high < 10 * np.log10(2)
    (one,) = [c for c in found.comparisons if c.metric == "log_spectral_distance"]
    assert one.conclusion == WORSE


def test_files_and_sentences(tmp_path) -> None:
    shards = perfect_prog(truth_fields())
    evaluation = evaluate(shards, y_hat(shards, error=0.01), tmp_path)
    assert evaluation is not None
    said = dict(line.split(": ", 1) for line in evaluation.compared)
    assert said["rmse"].startswith("better than nearest, bilinear, bicubic, climatology,")
    content = json.loads((tmp_path / "comparisons.json").read_text())
    pairs = [one for one in content["comparisons"] if one["metric"] == "rmse"]
    assert len(pairs) == 7 * 6 / 2
    with (tmp_path / "comparisons.csv").open() as file:
        lines = list(csv.DictReader(file))
    first = next(line for line in lines if line["metric"] == "rmse")
    assert (first["candidate"], first["rival"]) == ("model", "nearest")
    assert float(first["gain"]) == pytest.approx(pairs[0]["gain"], rel=1e-5)
    assert first["conclusion"] == "better"
    text = (tmp_path / "summary.txt").read_text()
    assert evaluation.compared[0] in text
    assert "effective number of samples" in text


def test_sentences_name_all_candidates() -> None:
    subject = subject_of(np.zeros((N, 1, 1)), NAMES)
    scores = np.random.default_rng(11).normal(size=(3, N)) + np.array([[1.0], [0.0], [1.0]])
    row = subject.sampled_row("x", "1", mean_score(NAMES, scores))
    found = confidence_of([row], subject)
    called = [subject.called(name) for name in NAMES[1:]]
    assert sentences(found.comparisons, subject) == [
        f"x: better than {called[0]}; not to be told apart from {called[1]}."
    ]
