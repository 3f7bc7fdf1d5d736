"""Frames filled in between known ones have further scores too, of the withheld frames alone."""

from dataclasses import fields, replace

import numpy as np
import pytest
from subjects import fed, subject_of

from app.metrics.described import about_row
from app.metrics.metric import SampleErrors, TimeSubject
from app.options.scoring import ScoringConfig
from app.registry import REGISTRY

RNG = np.random.default_rng(91)
FURTHER = ("fss", "dependence", "efficiency", "distribution")


class Sums(SampleErrors):
    """The weights of samples."""

    summed = ("weight",)

    def add(self, block):
        self.weight[block.indices] = block.weights.sum(axis=(1, 2))


def test_known_frames_do_not_count():
    truth = 280 + RNG.normal(size=(40, 6, 7))
    model = truth + 0.5 * RNG.normal(size=truth.shape)
    withheld = np.arange(40) % 4 != 0
    model[~withheld] = 999.0
    plain = subject_of(truth, days=1 / 24)
    about = {one.name: getattr(plain, one.name) for one in fields(plain)}
    subject = TimeSubject(**about, axis=None, steps=None, scored=withheld)
    subject = replace(subject, scoring=ScoringConfig(scores=FURTHER))
    kinds = [REGISTRY.resolve("time_metric", name) for name in FURTHER]
    metrics = [Sums(subject), *(kind(subject) for kind in kinds)]
    fed(metrics, truth, model[None])
    rows = {row.metric: row.values["model"][0] for m in metrics for row in m.rows(metrics[0])}
    own, kept = truth[withheld], model[withheld]
    r2 = 1 - np.mean((kept - own) ** 2) / np.var(own)
    assert rows["r2"] == pytest.approx(r2)
    median = np.median(kept, axis=0) - np.median(own, axis=0)
    assert rows["quantile_p50_bias"] == pytest.approx(median.mean(), abs=1e-9)
    assert rows["fss_p90_1"] < 1
    assert all(about_row(name, metrics) for name in rows)


def test_the_core_is_what_it_was():
    names = REGISTRY.names("time_metric")
    kinds = {name: REGISTRY.resolve("time_metric", name) for name in names}
    assert [name for name, kind in kinds.items() if not kind.core] == list(FURTHER)
