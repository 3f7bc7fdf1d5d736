"""Distribution, climate indices, years and changes against xarray, pandas, scipy and loops."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from scipy.stats import genextreme, linregress, wasserstein_distance
from subjects import NAMES, fed, subject_of

from app.data.description import Variable
from app.data.wet import WetLimit
from app.errors import InputError
from app.metrics.climatic.change import Change
from app.metrics.climatic.climate_indices import ClimateIndices
from app.metrics.climatic.distribution import ValueDistribution
from app.metrics.climatic.return_values import PERIODS, ReturnValues, l_moment_fit, return_values
from app.metrics.climatic.together import Together
from app.metrics.climatic.years import YearToYear, slope
from app.metrics.metric import Band
from app.metrics.pairs import correlation
from app.options.scoring import ScoringConfig, Threshold

RNG = np.random.default_rng(31)


def bias_rows(metric, truth, fields):
    fed([metric], truth, fields)
    return {row.metric.removesuffix("_bias"): row.values["model"][0] for row in metric.rows(None)}


def subject_at(times, truth, unit, **about):
    found = subject_of(truth, **about)
    kind = about.get("kind", "interval")
    return replace(found, times=times, variable=Variable("v", "v", units=unit, kind=kind))


def test_quantiles_and_distances():
    truth, model = RNG.gamma(0.7, 3.0, (2, 60, 3, 4)).astype(np.float32)
    truth[5:9, 1, 2] = np.nan
    metric = ValueDistribution(subject_of(truth))
    rows = bias_rows(metric, truth, model[None])
    kept = np.where(np.isfinite(truth), model, np.nan)
    for name, share in (("p1", 0.01), ("p50", 0.5), ("p99.9", 0.999)):
        apart = np.nanquantile(kept, share, axis=0) - np.nanquantile(truth, share, axis=0)
        assert rows[f"quantile_{name}"] == pytest.approx(apart.mean(), rel=1e-5)
    flat = wasserstein_distance(truth[np.isfinite(truth)], kept[np.isfinite(kept)])
    assert rows["wasserstein"] == pytest.approx(flat, rel=1e-9)
    cells = [
        wasserstein_distance(*(one[np.isfinite(one)] for one in (truth[:, y, x], kept[:, y, x])))
        for y, x in np.ndindex(3, 4)
    ]
    assert rows["wasserstein_cells"] == pytest.approx(np.mean(cells), rel=1e-9)
    lines = metric.tables()["qq"].rows
    median = next(line for line in lines if line[2] == pytest.approx(0.5))
    assert median[3] == pytest.approx(np.nanmedian(truth), rel=1e-5)
    assert median[5] == pytest.approx(np.nanmedian(kept), rel=1e-5)


def test_indices_of_hourly_temperature():
    hours = pd.date_range("2000-06-20", "2001-03-10 17:00", freq="6h")
    truth = 12 + 14 * np.cos(np.arange(len(hours)) / 40)[:, None, None]
    truth = truth + 4 * RNG.normal(size=(len(hours), 2, 3))
    model = truth + RNG.normal(size=truth.shape)
    metric = ClimateIndices(subject_at(hours.values, truth, "degC"))
    rows = bias_rows(metric, truth, model[None])
    found = []
    for values in (truth, model):
        array = xr.DataArray(values, {"time": hours}, ("time", "y", "x"))
        days = array.resample(time="1D")
        whole = days.count() == 4
        high, low = days.max().where(whole), days.min().where(whole)
        found.append(
            {
                "txx": high.groupby("time.year").max().mean("year"),
                "txn": high.groupby("time.year").min().mean("year"),
                "tnn": low.groupby("time.year").min().mean("year"),
                "su": (high > 25).groupby("time.year").sum().mean("year"),
                "fd": (low < 0).groupby("time.year").sum().mean("year"),
            }
        )
    for name in found[0]:
        expected = float((found[1][name] - found[0][name]).mean())
        assert rows[name] == pytest.approx(expected, rel=1e-9), name
    assert found[0]["fd"].max() > 0
    highest = replace(metric.subject, variable=Variable("tasmax", "t", units="K"))
    assert set(ClimateIndices(highest).units) == {"txx", "txn", "su"}


def test_indices_of_daily_rain():
    days = pd.date_range("1999-10-05", periods=500).delete(range(100, 120))
    rate = RNG.gamma(0.4, 5.0, (480, 2, 2)).astype(np.float32)
    model = (rate * RNG.uniform(0.6, 1.4, rate.shape)).astype(np.float32)
    subject = subject_at(days.values, rate, "kg m-2 s-1", kind="ratio", wet=WetLimit(1 / 86400))
    fields = [(one / np.float32(86400)).astype(np.float32) for one in (rate, model)]
    rows = bias_rows(ClimateIndices(subject), fields[0], fields[1][None])
    level = np.nanquantile(np.where(rate >= 1, rate, np.nan), 0.95, axis=0)
    found = []
    for values in (rate, model):
        own = {}
        table = pd.DataFrame(values.reshape(480, 4).astype(float), index=days)
        years = table.groupby(days.year)
        full = table.asfreq("D")
        long = full.rolling(5).sum()
        own["rx1day"] = years.max().mean()
        own["rx5day"] = long.groupby(long.index.year).max().mean()
        own["sdii"] = table.where(table >= 1).mean()
        own["wet_days"] = (table >= 1).groupby(days.year).sum().mean()
        own["r95p"] = table.where(table > level.ravel(), 0.0).groupby(days.year).sum().mean()
        for name, chosen in (("cdd", full < 1), ("cwd", full >= 1)):
            runs = chosen.groupby(full.index.year).agg(longest)
            own[name] = runs.mean()
        found.append(own)
    for name in found[0]:
        expected = float((found[1][name] - found[0][name]).mean())
        assert rows[name] == pytest.approx(expected, rel=1e-4, abs=1e-5), name


def longest(chosen):
    best = now = 0
    for one in chosen:
        now = now + 1 if one else 0
        best = max(best, now)
    return best


def test_years_and_trends():
    days = pd.date_range("2000-03-01", "2006-02-10", freq="5D").values
    truth, model = RNG.normal(size=(2, len(days), 2, 3))
    model = model + np.arange(len(days))[:, None, None] * 0.01
    truth[:30, 0, 1] = np.nan
    model[:30, 0, 1] = np.nan
    rows = bias_rows(YearToYear(subject_at(days, truth, "K")), truth, model[None])
    means = [
        xr.DataArray(v, {"time": days}, ("time", "y", "x")).groupby("time.year").mean()
        for v in (truth, model)
    ]
    std = float((means[1].std("year") - means[0].std("year")).mean())
    assert rows["interannual_std"] == pytest.approx(std, rel=1e-9)
    slopes = []
    for one in means:
        for y, x in np.ndindex(2, 3):
            own = one[:, y, x].dropna("year")
            slopes.append(10 * linregress(own["year"], own.values).slope)
    expected = np.mean(slopes[6:]) - np.mean(slopes[:6])
    assert rows["trend"] == pytest.approx(expected, rel=1e-9)
    assert np.isnan(slope(np.array([2000.0]), np.ones((1, 1))))
    assert not YearToYear.suits(subject_at(days[:100], truth[:100], "K"))


def test_return_values_of_a_known_distribution():
    drawn = genextreme.ppf((np.arange(20000)[:, None] + 0.5) / 20000, 0.12, loc=30, scale=4)
    location, scale, shape = (float(one[0]) for one in l_moment_fit(drawn))
    assert (location, scale, shape) == pytest.approx((30, 4, 0.12), rel=0.01)
    levels = genextreme.ppf(1 - 1 / np.array(PERIODS), shape, loc=location, scale=scale)
    np.testing.assert_allclose(return_values(drawn)[:, 0], levels)
    # Gumbel's: quantiles at plotting positions have the L-skewness 0.17 and a shape near to 0
    flat = -np.log(-np.log((np.arange(1, 4001) - 0.5) / 4000))
    assert abs(float(l_moment_fit(flat[:, None])[2][0])) < 0.01


def test_bias_of_return_values_with_its_interval():
    days = pd.date_range("1980-01-15", periods=30 * 12, freq="MS").values
    truth = RNG.gumbel(20, 3, (len(days), 2, 3))
    metric = ReturnValues(subject_at(days, truth, "K"))
    fed([metric], truth, (truth + 1.5)[None])
    rows = {row.metric: row.values["model"][0] for row in metric.rows(None)}
    for period in PERIODS:
        ends = [rows[f"return_{period}_bias{end}"] for end in ("", "_low", "_high")]
        assert ends == pytest.approx([1.5] * 3)
    yearly = xr.DataArray(truth, {"time": days}, ("time", "y", "x")).groupby("time.year").max()
    np.testing.assert_allclose(metric.found[:, 0], return_values(yearly.values))
    metric = ReturnValues(metric.subject)
    fed([metric], truth, RNG.permutation(truth)[None])
    rows = {row.metric: row.values["model"][0] for row in metric.rows(None)}
    assert rows["return_20_bias_low"] < rows["return_20_bias"] < rows["return_20_bias_high"]


def test_two_predictands_together():
    tas, pr, model_tas, model_pr = RNG.normal(size=(4, 50, 2, 3))
    pr = pr - tas
    tas[4, 0, 0] = np.nan
    first = replace(subject_of(tas, NAMES[:2]), companions=("pr",))
    second = replace(subject_of(pr), variable=Variable("pr", "pr", units="mm"))
    metric = Together(first)
    rows = np.arange(2)
    fields = np.stack([model_tas, tas])
    metric.add_together(Band(first, rows, tas, fields), [Band(second, rows, pr, model_pr[None])])
    (row,) = metric.rows(None)
    arrays = [xr.DataArray(v, dims=("t", "y", "x")) for v in (tas, pr, model_tas, model_pr)]
    arrays[2] = arrays[2].where(arrays[0].notnull())
    bias = xr.corr(arrays[2], arrays[3], "t") - xr.corr(arrays[0], arrays[1], "t")
    assert row.values["model"][0] == pytest.approx(float(bias.mean()))
    assert np.isnan(row.values["bicubic"][0])  # which the other predictand has not
    assert np.isnan(correlation(np.ones((4, 1)), np.arange(4.0)[:, None]))


def test_changes_between_two_periods():
    days = pd.date_range("2000-01-01", "2003-12-31")
    rise = np.where(days.year >= 2002, 2.0, 0.0)[:, None, None]
    truth = 15 + 8 * RNG.normal(size=(len(days), 2, 2)) + rise
    model = truth + 0.5 * rise
    model[0] = 99.0  # not twice in a year
    scoring = ScoringConfig(change_periods=((2000, 2001), (2002, 2003)))
    metric = Change(subject_at(days.values, truth, "degC", scoring=scoring))
    rows = bias_rows(metric, truth, model[None])
    periods = [days.year < 2002, days.year >= 2002]
    for name, of in {
        "mean": lambda v: v.mean(axis=0),
        "p95": lambda v: np.quantile(v, 0.95, axis=0),
        "std": lambda v: v.std(axis=0),
        "su": lambda v: (v > 25).sum(axis=0) / 2,
    }.items():
        before, after = ([of(v[own]) for own in periods] for v in (truth, model))
        expected = (after[1] - after[0]) - (before[1] - before[0])
        assert rows[f"change_{name}"] == pytest.approx(expected.mean(), rel=1e-9), name
    lines = {line[1]: line for line in metric.tables()["change"].rows}
    mean = [truth[own].mean() for own in periods]
    assert lines["mean"][5] == pytest.approx(mean[1] - mean[0])
    scoring = ScoringConfig(change_periods=((2000, 2001), (2081, 2100)))
    with pytest.raises(InputError, match=r"2081-2100: 0 of the times scored, .* 2000 to 2003"):
        Change(replace(metric.subject, scoring=scoring))


def test_changes_of_return_values_and_of_spell_lengths():
    days = pd.date_range("1981-01-01", "2000-12-31")
    late = days.year >= 1991
    truth = RNG.gumbel(20, 3, (len(days), 2, 2)) + 1.0 * late[:, None, None]
    model = truth + RNG.normal(size=truth.shape) * (1 + late[:, None, None])
    scoring = ScoringConfig(
        change_periods=((1981, 1990), (1991, 2000)), thresholds=(Threshold(25.0),)
    )
    subject = subject_at(days.values, truth, "degC", scoring=scoring)
    together = np.ones(len(days) - 1, bool)
    together[[40, 2000]] = False  # gaps end spells
    metric = Change(replace(subject, consecutive=together))
    rows = bias_rows(metric, truth, model[None])

    def spells(series):
        """Mean length of the runs of each cell, one value after the other."""
        found = []
        for y, x in np.ndindex(2, 2):
            runs = [0]
            for place, value in series:
                joined = place in others and together[place - 1]
                if not joined and runs[-1]:
                    runs.append(0)
                if value[y, x] >= 25:
                    runs[-1] += 1
                elif runs[-1]:
                    runs.append(0)
            found.append(np.mean([run for run in runs if run]))
        return np.array(found)

    lengths, extremes = [], []
    for own in (~late, late):
        places = np.flatnonzero(own)
        others = set(places[1:])
        both = [np.asarray(v)[own] for v in (truth, model)]
        lengths.append([spells(list(zip(places, v, strict=True))) for v in both])
        yearly = [
            xr.DataArray(v, {"time": days[own]}, ("time", "y", "x")).groupby("time.year").max()
            for v in both
        ]
        extremes.append([return_values(v.values) for v in yearly])
    expected = (lengths[1][1] - lengths[0][1]) - (lengths[1][0] - lengths[0][0])
    assert rows["change_spell_length_25"] == pytest.approx(expected.mean(), rel=1e-9)
    expected = (extremes[1][1] - extremes[0][1]) - (extremes[1][0] - extremes[0][0])
    for period, values in zip(PERIODS, expected, strict=True):
        assert rows[f"change_return_{period}"] == pytest.approx(values.mean(), rel=1e-9)
    assert abs(rows["change_return_50"]) > 0.01
    short = replace(scoring, change_periods=((1981, 1985), (1991, 2000)))
    metric = Change(replace(subject, scoring=short))
    assert not any("return" in name for name in metric.units)
    assert "need 10 years" in metric.remarks()[0]
