"""Files as fields: opened lazily, read in blocks, in canonical order and in the wanted units."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from absl import logging

from app.arrays import Array
from app.data.amounts import SUM, TimeMeaning
from app.data.description import Region, Source, Variable
from app.data.reading.aggregation import Aggregated
from app.data.reading.opening import open_files
from app.data.reading.parts import Part
from app.data.reading.recalendar import InCalendar, joined_calendars
from app.data.reading.resolution import log_meanings
from app.data.reading.sentinels import Tally, suspicions
from app.data.reading.series import FileSeries, Series
from app.data.times import Stamps, common_calendar, duration
from app.data.transforms import clip
from app.errors import InputError
from app.grids import Grid

# Of aggregations, in CF's words.
CELL_METHODS = {"mean": "mean", "sum": "sum", "max": "maximum", "min": "minimum"}


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
    rows: tuple[Array, ...]  # row of each series for each stamp
    tallies: tuple[Tally, ...]
    meanings: tuple[TimeMeaning, ...]
    paths: tuple[str, ...]
    origins: tuple[str, ...] = ()
    unitless: tuple[str, ...] = ()

    @property
    def where(self) -> str:
        """The files that hold the variables, by the first of them."""
        others = len(self.paths) - 1
        return self.paths[0] + (f" (and {others} more)" if others else "")

    @property
    def row_bytes(self) -> int:
        """Bytes read for one time."""
        cells = self.grid.shape[0] * self.grid.shape[1]
        return 4 * cells * sum(series.weight for series in self.series)

    def read(self, rows: Array) -> Array:
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
    found = open_files(source, region, margin)
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
            ends=meaning.place == "end" and not shift,
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
        _as_aggregated(found.variables, source.aggregate),
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


def _as_aggregated(variables: tuple[Variable, ...], aggregate: str | None) -> tuple[Variable, ...]:
    """The variables, with what has been done over time in the place of the files' cell methods."""
    if aggregate is None:
        return variables
    method = CELL_METHODS[aggregate.rpartition(":")[2].strip()]
    return tuple(replace(one, cell_methods=f"time: {method}") for one in variables)


def open_static(
    source: Source, region: Region | None = None, margin: int = 0
) -> tuple[Opened, Array]:
    """Fields without time, (S, y, x) float32; of a field with several times the mean, and a line.

    InputError where every value of a field is missing.
    """
    found = open_files(source, region, margin, timeless=True)
    fields = np.empty((len(found.variables), *found.grid.shape), np.float32)
    for c, (variable, parts) in enumerate(zip(found.variables, found.parts, strict=True)):
        times = sum(len(part.stamps) for part in parts if part.stamps is not None)
        if times > 1:
            name = variable.source_name
            logging.info(
                "%s: %s has %d times; their mean is the static field", parts[0].path, name, times
            )
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


def _time_mean(parts: Sequence[Part]) -> Array:
    total: Any = 0.0
    count: Any = 0
    for part in parts:
        for row in range(len(part.stamps) if part.stamps is not None else 1):
            field = part.read(np.array([row]))[0].astype(np.float64)
            total = total + np.where(np.isfinite(field), field, 0.0)
            count = count + np.isfinite(field)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


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
    lacking: list[list[tuple[str, Array]]],
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
) -> tuple[Stamps, tuple[Array, ...]]:
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
