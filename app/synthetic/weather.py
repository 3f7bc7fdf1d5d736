"""Weather over synthetic terrain: temperature, precipitation and wind in closed form.

The fields are invented, the mechanisms are those that make downscaling a non-linear task: fronts
narrower than a coarse cell, cold pools in valleys on calm clear nights, sea-breeze fronts, foehn,
upslope rain and lee drying, and temperatures held at 0 °C by melting snow.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from app.arrays import Array
from app.synthetic.terrain import Plane, Terrain, Waves, build_terrain

EPOCH = datetime(2000, 1, 1)  # phases count from here: other starts see the same weather
HOURS_PER_DAY = 24.0
HOURS_PER_YEAR = 8766.0
DEGREES_PER_HOUR = 15.0  # the sun's way
OBLIQUITY = np.deg2rad(23.44)
SOLSTICE = 0.97  # share of the year at which the sun stands lowest in the north
MELTING = 273.15  # K
SECONDS_PER_HOUR = 3600.0

STEERING = (30.0, -4.0)  # km/h east, north: how weather systems move
WESTERLIES = 3.0  # m/s, the mean flow
STREAM = 2200.0  # m s-1 km, spread of the stream function
STREAM_WAVES = (500.0, 3000.0)  # km
AIR_WAVES = (200.0, 1500.0)  # km
MOISTURE_WAVES = (140.0, 1200.0)  # km
SHOWER_WAVES = (45.0, 160.0)  # km
ADVECTION = 0.5  # how much warm air comes with southerly winds
SOUTHERLY = 7.0  # m/s, spread of the meridional wind

LAPSE_RATE = 6.5e-3  # K/m, of well-mixed air
EQUATOR_TEMPERATURE = 300.0  # K, annual mean at sea level
POLAR_DEFICIT = 30.0  # K
SEASON_AMPLITUDE = 12.0  # K on land, times sin(latitude)
SEA_SEASON_SHARE = 0.5
SEASON_LAG = 0.08  # of a year, behind the sun
SEA_SEASON_LAG = 0.16
AIR_MASS_CONTRAST = 4.5  # K, half the jump across a front
AIR_MASS_TREND = 1.5  # K, change within an air mass
FRONT_WIDTH = 0.05  # in units of the air-mass index; about 10-15 km
SEA_DAMPING = 0.45  # share of the air-mass contrast that the sea takes away
DIURNAL_AMPLITUDE = 11.0  # K under an overhead sun
DIURNAL_LAG = 2.0  # h
CLOUD_SHADE = 0.65  # share of the sunshine that clouds take
POOL_COOLING = 5.0  # K on the valley floor
POOL_DEPTH = (40.0, 320.0)  # m, weakest and strongest pool
POOL_EDGE = 120.0  # m, thickness of the inversion
CALM_WIND = 7.0  # m/s of free wind, pools are swept out above it
FOEHN_WARMING = 4.0  # K
FOEHN_DESCENT = 0.25  # m/s of downslope motion for much of the warming
BREEZE_COOLING = 5.0  # K
BREEZE_REACH = 45.0  # km on the hottest day
BREEZE_EDGE = 4.0  # km
BREEZE_CEILING = 500.0  # m, marine air stays below
OUTFLOW_COOLING = 3.5  # K under showers, where rain evaporates
OUTFLOW_ONSET = 0.15  # above the threshold of rain
OUTFLOW_EDGE = 0.06  # the gust front is as sharp as a front
MELT_HOLD = 0.75  # how firmly melting holds 0 °C in heavy precipitation
MELT_RANGE = 1.5  # K
MELT_RATE = 1.0  # mm/h for a firm hold

DRYNESS = 1.25  # threshold of rain in the spread of its drivers
BAND_RAIN = 1.5
BAND_WIDTH = 0.22  # in units of the air-mass index
BAND_OFFSET = -0.08  # rain falls mainly behind the front, in the cold air
UPSLOPE_RAIN = 0.9
UPSLOPE_MOTION = 0.2  # m/s
SHOWER_RAIN = 0.7  # in summer afternoons
RAIN_RATE = 1.0  # mm/h at one spread above the threshold
RAIN_POWER = 2.2  # a squared normal is a gamma of shape 1/2; above it the tail is heavier

LAND_WIND = 0.65  # 10 m wind over land as a share of the free wind
SEA_WIND = 0.9
EXPOSURE_GAIN = 0.6  # speed-up on crests, loss in valleys
EXPOSURE_HEIGHT = 350.0  # m
BLOCKING = 0.7  # share of the flow against a steep slope that goes around it
BLOCKING_SLOPE = 0.05  # m/m


@dataclass(frozen=True, eq=False)
class State:
    """What all variables of one block of times share; arrays (time, y, x)."""

    season: Array  # (time, 1, 1) share of the year
    sun: Array  # cosine of the zenith angle, delayed, negative at night
    east: Array  # m/s, free wind
    north: Array  # m/s
    air: Array  # air-mass index, warm above 0
    moisture: Array
    cloud: Array  # 0-1
    wetness: Array  # drivers of rain above its threshold
    rain: Array  # mm/h


class Weather:
    """All weather of a seed on one plane, at any times."""

    def __init__(self, plane: Plane, seed: int) -> None:
        self.plane = plane
        self.terrain = build_terrain(plane, seed)
        rngs = [np.random.default_rng([seed, 2, part]) for part in range(4)]
        self._stream = Waves(rngs[0], STREAM_WAVES, drift=STEERING, memory=60.0)
        self._air = Waves(rngs[1], AIR_WAVES, drift=STEERING, memory=60.0)
        self._moisture = Waves(rngs[2], MOISTURE_WAVES, drift=STEERING, memory=24.0)
        self._showers = Waves(rngs[3], SHOWER_WAVES, drift=STEERING, memory=3.0)

    def at(self, hours: Array, names: tuple[str, ...]) -> dict[str, Array]:
        """The named variables at `hours` (time,) after EPOCH: float32 (time, y, x), SI units."""
        state = self._state(np.asarray(hours, dtype=np.float64))
        makers: dict[str, Callable[[], Array]] = {
            "t2m": lambda: temperature(state, self.terrain, self.plane),
            "pr": lambda: state.rain / np.float32(SECONDS_PER_HOUR),
            "u10": lambda: surface_wind(state, self.terrain)[0],
            "v10": lambda: surface_wind(state, self.terrain)[1],
        }
        return {name: np.asarray(makers[name](), np.float32) for name in names}

    def free_wind(self, hours: Array) -> tuple[Array, Array]:
        """Wind (m/s east, north) before the terrain acts on it; its centred divergence is 0.

        Centred differences of a stream function known one cell beyond the edges.
        """
        plane = self.plane
        dy, dx = plane.spacing
        x = np.concatenate([plane.x[:1] - dx, plane.x, plane.x[-1:] + dx])
        y = np.concatenate([plane.y[:1] - dy, plane.y, plane.y[-1:] + dy])
        stream = np.float32(STREAM) * self._stream.on(x, y, hours)
        east = np.float32(WESTERLIES) - _centred(stream[:, :, 1:-1], 1, dy)
        return east, _centred(stream[:, 1:-1, :], 2, dx)

    def _state(self, hours: Array) -> State:
        plane = self.plane
        east, north = self.free_wind(hours)
        own = self._air.on(plane.x, plane.y, hours)
        air = ADVECTION * north / SOUTHERLY + np.sqrt(1.0 - ADVECTION**2) * own
        moisture = self._moisture.on(plane.x, plane.y, hours)
        sun = _sun_height(hours, plane)
        band = _band((air - BAND_OFFSET) / BAND_WIDTH)
        cloud = _logistic(2.5 * (moisture + 1.5 * band - 0.4))
        drivers = (
            moisture
            + BAND_RAIN * band
            + UPSLOPE_RAIN * self._upslope(east, north)
            + SHOWER_RAIN * np.clip(sun, 0.15, None) * self._showers.on(plane.x, plane.y, hours)
        )
        wetness = drivers - DRYNESS
        rain = RAIN_RATE * np.maximum(wetness, 0.0) ** RAIN_POWER
        season = (hours / HOURS_PER_YEAR % 1.0).astype(np.float32)[:, None, None]
        return State(season, sun, east, north, air, moisture, cloud, wetness, rain)

    def _upslope(self, east: Array, north: Array) -> Array:
        result: Array = np.tanh(vertical_motion(east, north, self.terrain) / UPSLOPE_MOTION)
        return result


def vertical_motion(east: Array, north: Array, terrain: Terrain) -> Array:
    """Vertical wind (m/s) that the slope forces on a horizontal one: V · grad h."""
    return east * terrain.slope_east.astype(np.float32) + north * terrain.slope_north.astype(
        np.float32
    )


def surface_wind(state: State, terrain: Terrain) -> tuple[Array, Array]:
    """10 m wind (m/s): part of the flow goes around slopes, crests are windy, valleys calm."""
    slope = np.hypot(terrain.slope_east, terrain.slope_north)
    blocked = BLOCKING * np.tanh(slope / BLOCKING_SLOPE)
    uphill = vertical_motion(state.east, state.north, terrain) * blocked
    over = slope**2 + np.finfo(np.float32).tiny
    factor = SEA_WIND + (LAND_WIND - SEA_WIND) * terrain.lsm
    factor = factor * (1.0 + EXPOSURE_GAIN * np.tanh(terrain.exposure / EXPOSURE_HEIGHT))
    return (
        factor * (state.east - uphill * terrain.slope_east / over),
        factor * (state.north - uphill * terrain.slope_north / over),
    )


def temperature(state: State, terrain: Terrain, plane: Plane) -> Array:
    """2 m temperature (K) from season, air masses, height, sunshine and local winds."""
    land = terrain.lsm.astype(np.float32)
    height = terrain.orography.astype(np.float32)
    contrast = 1.0 - SEA_DAMPING * (1.0 - land)
    air = AIR_MASS_CONTRAST * np.tanh(state.air / FRONT_WIDTH) + AIR_MASS_TREND * state.air
    value = _sea_level(state.season, plane, land) + contrast * air - LAPSE_RATE * height
    sunshine = np.maximum(state.sun, 0.0) * (1.0 - CLOUD_SHADE * state.cloud)
    value = value + DIURNAL_AMPLITUDE * land * (sunshine - 0.2)
    value = value - _cold_pool(state, terrain) - _sea_breeze(sunshine, terrain)
    value = value + _foehn(state, terrain) - _outflow(state)
    return _melting(value, state.rain)


def _sea_level(season: Array, plane: Plane, land: Array) -> Array:
    sine = np.sin(np.deg2rad(plane.lat)).astype(np.float32)[:, None]

    def warmth(lag: float) -> Array:
        result: Array = -np.cos(2.0 * np.pi * (season - SOLSTICE - lag)).astype(np.float32)
        return result

    cycle = land * warmth(SEASON_LAG) + (1.0 - land) * SEA_SEASON_SHARE * warmth(SEA_SEASON_LAG)
    result: Array = EQUATOR_TEMPERATURE - POLAR_DEFICIT * sine**2 + SEASON_AMPLITUDE * sine * cycle
    return result


def _cold_pool(state: State, terrain: Terrain) -> Array:
    """Cooling (K) below an inversion whose top rises with the stability of the night."""
    speed = np.hypot(state.east, state.north)
    night = _logistic(-state.sun / 0.08)
    stable = night * (1.0 - state.cloud) * np.exp(-((speed / CALM_WIND) ** 2))
    top = POOL_DEPTH[0] + (POOL_DEPTH[1] - POOL_DEPTH[0]) * stable
    below = _logistic((top - terrain.above_floor.astype(np.float32)) / (POOL_EDGE / 4.0))
    result: Array = POOL_COOLING * stable * below * terrain.lsm.astype(np.float32)
    return result


def _sea_breeze(sunshine: Array, terrain: Terrain) -> Array:
    """Cooling (K) of the coast by sea air that ends at a front inland."""
    coast = terrain.coast_distance
    reach = BREEZE_REACH * np.clip(sunshine - 0.3, 0.0, None) / 0.6
    behind = _logistic((reach - coast.clip(max=1e4).astype(np.float32)) / BREEZE_EDGE)
    low = _logistic((BREEZE_CEILING - terrain.orography.astype(np.float32)) / 80.0)
    strength = np.clip(sunshine - 0.3, 0.0, None) / 0.6
    return BREEZE_COOLING * strength * behind * low * terrain.lsm.astype(np.float32)


def _foehn(state: State, terrain: Terrain) -> Array:
    """Warming (K) where air comes down a slope."""
    descent = np.maximum(-vertical_motion(state.east, state.north, terrain), 0.0)
    result: Array = FOEHN_WARMING * np.tanh(descent / FOEHN_DESCENT) ** 2
    return result


def _outflow(state: State) -> Array:
    """Cooling (K) by rain that evaporates, mostly in the warm half of the day."""
    warm = np.clip(0.4 + state.sun, 0.0, 1.0)
    return OUTFLOW_COOLING * warm * _logistic((state.wetness - OUTFLOW_ONSET) / OUTFLOW_EDGE)


def _melting(value: Array, rain: Array) -> Array:
    """Hold temperatures near 0 °C while precipitation melts; monotonic in `value`."""
    off = value - np.float32(MELTING)
    hold = MELT_HOLD * np.tanh(rain / MELT_RATE)
    result: Array = MELTING + off * (1.0 - hold * np.exp(-((off / MELT_RANGE) ** 2)))
    return result


def _sun_height(hours: Array, plane: Plane) -> Array:
    """Cosine of the sun's zenith angle, DIURNAL_LAG hours ago (time, y, x)."""
    late = hours - DIURNAL_LAG
    declination = -OBLIQUITY * np.cos(2.0 * np.pi * (late / HOURS_PER_YEAR - SOLSTICE))
    clock = (late % HOURS_PER_DAY)[:, None] + plane.lon / DEGREES_PER_HOUR - HOURS_PER_DAY / 2.0
    angle = np.deg2rad(clock * DEGREES_PER_HOUR)
    latitude = np.deg2rad(plane.lat)
    polar = np.outer(np.sin(declination), np.sin(latitude))[:, :, None]
    daily = np.outer(np.cos(declination), np.cos(latitude))[:, :, None] * np.cos(angle)[:, None, :]
    result: Array = (polar + daily).astype(np.float32)
    return result


def _centred(field: Array, axis: int, spacing: float) -> Array:
    ahead = np.take(field, range(2, field.shape[axis]), axis)
    result: Array = (ahead - np.take(field, range(field.shape[axis] - 2), axis)) / np.float32(
        2.0 * spacing
    )
    return result


def _band(value: Array) -> Array:
    """1 at 0, falling on both sides: the shape of a rain band."""
    result: Array = np.float32(1.0) / np.cosh(np.clip(value, -20.0, 20.0)) ** 2
    return result


def _logistic(value: Array) -> Array:
    result: Array = np.float32(0.5) + np.float32(0.5) * np.tanh(0.5 * value)
    return result
