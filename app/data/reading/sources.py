"""Files as fields: opened lazily, read in blocks, in canonical order and in the wanted units."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import xarray as xr
from absl import logging

from app.data.amounts import SUM, TimeMeaning
from app.data.description import Region, Source, Variable
from app.data.reading.aggregation import Aggregated
from app.data.reading.decoding import decoder_of
from app.data.reading.files import is_zarr, open_lazily
from app.data.reading.groups import dataset_with
from app.data.reading.paths import expand
from app.data.reading.recalendar import InCalendar, joined_calendars
from app.data.reading.resolution import change_of, log_meanings, resolved
from app.data.reading.selection import find_variable, pick, refuse_unnamed_dimensions
from app.data.reading.sentinels import Tally, suspicions
from app.data.reading.series import FileSeries, Part, Series, Window, refuse_other_places
from app.data.reading.time_bounds import stamped_at
from app.data.reading.time_coordinates import (
    refuse_undecoded,
    stamps_of,
    time_coordinate,
    undecoded_dimensions,
)
from app.data.time_units import counts_time
from app.data.times import Stamps, common_calendar, duration
from app.data.transforms import clip
from app.errors import InputError
from app.grids import Grid, columns_of, detect_grid, rivals

DECODED_COORDINATES = ("_FillValue", "missing_value", "scale_factor", "add_offset", "_Unsigned")


@dataclass(frozen=True, eq=False)
class Opened:
    """A source ready to be read: canonical grid, its times, and blocks of its fields.

    `tallies`: what reading has seen of each variable so far. `meanings`: what a value of each
    stands for in time. `origins`: the files' calendars, where the stamps are in another.
    `unitless`: names in the files of variables whose units no file tells.
    """

    variables: tuple[Variable, ...]
    grid: Grid
    stamps: Stamps
    series: tuple[Series, ...]
    rows: tuple[np.ndarray, ...]  # row of each series for each stamp
    tallies: tuple[Tally, ...]
    meanings: tuple[TimeMeaning, ...]
    paths: tuple[str, ...]
    origins: tuple[str, ...] = ()
    unitless: tuple[str, ...] = ()

    @property
    def row_bytes(self) -> int:
        """Bytes read for one time."""
        cells = self.grid.shape[0] * self.grid.shape[1]
        return 4 * cells * sum(series.weight for series in self.series)

    def read(self, rows: np.ndarray) -> np.ndarray:
        """Times by number → (C, n, y, x) float32 in the wanted units, NaN where missing."""
        fields = np.empty((len(self.variables), len(rows), *self.grid.shape), np.float32)
        for c, (variable, series) in enumerate(zip(self.variables, self.series, strict=True)):
            fields[c] = clip(series.read(self.rows[c][rows]), variable)
        return fields


def open_source(source: Source, region: Region | None = None, margin: int = 0) -> Opened:
    """Open files with times, of the `region` and `margin` cells around it.

    With a margin a region that the grid does not cover is no error here: regridding says so.
    InputError, in one line, for everything else that is wrong. Times that only some of the
    files or variables have are left out, and counted in the log.
    """
    found = _open_parts(source, region, margin)
    where = ", ".join(source.files)
    shift = duration(source.time_shift, where) if source.time_shift else 0
    whole = [
        FileSeries(
            joined_calendars(parts, source.calendar),
            shift,
            f"{parts[0].path}: {variable.source_name}",
        )
        for variable, parts in zip(source.variables, found.parts, strict=True)
    ]
    _log_left_out(source.variables, whole, found.lacking, shift)
    log_meanings(found.variables, found.meanings, source.aggregate)
    series: list[Series] = [
        Aggregated(
            one,
            source.aggregate,
            f"{parts[0].path}: {variable.source_name}",
            gathered=meaning.method == SUM and meaning.stamped == "end" and not shift,
        )
        if source.aggregate
        else one
        for variable, one, parts, meaning in zip(
            found.variables, whole, found.parts, found.meanings, strict=True
        )
    ]
    origins = {
        part.stamps.calendar for parts in found.parts for part in parts if part.stamps is not None
    }
    if source.calendar is not None:
        series = [
            one if one.calendar == source.calendar else InCalendar(one, source.calendar, where)
            for one in series
        ]
    calendar = _one_calendar(source.variables, series, where)
    stamps, rows = _common_times(series, calendar, where)
    return Opened(
        found.variables,
        found.grid,
        stamps,
        tuple(series),
        rows,
        found.tallies,
        found.meanings,
        found.paths,
        tuple(sorted(origins - {calendar})) if source.calendar is not None else (),
        tuple(p[0].variable.source_name for p in found.parts if all(q.units is None for q in p)),
    )


def open_static(
    source: Source, region: Region | None = None, margin: int = 0
) -> tuple[Opened, np.ndarray]:
    """Fields without time, (S, y, x) float32; a field that varies in time becomes its mean.

    InputError where every value of a field is missing.
    """
    found = _open_parts(source, region, margin, timeless=True)
    fields = np.empty((len(found.variables), *found.grid.shape), np.float32)
    for c, (variable, parts) in enumerate(zip(found.variables, found.parts, strict=True)):
        fields[c] = clip(_time_mean(parts), variable)
        if not np.isfinite(fields[c]).any():
            raise InputError(f"{parts[0].path}: every value of {variable.source_name} is missing")
        for line in suspicions(found.tallies[c], variable):
            logging.warning("%s: %s", parts[0].path, line)
    none = Stamps(np.zeros(0, np.int64))
    opened = Opened(
        found.variables, found.grid, none, (), (), found.tallies, found.meanings, found.paths
    )
    return opened, fields


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
class _Files:
    """Variables with their units filled in, their parts over the files, and the one grid of all.

    `lacking`: for each variable, the files that do not have it, with their times in seconds.
    """

    variables: tuple[Variable, ...]
    grid: Grid
    parts: list[list[Part]]
    lacking: list[list[tuple[str, np.ndarray]]]
    tallies: tuple[Tally, ...]
    meanings: tuple[TimeMeaning, ...]
    paths: tuple[str, ...]


def _open_parts(
    source: Source, region: Region | None, margin: int, timeless: bool = False
) -> _Files:
    """For each variable its parts over the files that have it, each read by its own axes.

    `timeless`: what the times are does not matter.
    """
    paths = expand(source.files)
    names = [variable.source_name for variable in source.variables]
    tallies = tuple(Tally() for _ in source.variables)
    parts: list[list[Part]] = [[] for _ in source.variables]
    lacking: list[list[tuple[str, np.ndarray]]] = [[] for _ in source.variables]
    missing: list[InputError | None] = [None] * len(source.variables)
    cut: _Cut | None = None
    for path in paths:
        root = _with_values_of_coordinates(open_lazily(path, source.engine), names)
        for c, variable in enumerate(source.variables):
            dataset = dataset_with(root, variable.source_name, path)
            if dataset is not root:
                dataset = _with_values_of_coordinates(dataset, names)
            try:
                field = find_variable(dataset, variable, path)
            except InputError as error:
                missing[c] = missing[c] or error
                lacking[c].append((path, _times_in(dataset)))
                continue
            where = f"{path}: {variable.source_name}"
            refuse_unnamed_dimensions(field, where)
            grid, others = _grid_of(dataset, field, path)
            if not parts[c]:
                _log_rivals(grid, others, where)
            cut = cut or _Cut.of(grid, region, margin, where)
            window = cut.window_of(grid, where)
            field = _spread_over_grid(field, grid, dataset)
            _refuse_fewer_dimensions(field, grid, where)
            parts[c].append(
                _part(field, dataset, variable, source, window, path, tallies[c], timeless)
            )
    for found, problem in zip(parts, missing, strict=True):
        if not found and problem is not None:
            raise problem
    assert cut is not None  # a variable was found
    for found in parts:
        refuse_other_places(found)
    told = [resolved(v, found) for v, found in zip(source.variables, parts, strict=True)]
    variables, meanings = zip(*told, strict=True)
    converted = [
        [replace(part, variable=v, change=change_of(part, v, found)) for part in found]
        for v, found in zip(variables, parts, strict=True)
    ]
    return _Files(variables, cut.grid, converted, lacking, tallies, meanings, tuple(paths))


def _with_values_of_coordinates(dataset: xr.Dataset, wanted: Sequence[str]) -> xr.Dataset:
    """Packed or masked coordinates (latitudes, levels) as values; the wanted fields stay stored."""
    decoded = {}
    for name, variable in dataset.variables.items():
        if name in wanted and name not in dataset.coords:
            continue
        if variable.dtype.kind not in "iuf" or counts_time(variable.attrs.get("units", "")):
            continue
        if variable.ndim <= 3 and any(key in variable.attrs for key in DECODED_COORDINATES):
            try:
                decoded[name] = xr.conventions.decode_cf_variable(
                    str(name), variable, decode_times=False, decode_timedelta=False
                )
            except (ValueError, TypeError):
                continue
    return dataset.assign(decoded) if decoded else dataset


def _times_in(dataset: xr.Dataset) -> np.ndarray:
    """Seconds of the times in a file that lacks a variable, as far as they can be told."""
    for field in dataset.data_vars.values():
        found = time_coordinate(field, dataset)
        if found is not None:
            try:
                return stamps_of(found[1], "").seconds
            except InputError:
                break
    return np.zeros(0, np.int64)


def _spread_over_grid(field: xr.DataArray, grid: Grid, dataset: xr.Dataset) -> xr.DataArray:
    """A coordinate of one dimension that is asked for as a field, repeated along the other."""
    absent = [dim for dim in grid.dims if dim not in field.dims]
    if len(absent) != 1 or field.ndim != 1:
        return field
    other = xr.DataArray(np.zeros(dataset.sizes[absent[0]]), dims=absent)
    spread = field.reset_coords(drop=True) + other
    return spread.rename(field.name).assign_attrs(field.attrs)


def _refuse_fewer_dimensions(field: xr.DataArray, grid: Grid, where: str) -> None:
    absent = [str(dim) for dim in grid.dims if dim not in field.dims]
    if absent:
        own = ", ".join(map(str, field.dims)) or "none, it is a single number"
        raise InputError(
            f"{where} is no field: its dimensions are {own}; expected {' and '.join(absent)} too"
        )


def _grid_of(dataset: xr.Dataset, field: xr.DataArray, path: str) -> tuple[Grid, list[str]]:
    """The grid of a field, and the latitudes that may as well be its own."""
    try:
        return detect_grid(field, path)[0], []
    except InputError:
        grid = detect_grid(dataset, path, field.dims)[0]
        return grid, rivals(dataset, grid.names[0])


def _log_rivals(grid: Grid, others: list[str], where: str) -> None:
    if others:
        logging.warning(
            "%s: %s is taken as its latitude, but %s lies along its dimensions, too; where that is "
            "wrong, give the variable an attribute coordinates",
            where,
            grid.names[0],
            ", ".join(others),
        )


@dataclass(frozen=True, eq=False)
class _Cut:
    """What is read of every file: rows and columns of the first file's grid, canonical."""

    whole: Grid
    rows: np.ndarray
    columns: np.ndarray
    first: str  # file and variable

    @classmethod
    def of(cls, grid: Grid, region: Region | None, margin: int, where: str) -> _Cut:
        """The region's cells, all of them where the region is not on the grid and has a margin."""
        rows, columns = np.arange(grid.shape[0]), np.arange(grid.shape[1])
        if region is not None:
            try:
                rows, columns = grid.window(*_widened(region, grid, margin))
            except InputError as error:
                if not margin:
                    raise InputError(f"{where}: {error}") from error
        return cls(grid, rows, columns, where)

    @property
    def grid(self) -> Grid:
        everything = len(self.rows) == self.whole.shape[0] and np.array_equal(
            self.columns, np.arange(self.whole.shape[1])
        )
        return self.whole if everything else self.whole.take(self.rows, self.columns)

    def window_of(self, grid: Grid, where: str) -> Window:
        """Where the same cells stand in a file with this grid of its own."""
        columns = columns_of(self.whole, grid)
        if columns is None:
            raise InputError(
                f"{where}: its grid ({grid.shape[0]}×{grid.shape[1]}, {grid.extent()}) differs "
                f"from {self.first}'s ({self.whole.shape[0]}×{self.whole.shape[1]}, "
                f"{self.whole.extent()})"
            )
        return Window.of(grid, self.rows, columns[self.columns])


def _widened(
    region: Region, grid: Grid, margin: int
) -> tuple[tuple[float, float], tuple[float, float]]:
    north = margin * float(np.abs(np.diff(grid.lat, axis=0)).max())
    east = margin * float(np.median(np.abs(np.diff(grid.lon))))
    (lowest, highest), (leftmost, rightmost) = region.lat, region.lon
    return (lowest - north, highest + north), (leftmost - east, rightmost + east)


def _part(
    field: xr.DataArray,
    dataset: xr.Dataset,
    variable: Variable,
    source: Source,
    window: Window,
    path: str,
    tally: Tally,
    timeless: bool,
) -> Part:
    where = f"{path}: {variable.source_name}"
    spatial = set(window.dims)
    found = time_coordinate(field, dataset)
    times = {found[0]} if found and found[0] else undecoded_dimensions(field, spatial)
    field = pick(field, variable, source, (*window.dims, *sorted(map(str, times))), path)
    if field.dtype.kind not in "iufb":
        raise InputError(f"{where} holds {_type_in_words(field.dtype)}, expected numbers")
    decoder = decoder_of(
        field.attrs,
        field.dtype,
        missing=variable.missing,
        default_fill=not is_zarr(dataset),
        where=where,
    )
    dim, stamps, stamped = None, None, None
    if timeless and len(times) == 1:
        (dim,) = times
        stamps = Stamps(np.arange(field.sizes[dim]))
    elif not timeless:
        refuse_undecoded(field, dataset, spatial, path)
        found = time_coordinate(field, dataset)
        if found is not None:
            dim, stamps = found[0], stamps_of(found[1], f"{path}: {found[1].name}")
            stamped = None if source.time_shift else stamped_at(found[1], dataset)
    return Part(path, variable, field, window, dim, stamps, decoder, tally, stamped=stamped)


def _type_in_words(dtype: np.dtype) -> str:
    if dtype.names:
        return f"a compound of {', '.join(dtype.names)}"
    return "text" if dtype.kind in "SUO" else str(dtype)


def _one_calendar(variables: Sequence[Variable], series: Sequence[Series], where: str) -> str:
    stamps = [Stamps(one.seconds, one.calendar) for one in series]
    calendar = common_calendar(stamps)
    if calendar is None:
        each = zip(variables, series, strict=True)
        raise InputError(
            f"{where}: its variables have different calendars ("
            + ", ".join(f"{v.source_name}: {one.calendar}" for v, one in each)
            + "); expected one, or calendar: standard, which makes it one"
        )
    return calendar


def _log_left_out(
    variables: Sequence[Variable],
    series: Sequence[FileSeries],
    lacking: list[list[tuple[str, np.ndarray]]],
    shift: int,
) -> None:
    """A line for each variable because of which times of other files or variables are not used."""
    everything = np.unique(
        np.concatenate(
            [one.seconds for one in series]
            + [seconds + shift for files in lacking for _, seconds in files]
        )
    )
    for variable, one, files in zip(variables, series, lacking, strict=True):
        lost = len(np.setdiff1d(everything, one.seconds))
        if not lost:
            continue
        name, whole = variable.source_name, one.files + len(files)
        reason = f"{name} is missing there"
        if files:
            verb = "lacks" if len(files) == 1 else "lack"
            reason = f"{len(files)} of {whole} files {verb} {name}, the first {files[0][0]}"
        logging.warning("%d of %d times left out: %s", lost, len(everything), reason)


def _common_times(
    series: Sequence[Series], calendar: str, where: str
) -> tuple[Stamps, tuple[np.ndarray, ...]]:
    """Times that all variables of a source have."""
    seconds = series[0].seconds
    for other in series[1:]:
        seconds = np.intersect1d(seconds, other.seconds)
    if not len(seconds):
        raise InputError(f"{where}: its variables have no time in common")
    return (
        Stamps(seconds, calendar),
        tuple(np.searchsorted(one.seconds, seconds) for one in series),
    )
