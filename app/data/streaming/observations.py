"""Point observations on the fine grid: each station in the cell nearest to it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from absl import logging
from scipy.spatial import cKDTree

from app.arrays import Array
from app.data.description import Variable
from app.data.reading.containers import engine_of
from app.data.times import Stamps
from app.data.units import conversion
from app.errors import InputError, one_line
from app.grids.sphere import unit_vectors

if TYPE_CHECKING:
    import xarray as xr

    from app.grids import Grid

LATITUDES, LONGITUDES = ("lat", "latitude"), ("lon", "longitude")
REACH = 0.75  # cells beyond the centre of its nearest cell that a station still belongs to it


@dataclass(frozen=True, eq=False)
class Observations:
    """Values (T, N, C) of N stations, NaN where missing, and the flat cell (N,) of each.

    `stamps` (T,) rise; `shape` (y, x) is that of the grid.
    """

    stamps: Stamps
    cells: Array
    values: Array
    shape: tuple[int, int]

    def fields(self, seconds: Array) -> Array:
        """(n, y, x, C) float32 at given times; the mean of a cell's stations, NaN where none is.

        Only exact times count.
        """
        out = np.full((len(seconds), self.shape[0] * self.shape[1], self.values.shape[-1]), np.nan)
        rows = np.searchsorted(self.stamps.seconds, seconds)
        rows = np.minimum(rows, len(self.stamps) - 1)
        for i in np.flatnonzero(self.stamps.seconds[rows] == seconds):
            for c, values in enumerate(self.values[rows[i]].T):
                known = np.isfinite(values)
                cells = self.cells[known]
                total = np.bincount(cells, values[known], minlength=out.shape[1])
                count = np.bincount(cells, minlength=out.shape[1])
                out[i, count > 0, c] = total[count > 0] / count[count > 0]
        return out.reshape(len(seconds), *self.shape, -1).astype(np.float32)


def open_observations(
    path: str | Path, variables: Sequence[Variable], grid: Grid, calendar: str
) -> Observations:
    """Read a file of stations: `lat(station)`, `lon(station)` and, of each predictand that it
    has, NAME(time, station) in any units.

    Stations beyond the grid are left out. Raises InputError where the file cannot be read, has
    none of the predictands, no station on the grid, or another calendar.
    """
    import xarray as xr

    where = f"--observations={path}"
    try:
        engine_of(str(path), None)
    except InputError as error:
        raise InputError(f"--observations={error}") from error
    try:
        with xr.open_dataset(path) as dataset:
            return _read(dataset.load(), where, variables, grid, calendar)
    except (OSError, ValueError) as error:
        raise InputError(f"{where}: cannot be read ({one_line(error)})") from error


def _read(
    dataset: xr.Dataset, where: str, variables: Sequence[Variable], grid: Grid, calendar: str
) -> Observations:
    lat, lon = (_coordinate(dataset, names, where) for names in (LATITUDES, LONGITUDES))
    names = [v.name for v in variables if v.name in dataset]
    if not names or "time" not in dataset.coords:
        raise InputError(
            f"{where}: expected a time and one of {', '.join(v.name for v in variables)}; found "
            f"{', '.join(map(str, dataset.variables)) or 'nothing'}"
        )
    stamps = Stamps.of(dataset["time"].values)
    if stamps.calendar != calendar:
        raise InputError(f"{where}: calendar {stamps.calendar}, expected {calendar} as of the data")
    cells, near = nearest_cells(grid, lat.values, lon.values)
    if not near.any():
        raise InputError(f"{where}: none of {len(near)} stations lies on the grid {grid.extent()}")
    order = np.argsort(stamps.seconds, kind="stable")
    shape = (len(order), int(near.sum()))
    values = [
        _values(dataset[v.name], v, str(lat.dims[0]), where)[order][:, near]
        if v.name in names
        else np.full(shape, np.nan)
        for v in variables
    ]
    logging.info(
        "observations: %d of %d stations on the grid, %d times, %s",
        shape[1],
        len(near),
        len(order),
        ", ".join(names),
    )
    return Observations(stamps.take(order), cells[near], np.stack(values, axis=-1), grid.shape)


def _coordinate(dataset: xr.Dataset, names: tuple[str, ...], where: str) -> xr.DataArray:
    for name in names:
        if name in dataset and dataset[name].ndim == 1:
            return dataset[name]
    raise InputError(
        f"{where}: expected {names[0]} of the stations, one number each; found "
        f"{', '.join(map(str, dataset.variables)) or 'nothing'}"
    )


def _values(field: xr.DataArray, variable: Variable, station: str, where: str) -> Array:
    """(time, station) in the predictand's units."""
    if set(field.dims) != {"time", station}:
        raise InputError(
            f"{where}: {field.name} has the dimensions {', '.join(map(str, field.dims))}; expected "
            f"time and {station}"
        )
    values = field.transpose("time", station).values.astype(np.float64)
    if variable.units is None:
        return values
    units = str(field.attrs.get("units", ""))
    if not units.strip():
        logging.warning(
            "%s: %s has no units; it is taken to be in %s", where, field.name, variable.units
        )
        return values
    change = conversion(units, variable.units, f"{where}: {field.name}")
    return np.asarray(change(values))


def nearest_cells(grid: Grid, lat: Array, lon: Array) -> tuple[Array, Array]:
    """Flat index (N,) of the nearest cell, and whether the point lies on the grid at all."""
    points = unit_vectors(*grid.mesh())
    steps = [np.linalg.norm(np.diff(points, axis=axis), axis=-1) for axis in (0, 1)]
    widest = max((float(step.max()) for step in steps if step.size), default=np.inf)
    known = np.isfinite(lat) & np.isfinite(lon)
    sought = unit_vectors(np.where(known, lat, 0.0), np.where(known, lon, 0.0))
    distance, cells = cKDTree(points.reshape(-1, 3)).query(sought)
    return cells, known & (distance <= REACH * widest)
