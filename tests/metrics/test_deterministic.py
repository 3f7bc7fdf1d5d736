"""Efficiencies, strata and consistency against the package `scores`, xarray and numpy."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import scores.continuous
import xarray as xr
from subjects import NAMES, fed, subject_of

from app.data.description import Variable
from app.metrics.confidence import confidence_of
from app.metrics.deterministic.consistency import Consistency, bounds_of
from app.metrics.deterministic.efficiency import Efficiency
from app.metrics.deterministic.errors import Errors
from app.metrics.deterministic.strata import Regions, Strata
from app.metrics.ground import Ground
from app.metrics.regions import Regions as Areas

RNG = np.random.default_rng(51)
N, Y, X = 400, 3, 4
DAYS = pd.date_range("2000-12-20", periods=N)
AREA = np.linspace(0.5, 1.5, Y * X).reshape(Y, X)
TRUTH = 10 + RNG.normal(size=(N, Y, X)) + 3 * np.cos(np.arange(N) / 60)[:, None, None]
MODEL = TRUTH + 0.3 + 0.7 * RNG.normal(size=TRUTH.shape)
TRUTH[7, 1, 2] = np.nan
VALID = np.isfinite(TRUTH)
WEIGHTS = AREA * VALID


def rows_of(metric, fields=MODEL[None], names=NAMES[:1], **about):
    about = {"area": AREA, "consecutive": np.ones(N - 1, bool)} | about
    subject = replace(subject_of(TRUTH, names, **about), times=DAYS.values)
    errors, own = Errors(subject), metric(subject)
    fed([errors, own], TRUTH, fields, parts=[np.arange(150), np.arange(150, N)])
    rows = confidence_of(own.rows(errors), own.subject).rows
    return {row.metric: row.values["model"][0] for row in rows}, own


def mean(values, chosen=VALID):
    return np.average(values[chosen & VALID], weights=WEIGHTS[chosen & VALID])


def array(values):
    return xr.DataArray(np.where(VALID, values, np.nan), {"time": DAYS}, ("time", "y", "x"))


@pytest.mark.parametrize("kind", ["ratio", "interval"])
def test_efficiencies(kind):
    rows, metric = rows_of(Efficiency, kind=kind)
    centred = (TRUTH - mean(TRUTH)) ** 2
    assert rows["r2"] == pytest.approx(1 - mean((MODEL - TRUTH) ** 2) / mean(centred))
    assert rows["r2_low"] < rows["r2"] < rows["r2_high"]
    if kind == "ratio":
        kge = scores.continuous.kge(array(MODEL), array(TRUTH), reduce_dims="time").values
    else:
        own, truth = array(MODEL), array(TRUTH)
        parts = (
            xr.corr(own, truth, "time") - 1,
            own.std("time") / truth.std("time") - 1,
            (own.mean("time") - truth.mean("time")) / truth.std("time"),
        )
        kge = (1 - np.sqrt(sum(part**2 for part in parts))).values
    np.testing.assert_allclose(metric.kge[0], kge)
    assert rows["kge"] == pytest.approx(np.average(kge, weights=AREA))


def test_anomalies_from_the_truths_own_months():
    rows, metric = rows_of(Efficiency)
    own, truth = array(MODEL), array(TRUTH)
    months = truth.groupby("time.month").mean()
    a, o = ((one.groupby("time.month") - months).values for one in (own, truth))
    found = mean(a * o) / np.sqrt(mean(a * a) * mean(o * o))
    assert rows["anomaly_correlation"] == pytest.approx(found)
    error = (MODEL - TRUTH) ** 2
    assert rows["skill_over_climatology"] == pytest.approx(1 - mean(error) / mean(o**2))
    step = np.full_like(TRUTH, np.nan)
    step[1:] = (TRUTH[1:] - TRUTH[:-1]) ** 2
    pairs = np.isfinite(step)
    skill = 1 - mean(error, pairs) / mean(step, pairs)
    assert rows["skill_over_persistence"] == pytest.approx(skill)
    assert "the truth's own mean" in metric.remarks()[0]


def test_anomalies_from_the_climatology_of_training():
    known = np.broadcast_to(9 + RNG.normal(size=(Y, X)), TRUTH.shape)
    fields = np.stack([MODEL, known])
    rows, metric = rows_of(Efficiency, fields, ("model", "climatology"))
    a, o = MODEL - known, TRUTH - known
    found = mean(a * o) / np.sqrt(mean(a * a) * mean(o * o))
    assert rows["anomaly_correlation"] == pytest.approx(found)
    assert "training" in metric.remarks()[0]


def test_parts_of_cells_and_times():
    land = np.array([[0, 0.2, 0.5, 1]] * 3)
    heights = np.arange(12.0).reshape(3, 4)
    rows, metric = rows_of(Strata, ground=Ground(land, heights))
    error = (MODEL - TRUTH) ** 2
    on_land = np.broadcast_to(land >= 0.5, TRUTH.shape)
    assert rows["by_surface_land_rmse"] == pytest.approx(np.sqrt(mean(error, on_land)))
    lowest = np.broadcast_to(heights < 3, TRUTH.shape)
    assert rows["by_height_1_rmse"] == pytest.approx(np.sqrt(mean(error, lowest)))
    winter = np.isin(DAYS.month, (12, 1, 2))[:, None, None] & VALID
    assert rows["by_season_DJF_rmse"] == pytest.approx(np.sqrt(mean(error, winter)))
    lines = {(line[1], line[2]): line for line in metric.tables()["strata"].rows}
    march = (DAYS.month == 3)[:, None, None] & VALID
    assert lines["month", "03"][6:] == pytest.approx(
        [
            mean(np.abs(MODEL - TRUTH), march),
            np.sqrt(mean(error, march)),
            mean(MODEL - TRUTH, march),
        ]
    )
    assert not Strata.suits(subject_of(TRUTH))
    assert not any(name.startswith("by_month") for name in rows)


def test_regions_of_the_user():
    masks = {"north": np.arange(12).reshape(3, 4) > 5}
    rows, metric = rows_of(Regions, regions=Areas(masks))
    north = np.broadcast_to(masks["north"], TRUTH.shape)
    assert rows["by_region_north_rmse"] == pytest.approx(np.sqrt(mean((MODEL - TRUTH) ** 2, north)))
    (line,) = metric.tables()["strata"].rows
    assert line[:3] == ["t", "region", "north"]


def test_what_no_field_should_do():
    fields = np.stack([MODEL - 10, TRUTH])
    rows, _ = rows_of(Consistency, fields, NAMES[:2], kind="ratio", scale=2)
    assert rows["negative_share"] == pytest.approx(mean((MODEL < 10).astype(float)))
    blocks = []
    for y, x in ((0, 0), (0, 2)):  # the third row is over
        part = np.s_[:, y : y + 2, x : x + 2]
        whole = VALID[part].all(axis=(1, 2))
        own = AREA[part[1:]]
        apart = ((fields[0] - TRUTH)[part] * own).sum(axis=(1, 2)) / own.sum()
        blocks += [(own.sum(), one) for one in apart[whole]]
    weights, apart = np.array(blocks).T
    expected = np.sqrt(np.average(apart**2, weights=weights))
    assert rows["coarse_mean_rmse"] == pytest.approx(expected)


def test_bounds_of_variables():
    subject = subject_of(TRUTH)
    assert bounds_of(subject) == (0.0, np.inf)  # K
    warm = replace(subject, variable=Variable("t", "t", units="degC", valid_max=60.0))
    assert bounds_of(warm) == pytest.approx((-273.15, 60.0))
    rows, _ = rows_of(Consistency, (MODEL - 10)[None])
    assert rows == pytest.approx(
        {
            **{key: rows[key] for key in ("beyond_bounds_low", "beyond_bounds_high")},
            "beyond_bounds": mean((MODEL < 10).astype(float)),
        }
    )
