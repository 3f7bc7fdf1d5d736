"""One variable of one file: which of its cells are read, and what the stored numbers mean."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr

from app.arrays import Array
from app.data.description import Variable
from app.data.reading.decoding import Decoder
from app.data.reading.selection import LEVEL_TOLERANCE, MERGED, fixed_places
from app.data.reading.sentinels import HUGE, Tally, looks_like_sentinel
from app.data.times import Stamps
from app.data.units import SAME, Conversion
from app.errors import InputError, one_line
from app.grids import Grid

READ_THROUGH = 4  # rows between two wanted ones that are read along rather than skipped
NEGLIGIBLE = 1e-3  # of x0: what packing leaves below 0
MOST_DIFFERENT = 1000  # values beyond a bound; more are noise, and none of them a sentinel


@dataclass(frozen=True, eq=False)
class FileWindow:
    """Which rows and columns of a file to read, and in which order: canonical, region cut out."""

    dims: tuple[str, str]
    rows: Array
    columns: Array

    @classmethod
    def of(cls, grid: Grid, rows: Array, columns: Array) -> FileWindow:
        """`rows` and `columns` count in canonical order on the file's whole `grid`."""
        n_rows, n_columns = grid.shape
        file_rows = np.arange(n_rows)[:: -1 if grid.flipped else 1]
        file_columns = np.arange(n_columns)[:: -1 if grid.flipped_columns else 1]
        return cls(grid.dims, file_rows[rows], np.roll(file_columns, -grid.roll)[columns])

    def read(self, field: xr.DataArray, lead: tuple[str, ...]) -> Array:
        """Load (…lead, y, x); contiguous runs of columns are read one by one (date line)."""
        first, last = self.rows.min(), self.rows.max()
        field = field.isel({self.dims[0]: slice(first, last + 1)})
        order = [field.dims.index(dim) for dim in (*lead, *self.dims)]
        parts = [
            np.transpose(field.isel({self.dims[1]: slice(run.min(), run.max() + 1)}).values, order)[
                ..., _index(run - run.min())
            ]
            for run in _runs(self.columns, 1)
        ]
        block = parts[0] if len(parts) == 1 else np.concatenate(parts, axis=-1)
        return block[..., _index(self.rows - first), :]


@dataclass(frozen=True, eq=False)
class Part:
    """One variable of one file, as the file has it; `stamps` is None where it has no time.

    `change` converts to the unit of the whole series. `stamped`: where in its interval a stamp
    lies, "start", "middle" or "end", as far as the file says so. `kept`: the file's rows behind
    `stamps`, where these are not all.
    """

    path: str
    variable: Variable
    field: xr.DataArray
    window: FileWindow
    time_dim: str | None
    stamps: Stamps | None
    decoder: Decoder
    tally: Tally
    change: Conversion = SAME
    stamped: str | None = None
    kept: Array | None = None

    @property
    def units(self) -> str | None:
        """As the file spells them; None where it has none, or blank ones."""
        units = str(self.field.attrs.get("units", ""))
        return units if units.strip() else None

    def read(self, rows: Array) -> Array:
        """Rows, in this file's own order → (n, y, x) float32 in the unit of the series."""
        if self.time_dim is None:
            return self._load(self.field, ())[None]
        rows = rows if self.kept is None else self.kept[rows]
        blocks = []
        for run in _runs(rows, READ_THROUGH):
            first = run.min()
            block = self.field.isel({self.time_dim: slice(first, run.max() + 1)})
            blocks.append(self._load(block, (self.time_dim,))[_index(run - first)])
        return blocks[0] if len(blocks) == 1 else np.concatenate(blocks)

    def _load(self, field: xr.DataArray, lead: tuple[str, ...]) -> Array:
        versions = (MERGED,) if MERGED in field.dims else ()
        try:
            stored = self.window.read(field, (*versions, *lead))
        except MemoryError:
            raise
        except Exception as error:  # zlib, blosc and numcodecs raise errors of their own
            raise InputError(
                f"{self.path}: {field.name} cannot be read, the file may be damaged "
                f"({one_line(error)})"
            ) from error
        if stored.dtype.kind == "O":
            raise InputError(f"{self.path}: {field.name} holds lists, expected numbers")
        values, outside = self.decoder.decode(stored)
        self.tally.outside += outside
        if versions:
            values = _first_valid(values)
        if not self.tally.look(values, self.decoder.scale, self.decoder.offset):
            values[np.isinf(values)] = np.nan
        return in_wanted_units(values, self.variable, self.change, self.tally)


def _first_valid(versions: Array) -> Array:
    """(version, …) → (…): the first version that has a value."""
    merged = versions[0]
    for version in versions[1:]:
        merged = np.where(np.isnan(merged), version, merged)
    result: Array = merged
    return result


def in_wanted_units(values: Array, variable: Variable, change: Conversion, tally: Tally) -> Array:
    """Converted values; those far beyond the variable's bounds become NaN.

    A value beyond valid_min or valid_max is set to the bound, unless it is no excursion but a
    number that means "missing": one that looks like it, or that lies further away than the
    bounds are wide.
    """
    if change == SAME:
        converted = values
    else:
        converted = np.asarray(change(values.astype(np.float64)), np.float32)
    low, high = variable.valid_min, variable.valid_max
    width = high - low if low is not None and high is not None else np.inf
    for bound, beyond in ((low, np.less), (high, np.greater)):
        if bound is None:
            continue
        outside = beyond(converted, np.float32(bound))
        if not outside.any():
            continue
        raw, excess = values[outside], np.abs(converted[outside] - bound)
        lost = _sentinels(raw) | (excess > width)
        inside = np.where(lost, np.float32(np.nan), np.float32(bound))
        tally.note_clipped(converted[outside][~lost], beyond is np.less)
        tally.masked += int(lost.sum())
        converted = converted.copy() if converted is values else converted
        converted[outside] = inside
    if variable.transform != "none":
        tally.note_negative(converted[converted < -NEGLIGIBLE * variable.transform_scale])
    return converted


def _sentinels(values: Array) -> Array:
    """Which values look like numbers that mean "missing"."""
    different, where = np.unique(values, return_inverse=True)
    suspect = np.abs(different) >= HUGE
    if len(different) <= MOST_DIFFERENT:
        suspect = np.array([looks_like_sentinel(v, smallest=6.0) for v in different], bool)
    result: Array = suspect[where].reshape(values.shape)
    return result


def refuse_other_places(parts: Sequence[Part]) -> None:
    """InputError where files have one variable at different levels, or of different members."""
    first = parts[0]
    here = fixed_places(first.field)
    for part in parts[1:]:
        for name, (value, units) in fixed_places(part.field).items():
            level, own = here.get(name, (value, units))
            if units == own and not np.isclose(value, level, rtol=LEVEL_TOLERANCE, equal_nan=True):
                raise InputError(
                    f"{part.path}: {part.variable.source_name} is that of {name} "
                    f"{_quantity(value, units)}, in {first.path} of {_quantity(level, own)}; "
                    "expected the same in all files"
                )


def _quantity(value: float, units: str) -> str:
    return f"{value:g} {units}".strip()


def _index(numbers: Array) -> slice | Array:
    """The numbers as a slice where they are neighbours, up or down: views cost no copy."""
    step = int(numbers[1] - numbers[0]) if len(numbers) > 1 else 1
    if abs(step) != 1 or (np.diff(numbers) != step).any():
        return numbers
    end = int(numbers[-1]) + step
    return slice(int(numbers[0]), None if end < 0 else end, step)


def _runs(numbers: Array, reach: int) -> list[Array]:
    """Cut numbers where neighbours are more than `reach` apart."""
    return np.split(numbers, np.flatnonzero(np.abs(np.diff(numbers)) > reach) + 1)
