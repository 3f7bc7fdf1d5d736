"""The sun's place and the answer to its light, against almanacs and plain integration."""

from types import ModuleType

import keras
import numpy as np
import pytest

from app.data.sky import sky
from app.data.times import Stamps
from app.grids.sun import sun_response

LONDON = np.radians([[51.5]]), np.radians([[-0.1]])


def sun_at(times: np.ndarray) -> np.ndarray:
    """Sine of the sun's height over London, below the horizon too."""
    declination, hour = sky(Stamps.of(times)).astype(float).T
    lat, lon = LONDON[0].item(), LONDON[1].item()
    up, swing = np.sin(lat) * np.sin(declination), np.cos(lat) * np.cos(declination)
    return up + swing * np.cos(hour + lon)


@pytest.mark.parametrize(
    ("day", "degrees"), [("2019-06-21", 23.44), ("2019-12-22", -23.44), ("2019-03-21", 0.23)]
)
def test_declination_of_the_almanac(day: str, degrees: float) -> None:
    (declination, _), *_ = sky(Stamps.of(np.array([f"{day}T12"], "datetime64[s]")))
    assert np.degrees(declination) == pytest.approx(degrees, abs=0.25)


def test_sun_rises_and_stands_in_the_south_over_london_when_the_almanac_says() -> None:
    """26 March 2019: rise 05:49 UT, of which 5.5 min are refraction and radius; noon 12:06."""
    minutes = np.datetime64("2019-03-26T00:00") + np.arange(1440).astype("timedelta64[m]")
    height = sun_at(minutes)
    assert int(np.argmax(height > 0)) == pytest.approx(5 * 60 + 54.5, abs=3)
    assert int(height.argmax()) == pytest.approx(12 * 60 + 6, abs=2)


@pytest.mark.parametrize("xp", [np, keras.ops], ids=["numpy", "keras"])
@pytest.mark.parametrize("lat", [51.5, -72.0, 80.0])
def test_response_is_that_of_a_store_that_is_filled_and_emptied(xp: ModuleType, lat: float) -> None:
    """τ dG/dt = S - G, integrated over equal days until nothing of the start is left."""
    declination, response, steps = 0.2, 2.0, 1440
    angle = np.linspace(-np.pi, np.pi, steps, endpoint=False)
    up, swing = (f(np.radians(lat)) * f(declination) for f in (np.sin, np.cos))
    sun = np.maximum(up + swing * np.cos(angle), 0.0)
    kept = np.exp(-24 / steps / response)
    stored, course = 0.0, np.zeros(steps)
    for _ in range(3):
        for k in range(steps):
            course[k] = stored
            stored = kept * stored + (1 - kept) * (sun[k] + sun[(k + 1) % steps]) / 2
    places = np.stack([np.full(steps, declination), angle], axis=-1).astype("float32")
    lat_lon = np.float32([[np.radians(lat)]]), np.float32([[0.0]])
    found = np.asarray(sun_response(xp, places, *lat_lon, (response, 0.0)))[:, 0, 0]
    np.testing.assert_allclose(found[:, 0], course, atol=2e-3)
    np.testing.assert_allclose(found[:, 1], sun, atol=0.02)
