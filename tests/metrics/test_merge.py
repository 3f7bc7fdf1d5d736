"""Sums of parts of the samples, added up, are those of all samples."""

from dataclasses import replace

import numpy as np
import pytest
from subjects import NAMES, subject_of

from app.data.wet import WetLimit
from app.metrics.catalogue import metrics_of
from app.metrics.climate import Climate
from app.metrics.metric import Band, Block
from app.options.scoring import ScoringConfig
from app.registry import REGISTRY

SAMPLES, ROWS, COLUMNS, LAYERS = 40, 12, 14, 3


def rows_of(subject, truth, fields, layers, ranks: int):
    """Rows of the table where each rank takes every so-manieth sample and row of the grid."""
    shares = [metrics_of(subject) for _ in range(ranks)]
    for rank, metrics in enumerate(shares):
        samples, rows = np.arange(rank, SAMPLES, ranks), np.arange(rank, ROWS, ranks)
        block = Block(subject, samples, truth[samples], fields[:, samples], layers[:, samples])
        band = Band(subject, rows, truth[:, rows], fields[:, :, rows], layers[:, :, rows])
        for metric in metrics:
            metric.add(block)
            metric.add_series(band)
    whole, *rest = shares
    for metrics in rest:
        for metric, other in zip(whole, metrics, strict=True):
            metric.merge(other)
    return [row for metric in whole for row in metric.rows(whole[0])], whole


@pytest.mark.parametrize("kind", ["members", "quantiles"])
def test_however_many_ranks_share_the_work(kind: str) -> None:
    rng = np.random.default_rng(5)
    truth = rng.gamma(1.0, 3.0, (SAMPLES, ROWS, COLUMNS))
    truth[3:9, 4] = np.nan
    layers = np.sort(rng.gamma(1.0, 3.0, (LAYERS, *truth.shape)), axis=0)
    fields = np.stack([layers.mean(axis=0), *rng.gamma(1.0, 3.0, (2, *truth.shape))])
    own = {"members": LAYERS} if kind == "members" else {"quantiles": (0.1, 0.5, 0.9)}
    subject = subject_of(
        truth,
        NAMES,
        kind="ratio",
        wet=WetLimit(1.0, None),
        climate=Climate(0.0, 20.0, (15.0, 18.0)),
        consecutive=np.ones(SAMPLES - 1, bool),
        scoring=ScoringConfig(scores=("all", "cordex_ml_bench", "dl4ds")),
        scale=2,
        **own,
    )
    subject = replace(subject, variable=replace(subject.variable, units="mm day-1"))
    alone, metrics = rows_of(subject, truth, fields, layers, ranks=1)
    shared, merged = rows_of(subject, truth, fields, layers, ranks=4)
    of_members = {type(m) for m in metrics_of(replace(subject, members=LAYERS, quantiles=()))}
    of_quantiles = {type(m) for m in metrics_of(replace(subject, members=0, quantiles=(0.5,)))}
    every = {REGISTRY.resolve("metric", name) for name in REGISTRY.names("metric")}
    assert of_members | of_quantiles == every
    assert [row.metric for row in shared] == [row.metric for row in alone]
    for one, other in zip(alone, shared, strict=True):
        for name, pair in one.values.items():
            assert other.values[name] == pytest.approx(pair, rel=1e-9, nan_ok=True), one.metric
    for one, other in zip(metrics, merged, strict=True):
        for name, sheet in one.tables().items():
            for found, row in zip(other.tables()[name].rows, sheet.rows, strict=True):
                numbers = [(f, v) for f, v in zip(found, row, strict=True) if isinstance(v, float)]
                assert [f for f, _ in numbers] == pytest.approx(
                    [v for _, v in numbers], rel=1e-9, nan_ok=True
                )
