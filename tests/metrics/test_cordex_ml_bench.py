"""Indices and diagnostics of CORDEX-ML-Bench against xarray, scipy and plain loops."""

from dataclasses import replace

import cftime
import numpy as np
import pytest
import xarray as xr
from scipy.stats import wasserstein_distance
from subjects import fed, subject_of

from app.data.description import Variable
from app.errors import InputError
from app.metrics.metric import Band
from app.metrics.protocols.cordex_ml_bench import CordexMlBench
from app.metrics.sketch import ERROR, Distribution

RNG = np.random.default_rng(11)
SEASON = {"DJF": (12, 1, 2), "MAM": (3, 4, 5), "JJA": (6, 7, 8), "SON": (9, 10, 11)}


def days(calendar):
    """Two years and a half around a leap day, some weeks of them lacking."""
    first = cftime.datetime(1999, 8, 5, calendar=calendar)
    dates = cftime.num2date(np.arange(900), f"days since {first:%Y-%m-%d}", calendar)
    kept = np.r_[0:100, 117:400, 401:900]
    if calendar == "standard":
        return np.array([np.datetime64(d.isoformat(), "ns") for d in dates])[kept]
    return dates[kept]


def of_unit(truth, unit, times, kind, **more):
    subject = subject_of(truth, ("model",), kind=kind, **more)
    return replace(subject, variable=Variable("v", "v", units=unit, kind=kind), times=times)


def run_lengths(chosen):
    best = now = 0
    for one in chosen:
        now = now + 1 if one else 0
        best = max(best, now)
    return best


def expected(values, times, season, unit):
    """Index by index, of a field (n, y, x) as its file has it."""
    array = xr.DataArray(values, {"time": times}, ("time", "y", "x"))
    if season != "annual":
        array = array.isel(time=np.flatnonzero(array["time.month"].isin(SEASON[season])))
    yearly = array.groupby("time.year")
    shifted = array.shift(time=1)
    found = {
        "mean": array.mean("time"),
        "p98": array.quantile(0.98, "time", skipna=True),
        "lag1_corr": xr.corr(array, shifted, "time"),
        "interannual_var": yearly.mean("time").std("year", ddof=0),
    }
    if unit == "K":
        found["su"] = yearly.map(lambda one: (one > 300).sum("time")).mean("year")
        found["txx"] = yearly.max("time").mean("year")
        found["txn"] = yearly.min("time").mean("year")
        return {name: one.values for name, one in found.items()}
    found["rx1day"] = yearly.max("time").mean("year")
    found["sdii"] = array.where(array >= 1).mean("time")
    for name, chosen in (("cdd", array < 1), ("cwd", array >= 1)):
        years = [one.values for _, one in chosen.groupby("time.year")]
        runs = [np.apply_along_axis(run_lengths, 0, one) for one in years]
        found[name] = xr.DataArray(np.mean(runs, axis=0))
    return {name: one.values for name, one in found.items()}


@pytest.mark.parametrize("calendar", ["standard", "360_day", "noleap"])
@pytest.mark.parametrize("unit", ["K", "mm day-1"])
def test_indices_of_all_seasons(calendar, unit):
    times = days(calendar)
    shape = (len(times), 3, 2)
    if unit == "K":
        truth, model = (298 + 4 * RNG.normal(size=shape) for _ in range(2))
    else:
        truth, model = (RNG.gamma(0.5, 4.0, shape) for _ in range(2))
    truth, model = truth.astype(np.float32), model.astype(np.float32)
    truth[40:60, 0, 1] = np.nan
    model[70, 1, 1] = np.nan
    metric = CordexMlBench(of_unit(truth, unit, times, "interval"))
    fed([metric], truth, model[None], parts=np.array_split(np.arange(len(times)), 4))
    for season in ("annual", *SEASON):
        own = metric.diagnostics[season]
        x0, x1 = (expected(v.astype(np.float64), times, season, unit) for v in (truth, model))
        for name in x0:
            bias = x1[name] - x0[name]
            assert own[name].value == pytest.approx(np.nanmean(np.abs(bias)), rel=1e-12), name
            assert own[name].bias == pytest.approx(np.nanmean(bias), rel=1e-9), name
            if (x0[name] != 0).all():
                ratio = np.nanmean(x1[name] / x0[name])
                relative = np.nanmean(np.abs(bias / x0[name]))
                found = own[name].relative[0], own[name].ratio[0]
                assert found == pytest.approx((relative, ratio), rel=1e-9), name
    rows = {row.metric: row.values["model"][0] for row in metric.rows(None)}
    assert rows["cordex_mean"] == metric.diagnostics["annual"]["mean"].value[0]


def test_diagnostics_of_fields():
    times = days("standard")[:200]
    truth = RNG.gamma(0.5, 4.0, (200, 7, 6)).astype(np.float32)
    model = RNG.gamma(0.7, 3.0, (200, 7, 6)).astype(np.float32)
    truth[3, 2, 1] = model[5] = np.nan
    metric = CordexMlBench(of_unit(truth, "mm day-1", times, "ratio"))
    fed([metric], truth, model[None], parts=[np.arange(90), np.arange(90, 200)])
    own = {name: found.value[0] for name, found in metric.diagnostics["annual"].items()}
    x0, x1 = truth.astype(np.float64), model.astype(np.float64)
    assert own["rmse"] == pytest.approx(np.sqrt(np.nanmean((x1 - x0) ** 2)), rel=1e-12)
    x0, x1 = np.nan_to_num(x0), np.nan_to_num(x1)
    spectra = []
    for fields in (x0, x1):
        profiles = []
        for field in fields:
            power = np.abs(np.fft.fftshift(np.fft.fft2(field))) ** 2
            bins = {}
            for y in range(7):
                for x in range(6):
                    bins.setdefault(int(np.hypot(y - 3.0, x - 2.5)), []).append(power[y, x])
            profiles.append([np.mean(bins[r]) for r in sorted(bins)])
        spectra.append(np.mean(profiles, axis=0))
    off = 10 * np.log10(spectra[0] / spectra[1])
    assert own["ralsd"] == pytest.approx(np.mean(off**2), rel=1e-9)
    flat = wasserstein_distance(x0.ravel(), x1.ravel())
    assert own["wasserstein"] == pytest.approx(flat, rel=1e-12)
    cells = [wasserstein_distance(x0[:, y, x], x1[:, y, x]) for y in range(7) for x in range(6)]
    assert own["wasserstein_cells"] == pytest.approx(np.mean(cells), rel=1e-9)


def test_two_variables_together():
    times = days("standard")[:120]
    tas, pr, model_tas, model_pr = RNG.normal(size=(4, 120, 3, 2))
    pr = pr + tas
    tas[5, 0, 0] = np.nan
    first = replace(of_unit(tas, "K", times, "interval"), companions=("pr",))
    second = replace(first, variable=Variable("pr", "pr", units="mm day-1"), companions=())
    metric = CordexMlBench(first)
    rows = np.arange(3)
    one = Band(first, rows, tas, model_tas[None])
    metric.add_together(one, (Band(second, rows, pr, model_pr[None]),))
    found = metric.diagnostics["annual"]["correlation_with_pr"].value
    arrays = [xr.DataArray(v, dims=("t", "y", "x")) for v in (tas, pr, model_tas, model_pr)]
    bias = xr.corr(arrays[2], arrays[3], "t") - xr.corr(arrays[0], arrays[1], "t")
    assert found == pytest.approx(float(np.abs(bias).mean()), rel=1e-9)


def test_hours_are_refused():
    truth = RNG.normal(size=(48, 2, 2))
    with pytest.raises(InputError, match=r"a step of 6h; expected daily values"):
        CordexMlBench(subject_of(truth, days=0.25))


def test_many_values_are_counted_within_the_error_that_is_told():
    a, b = RNG.gamma(0.5, 4.0, 5000), RNG.gamma(0.6, 4.0, 4000)
    parts = [Distribution(1.0, most=1000) for _ in range(3)]
    parts[0].add(a[:500])
    parts[1].add(a[500:])
    parts[2].add(b)
    parts[0].merge(parts[1])
    assert not parts[0].exact
    size = np.abs(np.concatenate([a, b]) - 1).max()
    levels = np.array([0.0, 0.1, 0.5, 0.99, 1.0])
    np.testing.assert_allclose(
        parts[0].quantiles(levels), np.quantile(a, levels), atol=ERROR * size
    )
    exact = wasserstein_distance(a, b)
    assert parts[0].distance(parts[2]) == pytest.approx(exact, abs=2 * ERROR * size)
    kept = Distribution(1.0)
    kept.add(a)
    np.testing.assert_allclose(kept.quantiles(levels), np.quantile(a, levels), rtol=1e-6, atol=1e-7)
