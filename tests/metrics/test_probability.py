"""Scores of probabilities and ensembles against the package `scores`, numpy and plain loops."""

import numpy as np
import pytest
import scores.continuous
import scores.probability
import xarray as xr
from subjects import NAMES, fed, scored, subject_of

from app.metrics.confidence import confidence_of
from app.metrics.deterministic.errors import Errors
from app.metrics.probabilistic.intervals import Intervals
from app.metrics.probabilistic.multivariate import LAGS, Multivariate, energy
from app.metrics.probabilistic.probability import Probability
from app.metrics.probabilistic.rank_seasons import RankSeasons, shared_ranks
from app.metrics.probabilistic.weighted_crps import WeightedCrps
from app.options.scoring import ScoringConfig, Threshold

RNG = np.random.default_rng(8)
N, Y, X, M = 40, 4, 5, 6
CENTRE = RNG.normal(size=(N, Y, X))
TRUTH = CENTRE + RNG.normal(size=CENTRE.shape)
MEMBERS = CENTRE + 0.8 * RNG.normal(size=(M, N, Y, X))
TRUTH[3, 1, 2] = np.nan
AREA = np.linspace(0.5, 1.5, Y * X).reshape(Y, X)
WEIGHTS = np.where(np.isfinite(TRUTH), AREA, 0.0)
DIMS = ("n", "y", "x")
THRESHOLDS = (Threshold(0.5), Threshold(80.0, local=True))


def rows_of(kind, fields=None, **about):
    """Rows, by name, of the members and of a single field."""
    names = NAMES[:2]
    about = {"area": AREA, "members": M, "scoring": ScoringConfig(thresholds=THRESHOLDS)} | about
    subject = subject_of(TRUTH, names, **about)
    errors, metric = Errors(subject), kind(subject)
    both = np.stack([MEMBERS.mean(axis=0), CENTRE])
    fed([errors, metric], TRUTH, both, MEMBERS, parts=[np.arange(15), np.arange(15, N)])
    found = confidence_of(metric.rows(errors), subject).rows
    rows = {row.metric: row.values for row in found}
    return {k: {c: v[0] for c, v in own.items()} for k, own in rows.items()}, metric


def array(values):
    return xr.DataArray(values, dims=DIMS)


def mean(values):
    kept = np.isfinite(values) & (WEIGHTS > 0)
    return np.average(values[kept], weights=WEIGHTS[kept])


@pytest.mark.parametrize("place", [0, 1])
def test_brier_score_its_parts_and_roc(place):
    level = [np.full((Y, X), 0.5), np.nanquantile(TRUTH, 0.8, axis=0)][place]
    event = (level <= TRUTH) if place == 0 else (level < TRUTH)
    p = ((level <= MEMBERS) if place == 0 else (level < MEMBERS)).mean(axis=0)
    rows, _ = rows_of(Probability)
    name = str(THRESHOLDS[place])

    def row(kind, candidate="model"):
        return rows[f"{kind}_{name}"][candidate]

    valid = np.isfinite(TRUTH)
    o, w = event.astype(float), WEIGHTS
    brier = np.average((p - o)[valid] ** 2, weights=w[valid])
    assert row("brier") == pytest.approx(brier)
    base = np.average(o[valid], weights=w[valid])
    assert row("brier_uncertainty") == pytest.approx(base * (1 - base))
    assert row("brier_skill") == pytest.approx(1 - brier / (base * (1 - base)))
    total = row("brier_reliability") - row("brier_resolution") + row("brier_uncertainty")
    assert total == pytest.approx(brier)
    total = row("brier_miscalibration") - row("brier_discrimination") + row("brier_uncertainty")
    assert total == pytest.approx(brier)
    roc = scores.probability.roc_curve_data(
        array(p),
        array(np.where(valid, o, np.nan)),
        thresholds=[0, *((np.arange(M) + 0.5) / M), 1],
        weights=array(np.broadcast_to(AREA, p.shape)),
    )
    assert row("roc_area") == pytest.approx(float(roc["AUC"]), abs=1e-9)
    single = (level <= CENTRE) if place == 0 else (level < CENTRE)
    expected = np.average((single != event)[valid], weights=w[valid])
    assert row("brier", "bicubic") == pytest.approx(expected)


def test_reliability_curve_and_its_isotonic_one():
    _, metric = rows_of(Probability, area=np.ones((Y, X)))
    curve = metric.parts[0][0].curve
    valid = np.isfinite(TRUTH)
    p = (MEMBERS >= 0.5).mean(axis=0)[valid]
    o = (TRUTH >= 0.5)[valid].astype(float)
    for probability, share, observed, _ in curve:
        near = np.abs(p - probability) < 1e-9
        assert (near.mean(), o[near].mean()) == pytest.approx((share, observed))
    fit = scores.probability.isotonic_fit(p, o)
    np.testing.assert_allclose(
        np.interp(curve[:, 0], fit["fcst_sorted"], fit["regression_values"]), curve[:, 3], atol=1e-9
    )


def test_crps_of_what_is_beyond_a_threshold():
    rows, _ = rows_of(WeightedCrps)
    members = xr.DataArray(MEMBERS, dims=("m", *DIMS))
    found = scores.probability.tail_tw_crps_for_ensemble(
        members, array(TRUTH), "m", 0.5, method="fair", tail="upper", preserve_dims="all"
    )
    assert rows["twcrps_0.5"]["model"] == pytest.approx(mean(found.values))
    level = np.nanquantile(TRUTH, 0.8, axis=0)
    single = np.abs(np.maximum(CENTRE, level) - np.maximum(TRUTH, level))
    assert rows["twcrps_p80"]["bicubic"] == pytest.approx(mean(single))
    assert rows["twcrps_p80_low"]["model"] < rows["twcrps_p80"]["model"]


def test_energy_score_on_paper():
    # two members at distances 3 and 4 of the truth, 5 from each other
    apart = np.array([[[3.0, 0.0]], [[0.0, 4.0]]])
    assert energy(apart)[0] == pytest.approx(3.5 - 2 * 5 / (2 * 2 * 1))
    rows, _ = rows_of(Multivariate)
    own = []
    for n in range(N):
        share = WEIGHTS[n] / WEIGHTS[n].sum()
        fields = np.nan_to_num([*MEMBERS[:, n], TRUTH[n]])

        def size(a, b, share=share, fields=fields):
            return np.sqrt((share * (fields[a] - fields[b]) ** 2).sum())

        error = np.mean([size(i, M) for i in range(M)])
        own.append(error - sum(size(i, j) for i in range(M) for j in range(M)) / (2 * M * (M - 1)))
    assert rows["energy_score"]["model"] == pytest.approx(np.mean(own))


def test_variogram_score_pair_by_pair():
    rows, _ = rows_of(Multivariate)
    total = weight = 0.0
    for n in range(N):
        for y, x in np.ndindex(Y, X):
            for lag in LAGS:
                for far in ((y + lag, x), (y, x + lag)):
                    if far[0] >= Y or far[1] >= X:
                        continue
                    pair = TRUTH[n, y, x], TRUTH[n, far[0], far[1]]
                    if not np.isfinite(pair).all():
                        continue
                    own = np.abs(MEMBERS[:, n, y, x] - MEMBERS[:, n, far[0], far[1]]) ** 0.5
                    w = AREA[y, x] / lag
                    total += w * (abs(pair[0] - pair[1]) ** 0.5 - own.mean()) ** 2
                    weight += w
    assert rows["variogram_score"]["model"] == pytest.approx(total / weight)


def test_intervals_of_members():
    rows, metric = rows_of(Intervals)
    assert metric.nominal == (50,)  # 6 members reach from 1/7 to 6/7
    low, high = np.quantile(MEMBERS, [0.25, 0.75], axis=0, method="weibull")
    inside = ((low <= TRUTH) & (high >= TRUTH)).astype(float)
    assert rows["interval_coverage_50"]["model"] == pytest.approx(mean(inside))
    assert rows["interval_width_50"]["model"] == pytest.approx(mean(high - low))
    found = scores.continuous.interval_score(
        array(low), array(high), array(TRUTH), 0.5, preserve_dims="all"
    )
    score = mean(found["total"].values)
    assert rows["interval_score_50"]["model"] == pytest.approx(score)


def test_a_reliable_ensemble_is_covered_as_it_should_be():
    centre = RNG.normal(size=(300, 5, 5))
    truth = centre + RNG.normal(size=centre.shape)
    members = centre + RNG.normal(size=(19, *centre.shape))
    metric = scored(Intervals, truth, members.mean(axis=0)[None], members)
    errors = scored(Errors, truth, members.mean(axis=0)[None], members)
    rows = {row.metric: row.values["model"][0] for row in metric.rows(errors)}
    for percent in (50, 80, 90):
        assert rows[f"interval_coverage_{percent}"] == pytest.approx(percent / 100, abs=0.02)


def test_ranks_by_season_and_ties():
    # one member below, two tied: a third of the weight each for ranks 1, 2 and 3
    own = shared_ranks(np.array([1]), np.array([2]), np.array([3.0]), 4)
    np.testing.assert_allclose(own, [0, 1, 1, 1, 0])
    rows, metric = rows_of(RankSeasons, days=10, area=np.ones((Y, X)))  # into the next year
    times = metric.subject.times
    members = xr.DataArray(MEMBERS, {"n": times}, ("m", *DIMS))
    truth = xr.DataArray(TRUTH, {"n": times}, DIMS)
    found = scores.probability.rank_histogram(
        members.isel(n=members["n.season"] == "JJA"), truth.isel(n=truth["n.season"] == "JJA"), "m"
    )
    summer = metric.seasons["JJA"].sum(axis=1)
    np.testing.assert_allclose(summer / summer.sum(), found.values)
    index = 100 * np.abs(found.values - 1 / (M + 1)).sum()
    assert rows["reliability_index_JJA"]["model"] == pytest.approx(index)
    below = np.where(np.isfinite(TRUTH), (MEMBERS < TRUTH).mean(axis=0), np.nan)
    assert rows["mean_rank"]["model"] == pytest.approx(np.nanmean(below))


def test_the_error_of_endless_members():
    centre, shift = RNG.normal(size=(300, 6, 6)), 0.7
    members = centre + shift + RNG.normal(size=(4, *centre.shape))
    metric = scored(RankSeasons, centre, members.mean(axis=0)[None], members)
    errors = scored(Errors, centre, members.mean(axis=0)[None], members)
    rows = {row.metric: row.values["model"][0] for row in metric.rows(errors)}
    assert rows["rmse_debiased"] == pytest.approx(shift, abs=0.02)
    assert rows["mean_rank"] < 0.3
