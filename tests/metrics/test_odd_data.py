"""Every metric takes fields that are flat, few, narrow or full of gaps."""

import json
import warnings
from dataclasses import replace

import numpy as np
import pytest
from subjects import NAMES, fed, subject_of

from app.data.description import Variable
from app.data.wet import WetLimit
from app.metrics.catalogue import metrics_of
from app.metrics.climate import Climate
from app.metrics.described import definitions
from app.metrics.files import _joined_tables
from app.metrics.metric import Result
from app.metrics.table import Table
from app.metrics.verdict import verdict_of
from app.options.scoring import ScoringConfig

RNG = np.random.default_rng(61)
EVERY = ("all", "cordex_ml_bench", "dl4ds")


def gappy():
    truth = RNG.gamma(0.6, 3.0, (30, 6, 7))
    truth[4:9] = np.nan
    truth[:, 2:5, 3] = np.nan
    truth[:, 0] = np.nan
    return truth


CASES = {
    "gaps": gappy(),
    "constant": np.full((30, 6, 7), 3.0),
    "constant, not exact": np.full((30, 6, 7), 280.1),
    "dry": np.zeros((30, 6, 7)),
    "two times": RNG.gamma(0.6, 3.0, (2, 6, 7)),
    "one row": RNG.gamma(0.6, 3.0, (30, 1, 7)),
    "one cell": RNG.gamma(0.6, 3.0, (30, 1, 1)),
    "large": 1e20 * RNG.gamma(0.6, 3.0, (30, 5, 5)),
    "one valid cell": np.where(np.arange(30).reshape(1, 5, 6) == 7, 2.0, np.nan)
    + np.arange(30.0)[:, None, None],
}


@pytest.mark.parametrize("members", [0, 3])
@pytest.mark.parametrize("name", CASES)
def test_scores_or_dashes(name, members):
    truth = CASES[name].astype(np.float32)
    filled = np.nan_to_num(truth)
    factor = np.float32(1.1)
    layers = np.stack([filled, filled * factor, filled * factor**2]) if members else None
    first = filled if layers is None else layers.mean(axis=0)
    fields = np.stack([first, filled, np.float32(0.9) * filled])
    subject = subject_of(
        truth,
        NAMES,
        kind="ratio",
        members=members,
        wet=WetLimit(1.0, None),
        climate=Climate(0.0, 20.0, (15.0, 18.0)),
        consecutive=np.ones(len(truth) - 1, bool),
        scoring=ScoringConfig(scores=EVERY),
        scale=2,
    )
    subject = replace(subject, variable=Variable("pr", "pr", units="mm day-1", kind="ratio"))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        metrics = metrics_of(subject)
        fed(metrics, truth, fields, layers, parts=np.array_split(np.arange(len(truth)), 2))
        rows = tuple(row for metric in metrics for row in metric.rows(metrics[0]))
        table = Table("Scores", NAMES, rows, ())
        result = Result(subject, metrics[0], metrics, "", table)
        for metric in metrics:
            metric.remarks()
            for own in metric.maps(metrics[0]):
                assert own.values.shape == (3, *truth.shape[1:])
        _joined_tables([result])
        assert len(definitions([result])) == len(rows)
        said = json.dumps([one.as_json() for one in verdict_of("Scores", [result]).judgements])
    assert "inf" not in said.lower()
    values = [pair[0] for row in rows for pair in row.values.values()]
    assert not np.isinf(values).any()
    if name.startswith("constant"):
        flat = ("r2", "kge", "anomaly_correlation", "skill_over_climatology", "cordex_lag1_corr")
        assert np.isnan([table.value(row) for row in flat]).all()
        lags = [row.metric for row in rows if row.metric.startswith("autocorrelation_")]
        assert lags
        assert np.isnan([table.value(row) for row in lags]).all()
    # the second candidate is the truth: its errors are 0
    assert table.value("mae", "bicubic") == 0
    assert table.value("energy_score", "bicubic") == pytest.approx(0, abs=1e-6)
