"""Ranks and quantiles from one sort, against SciPy and NumPy."""

import numpy as np
import pytest
from scipy.stats import rankdata

from app.metrics.ordered import Ordered


def series(kind: str, dtype: type) -> np.ndarray:
    """Some series (2, 3, n) with peculiar values."""
    rng = np.random.default_rng(11)
    values = rng.normal(scale=10.0 ** rng.integers(-30, 30, (2, 3, 1)), size=(2, 3, 41))
    if kind == "ties":
        values = rng.integers(-3, 4, values.shape)
    elif kind == "near":
        values = np.round(280 + rng.normal(size=values.shape), 1)
    elif kind == "constant":
        values = np.full(values.shape, -7.5)
    elif kind == "infinite":
        values[rng.random(values.shape) < 0.3] = np.inf
        values[rng.random(values.shape) < 0.3] = -np.inf
    elif kind == "zeros":
        values = rng.choice([-0.0, 0.0, 1e-45, -1e-45, 1.0], values.shape)
    return values.astype(dtype)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("gaps", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("kind", ["plain", "ties", "near", "constant", "infinite", "zeros"])
def test_ranks_are_those_of_scipy(kind: str, gaps: float, dtype: type) -> None:
    values = series(kind, dtype)
    valid = np.random.default_rng(12).random(values.shape) >= gaps
    values[~valid] = np.nan
    got = Ordered.of(values, valid).centred_ranks
    expected = np.zeros(values.shape)
    for place in np.ndindex(values.shape[:-1]):
        chosen = valid[place]
        expected[place][chosen] = rankdata(values[place][chosen]) - (chosen.sum() + 1) / 2
    np.testing.assert_array_equal(got, expected)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_what_is_not_valid_has_no_say(dtype: type) -> None:
    """A value that is masked, larger than all others or infinite, is left out."""
    values = np.array([[3.0, np.inf, 1.0, 2.0, 9.0]], dtype)
    valid = np.array([[True, False, True, True, False]])
    found = Ordered.of(values, valid)
    np.testing.assert_array_equal(found.centred_ranks, [[1.0, 0.0, -1.0, 0.0, 0.0]])
    np.testing.assert_array_equal(found.quantiles((0.0, 0.25, 1.0)), [[1.0], [1.5], [3.0]])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("layout", ["C", "F"])
def test_quantiles_are_those_of_numpy(layout: str, dtype: type) -> None:
    """Of series in memory in any order, some with gaps, one without a value."""
    rng = np.random.default_rng(13)
    values = np.asarray(rng.normal(size=(4, 5, 30)), dtype, order=layout)
    values[rng.random(values.shape) < 0.2] = np.nan
    values[1, 2] = np.nan
    shares = (0.0, 0.01, 0.5, 0.93, 1.0)
    got = Ordered.of(values, np.isfinite(values)).quantiles(shares)
    assert np.isnan(got[:, 1, 2]).all()
    values[1, 2], got[:, 1, 2] = 0.0, 0.0
    np.testing.assert_allclose(
        got, np.nanquantile(values.astype(np.float64), shares, axis=-1), rtol=1e-12
    )
