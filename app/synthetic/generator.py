"""The built-in data set: synthetic weather over fractal terrain, written as CF NetCDF."""

from __future__ import annotations

import json
import os
import tempfile
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

import netCDF4
import numpy as np
from absl import logging

from app.arrays import Array
from app.errors import InputError
from app.running.disk_space import writing
from app.synthetic.terrain import Plane
from app.synthetic.weather import EPOCH, SECONDS_PER_HOUR, Weather

VERSION = 1  # of the generator; another number makes files anew
CONFIG_ATTRIBUTE = "finescale_synthetic"
STATICS = ("orography", "lsm")
MIN_CELLS = 2  # per axis, for a spacing to exist
BLOCK_CELLS = 2**18  # time steps × cells computed at once: some 100 MB of intermediate fields
CHUNK_CELLS = 2**18  # 1 MiB of float32
COMPRESSION_LEVEL: Literal[1] = 1
MAX_LATITUDE = 85.0  # degrees; the tangent plane shrinks to a line at a pole

ATTRIBUTES: dict[str, dict[str, str]] = {
    "t2m": {
        "standard_name": "air_temperature",
        "long_name": "2 metre temperature",
        "units": "K",
        "cell_methods": "time: point",
    },
    "pr": {
        "standard_name": "precipitation_flux",
        "long_name": "precipitation",
        "units": "kg m-2 s-1",
        "cell_methods": "time: point",
    },
    "u10": {
        "standard_name": "eastward_wind",
        "long_name": "10 metre eastward wind",
        "units": "m s-1",
        "cell_methods": "time: point",
    },
    "v10": {
        "standard_name": "northward_wind",
        "long_name": "10 metre northward wind",
        "units": "m s-1",
        "cell_methods": "time: point",
    },
    "orography": {
        "standard_name": "surface_altitude",
        "long_name": "height of the ground",
        "units": "m",
    },
    "lsm": {
        "standard_name": "land_area_fraction",
        "long_name": "land fraction",
        "units": "1",
    },
}
VARIABLES = tuple(name for name in ATTRIBUTES if name not in STATICS)
MANTISSA_BITS = {"t2m": 14, "pr": 8, "u10": 8, "v10": 8}  # 0.01 K, 0.2 %


@dataclass(frozen=True)
class SyntheticConfig:
    """What to generate: `steps` fields of `shape` (y, x) every `step_hours` from `start`.

    lat and lon are the outer edges in degrees. Another `start` shows the same seed's weather at
    another time; other shapes show the same land on another grid.
    """

    shape: tuple[int, int] = (64, 64)
    start: str = "2001-01-01T00:00"
    steps: int = 2920
    step_hours: float = 6.0
    lat: tuple[float, float] = (43.0, 48.12)
    lon: tuple[float, float] = (4.0, 11.04)
    seed: int = 0
    variables: tuple[str, ...] = VARIABLES

    def __post_init__(self) -> None:
        _expect(min(self.shape) >= MIN_CELLS, "shape", self.shape, f"at least {MIN_CELLS} cells")
        _expect(self.steps >= 1, "steps", self.steps, "at least 1")
        _expect(self.step_hours > 0, "step_hours", self.step_hours, "hours above 0")
        _expect(self.seed >= 0, "seed", self.seed, "0 or more")
        lowest, highest = self.lat
        inside = -MAX_LATITUDE <= lowest < highest <= MAX_LATITUDE
        _expect(inside, "lat", self.lat, f"south below north within ±{MAX_LATITUDE:g} degrees")
        _expect(0 < self.lon[1] - self.lon[0] <= 360, "lon", self.lon, "west below east")
        known = bool(self.variables) and set(self.variables) <= set(VARIABLES)
        _expect(known, "variables", self.variables, f"some of {', '.join(VARIABLES)}")
        try:
            zone = self.first.tzinfo
        except ValueError as error:
            raise InputError(
                f"synthetic data: start={self.start}: expected a time such as 2001-01-01T00:00"
            ) from error
        _expect(zone is None, "start", self.start, "UTC without a time zone")

    @property
    def first(self) -> datetime:
        """The first time, UTC."""
        return datetime.fromisoformat(self.start)

    @property
    def hours(self) -> Array:
        """Hours of all steps after the first, float64 (steps,)."""
        return self.step_hours * np.arange(self.steps, dtype=np.float64)

    @property
    def plane(self) -> Plane:
        """The grid's cell centres."""
        return Plane.of(_centres(self.lat, self.shape[0]), _centres(self.lon, self.shape[1]))

    def signature(self) -> str:
        """Everything that decides on the bytes, as one line of JSON."""
        return json.dumps({"version": VERSION, **asdict(self)}, sort_keys=True)


def describe(config: SyntheticConfig) -> str:
    """One line for people: what the data set holds and its uncompressed size."""
    rows, columns = config.shape
    mebibytes = len(config.variables) * config.steps * rows * columns * 4 / 2**20
    return (
        f"synthetic {', '.join(config.variables)} with {' and '.join(STATICS)}: {config.steps} "
        f"steps of {config.step_hours:g} h from {config.start}, {rows} × {columns} cells, "
        f"seed {config.seed}, {mebibytes:.0f} MiB uncompressed"
    )


def generate(
    config: SyntheticConfig, path: str | os.PathLike[str], *, block_steps: int | None = None
) -> Path:
    """Write the data set to one CF NetCDF-4 file and return its path.

    A file of the same configuration is left alone, one of another is replaced, and one made by
    anything else is refused with InputError. The file appears whole or not at all. Memory is
    bounded by `block_steps` times computed at once, which has no influence on the values; None
    chooses by the size of the grid.
    """
    path = Path(path)
    if path.exists():
        stored = _stored_signature(path)
        if stored is None:
            raise InputError(f"{path}: exists, but is no synthetic data; expected a free path")
        if stored == config.signature():
            return path
    logging.info("Writing %s: %s", path, describe(config))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with writing(path):
            _write_atomically(config, path, block_steps or _block_steps(config, BLOCK_CELLS))
    except OSError as error:
        raise InputError(f"{path}: synthetic data cannot be written ({error})") from error
    return path


def _write_atomically(config: SyntheticConfig, path: Path, block_steps: int) -> None:
    """Ranks may do this at once: each renames a file of its own, and all are the same."""
    with tempfile.TemporaryDirectory(prefix=f".{path.name}-", dir=path.parent) as folder:
        part = Path(folder) / path.name
        with netCDF4.Dataset(part, "w") as file:
            _write(config, file, block_steps)
        os.utime(part, (0, 0))  # each rank may have made it, and all know it by its time
        os.replace(part, path)


def _write(config: SyntheticConfig, file: netCDF4.Dataset, block_steps: int) -> None:
    weather = Weather(config.plane, config.seed)
    file.setncatts(
        {
            "Conventions": "CF-1.10",
            "title": "Synthetic weather over fractal terrain",
            "source": "finescale's built-in generator: invented, no observation or simulation",
            CONFIG_ATTRIBUTE: config.signature(),
        }
    )
    _write_coordinates(config, file)
    for name in STATICS:
        variable = file.createVariable(name, "f4", ("lat", "lon"))
        variable.setncatts(ATTRIBUTES[name])
        variable[:] = getattr(weather.terrain, name)
    for name in config.variables:
        _create_field(config, file, name)
    hours = config.hours
    offset = (config.first - EPOCH).total_seconds() / SECONDS_PER_HOUR
    for start in range(0, config.steps, block_steps):
        block = slice(start, min(start + block_steps, config.steps))
        for name, values in weather.at(offset + hours[block], config.variables).items():
            file[name][block] = values


def _write_coordinates(config: SyntheticConfig, file: netCDF4.Dataset) -> None:
    plane = config.plane
    coordinates = {
        "time": (
            config.hours,
            {
                "standard_name": "time",
                "units": f"hours since {config.first.isoformat(sep=' ')}",
                "calendar": "standard",
                "axis": "T",
            },
        ),
        "lat": (plane.lat, {"standard_name": "latitude", "units": "degrees_north", "axis": "Y"}),
        "lon": (plane.lon, {"standard_name": "longitude", "units": "degrees_east", "axis": "X"}),
    }
    for name, (values, attributes) in coordinates.items():
        file.createDimension(name, values.size)
        variable = file.createVariable(name, "f8", (name,))
        variable.setncatts(attributes)
        variable[:] = values


def _create_field(config: SyntheticConfig, file: netCDF4.Dataset, name: str) -> None:
    variable = file.createVariable(
        name,
        "f4",
        ("time", "lat", "lon"),
        compression="zlib",
        complevel=COMPRESSION_LEVEL,
        shuffle=True,
        chunksizes=(_block_steps(config, CHUNK_CELLS), *config.shape),
        significant_digits=MANTISSA_BITS[name],
        quantize_mode="BitRound",
    )
    variable.setncatts(ATTRIBUTES[name])


def _block_steps(config: SyntheticConfig, cells: int) -> int:
    return min(max(1, cells // (config.shape[0] * config.shape[1])), config.steps)


def _stored_signature(path: Path) -> str | None:
    try:
        with netCDF4.Dataset(path) as file:
            return str(file.getncattr(CONFIG_ATTRIBUTE))
    except (OSError, AttributeError):
        return None


def _centres(edges: tuple[float, float], count: int) -> Array:
    return edges[0] + (edges[1] - edges[0]) * (np.arange(count) + 0.5) / count


def _expect(holds: bool, key: str, received: Any, expected: str) -> None:
    if not holds:
        raise InputError(f"synthetic data: {key}={received}: expected {expected}")
