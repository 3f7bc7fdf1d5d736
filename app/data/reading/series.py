"""One variable over its files: rows in time order, read as they are asked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import xarray as xr
from absl import logging

from app.data.reading.selection import MERGED
from app.data.times import Stamps
from app.errors import InputError, one_line
from app.grids import Grid

READ_THROUGH = 4  # rows between two wanted ones that are read along rather than skipped


class Series(Protocol):
    """One variable in time order: `seconds` (n,) and any of its rows."""

    seconds: np.ndarray
    calendar: str
    weight: int  # raw rows behind one row

    def read(self, rows: np.ndarray) -> np.ndarray:
        """Rows → (len(rows), y, x) float32, in the file's units."""


@dataclass(frozen=True, eq=False)
class Window:
    """Which rows and columns of a file to read, and in which order: canonical, region cut out."""

    dims: tuple[str, str]
    rows: np.ndarray
    columns: np.ndarray

    @classmethod
    def of(cls, grid: Grid, rows: np.ndarray, columns: np.ndarray) -> Window:
        """`rows` and `columns` count in canonical order on the file's whole `grid`."""
        n_rows, n_columns = grid.shape
        file_rows = np.arange(n_rows)[:: -1 if grid.flipped else 1]
        file_columns = np.arange(n_columns)[:: -1 if grid.flipped_columns else 1]
        return cls(grid.dims, file_rows[rows], np.roll(file_columns, -grid.roll)[columns])

    def read(self, field: xr.DataArray, lead: tuple[str, ...]) -> np.ndarray:
        """Load (…lead, y, x); contiguous runs of columns are read one by one (date line)."""
        first, last = self.rows.min(), self.rows.max()
        field = field.isel({self.dims[0]: slice(first, last + 1)})
        order = [field.dims.index(dim) for dim in (*lead, *self.dims)]
        parts = [
            np.transpose(field.isel({self.dims[1]: slice(run.min(), run.max() + 1)}).values, order)[
                ..., run - run.min()
            ]
            for run in _runs(self.columns, 1)
        ]
        return np.concatenate(parts, axis=-1)[..., self.rows - first, :]


@dataclass(frozen=True, eq=False)
class Part:
    """One variable of one file; `stamps` is None where it has no time."""

    path: str
    field: xr.DataArray
    window: Window
    time_dim: str | None
    stamps: Stamps | None

    def read(self, rows: np.ndarray) -> np.ndarray:
        """Rows, in this file's own order → (n, y, x)."""
        if self.time_dim is None:
            return self._load(self.field, ())[None]
        blocks = []
        for run in _runs(rows, READ_THROUGH):
            first = run.min()
            block = self.field.isel({self.time_dim: slice(first, run.max() + 1)})
            blocks.append(self._load(block, (self.time_dim,))[run - first])
        return np.concatenate(blocks)

    def _load(self, field: xr.DataArray, lead: tuple[str, ...]) -> np.ndarray:
        try:
            if MERGED not in field.dims:
                return self.window.read(field, lead)
            versions = self.window.read(field, (MERGED, *lead))
        except MemoryError:
            raise
        except Exception as error:  # zlib, blosc and numcodecs raise errors of their own
            raise InputError(
                f"{self.path}: {field.name} cannot be read, the file may be damaged "
                f"({one_line(error)})"
            ) from error
        merged = versions[0]
        for version in versions[1:]:
            merged = np.where(np.isnan(merged), version, merged)
        return merged


class FileSeries:
    """One variable over its files, sorted by time."""

    weight = 1

    def __init__(self, parts: Sequence[Part], shift: int, where: str) -> None:
        self._parts = tuple(parts)
        stamps = [part.stamps for part in parts if part.stamps is not None]
        if len(stamps) < len(parts):
            raise InputError(f"{where}: no time dimension")
        calendars = sorted({stamp.calendar for stamp in stamps})
        if len(calendars) > 1:
            raise InputError(f"{where}: files with different calendars ({', '.join(calendars)})")
        self.calendar = calendars[0]
        seconds = np.concatenate([stamp.seconds for stamp in stamps]) + shift
        owner = np.repeat(np.arange(len(parts)), [len(stamp) for stamp in stamps])
        row = np.concatenate([np.arange(len(stamp)) for stamp in stamps])
        order = np.argsort(seconds, kind="stable")
        if any((np.diff(stamp.seconds) < 0).any() for stamp in stamps):
            logging.info("%s: times are not in order; sorted", where)
        self.seconds, self._owner, self._row = seconds[order], owner[order], row[order]
        self._refuse_duplicates(where)

    def _refuse_duplicates(self, where: str) -> None:
        twice = np.flatnonzero(np.diff(self.seconds) == 0)
        if len(twice):
            first = Stamps(self.seconds, self.calendar).text(twice[0])
            raise InputError(f"{where}: {len(twice)} times occur twice, the first {first}")

    def read(self, rows: np.ndarray) -> np.ndarray:
        rows = np.asarray(rows)
        owners = self._owner[rows]
        blocks = None
        for owner in np.unique(owners):
            mine = owners == owner
            values = self._parts[owner].read(self._row[rows[mine]])
            if blocks is None:
                blocks = np.empty((len(rows), *values.shape[1:]), np.float32)
            blocks[mine] = values
        if blocks is None:
            raise ValueError("no rows asked for")
        return blocks


def _runs(numbers: np.ndarray, reach: int) -> list[np.ndarray]:
    """Cut numbers where neighbours are more than `reach` apart."""
    return np.split(numbers, np.flatnonzero(np.abs(np.diff(numbers)) > reach) + 1)
