"""Scores in time against loops and courses that are known."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.signal import periodogram
from subjects import NAMES, fed, subject_of

from app.data.wet import WetLimit
from app.metrics.temporal.autocorrelation import Autocorrelation
from app.metrics.temporal.cycles import Cycles, harmonic, harmonic_sums
from app.metrics.temporal.spells import Spells
from app.metrics.temporal.time_spectrum import TimeSpectrum
from app.options.scoring import ScoringConfig, Threshold

RNG = np.random.default_rng(41)


def rows_of(metric, truth, fields, layers=None):
    fed([metric], truth, fields, layers)
    return {row.metric: row.values["model"][0] for row in metric.rows(None)}


def at(times, truth, names=NAMES[:1], **about):
    seconds = np.diff(np.asarray(times, "datetime64[s]").astype(int))
    consecutive = seconds == np.bincount(seconds).argmax()
    return replace(subject_of(truth, names, consecutive=consecutive, **about), times=times)


def red(coefficient, shape):
    found = RNG.normal(size=shape)
    for t in range(1, shape[0]):
        found[t] += coefficient * found[t - 1]
    return found


def test_memory_of_known_processes_and_gaps():
    days = pd.date_range("2000-01-01", periods=900).delete(range(300, 310)).values
    truth, model = red(0.8, (890, 2, 2)), red(0.3, (890, 2, 2))
    truth[50, 0, 0] = np.nan
    metric = Autocorrelation(at(days, truth))
    rows = rows_of(metric, truth, model[None])
    kept = np.where(np.isfinite(truth), model, np.nan)
    for lag in (1, 5):
        found = []
        for values in (truth, kept):
            table = pd.DataFrame(values.reshape(890, 4), index=days).asfreq("D")
            found.append(np.mean([table[c].autocorr(lag) for c in table]))
        assert rows[f"autocorrelation_{lag}_bias"] == pytest.approx(found[1] - found[0], rel=1e-9)
    assert rows["autocorrelation_1_bias"] == pytest.approx(-0.5, abs=0.08)


def test_spectra_in_time_of_the_longest_piece():
    days = pd.date_range("2000-01-01", periods=200).delete(range(60, 65)).values
    truth = red(0.6, (195, 2, 3))
    truth[100, 1, 1] = np.nan
    metric = TimeSpectrum(at(days, truth))
    rows = rows_of(metric, truth, 0.5 * truth[None])
    for band in ("fast", "middle", "slow"):
        assert rows[f"time_power_{band}"] == pytest.approx(0.25)
    piece = truth[60:].reshape(135, 6)[:, [0, 1, 2, 3, 5]]
    window = np.hanning(137)[1:-1]
    _, power = periodogram(piece, 1.0, window, detrend="constant", axis=0)
    found = metric.power[0] / metric.power[0].sum()
    np.testing.assert_allclose(found, power[1:].sum(axis=1) / power[1:].sum(), rtol=0.02)
    lines = metric.tables()["time_spectrum"].rows
    assert lines[0][1] == pytest.approx(24 * 135)  # hours


def test_spells_on_paper():
    # a gap of time after the sixth, nothing known at the eighth
    wet = np.array([1, 1, 0, 0, 1, 1, 1, np.nan, 1, 0, 0, 1.0])
    model = np.array([1, 1, 1, 1, 0, 0, 1, 5, 1, 1, 0, 0.0])
    days = pd.date_range("2000-01-01", periods=13).delete(6).values
    scoring = ScoringConfig(thresholds=(Threshold(1.0),))
    subject = at(days, wet[:, None, None], kind="ratio", wet=WetLimit(1.0), scoring=scoring)
    metric = Spells(subject)
    rows = rows_of(metric, wet[:, None, None], model[None, :, None, None])
    # pairs: 1-2 2-3 3-4 4-5 5-6, 9-10 10-11 11-12
    stays = np.array([2 / 4, 4 / 6])
    begins = np.array([2 / 4, 0 / 2])
    length = np.array([7 / 5, 7 / 3])
    for name, (truth, own) in zip(
        ("stays", "begins", "length"), (stays, begins, length), strict=True
    ):
        found = metric.found[f"spell_{name}_1"][:, 0, 0]
        assert found[0] == pytest.approx(truth), name
        assert found[1] == pytest.approx(own), name
        assert rows[f"spell_{name}_1_bias"] == pytest.approx(own - truth)


def test_courses_of_day_and_year():
    hours = pd.date_range("2000-01-01", "2001-12-31 21:00", freq="3h")
    day = 2 * np.pi * hours.hour.values / 24
    year = 2 * np.pi * (hours.dayofyear.values - 1) / np.where(hours.year == 2000, 366, 365)
    year = year + day / np.where(hours.year == 2000, 366, 365)
    truth = 280 + 5 * np.cos(day - 2 * np.pi * 14 / 24) + 10 * np.cos(year)
    model = 281 + 4 * np.cos(day - 2 * np.pi * 16 / 24) + 5 * np.cos(year - np.pi / 6)
    spread = np.ones((1, 2, 2))
    metric = Cycles(at(hours.values, truth[:, None, None] * spread))
    fields = [values[:, None, None] * spread for values in (truth, model)]
    rows = rows_of(metric, fields[0], fields[1][None])
    assert rows["diurnal_amplitude_ratio"] == pytest.approx(0.8, rel=1e-3)
    assert rows["diurnal_phase_shift"] == pytest.approx(2, rel=1e-3)
    assert rows["annual_amplitude_ratio"] == pytest.approx(0.5, rel=1e-3)
    assert rows["annual_phase_shift"] == pytest.approx(1, rel=1e-3)
    lines = metric.tables()["cycles"].rows
    noon = next(line for line in lines if line[1:3] == ["hour", 12.0])
    assert noon[4] == pytest.approx(truth[hours.hour == 12].mean())
    assert noon[6] == pytest.approx(model[hours.hour == 12].mean())
    sums = harmonic_sums(np.arange(8) / 8, np.cos(2 * np.pi * (np.arange(8) / 8 - 0.9))[None])
    amplitude, phase = harmonic(sums.sum(axis=1))
    assert (amplitude[0], phase[0]) == pytest.approx((1, 0.9))


def test_a_course_of_the_year_needs_most_of_its_months():
    days = pd.date_range("2000-01-01", periods=120).values
    truth = RNG.normal(size=(120, 2, 2))
    assert rows_of(Cycles(at(days, truth)), truth, truth[None]) == {}
