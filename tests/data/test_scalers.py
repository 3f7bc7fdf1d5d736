import numpy as np
import pytest
import xarray as xr

from app.data.scalers import MinMaxScaler, StandardScaler
from app.errors import InputError

VALUES = np.array([[1.0, 2.0], [3.0, np.nan], [5.0, 6.0]])


def test_standard_by_hand():
    scaled = StandardScaler(axis=0).fit_transform(VALUES)
    np.testing.assert_allclose(scaled[:, 0], [-(1.5**0.5), 0, 1.5**0.5], rtol=1e-6)
    np.testing.assert_allclose(scaled[:, 1], [-1, np.nan, 1], rtol=1e-6)


def test_minmax_by_hand():
    scaled = MinMaxScaler().fit_transform(VALUES)
    np.testing.assert_allclose(scaled, (VALUES - 1) / 5, rtol=1e-6)


@pytest.mark.parametrize("kind", [StandardScaler, MinMaxScaler])
@pytest.mark.parametrize("axis", [None, 0, (0, 1), [0, 2]])
def test_inverse(kind, axis):
    data = np.random.default_rng(0).normal(280, 4, (5, 3, 4)).astype(np.float32)
    data[2, 1, 0] = np.nan
    scaler = kind(axis=axis)
    scaled = scaler.fit_transform(data)
    assert scaled.dtype == np.float32
    np.testing.assert_allclose(scaler.inverse_transform(scaled), data, rtol=1e-6)


def test_data_arrays_keep_their_coordinates():
    data = xr.DataArray(VALUES, {"time": [1, 2, 3]}, ("time", "x"), name="tas")
    scaled = StandardScaler().fit_transform(data)
    assert scaled.name == "tas"
    assert scaled.time.values.tolist() == [1, 2, 3]


def test_constant_becomes_zero():
    for kind in (StandardScaler, MinMaxScaler):
        np.testing.assert_array_equal(kind().fit_transform(np.full(4, 7.0)), np.zeros(4))


def test_errors():
    with pytest.raises(InputError, match="no finite value"):
        StandardScaler().fit(np.full(3, np.nan))
    with pytest.raises(InputError, match="MinMaxScaler: call fit"):
        MinMaxScaler().transform(VALUES)
