"""What `check` tells of prepared data, against series whose properties are known."""

import numpy as np
import pytest
from memory_shards import perfect_prog

from app.data.shards import survey
from app.data.shards.survey import Comparison, independent_samples, persistence, without_cycles
from app.durations import step_text

HOUR, DAY = 3600, 86400


def lasting(n: int, r: float, *shape: int) -> np.ndarray:
    """Noise of standard deviation 1 whose autocorrelation at lag 1 is r."""
    rng = np.random.default_rng(1)
    noise = rng.normal(size=(n, *shape))
    values = noise.copy()
    for t in range(1, n):
        values[t] = r * values[t - 1] + np.sqrt(1 - r * r) * noise[t]
    return values


def test_persistence_is_that_of_what_cycles_leave():
    n = 6000
    angle = 2 * np.pi * np.arange(n) / 24
    waves = np.column_stack([np.sin(angle), np.cos(angle)])
    series = lasting(n, 0.8) + 20 * waves[:, 0] + 0.01 * np.arange(n)
    assert persistence(series, waves, np.zeros(n)) == pytest.approx(0.8, abs=0.02)


def test_persistence_reaches_over_no_gap():
    """Every value stands twice, side by side; each pair is followed by a gap."""
    values = np.repeat(np.random.default_rng(0).normal(size=500), 2)
    piece = np.arange(1000) // 2
    assert persistence(values, np.zeros((1000, 0)), piece) == pytest.approx(1.0, abs=1e-3)
    assert persistence(values, np.zeros((1000, 0)), np.zeros(1000)) == pytest.approx(0.5, abs=0.06)


@pytest.mark.parametrize(
    ("n", "r", "expected"), [(900, 0.8, 100.0), (30, 0.0, 30.0), (10, 0.99, 1.0)]
)
def test_independent_samples(n, r, expected):
    assert independent_samples(n, r) == pytest.approx(expected)


def test_missing_values_stay_and_do_not_show():
    values = np.arange(50.0)[:, None]
    values[7] = np.nan
    rest = without_cycles(values, np.zeros((50, 0)))
    assert np.isnan(rest[7, 0])
    assert np.abs(np.delete(rest, 7)).max() < 1e-9  # a straight line is nothing but trend


def comparison(inputs: np.ndarray, target: np.ndarray, role: str = "lr") -> Comparison:
    n = len(target)
    angle = 2 * np.pi * np.arange(n) / 365
    waves = np.column_stack([np.sin(angle), np.cos(angle)])
    return Comparison(
        {"t": target}, {role: {"t": inputs}}, np.zeros(n), waves, np.zeros(n, np.int64)
    )


SEASON = 10 * np.sin(2 * np.pi * np.arange(1400) / 365)[:, None, None]


@pytest.mark.parametrize("role", ["lr", "predictors"])
@pytest.mark.parametrize("r", [0.0, 0.7])
def test_a_free_running_model_is_told_by_its_days(role, r):
    both = lasting(1400, r, 6, 16)
    observed, free = both[..., :8] + SEASON, both[..., 8:] + SEASON
    assert np.corrcoef(observed.mean((1, 2)), free.mean((1, 2)))[0, 1] > 0.95  # as seasons agree
    assert comparison(free, observed, role).without_correspondence() == [role]
    related = observed + 2 * free - 2 * SEASON  # correlation 1 / √5
    assert comparison(related, observed, role).without_correspondence() == []


def test_what_lasts_for_long_still_corresponds():
    """Far lags correlate too where weather lasts; the same weather is no free-running model."""
    observed = lasting(1400, 0.98, 4, 4)
    assert comparison(observed + 0.1, observed).without_correspondence() == []


def test_shifted_stamps_are_seen_below_the_seasons():
    """Weather that comes a step later, beside a yearly cycle of thirty times its size."""
    days = np.broadcast_to(lasting(1400, 0.7, 1, 1), (1400, 4, 4))
    observed = days + 3 * SEASON
    late = np.roll(days, 1, axis=0) + 3 * SEASON
    found = comparison(late, observed)
    at = found.lag_correlations()["t"]["t"]
    assert at[3] - at[2] < 0.01  # the seasons alone agree as well
    assert found.shifted() == {("t", "t")}
    assert comparison(observed + 1, observed).shifted() == set()


def test_what_is_nothing_but_trend_is_not_judged():
    """Single precision leaves rounding alone, which corresponds to nothing."""
    ramp = np.broadcast_to(290 + 0.01 * np.arange(1400)[:, None, None], (1400, 4, 4))
    assert comparison(np.float32(ramp + 1), np.float32(ramp)).without_correspondence() == []


def gathered(hours: np.ndarray, amounts: np.ndarray, reset: int) -> np.ndarray:
    """Amounts accumulated since the last hour of the day `reset`."""
    total = np.zeros_like(amounts)
    for t in range(len(amounts)):
        total[t] = amounts[t] + (0 if hours[t] == reset or t == 0 else total[t - 1])
    return total


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (lambda hours, rain: rain, False),
        (lambda hours, rain: gathered(hours, rain, 1), True),  # ERA5-Land's day
        (lambda hours, rain: np.cumsum(rain, axis=0), True),  # WRF's RAINNC
        (lambda hours, rain: np.maximum(np.sin(2 * np.pi * (hours - 6) / 24), 0)[:, None, None]
         * (1 + rain / 100), False),  # sunshine
    ],
)  # fmt: skip
def test_accumulated_amounts_grow_and_fall_back(make, expected):
    rng = np.random.default_rng(3)
    hours = np.arange(24 * 30) % 24
    rain = rng.gamma(0.3, 2.0, (len(hours), 3, 4))
    fields = make(hours, rain)
    n = len(hours)
    found = Comparison({"tp": fields}, {}, np.zeros(n), np.zeros((n, 2)), hours * HOUR)
    assert found.grows_and_falls_back("tp") is expected


def test_large_fields_are_read_in_blocks(monkeypatch):
    shards = perfect_prog(lasting(40, 0.5, 4, 6, 1).astype(np.float32))
    whole = survey.summaries(shards, "train")[0]
    monkeypatch.setattr(survey, "BLOCK_VALUES", 60)
    parts = survey.summaries(shards, "train")[0]
    np.testing.assert_allclose(parts.series, whole.series)
    assert (parts.negative, parts.minimum, parts.maximum) == (
        whole.negative,
        whole.minimum,
        whole.maximum,
    )
    fields = shards.read("hr", "train", np.arange(24))
    assert parts.negative == int((fields < 0).sum())
    np.testing.assert_allclose(parts.series, fields.mean(axis=(1, 2, 3)), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(3600, "1h"), (1800, "30min"), (DAY, "1D"), (30 * DAY, "a month"), (180 * DAY, "180D")],
)
def test_steps_in_words(seconds, text):
    assert step_text(seconds) == text
