"""Files as fields: opened lazily, read in blocks, in canonical order and in the wanted units."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import xarray as xr

from app.data.description import Region, Source, Variable
from app.data.reading.aggregation import Aggregated
from app.data.reading.files import expand, open_lazily
from app.data.reading.selection import find_variable, pick, time_coordinate
from app.data.reading.series import FileSeries, Part, Series, Window
from app.data.times import Stamps, duration
from app.data.transforms import clip
from app.data.units import Conversion, conversion
from app.errors import InputError
from app.grids import Grid, detect_grid, same_grid

DIMENSIONLESS = "1"
SUMMED = re.compile(r"\btime:\s*sum\b")  # in CF's cell_methods


@dataclass(frozen=True, eq=False)
class Opened:
    """A source ready to be read: canonical grid, its times, and blocks of its fields."""

    variables: tuple[Variable, ...]
    grid: Grid
    stamps: Stamps
    series: tuple[Series, ...]
    rows: tuple[np.ndarray, ...]  # row of each series for each stamp
    changes: tuple[Conversion, ...]  # to the wanted units
    paths: tuple[str, ...]

    @property
    def row_bytes(self) -> int:
        """Bytes read for one time."""
        cells = self.grid.shape[0] * self.grid.shape[1]
        return 4 * cells * sum(series.weight for series in self.series)

    def read(self, rows: np.ndarray) -> np.ndarray:
        """Times by number → (C, n, y, x) float32, converted and clipped."""
        fields = np.empty((len(self.variables), len(rows), *self.grid.shape), np.float32)
        for c, (variable, series) in enumerate(zip(self.variables, self.series, strict=True)):
            fields[c] = series.read(self.rows[c][rows])
            convert(fields[c], variable, self.changes[c])
        return fields


def convert(field: np.ndarray, variable: Variable, change: Conversion) -> None:
    """To the wanted units and into the valid range, in place; infinities become NaN."""
    if change != Conversion(1.0):
        field[...] = change(field.astype(np.float64))
    field[~np.isfinite(field)] = np.nan
    field[...] = clip(field, variable)


def open_source(source: Source, region: Region | None = None, margin: int = 0) -> Opened:
    """Open files with times, of the `region` and `margin` cells around it.

    With a margin a region that the grid does not cover is no error here: regridding says so.
    InputError, in one line, for everything else that is wrong.
    """
    grid, parts, paths = _open_parts(source, region, margin)
    where = ", ".join(source.files)
    shift = duration(source.time_shift, where) if source.time_shift else 0
    series: list[Series] = []
    for variable, found in zip(source.variables, parts, strict=True):
        name = f"{found[0].part.path}: {variable.source_name}"
        one: Series = FileSeries([f.part for f in found], shift, name)
        series.append(Aggregated(one, source.aggregate, name) if source.aggregate else one)
    stamps, rows = _common_times(series, where)
    variables, changes = _in_units(source.variables, parts)
    return Opened(variables, grid, stamps, tuple(series), rows, changes, paths)


def open_static(
    source: Source, region: Region | None = None, margin: int = 0
) -> tuple[Opened, np.ndarray]:
    """Fields without time, (S, y, x) float32; a field that varies in time becomes its mean."""
    grid, parts, paths = _open_parts(source, region, margin)
    variables, changes = _in_units(source.variables, parts)
    fields = np.empty((len(variables), *grid.shape), np.float32)
    for c, found in enumerate(parts):
        fields[c] = _time_mean([f.part for f in found])
        convert(fields[c], variables[c], changes[c])
    none = Stamps(np.zeros(0, np.int64))
    return Opened(variables, grid, none, (), (), changes, paths), fields


def _time_mean(parts: Sequence[Part]) -> np.ndarray:
    total: Any = 0.0
    count: Any = 0
    for part in parts:
        for row in range(len(part.stamps) if part.stamps is not None else 1):
            field = part.read(np.array([row]))[0].astype(np.float64)
            total = total + np.where(np.isfinite(field), field, 0.0)
            count = count + np.isfinite(field)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


@dataclass(frozen=True, eq=False)
class Found:
    """A variable's part in one file, with what its attributes say."""

    part: Part
    units: str | None
    time_method: str


def _open_parts(
    source: Source, region: Region | None, margin: int
) -> tuple[Grid, list[list[Found]], tuple[str, ...]]:
    """For each variable its parts over the files that have it, all on one grid."""
    paths = expand(source.files)
    whole: Grid | None = None
    found: list[list[Found]] = [[] for _ in source.variables]
    missing: list[InputError | None] = [None] * len(source.variables)
    for path in paths:
        dataset = open_lazily(path, source.engine)
        for c, variable in enumerate(source.variables):
            try:
                field = find_variable(dataset, variable, path)
            except InputError as error:
                missing[c] = missing[c] or error
                continue
            grid = _grid_of(dataset, field, path)
            if whole is None:
                whole, window, cut = _cut(grid, region, margin, path)
            elif not same_grid(grid, whole):
                raise InputError(f"{path}: its grid ({grid.extent()}) differs from {paths[0]}'s")
            found[c].append(_found(field, variable, source, window, path))
    for parts, problem in zip(found, missing, strict=True):
        if not parts and problem is not None:
            raise problem
    return cut, found, tuple(paths)


def _grid_of(dataset: xr.Dataset, field: xr.DataArray, path: str) -> Grid:
    try:
        return detect_grid(field, path)[0]
    except InputError:
        return detect_grid(dataset, path)[0]


def _cut(grid: Grid, region: Region | None, margin: int, path: str) -> tuple[Grid, Window, Grid]:
    """The whole grid, what to read of it, and the grid of that."""
    rows, columns = np.arange(grid.shape[0]), np.arange(grid.shape[1])
    if region is None:
        return grid, Window.of(grid, rows, columns), grid
    try:
        rows, columns = grid.window(*_widened(region, grid, margin))
    except InputError as error:
        if not margin:
            raise InputError(f"{path}: {error}") from error
        return grid, Window.of(grid, rows, columns), grid
    return grid, Window.of(grid, rows, columns), grid.take(rows, columns)


def _widened(
    region: Region, grid: Grid, margin: int
) -> tuple[tuple[float, float], tuple[float, float]]:
    north = margin * float(np.abs(np.diff(grid.lat, axis=0)).max())
    east = margin * float(np.median(np.abs(np.diff(grid.lon))))
    (lowest, highest), (leftmost, rightmost) = region.lat, region.lon
    return (lowest - north, highest + north), (leftmost - east, rightmost + east)


def _found(
    field: xr.DataArray, variable: Variable, source: Source, window: Window, path: str
) -> Found:
    units = str(field.attrs["units"]) if "units" in field.attrs else None
    method = "sum" if SUMMED.search(str(field.attrs.get("cell_methods", ""))) else "point"
    time = time_coordinate(field)
    kept = (*window.dims, time[0]) if time and time[0] else window.dims
    field = pick(field, variable, source, kept, path)
    if not np.issubdtype(field.dtype, np.number):
        raise InputError(f"{path}: {variable.source_name} holds {field.dtype}, expected numbers")
    time = time_coordinate(field)
    if time is None:
        return Found(Part(path, field, window, None, None), units, method)
    dim, coordinate = time
    stamps = Stamps.of(np.atleast_1d(coordinate.values))
    return Found(Part(path, field, window, dim, stamps), units, method)


def _common_times(series: Sequence[Series], where: str) -> tuple[Stamps, tuple[np.ndarray, ...]]:
    """Times that all variables of a source have."""
    seconds = series[0].seconds
    for other in series[1:]:
        seconds = np.intersect1d(seconds, other.seconds)
    if not len(seconds):
        raise InputError(f"{where}: its variables have no time in common")
    return (
        Stamps(seconds, series[0].calendar),
        tuple(np.searchsorted(one.seconds, seconds) for one in series),
    )


def _in_units(
    variables: Sequence[Variable], parts: list[list[Found]]
) -> tuple[tuple[Variable, ...], tuple[Conversion, ...]]:
    """Variables with their units filled in, and the conversions to them."""
    resolved, changes = [], []
    for variable, found in zip(variables, parts, strict=True):
        units = {one.units for one in found}
        if len(units) > 1:
            raise InputError(
                f"{found[0].part.path}: {variable.source_name} has different units over the files "
                f"({', '.join(sorted(map(str, units)))})"
            )
        own = found[0].units if found[0].units is not None else variable.units or DIMENSIONLESS
        wanted = variable.units if variable.units is not None else own
        method = variable.time_method or found[0].time_method
        resolved.append(replace(variable, units=wanted, time_method=method))
        changes.append(conversion(own, wanted, f"{found[0].part.path}: {variable.source_name}"))
    return tuple(resolved), tuple(changes)
