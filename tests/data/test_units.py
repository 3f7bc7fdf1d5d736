"""Conversions against values known by heart."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.data.units import BASE, conversion, is_temperature, normalise_unit
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
        ("kg/m2/h", "mm/h", 2.5, 2.5),
        ("L/m^2", "mm", 4.0, 4.0),
        ("inches/day", "mm day-1", 2.0, 50.8),
        ("mph", "m s-1", 100.0, 44.704),
        ("0.001 kg m-2 s-1", "mm day-1", 1.0, 86.4),
        ("1e-3", "%", 5.0, 0.5),
        ("W h m-2", "J m-2", 1.0, 3600.0),
        ("MJ m-2 day-1", "W m-2", 8.64, 100.0),
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
        ("kg/(m^2 s)", "kg m-2 s-1"),
        ("kg/m2 s-1", "kg m-2 s-1"),
        ("KG/M2/S", "kg m-2 s-1"),
        ("kg m^{-2} s^{-1}", "kg m-2 s-1"),
        ("kg per square meter per second", "kg m-2 s-1"),
        ("kg m⁻² s⁻¹", "kg m-2 s-1"),
        ("m²s⁻²", "m2 s-2"),
        ("mm\u00a0day⁻¹", "mm day-1"),
        ("mm per day", "mm day-1"),
        ("MM/DAY", "mm day-1"),
        ("mm day-1.", "mm day-1"),
        ("mm d^(-1)", "mm day-1"),
        ("m of water equivalent", "m"),
        ("mm of water equivalent", "mm"),
        ("mm w.e.", "mm"),
        ("metres per second", "m s-1"),
        ("M/S", "m s-1"),
        ("k", "K"),
        ("deg. K", "K"),
        ("[degrees Kelvin]", "K"),
        ("º C", "degC"),
        ("deg C/km", "degC km-1"),
        ("mK", "mK"),
        ("MK", "MK"),
        ("Mm", "Mm"),
        ("S m-1", "S m-1"),
        ("geopotential meters", "gpm"),
        ("Watts per square meter", "W m-2"),
        ("J m**-2", "J m-2"),
        ("J/(kg K)", "J K-1 kg-1"),
        ("[0-1]", "1"),
        ("mm/6h", "mm/6h"),
        ("hours since 1970-01-01", "hours since 1970-01-01"),
    ],
)
def test_spellings(spelling, normal):
    assert normalise_unit(spelling) == normal


@pytest.mark.parametrize("unit", BASE)
def test_what_is_converted_stands_in_its_own_spelling(unit):
    assert normalise_unit(unit) == unit


NAMES = {
    "m": ["m", "metre", "Meters"],
    "s": ["s", "sec", "seconds"],
    "kg": ["kg", "Kg", "kilogram"],
    "day": ["d", "day", "Days"],
    "K": ["K", "kelvin", "deg K", "degK"],
    "W": ["W", "watt"],
    "Pa": ["Pa", "pascals"],
    "mm": ["mm", "millimetres"],
}
SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


@st.composite
def _spelling(draw, powers):
    """One of the many ways to write the same product."""
    slashed = draw(st.booleans())
    text = ""
    for symbol, power in sorted(powers, key=lambda p: p[1] < 0 and slashed):
        name = draw(st.sampled_from(NAMES[symbol]))
        over = slashed and power < 0
        shown = -power if over else power
        sign = draw(st.sampled_from(["", "^", "**", "super"]))
        raised = str(shown).translate(SUPERSCRIPTS) if sign == "super" else f"{sign}{shown}"
        joint = draw(
            st.sampled_from(["/", " / ", " per "] if over else [" ", "  ", " · ", "\u00a0"])
        )
        text += (joint if text else "1/" if over else "") + name + ("" if shown == 1 else raised)
    return text


@given(data=st.data())
def test_one_unit_has_one_spelling_however_it_is_written(data):
    powers = data.draw(
        st.dictionaries(
            st.sampled_from(sorted(NAMES)),
            st.integers(-3, 3).filter(bool),
            min_size=1,
            max_size=4,
        )
    )
    first, second = (
        data.draw(_spelling(data.draw(st.permutations(list(powers.items()))))) for _ in range(2)
    )
    above = " ".join(s if n == 1 else f"{s}{n}" for s, n in sorted(powers.items()) if n > 0)
    below = " ".join(f"{s}{n}" for s, n in sorted(powers.items()) if n < 0)
    assert normalise_unit(first) == normalise_unit(second) == f"{above} {below}".strip()


@pytest.mark.parametrize(
    ("have", "wanted"), [("m", "mm day-1"), ("K", "mm"), ("furlong", "m"), ("J m-2", "W m-2")]
)
def test_unknown_pairs_name_both(have, wanted):
    with pytest.raises(InputError, match=f"f.nc: cannot convert '{have}' to '{wanted}'"):
        conversion(have, wanted, "f.nc")


def test_what_a_misspelt_unit_may_have_meant():
    with pytest.raises(InputError, match="'celcius' is no unit that is known: did you mean 'cels"):
        conversion("K", "celcius")


def test_values_keep_their_precision_and_gaps():
    celsius = conversion("K", "degC")(np.array([280.15, np.nan], np.float32))
    assert celsius.dtype == np.float32
    np.testing.assert_allclose(celsius, [7.0, np.nan], atol=1e-4)


@pytest.mark.parametrize(
    ("unit", "expected"),
    [
        ("K", True),
        ("degC", True),
        ("°C", True),
        ("m s-1", False),
        ("nonsense", False),
        (None, False),
    ],
)
def test_temperatures_are_told_by_their_unit(unit: str | None, expected: bool) -> None:
    assert is_temperature(unit) is expected
