"""Conversions against values known by heart."""

import numpy as np
import pytest

from app.data.units import conversion, normalise_unit
from app.errors import InputError


@pytest.mark.parametrize(
    ("have", "wanted", "value", "expected"),
    [
        ("K", "degC", 273.15, 0.0),
        ("degC", "K", -10.0, 263.15),
        ("degF", "degC", 212.0, 100.0),
        ("degC", "degF", -40.0, -40.0),
        ("K", "degF", 310.15, 98.6),
        ("m", "mm", 0.0125, 12.5),
        ("cm", "m", 250.0, 2.5),
        ("km", "m", 1.5, 1500.0),
        ("kg m-2", "mm", 3.0, 3.0),
        ("kg m-2 s-1", "mm day-1", 1e-4, 8.64),
        ("mm s-1", "mm/day", 1e-4, 8.64),
        ("m s**-1", "mm day**-1", 1e-8, 0.864),
        ("mm day-1", "kg m-2 s-1", 86.4, 1e-3),
        ("mm/h", "mm/d", 1.0, 24.0),
        ("kg m**-2 day**-1", "mm day-1", 4.0, 4.0),
        ("m/s", "km/h", 10.0, 36.0),
        ("knots", "m s-1", 1.0, 1852 / 3600),
        ("Pa", "hPa", 101325.0, 1013.25),
        ("mbar", "Pa", 1013.25, 101325.0),
        ("kPa", "hPa", 85.0, 850.0),
        ("kg kg-1", "g/kg", 0.008, 8.0),
        ("1", "%", 0.25, 25.0),
        ("%", "(0 - 1)", 80.0, 0.8),
    ],
)
def test_conversions(have, wanted, value, expected):
    result = conversion(have, wanted)(np.array([value]))
    np.testing.assert_allclose(result, [expected], rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(
    ("spelling", "normal"),
    [
        ("m s**-1", "m s-1"),
        ("m/s", "m s-1"),
        ("m s^-1", "m s-1"),
        ("m.s-1", "m s-1"),
        (" m  s-1 ", "m s-1"),
        ("kg/m^2/s", "kg m-2 s-1"),
        ("kg s-1 m-2", "kg m-2 s-1"),
        ("mm/day", "mm day-1"),
        ("mm d-1", "mm day-1"),
        ("Kelvin", "K"),
        ("degrees_Celsius", "degC"),
        ("°C", "degC"),
        ("deg C", "degC"),
        ("millibars", "hPa"),
        ("percent", "%"),
        ("", "1"),
        ("m**2 s**-2", "m2 s-2"),
        ("1/s", "s-1"),
        ("W m-2", "W m-2"),
        ("Dobson units", "Dobson units"),
    ],
)
def test_spellings(spelling, normal):
    assert normalise_unit(spelling) == normal


@pytest.mark.parametrize(
    ("have", "wanted"), [("m", "mm day-1"), ("K", "mm"), ("furlong", "m"), ("J m-2", "W m-2")]
)
def test_unknown_pairs_name_both(have, wanted):
    with pytest.raises(InputError, match=f"f.nc: cannot convert '{have}' to '{wanted}'"):
        conversion(have, wanted, "f.nc")


def test_values_keep_their_precision_and_gaps():
    celsius = conversion("K", "degC")(np.array([280.15, np.nan], np.float32))
    assert celsius.dtype == np.float32
    np.testing.assert_allclose(celsius, [7.0, np.nan], atol=1e-4)
