"""A regional climate with a known trend: large-scale weather, and what terrain makes of it.

Everything is a sum of waves, known in closed form at any place and time. Large-scale fields at
three levels follow from a stream function, air masses and moisture; daily rain and highest
temperature on a fine grid follow from the same, from terrain, and, for rain, from showers that no
large-scale field tells of. The climate warms steadily by a known rate.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np

from app.arrays import Array
from app.synthetic.terrain import Terrain, Waves
from app.synthetic.weather import SHOWER_WAVES, STEERING

LEVELS = (850, 700, 500)  # hPa
WAVES = 24  # of each field
STREAM_WAVES = (900.0, 4000.0)  # km
AIR_WAVES = (700.0, 4000.0)  # km
MOISTURE_WAVES = (500.0, 2500.0)  # km
MEMORY = 60.0  # h
SHOWER_MEMORY = 3.0  # h
STREAM = 2200.0  # m s-1 km, spread of the stream function
WESTERLIES = 3.0  # m/s
WIND_FACTORS = {850: 1.0, 700: 1.35, 500: 1.8}  # of the wind at 850 hPa
WARMING_FACTORS = {850: 1.0, 700: 1.1, 500: 1.25}  # of the warming at 850 hPa
BELOW = {850: 0.0, 700: 9.0, 500: 26.0}  # K colder than at 850 hPa
DRYING = {850: 1.0, 700: 0.85, 500: 0.6}  # relative humidity over that at 850 hPa
STEEPNESS = {850: 1.0, 700: 0.8, 500: 0.6}  # of contrasts of air masses

MEAN_TEMPERATURE = 281.0  # K at 850 hPa and MEAN_LATITUDE
MEAN_LATITUDE = 40.0  # degrees
BY_LATITUDE = 0.5  # K per degree towards the pole
SEASON = 8.0  # K
COLDEST = 0.04  # share of the year, in the north
FRONT = 2.5  # K, half the jump across a front
FRONT_WIDTH = {"fine": 0.25, "coarse": 0.6}  # in units of the air-mass index
WITHIN = 1.5  # K, change within an air mass

HEIGHT_850 = 1460.0  # m
STREAM_HEIGHT = 55.0  # m, spread of the height of 850 hPa
GAS_CONSTANT, GRAVITY = 287.05, 9.80665  # J kg-1 K-1, m s-2
HUMIDITY, HUMIDITY_SPREAD = 0.62, 0.16  # relative
TYPICAL_HUMIDITY = 6e-3  # kg/kg at 850 hPa, of whose rain the rate is

LAPSE_RATE = 6.5e-3  # K/m
EXTRA_WARMING = 0.1  # share of the warming added for each km of height
SUNSHINE = 5.0  # K under a clear sky, on land
FOEHN, DESCENT = 4.0, 0.25  # K, m/s of downslope motion for much of it
UPSLOPE, ASCENT = 1.1, 0.2  # in units of the moisture index, m/s of upslope motion for much of it
BAND, BAND_WIDTH = 0.8, 0.4  # of rain at fronts, in units of the air-mass index
SHOWERS = 0.55
DRYNESS = 0.9  # threshold of rain
RAIN_RATE, RAIN_POWER = 7.0, 1.35  # mm/day
TREND_FROM = 1970.0  # year up to which nothing warms


@dataclass(frozen=True, eq=False)
class Places:
    """Where fields are wanted: kilometres east and north of the domain's centre, and latitude."""

    x: Array  # (place,)
    y: Array
    lat: Array


@dataclass(frozen=True)
class Driver:
    """A global model: the seed of its weather, its warming (K a century), its own errors.

    warmth: K at all levels; dampness: relative error of humidity; wind: m/s to the east;
    noise: share of each field's spread that is not that of the regional model's weather.
    """

    seed: int
    warming: float
    warmth: float = 0.0
    dampness: float = 0.0
    wind: float = 0.0
    noise: float = 0.0


class RegionalClimate:
    """The weather of a global model in a domain, and of a regional model that it drives."""

    def __init__(self, driver: Driver, south: bool = False) -> None:
        """`south`: whether the seasons are those of the southern hemisphere."""
        self.driver = driver
        self._sign = -1.0 if south else 1.0
        rngs = [np.random.default_rng([driver.seed, 7, part]) for part in range(5)]
        carried = partial(Waves, drift=STEERING, memory=MEMORY, count=WAVES)
        self._stream = carried(rngs[0], STREAM_WAVES)
        self._air = carried(rngs[1], AIR_WAVES)
        self._moisture = carried(rngs[2], MOISTURE_WAVES)
        self._showers = Waves(
            rngs[3], SHOWER_WAVES, drift=STEERING, memory=SHOWER_MEMORY, count=2 * WAVES
        )
        self._noise = [carried(rngs[4], AIR_WAVES) for _ in range(3)]

    def warming(self, years: Array) -> Array:
        """K at 850 hPa above the climate of TREND_FROM, at times in years, fractions included."""
        result: Array = self.driver.warming / 100.0 * np.maximum(years - TREND_FROM, 0.0)
        return result

    def predictors(
        self, places: Places, hours: Array, years: Array, *, driving: bool = False
    ) -> dict[str, Array]:
        """Fields z, u, v, t, q at LEVELS, such as "z_850": (time, place) float32, SI units.

        hours: (time,) since the epoch of the weather; years: the same in years. driving: those of
        the global model itself, with its errors, rather than those of the regional model.
        """
        air, moisture = (w.at(places.x, places.y, hours) for w in (self._air, self._moisture))
        stream = self._stream.at(places.x, places.y, hours)
        east, north = self._wind(places, hours)
        driver = self.driver
        warmth, dampness, wind = 0.0, 1.0, 0.0
        if driving:
            others = [w.at(places.x, places.y, hours) for w in self._noise]
            kept = np.sqrt(1.0 - driver.noise**2)
            air, moisture, stream = (
                (kept * own + driver.noise * other).astype(np.float32)
                for own, other in zip((air, moisture, stream), others, strict=True)
            )
            warmth, dampness, wind = driver.warmth, 1.0 + driver.dampness, driver.wind
        warmer = self.warming(years)[:, None]
        base = self._base(places, years)
        found: dict[str, Array] = {}
        below, height = base, HEIGHT_850 + self._sign * STREAM_HEIGHT * stream
        pressure = LEVELS[0]
        for level in LEVELS:
            contrast = STEEPNESS[level] * _contrast(air, "coarse")
            t = base - BELOW[level] + contrast + WARMING_FACTORS[level] * warmer + warmth
            if level != LEVELS[0]:
                thickness = GAS_CONSTANT / GRAVITY * (t + below) / 2 * np.log(pressure / level)
                height = height + thickness
            q = dampness * DRYING[level] * _humidity(moisture) * saturation(t, level)
            found |= {
                f"z_{level}": height,
                f"u_{level}": WIND_FACTORS[level] * east + wind,
                f"v_{level}": WIND_FACTORS[level] * north,
                f"t_{level}": t,
                f"q_{level}": q,
            }
            below, pressure = t, level
        return {name: np.asarray(field, np.float32) for name, field in found.items()}

    def targets(
        self, places: Places, terrain: Terrain, hours: Array, years: Array
    ) -> dict[str, Array]:
        """Daily "pr" (mm/day) and "tasmax" (K): (time, place) float32; terrain (y, x) of places."""
        air, moisture = (w.at(places.x, places.y, hours) for w in (self._air, self._moisture))
        east, north = self._wind(places, hours)
        rising = east * terrain.slope_east.ravel() + north * terrain.slope_north.ravel()
        height = terrain.orography.ravel()
        warmer = self.warming(years)[:, None]
        free = self._base(places, years) + _contrast(air, "fine") + warmer
        cloud = np.clip(0.5 + 0.4 * moisture, 0.0, 1.0)
        tasmax = (
            free
            + LAPSE_RATE * (HEIGHT_850 - height)
            + EXTRA_WARMING * height / 1000.0 * warmer
            + SUNSHINE * (1.0 - cloud) * terrain.lsm.ravel()
            + FOEHN * np.tanh(np.maximum(-rising, 0.0) / DESCENT) ** 2
        )
        drivers = (
            moisture
            + UPSLOPE * np.tanh(rising / ASCENT)
            + BAND / np.cosh(np.clip(air / BAND_WIDTH, -20.0, 20.0)) ** 2
            + SHOWERS * self._showers.at(places.x, places.y, hours)
        )
        water = _humidity(moisture) * saturation(free, LEVELS[0]) / TYPICAL_HUMIDITY
        pr = RAIN_RATE * water * np.maximum(drivers - DRYNESS, 0.0) ** RAIN_POWER
        return {"pr": np.asarray(pr, np.float32), "tasmax": np.asarray(tasmax, np.float32)}

    def _wind(self, places: Places, hours: Array) -> tuple[Array, Array]:
        """m/s to the east and north at 850 hPa: along the lines of the stream function."""
        east, north = self._stream.slopes(places.x, places.y, hours)
        return WESTERLIES - np.float32(STREAM) * north, np.float32(STREAM) * east

    def _base(self, places: Places, years: Array) -> Array:
        """Temperature at 850 hPa of the season and latitude, without weather and warming, K."""
        season = -self._sign * np.cos(2.0 * np.pi * (years % 1.0 - COLDEST))
        poleward = BY_LATITUDE * (np.abs(places.lat) - MEAN_LATITUDE)
        result: Array = MEAN_TEMPERATURE + SEASON * season[:, None] - poleward[None]
        return result


def saturation(t: Array, level: int) -> Array:
    """Specific humidity of saturated air, kg/kg, at K and hPa; Bolton (1980), eq. 10."""
    celsius = t - 273.15
    vapour = 6.112 * np.exp(17.67 * celsius / (celsius + 243.5))
    result: Array = 0.622 * vapour / (level - 0.378 * vapour)
    return result


def _contrast(air: Array, grid: str) -> Array:
    result: Array = FRONT * np.tanh(air / FRONT_WIDTH[grid]) + WITHIN * air
    return result


def _humidity(moisture: Array) -> Array:
    result: Array = np.clip(HUMIDITY + HUMIDITY_SPREAD * moisture, 0.05, 1.0)
    return result
