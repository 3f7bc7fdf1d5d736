"""A made tree of CORDEX-ML-Bench: the layout, names, grids, types and calendars of the real one.

The weather in it is invented. Its climate change, and what terrain makes of large-scale weather,
are known; see `app.synthetic.regional_climate`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cftime
import netCDF4
import numpy as np
from absl import logging

from app.arrays import Array, Json
from app.cordex import protocol
from app.errors import InputError
from app.running.disk_space import writing
from app.synthetic.regional_climate import Driver, Places, RegionalClimate
from app.synthetic.terrain import EARTH_RADIUS_KM, Plane, Terrain, build_terrain
from app.synthetic.weather import EPOCH

CELLS = 128  # along a side of a real target grid
COARSE_CELLS, COARSE_STEP = 16, 2.0  # along a side of the predictors' grid, and degrees
BLOCK_DAYS = 256  # computed at once
NOON = np.timedelta64(12, "h")
UNITS = {"z": "m", "u": "m s-1", "v": "m s-1", "t": "K", "q": "kg kg-1"}
NAMES = {
    "z": "geopotential_height", "u": "eastward_wind", "v": "northward_wind",
    "t": "air_temperature", "q": "specific_humidity",
}  # fmt: skip
LATITUDE = {"standard_name": "latitude", "long_name": "latitude", "units": "degrees_north"}
LONGITUDE = {"standard_name": "longitude", "long_name": "longitude", "units": "degrees_east"}


@dataclass(frozen=True)
class TimeAxis:
    """How the files of a domain tell their times."""

    dtype: str
    units: str
    calendar: str
    noon: bool = True
    leap: bool = True
    bounds: bool = False  # time_bnds among the variables

    def dates(self, years: str, days: int | None) -> Array:
        """Days of a period such as 1961-1980, at midnight; its first ones where `days` is given."""
        first, last = years.split("-")
        dates = np.arange(f"{first}-01-01", f"{int(last) + 1}-01-01", dtype="datetime64[D]")
        if not self.leap:
            months = dates.astype("datetime64[M]")
            leap = (months.astype(int) % 12 == 1) & ((dates - months).astype(int) == 28)
            dates = dates[~leap]
        return dates[:days]

    def numbers(self, dates: Array) -> Array:
        """Dates in these units."""
        moments = dates + NOON if self.noon else dates.astype("datetime64[h]")
        stamps = [
            cftime.datetime(m.year, m.month, m.day, m.hour, calendar=self.calendar)
            for m in moments.astype("datetime64[s]").tolist()
        ]
        return np.asarray(cftime.date2num(stamps, self.units, self.calendar)).astype(self.dtype)


@dataclass(frozen=True)
class Lambert:
    """A conformal conic projection that touches a sphere at a latitude; kilometres."""

    lat: float
    lon: float
    false_easting: float
    false_northing: float

    @property
    def _cone(self) -> tuple[float, float]:
        n = np.sin(np.deg2rad(self.lat))
        scale = np.cos(np.deg2rad(self.lat)) * np.tan(np.pi / 4 + np.deg2rad(self.lat) / 2) ** n / n
        return float(n), EARTH_RADIUS_KM * float(scale)

    def forward(self, lat: Array, lon: Array) -> tuple[Array, Array]:
        """x and y of places; Snyder (1987), Map projections, eq. 15-1 to 15-4."""
        n, scale = self._cone
        rho = scale / np.tan(np.pi / 4 + np.deg2rad(lat) / 2) ** n
        middle = scale / np.tan(np.pi / 4 + np.deg2rad(self.lat) / 2) ** n
        turn = n * np.deg2rad(lon - self.lon)
        return (
            self.false_easting + rho * np.sin(turn),
            self.false_northing + middle - rho * np.cos(turn),
        )

    def backward(self, x: Array, y: Array) -> tuple[Array, Array]:
        """Latitude and longitude of x and y."""
        n, scale = self._cone
        middle = scale / np.tan(np.pi / 4 + np.deg2rad(self.lat) / 2) ** n
        east, north = x - self.false_easting, middle - (y - self.false_northing)
        rho = np.hypot(east, north)
        lat = 2 * np.arctan((scale / rho) ** (1 / n)) - np.pi / 2
        return np.rad2deg(lat), self.lon + np.rad2deg(np.arctan2(east, north)) / n


@dataclass(frozen=True)
class Extent:
    """First centre and spacing of a real grid of CELLS cells, along its rows and its columns."""

    y: tuple[float, float]
    x: tuple[float, float]

    def lines(self, cells: int) -> tuple[Array, Array]:
        """Centres of as many cells over the same extent."""
        first, second = (
            start + step * (CELLS / cells * (np.arange(cells) + 0.5) - 0.5)
            for start, step in (self.y, self.x)
        )
        return first, second


@dataclass(frozen=True)
class MadeDomain:
    """A domain as it is made: its grids, times, spellings, and the models that drive it.

    corner: latitude and longitude of the first predictor cell. folder: below the tree.
    """

    name: str
    folder: str
    esd: str  # how the folder of the first experiment is spelled
    extent: Extent
    corner: tuple[float, float]
    projection: Lambert | None
    axes: tuple[TimeAxis, TimeAxis]  # of the model trained on, and of the other
    drivers: tuple[Driver, Driver]
    terrain: int
    attributes: Mapping[str, Json]  # of the targets

    @property
    def models(self) -> dict[str, tuple[Driver, TimeAxis]]:
        known = protocol.DOMAINS[self.name]
        pairs = zip(self.drivers, self.axes, strict=True)
        return dict(zip((known.gcm, known.transfer), pairs, strict=True))


DAYS_SINCE = TimeAxis("f8", "days since 1949-12-01", "gregorian")
WHOLE_DAYS = TimeAxis("i8", "days since 1961-01-01", "proleptic_gregorian", noon=False)
MINUTES = TimeAxis("f4", "minutes since 1961-01-01", "standard", leap=False, bounds=True)
MINUTES_NOLEAP = TimeAxis("f4", "minutes since 1961-01-01", "noleap", leap=False, bounds=True)
TASMAX = {
    "standard_name": "air_temperature",
    "long_name": "Daily Maximum Near-Surface Air Temperature",
    "units": "K",
}
MADE = {
    "ALPS": MadeDomain(
        "ALPS",
        "ALPS/ALPS_domain",
        "ESD_pseudo_reality",
        Extent((1412.5, 12.5), (2062.5, 12.5)),
        (28.0, -4.0),
        Lambert(49.5, 10.5, 2825.0, 2825.0),
        (DAYS_SINCE, DAYS_SINCE),
        (Driver(11, 4.0, 1.0, 0.05, 0.8, 0.3), Driver(12, 3.0, -1.5, -0.08, -0.6, 0.3)),
        3,
        {
            "pr": {},
            "tasmax": {**TASMAX, "cell_methods": "time: maximum", "grid_mapping": "Lambert"},
        },
    ),
    "NZ": MadeDomain(
        "NZ",
        "NZ/NZ_domain",
        "ESD_pseudo-reality",
        Extent((-47.5641, 0.107332), (166.04062, 0.107329)),
        (-56.0, 158.0),
        None,
        (WHOLE_DAYS, WHOLE_DAYS),
        (Driver(21, 3.5, 0.8, 0.06, 0.5, 0.3), Driver(22, 4.5, -1.0, 0.04, -0.7, 0.3)),
        5,
        {"pr": {}, "tasmax": {**TASMAX, "cell_methods": "time: maximum over days"}},
    ),
    "SA": MadeDomain(
        "SA",
        "SA_domain",
        "ESD_pseudo_reality",
        Extent((-34.7, 0.1), (20.5, 0.1)),
        (-40.0, 11.0),
        None,
        (MINUTES, MINUTES_NOLEAP),
        (Driver(31, 4.5, -0.9, 0.05, 0.6, 0.3), Driver(32, 3.0, 1.2, -0.06, -0.5, 0.3)),
        8,
        {"pr": {"units": "mm/day"}, "tasmax": TASMAX},
    ),
}


@dataclass(frozen=True, eq=False)
class Grids:
    """Both grids of a made domain, and where their cells lie in its plane."""

    fine: Places
    coarse: Places
    terrain: Terrain
    lines: tuple[Array, Array]  # centres of the fine grid along its own axes
    lat_lon: tuple[Array, Array] | None  # (y, x), of a projected grid
    coarse_lines: tuple[Array, Array]

    @property
    def shape(self) -> tuple[int, int]:
        return len(self.lines[0]), len(self.lines[1])


def grids_of(domain: MadeDomain, cells: int) -> Grids:
    """The grids, the fine one of cells × cells over the whole extent."""
    y, x = domain.extent.lines(cells)
    step = COARSE_STEP * np.arange(COARSE_CELLS)
    lat, lon = domain.corner[0] + step, domain.corner[1] + step
    coarse_lat, coarse_lon = (part.ravel() for part in np.meshgrid(lat, lon, indexing="ij"))
    down, across = (part.ravel() for part in np.meshgrid(y, x, indexing="ij"))
    if domain.projection is not None:
        lat_lon = domain.projection.backward(*np.meshgrid(x, y))
        centre = x.mean(), y.mean()
        east, north = domain.projection.forward(coarse_lat, coarse_lon)
        fine = Places(across - centre[0], down - centre[1], lat_lon[0].ravel())
        coarse = Places(east - centre[0], north - centre[1], coarse_lat)
        plane = Plane(lat_lon[0][:, cells // 2], lat_lon[1][cells // 2], x - centre[0],
                      y - centre[1])  # fmt: skip
        return Grids(
            fine, coarse, build_terrain(plane, domain.terrain), (y, x), lat_lon, (lat, lon)
        )
    plane = Plane.of(y, x)
    degree = EARTH_RADIUS_KM * np.deg2rad(1.0)
    narrow = degree * np.cos(np.deg2rad(y.mean()))
    fine = Places(narrow * (across - x.mean()), degree * (down - y.mean()), down)
    coarse = Places(narrow * (coarse_lon - x.mean()), degree * (coarse_lat - y.mean()), coarse_lat)
    return Grids(fine, coarse, build_terrain(plane, domain.terrain), (y, x), None, (lat, lon))


def make_tree(
    folder: Path, domains: tuple[str, ...], cells: int = CELLS, days: int | None = None
) -> int:
    """Write a tree, the templates and the truth of the test periods with it; number of files.

    days: of each period, its first ones; None for all of them. InputError where the folder holds
    something already.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError(f"{folder}: is there already; expected a new folder, or an empty one")
    written = 0
    for name in domains:
        for path in _Maker(folder, MADE[name], cells, days).files():
            logging.info("%s", path)
            written += 1
    return written


class _Maker:
    """Writes the files of one domain."""

    def __init__(self, folder: Path, domain: MadeDomain, cells: int, days: int | None) -> None:
        self.top, self.domain, self.days = folder, domain, days
        self.folder = folder / domain.folder
        self.grids = grids_of(domain, cells)
        south = domain.corner[0] < 0
        self.climates = {
            name: RegionalClimate(driver, south) for name, (driver, _) in domain.models.items()
        }

    def files(self) -> Iterator[Path]:
        yield from self._templates()
        gcm = protocol.DOMAINS[self.domain.name].gcm
        for experiment, periods in protocol.EXPERIMENTS.items():
            spelled = self.domain.esd if len(periods) == 1 else experiment
            place = self.folder / "train" / spelled
            years = "_".join(periods)
            yield self._static(place / "predictors" / protocol.STATIC)
            yield self._predictors(place / "predictors" / f"{gcm}_{years}.nc", gcm, years, False)
            yield self._targets(place / "target" / f"pr_tasmax_{gcm}_{years}.nc", gcm, years)
        for period, years in protocol.PERIODS.items():
            place = self.folder / "test" / period
            for name in self.climates:
                for condition in protocol.CONDITIONS:
                    path = place / "predictors" / condition / f"{name}_{years}.nc"
                    yield self._predictors(path, name, years, condition != "perfect")
                yield self._targets(place / "target" / f"pr_tasmax_{name}_{years}.nc", name, years)

    def _templates(self) -> Iterator[Path]:
        axis, gcm = self.domain.axes[0], protocol.DOMAINS[self.domain.name].gcm
        for target in protocol.TARGETS:
            path = self.top / "templates" / f"{target}_{self.domain.name}.nc"
            with self._new(path, gcm, axis.dates("1961-1961", 1)) as file:
                variable = self._target(file, target)
                variable[:] = np.ones((1, *self.grids.shape), "f4")
            yield path

    def _static(self, path: Path) -> Path:
        with self._new(path, None, None) as file:
            variable = file.createVariable(protocol.OROGRAPHY, "f4", self._fine_axes(file))
            variable.setncatts({"standard_name": "surface_altitude", "units": "m"})
            variable[:] = self.grids.terrain.orography
        return path

    def _predictors(self, path: Path, model: str, years: str, driving: bool) -> Path:
        dates = self._dates(model, years)
        climate, coarse = self.climates[model], self.grids.coarse
        with self._new(path, model, dates) as file:
            axes = []
            lines = zip(("lat", "lon"), self.grids.coarse_lines, (LATITUDE, LONGITUDE), strict=True)
            for name, line, attributes in lines:
                axes.append(_axis(file, name, line, "f8", attributes))
            for name in protocol.PREDICTORS:
                kind, level = name.split("_")
                variable = _field(file, name, ("time", *axes))
                variable.setncatts({"standard_name": NAMES[kind], "units": UNITS[kind]})
                variable.setncattr("long_name", f"{NAMES[kind].replace('_', ' ')} at {level} hPa")
            shape = COARSE_CELLS, COARSE_CELLS
            _fill(
                file,
                dates,
                shape,
                lambda hours, when: climate.predictors(coarse, hours, when, driving=driving),
            )
        return path

    def _targets(self, path: Path, model: str, years: str) -> Path:
        dates, climate, grids = self._dates(model, years), self.climates[model], self.grids
        with self._new(path, model, dates) as file:
            for target in protocol.TARGETS:
                self._target(file, target)
            _fill(
                file,
                dates,
                grids.shape,
                lambda hours, when: climate.targets(grids.fine, grids.terrain, hours, when),
            )
        return path

    def _target(self, file: netCDF4.Dataset, name: str) -> Any:
        variable = _field(file, name, ("time", *self._fine_axes(file)))
        variable.setncatts(self.domain.attributes[name])
        if self.grids.lat_lon is not None:
            variable.setncattr("coordinates", "lat lon")
        return variable

    def _fine_axes(self, file: netCDF4.Dataset) -> tuple[str, str]:
        y, x = self.grids.lines
        if self.grids.lat_lon is None:
            return (
                _axis(file, "lat", y, "f4", LATITUDE | {"axis": "Y"}),
                _axis(file, "lon", x, "f4", LONGITUDE | {"axis": "X"}),
            )
        names = tuple(
            _axis(
                file,
                name,
                line,
                "f8",
                {
                    "units": "km",
                    "long_name": f"{name} coordinate of projection",
                    "standard_name": f"projection_{name}_coordinate",
                    "axis": name.upper(),
                },
            )
            for name, line in (("y", y), ("x", x))
        )
        if "lat" not in file.variables:
            pairs = zip(("lat", "lon"), self.grids.lat_lon, (LATITUDE, LONGITUDE), strict=True)
            for name, values, attributes in pairs:
                variable = file.createVariable(name, "f8", names)
                variable.setncatts(attributes)
                variable[:] = values
        return names[0], names[1]

    def _dates(self, model: str, years: str) -> Array:
        axis = self.domain.models[model][1]
        return np.concatenate([axis.dates(period, self.days) for period in years.split("_")])

    def _new(self, path: Path, model: str | None, dates: Array | None) -> netCDF4.Dataset:
        """A file with its times; without any where there are no dates."""
        path.parent.mkdir(parents=True, exist_ok=True)
        with writing(path):
            file = netCDF4.Dataset(path, "w")
        file.setncatts(
            {"Conventions": "CF-1.8", "source": "finescale: invented, no model and no observation"}
        )
        if model is None or dates is None:
            return file
        axis = self.domain.models[model][1]
        file.createDimension("time", len(dates))
        variable = file.createVariable("time", axis.dtype, ("time",))
        variable.setncatts({"units": axis.units, "calendar": axis.calendar, "axis": "T",
                            "standard_name": "time"})  # fmt: skip
        variable[:] = axis.numbers(dates)
        if axis.bounds:
            variable.setncattr("bounds", "time_bnds")
            file.createDimension("bnds", 2)
            edges = file.createVariable("time_bnds", axis.dtype, ("time", "bnds"))
            half = (12 * 60) * np.array([-1, 1])
            edges[:] = (axis.numbers(dates)[:, None] + half).astype(axis.dtype)
        return file


def _axis(file: netCDF4.Dataset, name: str, line: Array, dtype: str, attributes: Json) -> str:
    if name not in file.dimensions:
        file.createDimension(name, len(line))
        variable = file.createVariable(name, dtype, (name,))
        variable.setncatts(attributes)
        variable[:] = line
    return name


def _field(file: netCDF4.Dataset, name: str, dims: tuple[str, ...]) -> Any:
    return file.createVariable(name, "f4", dims, compression="zlib", complevel=1, shuffle=True)


def _fill(
    file: netCDF4.Dataset,
    dates: Array,
    shape: tuple[int, int],
    fields: Callable[[Array, Array], Mapping[str, Array]],
) -> None:
    """Write what `fields` gives for hours since EPOCH and years, block by block."""
    moments = (dates + NOON).astype("datetime64[h]")
    hours = (moments - np.datetime64(EPOCH, "h")).astype(np.float64)
    first = dates.astype("datetime64[Y]")
    years = first.astype(int) + 1970 + ((dates - first).astype(np.float64) + 0.5) / 365.25
    for start in range(0, len(dates), BLOCK_DAYS):
        part = slice(start, min(start + BLOCK_DAYS, len(dates)))
        for name, values in fields(hours[part], years[part]).items():
            file[name][part] = values.reshape(-1, *shape)
