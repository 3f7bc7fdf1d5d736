"""GRIB files as one dataset: messages of several types, levels and steps side by side.

cfgrib makes hypercubes of the messages; here they are told apart, named and put together, so that
each variable has its own coordinates. The file is scanned once, no index is written beside it.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from absl import logging

from app.arrays import Json
from app.data.reading.containers import EXTRA
from app.errors import InputError, one_line

if TYPE_CHECKING:
    from cfgrib.messages import FileIndex

TIMES = ("time", "step", "valid_time")  # of the reference, hours from it, and their sum
NUMBER, DATA_TYPE, GRID = "number", "dataType", "md5GridSection"
LENGTH = "length"  # of the interval that a value is about, as 3h; no key of ecCodes
# What tells parameters apart that ecCodes has no name for, in GRIB 2 and GRIB 1.
PARAMETER = ("discipline", "parameterCategory", "parameterNumber", "table2Version",
             "indicatorOfParameter")  # fmt: skip
NAMELESS, UNKNOWN = 0, "unknown"  # their paramId and their name
# What tells variables of one name apart, in the order in which it is added to the name.
DISTINCTIONS = ("typeOfLevel", "stepType", LENGTH, DATA_TYPE, GRID)
ENSEMBLE = {"cf": "pf"}  # the control forecast is a member like the perturbed ones
CELL_METHODS = {"accum": "sum", "avg": "mean", "max": "maximum", "min": "minimum"}
INSTANT = "instant"
UNORDERED = ("jPointsAreConsecutive", "alternativeRowScanning")  # not as cfgrib takes points
REGULAR = "interpolate it to a regular grid of latitudes and longitudes first"


def open_messages(path: str) -> xr.Dataset:
    """All variables of a GRIB file by their usual names (t2m, u10, tp, …), not decoded.

    Each has the dimensions (number, level, valid_time, latitude, longitude) as far as they apply,
    those of a single entry as well. Where several forecasts meet at one valid time, or amounts
    since the forecast's start grow with the step, `time` and `step` stand in place of valid_time.
    Values are read when indexed. Raises InputError.
    """
    try:
        from cfgrib import dataset as _  # noqa: F401
    except (ImportError, RuntimeError) as error:
        raise InputError(f"{path}: a GRIB file; {EXTRA}; {one_line(error)}") from error
    cubes, left_out = [], []
    for index in _split(_scan(path)):
        try:
            cubes.append(_cube(index, path))
        except _LeftOutError as error:
            left_out.append(str(error))
    if not cubes:
        raise InputError(f"{path}: a GRIB file of which nothing can be used: {left_out[0]}")
    for reason in left_out:
        logging.warning("%s: left out: %s", path, reason)
    return _together(cubes)


class _LeftOutError(Exception):
    """Why a variable of the file cannot be used."""


@dataclass(frozen=True, eq=False)
class _Cube:
    """One variable with its coordinates; `marks` tell it from others of its name."""

    name: str
    field: xr.Variable
    coordinates: dict[str, xr.Variable]
    marks: Json


def _scan(path: str) -> FileIndex:
    """The headers of all messages."""
    from cfgrib import cfmessage, dataset, messages

    start = (partial(cfmessage.from_grib_step, step_key="startStep:int"), cfmessage.to_grib_dummy)
    try:
        return dataset.open_fileindex(
            messages.FileStream(path, errors="raise"),
            indexpath="",
            index_keys=[*dataset.INDEX_KEYS, *TIMES, "startStep", *UNORDERED, *PARAMETER],
            computed_keys=cfmessage.COMPUTED_KEYS | {"startStep": start},
        )
    except Exception as error:  # ecCodes raises whatever the damaged part happens to break
        raise InputError(
            f"{path}: a GRIB file with a damaged message, perhaps not downloaded or copied whole "
            f"({one_line(error)}); get it again"
        ) from error


def _split(index: FileIndex) -> Iterator[FileIndex]:
    """The messages of each variable, in the order of the file."""
    from cfgrib import dataset

    keys = {*dataset.DATA_ATTRIBUTES_KEYS, *dataset.GLOBAL_ATTRIBUTES_KEYS, *DISTINCTIONS}
    positions = [index.index_keys.index(key) for key in sorted({*keys, *UNORDERED} - {LENGTH})]
    parameter = [index.index_keys.index(key) for key in PARAMETER]
    kind, name = index.index_keys.index(DATA_TYPE), index.index_keys.index("paramId")
    groups: dict[tuple[Hashable, ...], list[Any]] = {}
    for header, messages in index.field_ids_index:
        one = list(header)
        one[kind] = ENSEMBLE.get(one[kind], one[kind])
        told_by = positions + parameter if one[name] == NAMELESS else positions
        groups.setdefault(tuple(one[p] for p in told_by), []).append((tuple(one), messages))
    for group in groups.values():
        yield from _by_length(_part(index, group))


def _part(index: FileIndex, entries: list[Any]) -> FileIndex:
    return type(index)(index.fieldset, index.index_keys, field_ids_index=entries)


def _by_length(index: FileIndex) -> list[FileIndex]:
    """The messages of each length of interval where several end together, otherwise all."""
    if not _repeated(index):
        return [index]
    groups: dict[float, list[Any]] = {}
    for entry, (start, end) in zip(
        index.field_ids_index, _headers(index, "startStep", "endStep"), strict=True
    ):
        groups.setdefault(end - start, []).append(entry)
    return [_part(index, group) for group in groups.values()]


def _length(index: FileIndex) -> str:
    lengths = {end - start for start, end in _headers(index, "startStep", "endStep")}
    return f"{lengths.pop():g}h" if len(lengths) == 1 else "mixed"


def _repeated(index: FileIndex) -> int:
    """Messages of the same level, member, time and step as another."""
    cells = _headers(index, NUMBER, "level:float", "time", "step")
    return len(cells) - len(set(cells))


def _cube(index: FileIndex, path: str) -> _Cube:
    """Raises _LeftOutError."""
    from cfgrib import dataset
    from cfgrib.xarray_plugin import ECCODES_LOCK, CfGribArrayWrapper
    from xarray.core.indexing import LazilyIndexedArray

    first = index.first()
    name, grid = str(first["shortName"]), index.getone("gridType")
    if grid not in dataset.GRID_TYPES_DIMENSION_COORDS | dataset.GRID_TYPES_2D_NON_DIMENSION_COORDS:
        raise _LeftOutError(f"{name} is on a grid of type {grid}; {REGULAR} (for example with CDO)")
    for key in UNORDERED:
        if index.getone(key) == 1:
            raise _LeftOutError(f"{name} has its points in an unusual order ({key}=1); {REGULAR}")
    _refuse_duplicates(index, name)
    built = dataset.open_from_index(
        index, time_dims=_time_dimensions(index, f"{path}: {name}"), squeeze=False, errors="raise"
    )
    key, field = next((n, v) for n, v in built.variables.items() if "GRIB_paramId" in v.attributes)
    coordinates = {
        other: xr.Variable(value.dimensions, value.data, _without(value.attributes, "dtype"))
        for other, value in built.variables.items()
        if other != key
    }
    name = _parameter(index) if key == UNKNOWN else key
    if grid in dataset.GRID_TYPES_DIMENSION_COORDS:
        _scanned(first, coordinates)
    attributes = _without(field.attributes, "coordinates")
    step = index.getone("stepType")
    if step in CELL_METHODS:
        attributes["cell_methods"] = f"time: {CELL_METHODS[step]}"
    data = LazilyIndexedArray(CfGribArrayWrapper(SimpleNamespace(lock=ECCODES_LOCK), field.data))
    _report_gaps(field, len(index.field_ids_index), f"{path}: {name}")
    marks = {mark: index.getone(mark) for mark in DISTINCTIONS if mark != LENGTH}
    marks[LENGTH] = _length(index)
    return _Cube(name, xr.Variable(field.dimensions, data, attributes), coordinates, marks)


def _parameter(index: FileIndex) -> str:
    """A name of numbers for a parameter that ecCodes has no name for: param_0_192_7."""
    numbers = [index.getone(key) for key in PARAMETER]
    return "_".join(["param", *(str(n) for n in numbers if n != "undef")])


def _without(attributes: Json, name: str) -> Json:
    return {key: value for key, value in attributes.items() if key != name}


def _scanned(first: Any, coordinates: dict[str, xr.Variable]) -> None:
    """Latitudes and longitudes in the order of the points; cfgrib has the longitudes sorted."""
    shape = (int(first["Ny"]), int(first["Nx"]))
    for name, cut in (("latitude", np.s_[:, 0]), ("longitude", np.s_[0])):
        points = np.asarray(first[f"{name}s"]).reshape(shape)
        coordinates[name] = xr.Variable((name,), points[cut], coordinates[name].attrs)


def _headers(index: FileIndex, *keys: str) -> list[tuple[Any, ...]]:
    positions = [index.index_keys.index(key) for key in keys]
    return [tuple(header[p] for p in positions) for header, _ in index.field_ids_index]


def _refuse_duplicates(index: FileIndex, name: str) -> None:
    twice = _repeated(index) + sum(len(messages) - 1 for _, messages in index.field_ids_index)
    if twice:
        raise _LeftOutError(
            f"{name} has {twice} message{'s'[: twice > 1]} of the same level, member, time and step"
            " as another; keep one of each (for example with grib_copy -w)"
        )


def _time_dimensions(index: FileIndex, where: str) -> tuple[str, ...]:
    """Valid times alone where they tell all messages apart, and all amounts are of equal length."""
    cells = Counter(_headers(index, NUMBER, "level:float", "valid_time"))
    if max(cells.values()) > 1:
        return ("time", "step")
    lengths = {end - start for start, end in _headers(index, "startStep", "endStep")}
    if _is_instant(index) or len(lengths) == 1:
        return ("valid_time",)
    logging.info(
        "%s is gathered over %g to %g hours since the start of each forecast; choose one step",
        where, min(lengths), max(lengths),
    )  # fmt: skip
    return ("time", "step")


def _is_instant(index: FileIndex) -> bool:
    return bool(index.getone("stepType") == INSTANT)


def _report_gaps(field: Any, there: int, where: str) -> None:
    cells = math.prod(field.data.shape[: -field.data.geo_ndim])
    if there < cells:
        logging.warning(
            "%s: %d of %d combinations of %s have no message; their values are missing",
            where, cells - there, cells, ", ".join(field.dimensions[: -field.data.geo_ndim]),
        )  # fmt: skip


def _together(cubes: Sequence[_Cube]) -> xr.Dataset:
    """One dataset; a dimension or coordinate that differs from an earlier one gets a new name."""
    taken: dict[str, dict[Hashable, str]] = {}
    fields: dict[str, xr.Variable] = {}
    coordinates: dict[str, xr.Variable] = {}
    for name, cube in zip(_names(cubes), cubes, strict=True):
        renamed: dict[Any, str] = {}
        for dim, size in cube.field.sizes.items():
            values = cube.coordinates.get(str(dim))
            content = size if values is None else _content(values, {})
            renamed[dim] = _name_for(str(dim), content, name, taken)
        for key, values in cube.coordinates.items():
            own = renamed.get(key) or _name_for(key, _content(values, renamed), name, taken)
            coordinates[own] = _renamed(values, renamed)
        fields[name] = _renamed(cube.field, renamed)
    return xr.Dataset(fields, coordinates)


def _content(values: xr.Variable, renamed: dict[Any, str]) -> Hashable:
    dims = tuple(renamed.get(dim, dim) for dim in values.dims)
    return dims, values.shape, np.asarray(values.values, np.float64).tobytes()


def _name_for(
    key: str, content: Hashable, field: str, taken: dict[str, dict[Hashable, str]]
) -> str:
    """`key`, or where that means something else already, `key` with the variable's name."""
    known = taken.setdefault(key, {})
    return known.setdefault(content, f"{key}_{field}" if known else key)


def _renamed(variable: xr.Variable, names: dict[Any, str]) -> xr.Variable:
    dims = [names.get(dim, dim) for dim in variable.dims]
    return xr.Variable(dims, variable._data, variable.attrs)


def _names(cubes: Sequence[_Cube]) -> list[str]:
    """Each variable's name, with what tells it from others of that name."""
    names: list[str] = []
    grids = list(dict.fromkeys(cube.marks[GRID] for cube in cubes))
    for cube in cubes:
        kin = [other for other in cubes if other.name == cube.name]
        name = cube.name
        for key in DISTINCTIONS:
            if len({other.marks[key] for other in kin}) > 1:
                mark = cube.marks[key]
                name += f"_grid{grids.index(mark) + 1}" if key == GRID else f"_{mark}"
                kin = [other for other in kin if other.marks[key] == cube.marks[key]]
        while name in names:
            name += "_"
        names.append(name)
    return names
