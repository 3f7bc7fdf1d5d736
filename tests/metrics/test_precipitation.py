"""Wet cells and extremes."""

import numpy as np
import pytest
from subjects import scored

from app.data.description import Variable
from app.data.wet import WetLimit, summed_over, wet_limit
from app.metrics.climatic.wet import Wet
from app.metrics.quantiles import last_axis_quantile


def ratio(units):
    return Variable("pr", "pr", units=units, kind="ratio")


@pytest.mark.parametrize(
    ("units", "expected"),
    [
        ("mm day-1", 1.0),
        ("mm/d", 1.0),
        ("kg m-2 s-1", 1 / 86400),
        ("kg m**-2 s**-1", 1 / 86400),
        ("mm h-1", 1 / 24),
        ("m day-1", 1e-3),
    ],
)
def test_the_limit_of_a_rate_is_a_millimetre_a_day(units, expected):
    assert wet_limit(ratio(units)).value == pytest.approx(expected)


@pytest.mark.parametrize(
    ("units", "hours", "expected"), [("mm", 24, 1.0), ("m", 24, 1e-3), ("kg m-2", 6, 0.25)]
)
def test_an_amount_needs_its_period(units, hours, expected):
    assert wet_limit(ratio(units)).value is None
    limit = wet_limit(ratio(units), hours * 3600)
    assert limit.value == pytest.approx(expected)
    assert limit.accumulation == hours * 3600


@pytest.mark.parametrize(
    ("aggregate", "expected"),
    [("1D:sum", 86400), ("6h:sum", 21600), ("1D:mean", None), (None, None)],
)
def test_sums_tell_their_period(aggregate, expected):
    assert summed_over(aggregate) == expected


@pytest.mark.parametrize("units", ["K", "1", "%", "m s-1", "W m-2", None])
def test_other_units_are_no_precipitation(units):
    assert wet_limit(ratio(units)) is None


def test_kinds_other_than_ratio_are_no_precipitation():
    assert wet_limit(Variable("pr", "pr", units="mm day-1")) is None


def test_a_threshold_or_an_accumulation_of_the_variables_own_comes_first():
    own = Variable("pr", "pr", units="mm", kind="ratio", wet_threshold=0.1)
    assert wet_limit(own, 86400).value == 0.1
    hourly = Variable("pr", "pr", units="mm", kind="ratio", accumulation="1h")
    assert wet_limit(hourly).value == pytest.approx(1 / 24)


def test_shares_and_amounts_on_paper():
    area = np.array([[0.5, 1.5]])
    # the last value is not scored
    truth = np.array([[[1.0, 0.9]], [[0.0, np.nan]]], dtype=np.float32)
    members = np.array([[[[2.0, 1.0]], [[0, 9]]], [[[0.0, 3.0]], [[1, 9]]]], dtype=np.float32)
    fields = np.stack([members.mean(axis=0), members[0]])
    sums = scored(Wet, truth, fields, members, area=area, wet=WetLimit(1.0, None))
    np.testing.assert_allclose(sums.truth, [0.5, 0])
    np.testing.assert_allclose(sums.candidates, [[1.75, 0.25], [2.0, 0]])
    np.testing.assert_allclose(sums.truth_amount, [0.5, 0])  # 0.5 · 1; 0.9 is dry
    # member 1: 0.5 · 2 + 1.5 · 1, member 2: 1.5 · 3; then 0.5 · 1 of member 2
    np.testing.assert_allclose(sums.amounts, [[3.5, 0.25], [2.5, 0]])


def test_a_value_of_the_limit_is_wet_in_single_precision():
    limit = wet_limit(ratio("kg m-2 s-1")).value
    field = np.full((1, 1, 1), 1 / 86400, dtype=np.float32)
    sums = scored(Wet, field, field[None], wet=WetLimit(limit, None))
    assert sums.truth[0] == 1


def test_an_all_dry_sample_has_no_wet_cell():
    dry = np.zeros((2, 3, 3))
    sums = scored(Wet, dry, dry[None], wet=WetLimit(1.0, None))
    assert sums.truth.sum() == sums.candidates.sum() == 0


@pytest.mark.parametrize("share", [0.0, 0.5, 0.99, 1.0])
def test_quantiles_match_numpy_with_gaps(share):
    values = np.random.default_rng(0).gamma(0.5, size=(6, 5, 101))
    values[np.random.default_rng(1).random(values.shape) < 0.3] = np.nan
    values[2, 2, :-1], values[2, 2, -1] = np.nan, 3.0
    np.testing.assert_allclose(
        last_axis_quantile(values, share), np.nanquantile(values, share, axis=-1)
    )


def test_no_values_no_quantile():
    assert np.isnan(last_axis_quantile(np.full((2, 4), np.nan), 0.99)).all()
