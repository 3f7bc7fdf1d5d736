"""Random waves and the fractal terrain made of them: the ground of the synthetic weather.

Everything is a sum of plane waves with random directions and phases, known in closed form at any
place and time. The same seed and extent therefore give the same land on any grid, and any time
can be computed without its predecessors.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from app.arrays import Array

EARTH_RADIUS_KM = 6371.0
ONE_THREAD_PRODUCT = 2**18  # multiply-adds up to which OpenBLAS stays on one thread
SEA_SHARE = 0.22  # of the area
PEAK_PERCENTILE = 99.8
PEAK_HEIGHT = 1800.0  # m at that percentile
TILT = 1.0  # spread of the base between opposite edges: sea on one side, mountains on the other
MASSIF = 0.35  # shares of the relief: the smooth base itself,
RIDGES = 0.55  # ridges
HILLS = 0.25  # and hills
HILLINESS = 0.12  # relief of flat land, as a share of that in the mountains
COAST_HEIGHT = 0.06  # width of the coast in units of the base field's spread
SLOPE_SCALE_KM = 9.0  # flow and rain feel slopes smoothed to this
VALLEY_SCALE_KM = 25.0  # size of the basin that a valley floor is looked for in
BASE_WAVES = (120.0, 1200.0)  # km, shortest and longest
RIDGE_WAVES = (40.0, 260.0)  # km
HILL_WAVES = (30.0, 120.0)  # km
BASE_ROUGHNESS = 1.4  # amplitude grows with wavelength to this power
RIDGE_ROUGHNESS = 0.7
HILL_ROUGHNESS = 0.8


@dataclass(frozen=True, eq=False)
class Plane:
    """The region's tangent plane: kilometres east and north of its centre.

    lat (y,) and lon (x,) are cell centres in degrees; x (x,) and y (y,) in km.
    """

    lat: Array
    lon: Array
    x: Array
    y: Array

    @classmethod
    def of(cls, lat: Array, lon: Array) -> Plane:
        middle = np.deg2rad(lat.mean())
        x = EARTH_RADIUS_KM * np.cos(middle) * np.deg2rad(lon - lon.mean())
        return cls(lat, lon, x, EARTH_RADIUS_KM * np.deg2rad(lat - lat.mean()))

    @property
    def spacing(self) -> tuple[float, float]:
        """Distance of neighbouring rows and columns in km."""
        return float(self.y[1] - self.y[0]), float(self.x[1] - self.x[0])


class Waves:
    """A Gaussian random field of mean 0 and variance 1 that drifts and changes analytically.

    Wavelengths (km) are spread evenly in their logarithm between `wavelengths`, the amplitude
    grows with wavelength to the power `roughness`. `drift` (km/h east, north) moves the field as a
    whole, `memory` (h) is the time in which its waves fall out of step.
    """

    def __init__(
        self,
        rng: np.random.Generator,
        wavelengths: tuple[float, float],
        *,
        roughness: float = 1.0,
        drift: tuple[float, float] = (0.0, 0.0),
        memory: float = np.inf,
        count: int = 64,
    ) -> None:
        length = np.geomspace(*wavelengths, count) * rng.uniform(0.95, 1.05, count)
        direction = rng.uniform(0.0, 2.0 * np.pi, count)
        amplitude = length**roughness
        self.kx = 2.0 * np.pi / length * np.cos(direction)
        self.ky = 2.0 * np.pi / length * np.sin(direction)
        self.omega = self.kx * drift[0] + self.ky * drift[1] + rng.normal(size=count) / memory
        self.phase = rng.uniform(0.0, 2.0 * np.pi, count)
        self.amplitude = amplitude * np.sqrt(2.0 / np.sum(amplitude**2))

    def on(self, x: Array, y: Array, hours: Array) -> Array:
        """Values (time, y, x), float32, at x (x,) and y (y,) in km and at `hours` (time,)."""
        state = self.amplitude * np.exp(1j * (self.phase - np.outer(hours, self.omega)))
        rows = state[:, None, :] * np.exp(1j * np.outer(y, self.ky))
        columns = np.exp(1j * np.outer(self.kx, x))
        # Re(AB) = Re A Re B - Im A Im B as one real product; one matrix per time, so that a value
        # does not depend on how many times are asked for at once, and bands of rows, because
        # threads that wait for each other in small products are slow where others use the cores.
        left = np.concatenate([rows.real, -rows.imag], axis=-1).astype(np.float32)
        right = np.concatenate([columns.real, columns.imag]).astype(np.float32)
        band = max(1, ONE_THREAD_PRODUCT // right.size)
        parts = [left[:, row : row + band] @ right for row in range(0, y.size, band)]
        return np.concatenate(parts, axis=1)

    def at(self, x: Array, y: Array, hours: Array) -> Array:
        """Values (time, place), float32, at any places x and y (place,) in km, `hours` (time,)."""
        turn, way = self._angles(x, y, hours)
        left = np.concatenate([np.cos(turn), -np.sin(turn)], axis=1) * np.tile(self.amplitude, 2)
        right = np.concatenate([np.cos(way), np.sin(way)])
        result: Array = left.astype(np.float32) @ right.astype(np.float32)
        return result

    def slopes(self, x: Array, y: Array, hours: Array) -> tuple[Array, Array]:
        """Derivatives of `at` to the east and to the north, per km."""
        turn, way = self._angles(x, y, hours)
        left = -np.concatenate([np.sin(turn), np.cos(turn)], axis=1) * np.tile(self.amplitude, 2)
        right = np.concatenate([np.cos(way), np.sin(way)])
        east, north = (
            left.astype(np.float32) @ (right * np.tile(k, 2)[:, None]).astype(np.float32)
            for k in (self.kx, self.ky)
        )
        return east, north

    def _angles(self, x: Array, y: Array, hours: Array) -> tuple[Array, Array]:
        """What each wave has turned by in time (time, wave), and along the way (wave, place)."""
        turn = self.phase - np.outer(hours, self.omega)
        return turn, np.outer(self.kx, x) + np.outer(self.ky, y)

    def still(self, plane: Plane) -> Array:
        """Values (y, x), float64, of a field that does not change."""
        result: Array = self.on(plane.x, plane.y, np.zeros(1))[0].astype(np.float64)
        return result


@dataclass(frozen=True, eq=False)
class Terrain:
    """The ground (y, x): what the weather needs to know of it.

    orography (m), lsm (land fraction 0-1), slope_east and slope_north (m/m, smoothed),
    above_floor (m above the floor of the valley or plain around), exposure (m above the mean of
    the surroundings), coast_distance (km from the sea, 0 on the sea).
    """

    orography: Array
    lsm: Array
    slope_east: Array
    slope_north: Array
    above_floor: Array
    exposure: Array
    coast_distance: Array


def build_terrain(plane: Plane, seed: int) -> Terrain:
    """Land, sea and mountains of a seed: ridges (1 - |noise|) and hills where the base is high."""
    rng = np.random.default_rng([seed, 1])
    base = Waves(rng, BASE_WAVES, roughness=BASE_ROUGHNESS, count=96).still(plane)
    ridge_noise = Waves(rng, RIDGE_WAVES, roughness=RIDGE_ROUGHNESS, count=128).still(plane)
    hill_noise = Waves(rng, HILL_WAVES, roughness=HILL_ROUGHNESS, count=128).still(plane)
    above = _spread(_spread(base) + TILT * _slant(plane, rng.uniform(0.0, 2.0 * np.pi)))
    above = above - np.quantile(above, SEA_SHARE)
    lsm = _smooth_step(above / COAST_HEIGHT + 0.5)
    land = np.maximum(above, 0.0)
    detail = RIDGES * np.maximum(1.0 - np.abs(ridge_noise), 0.0) + HILLS * np.abs(hill_noise)
    relief = MASSIF * land**2 + detail * (HILLINESS * np.tanh(3.0 * land) + land**1.5)
    peak = max(float(np.percentile(relief, PEAK_PERCENTILE)), np.finfo(float).tiny)
    return _measured(PEAK_HEIGHT * relief / peak, lsm, plane)


def _measured(orography: Array, lsm: Array, plane: Plane) -> Terrain:
    spacing = plane.spacing
    smooth = _smoothed(orography, SLOPE_SCALE_KM, spacing)
    north, east = np.gradient(smooth, *(1000.0 * step for step in spacing))
    basin = [max(1, round(VALLEY_SCALE_KM / step)) for step in spacing]
    floor = ndimage.minimum_filter(orography, size=basin, mode="nearest")
    floor = np.minimum(_smoothed(floor, VALLEY_SCALE_KM / 2.0, spacing), orography)
    sea = lsm < 0.5
    coast = ndimage.distance_transform_edt(~sea, sampling=spacing) if sea.any() else np.inf
    return Terrain(
        orography=orography,
        lsm=lsm,
        slope_east=east,
        slope_north=north,
        above_floor=orography - floor,
        exposure=orography - _smoothed(orography, VALLEY_SCALE_KM, spacing),
        coast_distance=np.broadcast_to(coast, orography.shape),
    )


def _slant(plane: Plane, direction: float) -> Array:
    """A plane of variance 1 that rises towards `direction` (radians from east)."""
    across = np.add.outer(plane.y * np.sin(direction), plane.x * np.cos(direction))
    return _spread(across)


def _spread(field: Array) -> Array:
    result: Array = (field - field.mean()) / field.std()
    return result


def _smoothed(field: Array, scale_km: float, spacing: tuple[float, float]) -> Array:
    result: Array = ndimage.gaussian_filter(
        field, [scale_km / step for step in spacing], mode="nearest"
    )
    return result


def _smooth_step(value: Array) -> Array:
    """0 below 0, 1 above 1, in between 3v² - 2v³."""
    inside = np.clip(value, 0.0, 1.0)
    result: Array = inside * inside * (3.0 - 2.0 * inside)
    return result
