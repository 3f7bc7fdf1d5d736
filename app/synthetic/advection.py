"""Patterns carried along by a rotating and drifting flow: motion that is known exactly.

A random field without edges is sampled where the flow has carried each cell from, so that new
features keep coming in and no diffusion blurs them.
"""

from __future__ import annotations

import json
import os
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

import netCDF4
import numpy as np
from absl import logging

from app.arrays import Array
from app.errors import InputError
from app.running.disk_space import writing

VERSION = 1  # of the generator; another number makes files anew
CONFIG_ATTRIBUTE = "finescale_advection"
START = "2001-01-01 00:00:00"
WAVES = 96  # cosines that make up the pattern
SUBSTEPS = 4  # moments of an hour that its rain is the mean of
RAIN_ABOVE = 0.6  # of the pattern's standard deviation: about a quarter of the area is wet
RAIN_RATE = 4.0  # mm per hour at one standard deviation above that
CELL = 0.25  # degrees
SOUTH, WEST = 45.0, 0.0  # edges of the domain, degrees


@dataclass(frozen=True)
class AdvectionConfig:
    """What to generate: `steps` hourly fields of `shape` (y, x).

    drift: cells an hour, on average, at which the pattern moves through the domain; it swells and
    ebbs by `swing`, a share of it, every `swing_hours`. turn: radians an hour by which the flow
    rotates about the middle of the domain; its drift turns along. wavelengths: shortest and
    longest in the pattern, cells.
    """

    shape: tuple[int, int] = (40, 48)
    steps: int = 2881
    drift: float = 1.25
    swing: float = 0.3
    swing_hours: float = 37.0
    turn: float = 0.02
    wavelengths: tuple[float, float] = (8.0, 24.0)
    seed: int = 0

    def signature(self) -> str:
        """Everything that decides on the bytes, as one line of JSON."""
        return json.dumps({"version": VERSION, **asdict(self)}, sort_keys=True)


@dataclass(frozen=True, eq=False)
class Pattern:
    """A sum of cosines with random directions and phases, of unit variance."""

    waves: Array  # (WAVES, 2) radians per cell along rows and columns
    phases: Array  # (WAVES,)

    @classmethod
    def draw(cls, config: AdvectionConfig) -> Pattern:
        generator = np.random.default_rng(config.seed)
        longest, shortest = (2 * np.pi / length for length in reversed(config.wavelengths))
        size = generator.uniform(longest, shortest, WAVES)
        angle = generator.uniform(0, 2 * np.pi, WAVES)
        waves = size[:, None] * np.stack([np.sin(angle), np.cos(angle)], axis=-1)
        return cls(waves, generator.uniform(0, 2 * np.pi, WAVES))

    def at(self, config: AdvectionConfig, hours: float) -> Array:
        """What fills the domain at a time: (y, x).

        Rows and columns enter each wave's angle as a sum, so that a product of two small matrices
        of complex exponentials does for all cells.
        """
        turned, way = carried(config, hours)
        per_cell = self.waves @ turned.T  # radians per row and per column of the domain
        rows, columns = (np.arange(n) - (n - 1) / 2 for n in config.shape)
        start = self.phases - self.waves @ way
        down = np.exp(1j * (rows[:, None] * per_cell[:, 0] + start))
        across = np.exp(1j * columns[:, None] * per_cell[:, 1])
        result: Array = np.sqrt(2 / WAVES) * (down @ across.T).real
        return result


def carried(config: AdvectionConfig, hours: float) -> tuple[Array, Array]:
    """How far the flow has gone: rotation (2, 2) and drift (2,) in cells.

    A cell at p, from the middle of the domain, shows the pattern at p @ rotation - drift.
    """
    angle = config.turn * hours
    turned = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    pulse = config.swing_hours / (2 * np.pi)
    way = config.drift * (hours + config.swing * pulse * (1 - np.cos(hours / pulse)))
    return turned, np.array([0.6, 0.8]) * way


def generate_advection(config: AdvectionConfig, path: str | os.PathLike[str]) -> Path:
    """Write hourly "tracer" (1) and "rain" (mm an hour, summed) to a CF file; return its path.

    A file of the same configuration is left alone; it appears whole or not at all.
    """
    path = Path(path)
    if _stored_signature(path) == config.signature():
        return path
    logging.info("Writing %s: moving patterns, %d hours", path, config.steps)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{path.name}-", dir=path.parent) as folder:
            part = Path(folder) / path.name
            with writing(path):
                with netCDF4.Dataset(part, "w") as file:
                    _write(config, file)
                os.utime(part, (0, 0))  # each rank may have made it, and all know it by its time
                os.replace(part, path)
    except OSError as error:
        raise InputError(f"{path}: synthetic data cannot be written ({error})") from error
    return path


def _write(config: AdvectionConfig, file: netCDF4.Dataset) -> None:
    file.setncatts(
        {
            "Conventions": "CF-1.10",
            "title": "Synthetic patterns in a rotating and drifting flow",
            CONFIG_ATTRIBUTE: config.signature(),
        }
    )
    rows, columns = config.shape
    axes = {
        "time": (np.arange(config.steps), {"units": f"hours since {START}", "axis": "T"}),
        "lat": (SOUTH + CELL * (np.arange(rows) + 0.5), {"units": "degrees_north"}),
        "lon": (WEST + CELL * (np.arange(columns) + 0.5), {"units": "degrees_east"}),
    }
    for name, (values, attributes) in axes.items():
        file.createDimension(name, len(values))
        variable = file.createVariable(name, "f8", (name,))
        variable.setncatts(attributes)
        variable[:] = values
    pattern = Pattern.draw(config)
    kinds = {"tracer": ("1", "time: point"), "rain": ("mm", "time: sum")}
    for name, (units, method) in kinds.items():
        variable = file.createVariable(name, "f4", ("time", "lat", "lon"), compression="zlib")
        variable.setncatts({"units": units, "cell_methods": method})
    for step in range(config.steps):
        file["tracer"][step] = pattern.at(config, float(step))
        file["rain"][step] = _rain(config, pattern, step)


def _rain(config: AdvectionConfig, pattern: Pattern, step: int) -> Array:
    """Amount of the hour before a step, mm."""
    moments = step - (np.arange(SUBSTEPS) + 0.5) / SUBSTEPS
    fields = [pattern.at(config, float(moment)) for moment in moments]
    result: Array = RAIN_RATE * np.mean(
        [np.maximum(field - RAIN_ABOVE, 0) for field in fields], axis=0
    )
    return result


def _stored_signature(path: Path) -> str | None:
    try:
        with netCDF4.Dataset(path) as file:
            return str(file.getncattr(CONFIG_ATTRIBUTE))
    except (OSError, AttributeError):
        return None
