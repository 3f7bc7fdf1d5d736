"""Quantile mapping with and without the change that a projection tells of."""

import numpy as np
import pytest

from app.data.quantile_mapping import LEVELS, delta_mapped, mapped, quantiles

RNG = np.random.default_rng(0)
CELLS = (2, 3)


def normal(mean, std, n=4000):
    return RNG.normal(mean, std, (n, *CELLS))


def test_quantiles_leave_gaps_out():
    values = normal(0, 1, 500)
    values[::3, 0, 0] = np.nan
    values[:, 1, 1] = np.nan
    found = quantiles(values)
    np.testing.assert_allclose(found[:, 0, 0], np.nanquantile(values[:, 0, 0], LEVELS))
    assert np.isnan(found[:, 1, 1]).all()


def test_a_biased_source_takes_mean_and_spread_of_the_truth():
    source, truth = normal(5, 3), normal(10, 2)
    found = mapped(source, quantiles(source), quantiles(truth), ratio=False)
    np.testing.assert_allclose(found.mean(axis=0), truth.mean(axis=0), atol=0.02)
    np.testing.assert_allclose(found.std(axis=0), truth.std(axis=0), rtol=0.02)


@pytest.mark.parametrize(("ratio", "expected"), [(False, 10 + 50), (True, 20.0 * 60 / 10)])
def test_beyond_the_largest_value_the_correction_there_goes_on(ratio, expected):
    own, wanted = (np.linspace(0, top, len(LEVELS))[:, None] for top in (10, 20))
    beyond = mapped(np.array([[60.0]]), own, wanted, ratio)
    assert float(beyond[0, 0]) == pytest.approx(70.0 if not ratio else expected)


def test_what_is_dry_stays_dry_and_drizzle_too_often_there_dries_up():
    wet = RNG.random((4000, 1)) < 0.8
    source = np.where(wet, RNG.gamma(0.5, 1.0, (4000, 1)) + 0.01, 0.0)
    truth = np.where(RNG.random((4000, 1)) < 0.4, RNG.gamma(0.5, 5.0, (4000, 1)) + 0.01, 0.0)
    found = mapped(source, quantiles(source), quantiles(truth), ratio=True)
    assert (found[source == 0] == 0).all()
    assert (found > 0).mean() == pytest.approx(0.4, abs=0.03)
    assert found.mean() == pytest.approx(truth.mean(), rel=0.03)


def test_the_change_of_a_projection_is_kept():
    past, future, truth = normal(5, 3), normal(7, 3), normal(10, 2)
    found = delta_mapped(future, *map(quantiles, (future, past, truth)), ratio=False)
    assert found.mean() - truth.mean() == pytest.approx(future.mean() - past.mean(), abs=0.02)
    amounts, more, seen = (RNG.gamma(2.0, s, (4000, 1)) for s in (1.0, 1.3, 3.0))
    found = delta_mapped(more, *map(quantiles, (more, amounts, seen)), ratio=True)
    assert found.mean() / seen.mean() == pytest.approx(more.mean() / amounts.mean(), rel=0.02)


def test_nan_stays_nan():
    values = normal(0, 1, 50)
    values[3] = np.nan
    q = quantiles(values)
    assert np.isnan(mapped(values, q, q, False)[3]).all()
    np.testing.assert_allclose(mapped(values, q, q, False)[4], values[4], atol=1e-5)
