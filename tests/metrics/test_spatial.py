"""Scores of places, scales, dependence and objects against loops and made-up fields."""

import numpy as np
import pytest
from scipy.signal import detrend as scipy_detrend
from subjects import NAMES, fed, scored, subject_of

from app.data.wet import WetLimit
from app.grids import Grid
from app.metrics.deterministic.errors import Errors
from app.metrics.spatial.dependence import Dependence
from app.metrics.spatial.fss import FractionsSkill, box_sum
from app.metrics.spatial.objects import Objects, Shapes
from app.metrics.spatial.season_spectra import Modes, SeasonSpectra, detrended, window
from app.metrics.spatial.spectra import spacing
from app.options.scoring import ScoringConfig, Threshold

RNG = np.random.default_rng(21)


def rows_of(metric, truth, fields, **parts):
    errors = Errors(metric.subject)
    fed([errors, metric], truth, fields, **parts)
    return {row.metric: row.values["model"][0] for row in metric.rows(errors)}


def test_box_sums_are_cut_at_the_borders():
    fields = RNG.integers(0, 9, (2, 6, 7)).astype(float)
    for side in (1, 3, 5, 11):
        r, found = side // 2, box_sum(fields, side)
        for y, x in np.ndindex(6, 7):
            window = fields[:, max(0, y - r) : y + r + 1, max(0, x - r) : x + r + 1]
            np.testing.assert_allclose(found[:, y, x], window.sum(axis=(1, 2)))


def test_fractions_window_by_window():
    truth, model = RNG.gamma(0.6, 3.0, (2, 5, 9, 8))
    truth[:, 2, 3] = np.nan
    thresholds = (Threshold(2.0), Threshold(75.0, local=True))
    scoring = ScoringConfig(thresholds=thresholds, fss_windows=(1, 3, 5, 99))
    metric = FractionsSkill(subject_of(truth, scoring=scoring))
    rows = rows_of(metric, truth, model[None], parts=[np.arange(2), np.arange(2, 5)])
    assert metric.windows == (1, 3, 5)
    valid = np.isfinite(truth[0])
    for label, events in {
        "2": (truth >= 2, model >= 2),
        "p75": tuple(
            np.array([one > np.quantile(one[valid], 0.75) for one in fields])
            for fields in (truth, model)
        ),
    }.items():
        for side in (1, 3, 5):
            apart = reference = 0.0
            for n in range(5):
                for y, x in np.argwhere(valid):
                    near = np.zeros_like(valid)
                    r = side // 2
                    near[max(0, y - r) : y + r + 1, max(0, x - r) : x + r + 1] = True
                    a, b = (event[n][near & valid].mean() for event in events)
                    apart, reference = apart + (a - b) ** 2, reference + a**2 + b**2
            expected = 1 - apart / reference
            assert rows[f"fss_{label}_{side}"] == pytest.approx(expected, rel=1e-5)
    perfect = rows_of(FractionsSkill(metric.subject), truth, truth[None])
    assert perfect["fss_2_5"] == pytest.approx(1)


def test_a_wave_lies_in_its_own_band_and_planes_are_taken_off():
    grid = Grid(lat=np.arange(24) * 0.1, lon=np.arange(32) * 0.1)
    modes, (_, dx) = Modes.of(grid), spacing(grid)
    wave = np.cos(2 * np.pi * 4 * np.arange(32) / 32)[None, None] * np.ones((1, 24, 1))
    power = modes.power(2 * wave)
    band = np.argmin(np.abs(modes.wavelengths - 8 * dx))
    assert power[band] == pytest.approx(2)  # the variance of twice a cosine
    assert power.sum() == pytest.approx(2)
    y, x = np.mgrid[:24, :32]
    noise = RNG.normal(size=(3, 24, 32))
    plane = noise + 3 + 0.2 * y - 0.1 * x
    flat = scipy_detrend(scipy_detrend(noise, axis=1), axis=2)
    found = detrended(plane, "plane")
    np.testing.assert_allclose(found, detrended(noise, "plane"), atol=1e-9)
    design = np.stack([np.ones(y.size), y.ravel(), x.ravel()], axis=1)
    fit = design @ np.linalg.lstsq(design, noise[0].ravel(), rcond=None)[0]
    np.testing.assert_allclose(found[0], noise[0] - fit.reshape(24, 32), atol=1e-9)
    assert not np.allclose(found, flat)  # what has every row and column bent off
    assert np.square(window("hann", (24, 32))).mean() == pytest.approx(1)


@pytest.mark.parametrize("how", [("none", "none"), ("hann", "plane")])
def test_spectra_of_seasons_have_the_factor_that_fields_were_damped_by(how):
    truth = 280 + np.cumsum(RNG.normal(size=(20, 24, 24)), axis=2)
    mean = truth.mean(axis=(1, 2), keepdims=True)
    damped = mean + 0.5 * (truth - mean)
    damped[10:] = truth[10:]
    scoring = ScoringConfig(spectrum_window=how[0], spectrum_detrend=how[1])
    metric = SeasonSpectra(subject_of(truth, days=10, scoring=scoring))
    rows = rows_of(metric, truth, damped[None], parts=[np.arange(7), np.arange(7, 20)])
    if how[1] == "plane":
        # 1 January to 1 March: winter; from 11 April on as the truth
        assert rows["ralsd_DJF"] == pytest.approx(20 * np.log10(2))
    assert rows["ralsd_JJA"] == pytest.approx(0, abs=1e-9)
    assert metric.spectra["DJF"][0] == 6
    wanted = ("year", "DJF", "MAM", "JJA")
    assert tuple(metric.spectra) == wanted


def test_correlation_lengths_of_known_fields():
    from scipy.ndimage import gaussian_filter

    noise = RNG.normal(size=(30, 64, 64))
    sigmas = (2.0, 3.0)
    truth, model = (np.stack([gaussian_filter(n, s, mode="wrap") for n in noise]) for s in sigmas)
    metric = scored(Dependence, truth, np.stack([model, truth]))
    step = spacing(metric.subject.grid)[0]
    # smoothed white noise correlates as exp(-d² / 4σ²), which is 1/e at 2σ
    assert metric.lengths[0] / step == pytest.approx(2 * sigmas[0], rel=0.05)
    rows = {row.metric: row.values for row in metric.rows(None)}
    assert rows["correlation_length_ratio"]["model"][0] == pytest.approx(1.5, rel=0.06)
    assert rows["correlation_length_ratio"]["bicubic"][0] == 1
    assert rows["correlation_length"]["model"][0] == metric.lengths[1]


def test_extremes_that_neighbours_share():
    n = 200
    series = RNG.normal(size=(n, 3, 1))
    truth = RNG.normal(size=(n, 3, 8))  # alone
    model = np.broadcast_to(series, (n, 3, 8))  # all together
    metric = scored(Dependence, truth, model[None])
    rows = {row.metric: row.values["model"][0] for row in metric.rows(None)}
    above = truth > np.quantile(truth, 0.95, axis=0)
    own = (above[..., :-4] & above[..., 4:]).sum() / above[..., :-4].sum()
    assert rows["tail_dependence_4_bias"] == pytest.approx(1 - own)


def test_objects_on_paper():
    rain = np.zeros((1, 12, 12))
    rain[0, 1:3, 1:4] = 4.0  # 6 cells
    rain[0, 2, 2] = 8.0
    rain[0, 8, 8] = 4.0
    rain[0, 9, 9] = 2.0  # touches by a corner
    shapes = Shapes.of(rain, rain >= 0, 0.1, np.ones(2))
    assert shapes.number[0] == 2
    assert shapes.size[0] == 8
    masses, peaks = np.array([28.0, 6.0]), np.array([8.0, 4.0])
    assert shapes.volume[0] == pytest.approx((masses**2 / peaks).sum() / masses.sum())
    y, x = np.mgrid[:12, :12]
    middle = [(rain[0] * one).sum() / rain.sum() for one in (y, x)]
    np.testing.assert_allclose(shapes.centre[0], middle)


def test_structure_amplitude_and_location():
    truth = np.zeros((4, 20, 20))
    truth[:3, 4:8, 4:8] = 5.0  # the last sample is dry
    moved, doubled, flat = np.roll(truth, 6, axis=2), 2 * truth, np.zeros_like(truth)
    flat[:3, 3:9, 3:9] = 5.0 * 16 / 36
    metric = Objects(subject_of(truth, NAMES, kind="ratio", wet=WetLimit(1.0, None)))
    fed([metric], truth, np.stack([moved, doubled, flat]))
    rows = {row.metric: row.values for row in metric.rows(None)}
    _, step = spacing(metric.subject.grid)
    values = {k: [own[name][0] for name in NAMES] for k, own in rows.items()}
    assert values["sal_amplitude"] == pytest.approx([0, 2 / 3, 0], abs=1e-9)
    assert values["sal_structure"][0] == pytest.approx(0, abs=1e-9)
    # one object of equal values: V is the number of its cells
    assert values["sal_structure"][2] == pytest.approx(2 * (36 - 16) / (36 + 16))
    ny, nx = spacing(metric.subject.grid)
    assert values["sal_location"][0] == pytest.approx(6 * step / np.hypot(19 * ny, 19 * nx))
    assert values["object_size_ratio"] == pytest.approx([1, 1, 36 / 16])
    assert values["object_number_ratio"] == pytest.approx([1, 1, 1])
