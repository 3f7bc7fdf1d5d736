"""CF NetCDF-4 files of fields in time, written block by block."""

from __future__ import annotations

import contextlib
import math
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import netCDF4
import numpy as np
import xarray as xr

from app.arrays import Array
from app.data.cf_attributes import attributes_of
from app.data.description import Variable
from app.data.shards.manifest import FIRST_LAYOUT, LAYOUT
from app.data.times import ENCODING_UNITS, Stamps
from app.grids import Grid
from app.integrity.fields import rows_crc, written_crc
from app.running.disk_space import reserve, writing
from app.running.netcdf_file import CONVENTIONS, TIME

# The same for all data, as the content of the files tells whether these are the same.
PREPARED = {"title": "prepared fields", "history": "finescale: prepare"}
MEMBER = "member"
QUANTILE = "quantile"
FIELD_TYPE = np.dtype("<f4")
# By the layout of the files. CF-1.8 knows no whole numbers of 64 bits; 32 bits end in 2038.
TIME_TYPES = {FIRST_LAYOUT: np.dtype("<i8"), LAYOUT: np.dtype("<f8")}


def name_in_file(name: str, coordinates: Iterable[Any]) -> str:
    """A variable's name, another where a coordinate of the file has it (a latitude as a field)."""
    return f"{name}_field" if name in set(map(str, coordinates)) else name


class FieldWriter:
    """One contiguous, uncompressed array (time, y, x) a variable, so that files can be mapped.

    Fields are given in canonical order; `as_in_file` writes them, and the coordinates, in the
    order of the user's file. With `members`, a number, or `quantiles`, their levels, the variables
    begin with a dimension of that name, but for those in `summaries`. Every time must be written.
    """

    def __init__(
        self, path: Path, grid: Grid, names: Sequence[str], *, as_in_file: bool = False
    ) -> None:
        """Of a file that is there already and holds these variables."""
        self.path, self.names = path, list(names)
        self._grid, self._as_in_file = grid, as_in_file
        self._summed = True
        self.fields_crc = 0  # of the rows written so far; see app.integrity.fields
        self._file = netCDF4.Dataset(path, "a")
        self._file.set_fill_off()  # every value is written, so none need be written twice

    @classmethod
    def new(
        cls,
        path: Path,
        grid: Grid,
        stamps: Stamps,
        variables: Sequence[Variable],
        *,
        as_in_file: bool = False,
        attributes: Mapping[str, str] | None = None,
        members: int | None = None,
        quantiles: Sequence[float] = (),
        summaries: Sequence[Variable] = (),
    ) -> FieldWriter:
        """Of a new file, in the place of one that is there; NoRoom where it does not fit.

        Its space is reserved, so that no later write can find the disk full.
        """
        cells = len(stamps) * math.prod(grid.shape)
        layers = len(variables) * (members or len(quantiles) or 1) + len(summaries)
        with writing(path, FIELD_TYPE.itemsize * cells * layers):
            coordinates = xr.Dataset(
                coords=grid.coords(flip=as_in_file),
                attrs={"Conventions": CONVENTIONS, **(attributes or PREPARED)},
            )
            never_missing = {name: {"_FillValue": None} for name in coordinates.coords}
            coordinates.to_netcdf(path, format="NETCDF4", engine="netcdf4", encoding=never_missing)
            names = [variable.name for variable in (*variables, *summaries)]
            writer = cls(path, grid, names, as_in_file=as_in_file)
            writer._summed = attributes is not None
            try:
                writer._define_all(stamps, variables, members, quantiles, summaries)
                writer._reserve()
            except BaseException:
                writer._abandon()
                raise
        return writer

    def _define_all(
        self,
        stamps: Stamps,
        variables: Sequence[Variable],
        members: int | None,
        quantiles: Sequence[float],
        summaries: Sequence[Variable],
    ) -> None:
        self._define_times(stamps)
        leading: tuple[str, ...] = (TIME,)
        if members is not None:
            self._define_layers(MEMBER, np.arange(members, dtype="i4"))
            facts = {"standard_name": "realization", "long_name": "number of the member"}
            self._file[MEMBER].setncatts({**facts, "units": "1"})
            leading = (MEMBER, TIME)
        elif quantiles:
            self._define_layers(QUANTILE, np.array(quantiles, "f8"))
            facts = {"long_name": "level of the quantile", "units": "1"}
            self._file[QUANTILE].setncatts(facts)
            leading = (QUANTILE, TIME)
        for variable in variables:
            self._define(variable, leading)
        for variable in summaries:
            self._define(variable, (TIME,))

    def _reserve(self) -> None:
        """Lay the arrays out, as the library does at their first values, and take their space."""
        for name in self.names:
            array = self._file.variables[name]
            if array.size:
                array[(-1,) * (array.ndim - 2)] = np.float32(np.nan)
        self._file.sync()
        with self.path.open("r+b") as file:
            reserve(file.fileno(), os.fstat(file.fileno()).st_size)

    def _abandon(self) -> None:
        """Close a file that is of no use any more."""
        with contextlib.suppress(OSError, RuntimeError):
            self.close()

    def __enter__(self) -> FieldWriter:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _define_times(self, stamps: Stamps) -> None:
        self._file.createDimension(TIME, len(stamps))
        kind: Any = TIME_TYPES[LAYOUT]
        time = self._file.createVariable(TIME, kind, (TIME,), contiguous=True)
        time.setncatts(
            {
                "standard_name": "time",
                "long_name": "time",
                "units": ENCODING_UNITS,
                "calendar": stamps.calendar,
                "axis": "T",
            }
        )
        time[:] = stamps.seconds

    def _define_layers(self, name: str, values: Array) -> None:
        self._file.createDimension(name, len(values))
        self._file.createVariable(name, values.dtype, (name,))[:] = values

    def _define(self, variable: Variable, leading: tuple[str, ...]) -> None:
        field = self._file.createVariable(
            variable.name,
            FIELD_TYPE,
            (*leading, *self._grid.dims),
            contiguous=True,
            endian="little",
            fill_value=np.float32(np.nan),
        )
        field.setncatts(attributes_of(variable, {*self._grid.dims, *self._grid.names}))
        if self._grid.names != self._grid.dims:
            field.setncattr("coordinates", " ".join(self._grid.names))
        if self._grid.mapping is not None:
            field.setncattr("grid_mapping", self._grid.mapping)

    def write(self, start: int, fields: Iterable[Array]) -> None:
        """One field (n, y, x), or (layer, n, y, x), a variable, from row `start` on."""
        stored = [
            np.asarray(self._grid.restore(field) if self._as_in_file else field, FIELD_TYPE)
            for field in fields
        ]
        with writing(self.path):
            for name, field in zip(self.names, stored, strict=True):
                rows = slice(start, start + field.shape[-3])
                self._file.variables[name][..., rows, :, :] = field
        if self._summed:
            self.fields_crc = rows_crc(stored, self.fields_crc)

    def goes_on(self, rows: int, fields_crc: int) -> bool:
        """Whether so many rows are there, with this checksum, for others to follow."""
        self.fields_crc = fields_crc
        return written_crc(self._file, self.names, rows) == fields_crc

    def sync(self) -> None:
        """Hand everything to the system, so that the file is whole should this process be killed.

        From then on it stays so: arrays are contiguous, and values alone are written.
        """
        self._file.sync()

    def close(self) -> None:
        """Flush and close; nothing happens the second time."""
        if self._file.isopen():
            self._file.close()
