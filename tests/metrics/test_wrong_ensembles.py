"""Ensembles that are wrong in one way are told from the right one, and the verdict says how."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter
from subjects import fed, subject_of

from app.metrics.catalogue import metrics_of
from app.metrics.confidence import confidence_of
from app.metrics.metric import Result
from app.metrics.table import Table
from app.metrics.verdict import verdict_of
from app.options.scoring import ScoringConfig

RNG = np.random.default_rng(71)
MEMBERS, TIMES, SIDE = 8, 150, 12
LASTS = 0.8  # correlation of weather from time to time
SCORES = ("core", "multivariate", "rank_seasons", "autocorrelation")


def weather(count):
    """Fields (count, n, y, x) of unit variance that are smooth in space and last in time."""
    noise = RNG.normal(size=(count, TIMES, SIDE, SIDE))
    noise = gaussian_filter(noise, (0, 0, 1.5, 1.5), mode="wrap")
    noise /= noise.std()
    for t in range(1, TIMES):
        noise[:, t] = LASTS * noise[:, t - 1] + np.sqrt(1 - LASTS**2) * noise[:, t]
    return noise


SIGNAL = 280 + 2 * weather(1)[0]
NOISE = weather(1 + MEMBERS)
TRUTH = SIGNAL + NOISE[0]


def members(kind):
    own = SIGNAL + NOISE[1:]
    if kind == "narrow":
        return SIGNAL + 0.4 * NOISE[1:]
    if kind == "biased":
        return own + 1.5
    if kind == "space":  # each cell has its own order of the members, the same at all times
        order = RNG.permuted(np.tile(np.arange(MEMBERS), (SIDE, SIDE, 1)), axis=2)
        return np.take_along_axis(own, np.moveaxis(order, 2, 0)[:, None], axis=0)
    if kind == "time":  # each time has its own order of the members, the same in all cells
        order = RNG.permuted(np.tile(np.arange(MEMBERS), (TIMES, 1)), axis=1)
        return np.take_along_axis(own, order.T[:, :, None, None], axis=0)
    return own


@pytest.fixture(scope="module")
def results():
    found = {}
    for kind in ("right", "narrow", "biased", "space", "time"):
        layers = members(kind)
        fields = np.stack([layers.mean(axis=0), SIGNAL])
        subject = subject_of(
            TRUTH,
            ("model", "linear"),
            members=MEMBERS,
            consecutive=np.ones(TIMES - 1, bool),
            scoring=ScoringConfig(scores=SCORES),
        )
        metrics = metrics_of(subject)
        fed(metrics, TRUTH, fields, layers)
        rows = [row for metric in metrics for row in metric.rows(metrics[0])]
        rows = confidence_of(rows, subject).rows
        table = Table("Scores", subject.candidates, rows, ())
        found[kind] = Result(subject, metrics[0], metrics, "", table)
    return found


def interval(result, row):
    return result.score(f"{row}_low"), result.score(f"{row}_high")


@pytest.mark.parametrize(
    ("kind", "row", "right", "worse"),
    [
        ("narrow", "spread_skill", 1.0, -1),
        ("narrow", "outside", 2 / (MEMBERS + 1), 1),
        ("biased", "mean_rank", 0.5, -1),
        ("space", "detail_ratio", 1.0, 1),
        ("time", "step_ratio", 1.0, 1),
    ],
)
def test_a_row_tells_it_apart(results, kind, row, right, worse):
    """The interval of the wrong one is beyond what is right, and beyond that of the right one."""
    low, high = interval(results[kind], row)
    own_low, own_high = interval(results["right"], row)
    if worse > 0:
        assert low > max(right, own_high)
    else:
        assert high < min(right, own_low)
    assert own_low - 0.05 * right < right < own_high + 0.05 * right


@pytest.mark.parametrize("kind", ["space", "time"])
def test_scores_of_single_cells_and_times_do_not_see_what_is_shuffled(results, kind):
    for row in ("crps", "spread_skill", "outside", "rmse", "mean_rank"):
        assert results[kind].score(row) == pytest.approx(results["right"].score(row), rel=1e-6)


def test_scores_of_whole_fields_and_series_see_it(results):
    right, space, time = (results[kind] for kind in ("right", "space", "time"))
    assert interval(space, "variogram_score")[0] > interval(right, "variogram_score")[1]
    assert time.score("autocorrelation_1_bias") < right.score("autocorrelation_1_bias") - 0.05
    assert space.score("autocorrelation_1_bias") == pytest.approx(
        right.score("autocorrelation_1_bias"), abs=1e-9
    )


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("narrow", ["Ensemble: too little spread"]),
        ("biased", ["Bias 1.5", "values are too high", "Ensemble: shifted"]),
        ("space", ["neighbouring cells", "too rough"]),
        ("time", ["from time to time", "too restless", "--noise_lag1_correlation"]),
    ],
)
def test_the_verdict_says_what_is_wrong(results, kind, said):
    texts = {
        name: " ".join((*one.sentences, *one.remedies))
        for name, result in results.items()
        for one in verdict_of("Scores", [result]).judgements
    }
    for words in said:
        assert words in texts[kind]
    wrong = ("too little", "too high", "shifted", "too rough", "too restless")
    own = {word for word in wrong if any(word in words for words in said)}
    assert not {word for word in wrong if word in texts["right"]}
    assert {word for word in wrong if word in texts[kind]} == own
    assert "Ensemble: calibrated" in texts["right"]
