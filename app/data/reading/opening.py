"""The files of one source: each variable's parts over them, all on one grid and in one unit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import xarray as xr

from app.arrays import Array, DType
from app.data.amounts import TimeMeaning
from app.data.description import Region, Source, Variable
from app.data.reading.cells import Cells, grid_of, log_rivals, refuse_fewer_dimensions, spread_over
from app.data.reading.decoding import decoder_of
from app.data.reading.files import is_zarr, open_lazily
from app.data.reading.groups import dataset_with
from app.data.reading.parts import FileWindow, Part, refuse_other_places
from app.data.reading.paths import expand
from app.data.reading.resolution import change_of, resolved
from app.data.reading.selection import find_variable, pick, refuse_unnamed_dimensions
from app.data.reading.sentinels import Tally
from app.data.reading.time_bounds import stamped_at
from app.data.reading.time_coordinates import (
    refuse_undecoded,
    stamps_of,
    time_coordinate,
    undecoded_dimensions,
)
from app.data.time_units import counts_time
from app.data.times import Stamps
from app.errors import InputError
from app.grids import Grid

DECODED_COORDINATES = ("_FillValue", "missing_value", "scale_factor", "add_offset", "_Unsigned")


@dataclass(frozen=True, eq=False)
class OpenedFiles:
    """Variables with their units filled in, their parts over the files, and the one grid of all.

    `lacking`: for each variable, the files that do not have it, with their times in seconds.
    `paths`: the files that have one of the variables.
    """

    variables: tuple[Variable, ...]
    grid: Grid
    parts: list[list[Part]]
    lacking: list[list[tuple[str, Array]]]
    tallies: tuple[Tally, ...]
    meanings: tuple[TimeMeaning, ...]
    paths: tuple[str, ...]


def open_files(
    source: Source, region: Region | None, margin: int, timeless: bool = False
) -> OpenedFiles:
    """For each variable its parts over the files that have it, each read by its own axes.

    `timeless`: what the times are does not matter.
    """
    paths = expand(source.files)
    names = [variable.source_name for variable in source.variables]
    tallies = tuple(Tally() for _ in source.variables)
    parts: list[list[Part]] = [[] for _ in source.variables]
    lacking: list[list[tuple[str, Array]]] = [[] for _ in source.variables]
    missing: list[InputError | None] = [None] * len(source.variables)
    cut: Cells | None = None
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
            grid, others = grid_of(dataset, field, path)
            if not parts[c]:
                log_rivals(grid, others, where)
            cut = cut or Cells.of(grid, region, margin, where)
            window = cut.window_of(grid, where)
            field = spread_over(field, grid, dataset)
            refuse_fewer_dimensions(field, grid, where)
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
    having = {part.path for found in parts for part in found}
    used = tuple(path for path in paths if path in having)
    return OpenedFiles(variables, cut.grid, converted, lacking, tallies, meanings, used)


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


def _times_in(dataset: xr.Dataset) -> Array:
    """Seconds of the times in a file that lacks a variable, as far as they can be told."""
    for field in dataset.data_vars.values():
        found = time_coordinate(field, dataset)
        if found is not None:
            try:
                return stamps_of(found[1], "").seconds
            except InputError:
                break
    return np.zeros(0, np.int64)


def _part(
    field: xr.DataArray,
    dataset: xr.Dataset,
    variable: Variable,
    source: Source,
    window: FileWindow,
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


def _type_in_words(dtype: DType) -> str:
    if dtype.names:
        return f"a compound of {', '.join(dtype.names)}"
    return "text" if dtype.kind in "SUO" else str(dtype)
