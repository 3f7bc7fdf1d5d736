"""The sentences of a verdict follow from the numbers."""

import json
import re

import numpy as np
import pytest
from subjects import fed, subject_of

from app.data.wet import WetLimit
from app.metrics.catalogue import metrics_of
from app.metrics.metric import Result
from app.metrics.table import Table
from app.metrics.verdict import verdict_of
from app.metrics.verdict.estimate import Estimate, numbers
from app.options.scoring import ScoringConfig

SHAPE = (120, 10, 10)
RNG = np.random.default_rng(3)
NOISE = RNG.normal(size=(12, *SHAPE))
TRUTH = 280 + 3 * RNG.normal(size=(SHAPE[0], 1, 1)) + NOISE[0]


def result_of(fields, truth=TRUTH, layers=None, **about):
    """Scores of candidates, fields by name, the model first."""
    subject = subject_of(truth, tuple(fields), **about)
    metrics = metrics_of(subject)
    fed(metrics, truth, np.stack(list(fields.values())), layers)
    rows = tuple(row for metric in metrics for row in metric.rows(metrics[0]))
    return Result(subject, metrics[0], metrics, "", Table("Scores", subject.candidates, rows, ()))


def off(size, k=1):
    """The truth with errors of a size."""
    return TRUTH + size * NOISE[k]


def sentence(result, topic):
    found = {one.topic: one for one in verdict_of("Scores", [result]).judgements[0].findings}
    return found[topic].sentence if topic in found else ""


def test_the_error_stands_beside_the_best_of_each_kind():
    fields = {
        "model": off(0.5),
        "bilinear": off(3.0, 2),
        "bicubic": off(1, 3),
        "linear": off(0.6, 4),
    }
    said = sentence(result_of(fields), "error")
    rmse = {k: np.sqrt(np.mean((v - TRUTH) ** 2)) for k, v in fields.items()}
    pattern = r"RMSE (\S+) K \((\S+) to (\S+)\): (\S+) % below bicubic \((.+) to (.+)\), "
    found = re.match(pattern + r"(\S+) % below linear regression \((.+) to (.+)\)\.", said)
    value, low, high, below, a, b, fit, c, d = map(float, found.groups())
    assert value == pytest.approx(rmse["model"], rel=0.01)
    assert low <= value <= high
    assert below == pytest.approx(100 * (1 - rmse["model"] / rmse["bicubic"]), abs=0.6)
    assert fit == pytest.approx(100 * (1 - rmse["model"] / rmse["linear"]), abs=0.6)
    assert a <= below <= b
    assert c <= fit <= d


@pytest.mark.parametrize(
    ("own", "rival", "said"),
    [
        (1.0, 1.0, "not to be told apart from linear regression"),
        (1.0, 0.8, "% above linear regression"),
        (2.5, 0.5, "times that of linear regression"),
        (1.0, 0.0, "no baseline to compare with"),
    ],
)
def test_an_interval_with_zero_is_no_difference(own, rival, said):
    result = result_of({"model": off(own), "linear": off(rival, 2)})
    assert said in sentence(result, "error")
    assert verdict_of("Scores", [result]).judgements[0].remedies or rival == 0.0


def test_the_base_prediction_is_the_models_own():
    fields = {"model": off(0.5), "base": off(0.5, 2), "bicubic": off(1, 3), "linear": off(0.9, 4)}
    result = result_of(fields)
    said = sentence(result, "error")
    assert "below bicubic" in said
    assert "below linear regression" in said
    assert "not to be told apart from base prediction" in said
    judgement = verdict_of("Scores", [result]).judgements[0]
    assert [line[0] for line in judgement.brief.lines[:2]] == ["prediction", "base prediction"]
    assert any("base prediction" in remedy for remedy in judgement.remedies)


def test_without_skill_over_climatology_it_is_said_of_whom():
    fields = {"model": off(1.0), "nearest": off(5.0, 2), "climatology": 280 + 0 * TRUTH}
    assert sentence(result_of(fields), "climatology").endswith(": nearest.")
    fields["nearest"] = off(1.0, 2)
    assert not sentence(result_of(fields), "climatology")


def test_smooth_fields_lack_detail():
    smooth = TRUTH.mean(axis=(1, 2), keepdims=True) + 0.5 * (NOISE[0] - NOISE[0].mean())
    said = sentence(result_of({"model": smooth, "linear": off(2)}), "variability")
    assert "neighbouring cells 0.50 of the truth's" in said
    assert said.endswith("too smooth.")
    assert "kept" in sentence(result_of({"model": off(0.05)}), "variability")


@pytest.mark.parametrize(
    ("spread", "said"), [(0.5, "too little spread"), (1.0, "calibrated"), (2.0, "too much spread")]
)
def test_an_ensemble_is_judged_by_its_spread(spread, said):
    members = TRUTH + NOISE[1] + spread * NOISE[2:8]
    fields = {"model": members.mean(axis=0), "linear": off(1.5, 9)}
    result = result_of(fields, layers=members, members=6)
    assert f"Ensemble: {said};" in sentence(result, "ensemble")
    assert "below the absolute error of linear regression" in sentence(result, "crps")


def test_spread_in_the_wrong_places_is_no_calibration():
    where = np.arange(SHAPE[2]) < SHAPE[2] // 2
    members = TRUTH + NOISE[1] + np.where(where, 3.0, 0.1) * NOISE[2:8]
    fields = {"model": members.mean(axis=0), "linear": off(1.5, 9)}
    said = sentence(result_of(fields, layers=members, members=6), "ensemble")
    assert "too much spread in some cells, too little in others" in said


def test_drizzle_is_pointed_out():
    truth = np.maximum(0, NOISE[0] - 0.5)
    about = {"kind": "ratio", "wet": WetLimit(0.2, None), "truth": truth}
    result = result_of({"model": truth + 0.2}, **about)
    assert "too often" in sentence(result, "wet")
    assert "1st" not in sentence(result, "extremes")


def test_a_short_period_has_no_intervals_and_says_so():
    result = result_of({"model": off(1)[:10], "bicubic": off(2, 2)[:10]}, truth=TRUTH[:10])
    text = str(verdict_of("Scores", [result]))
    assert " to " not in sentence(result, "error")
    assert "No intervals" in text
    assert "longer test period" in text


@pytest.mark.parametrize("members", [0, 4])
def test_the_table_has_six_rows_and_fits_a_screen(members, tmp_path):
    names = ("nearest", "bilinear", "bicubic", "bicubic_orography", "climatology", "linear", "bcsd")
    layers = TRUTH + NOISE[5 : 5 + members] if members else None
    own = off(0.5) if layers is None else layers.mean(axis=0)
    fields = {"model": own, "base": off(0.7)} | {
        name: off(1 + 0.1 * k, 2) for k, name in enumerate(names)
    }
    verdict = verdict_of("Scores", [result_of(fields, layers=layers, members=members)])
    lines = verdict.judgements[0].brief.lines
    assert [line[0] for line in lines] == [
        *("prediction", "base prediction", "nearest", "bilinear"),
        *("bicubic orography", "climatology"),
    ]
    assert max(map(len, str(verdict).splitlines())) <= 100
    assert "±" not in str(verdict)
    verdict.write(tmp_path)
    content = json.loads((tmp_path / "verdict.json").read_text())
    (one,) = content["variables"]
    assert one["sentences"] == list(verdict.judgements[0].sentences)
    error = one["findings"][0]["numbers"]["error"]
    assert error["low"] < error["value"] < error["high"]
    assert one["candidates"]["model"]["RMSE"] == error


@pytest.mark.parametrize(
    ("values", "shown"),
    [
        ((0.3216, 0.3012, 0.3441), ["0.32", "0.30", "0.34"]),
        ((0.32161, 0.32158, 0.32164), ["0.32161", "0.32158", "0.32164"]),
        ((1234.0, 1100.0, 1400.0), ["1234", "1100", "1400"]),
        ((0.0,), ["0.00"]),
        ((2.5e-6, 1e-6, 4e-6), ["2.5e-06", "1e-06", "4e-06"]),
    ],
)
def test_as_many_digits_as_the_interval_bears_out(values, shown):
    assert numbers(values) == shown


def test_an_estimate_as_text_and_as_json():
    assert Estimate(0.3216, 0.3012, 0.3441).text("K") == "0.32 K (0.30 to 0.34)"
    assert Estimate(0.5).text("1") == "0.500"
    assert Estimate(0.5).as_json() == {"value": 0.5, "low": None, "high": None}


def test_scores_that_were_not_asked_for_are_not_made_up():
    members = TRUTH + NOISE[1] + NOISE[2:8]
    fields = {"model": members.mean(axis=0), "linear": off(1.5, 9)}
    scoring = ScoringConfig(scores=("psnr",))
    result = result_of(fields, layers=members, members=6, scoring=scoring)
    assert {one.topic for one in verdict_of("Scores", [result]).judgements[0].findings} == {"error"}
    text = str(verdict_of("Scores", [result]))
    assert "CRPS" not in text
    assert "; where" not in text
    assert "crps" not in {n for metric in result.metrics for n in metric.series(result.errors)}
