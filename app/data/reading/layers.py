"""Members and quantiles of files: found by their dimension, and opened a source each."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np
import xarray as xr

from app.data.description import Source
from app.data.reading.cells import grid_of
from app.data.reading.files import open_lazily
from app.data.reading.groups import dataset_with
from app.data.reading.paths import expand
from app.data.reading.selection import MEMBER_NAMES, MERGED, find_variable
from app.data.reading.time_coordinates import time_coordinate
from app.errors import InputError

QUANTILE_NAMES = frozenset({"quantile", "quantiles", "quantile_level"})


class Layers(NamedTuple):
    """Sources of one field each: equally likely members, or quantiles of rising levels, if any."""

    sources: tuple[Source, ...]
    quantiles: tuple[float, ...] = ()


def layers_of(source: Source) -> Layers:
    """A source for each member or quantile that its first file has; itself where it has neither.

    InputError for levels that are none.
    """
    path = expand(source.files)[0]
    variable = source.variables[0]
    dataset = dataset_with(open_lazily(path, source.engine), variable.source_name, path)
    try:
        field = find_variable(dataset, variable, path)
    except InputError:
        return Layers((source,))  # another file may have it; opening says so
    found = time_coordinate(field, dataset)
    known = {*grid_of(dataset, field, path)[0].dims, found and found[0], MERGED, *source.select}
    free = [str(dim) for dim in field.dims if dim not in known and field.sizes[dim] > 1]
    if len(free) != 1 or source.member is not None:
        return Layers((source,))  # `pick` says what it wants to know
    (dim,) = free
    labels = field[dim].values if dim in field.coords else np.arange(field.sizes[dim])
    if dim in QUANTILE_NAMES:
        levels = _levels(field, dim, path)
        return Layers(_one_each(source, dim, levels), levels)
    if dim in MEMBER_NAMES or field[dim].attrs.get("standard_name") == "realization":
        return Layers(_one_each(source, dim, labels.tolist()))
    return Layers((source,))


def _one_each(
    source: Source, dim: str, labels: list[object] | tuple[object, ...]
) -> tuple[Source, ...]:
    return tuple(replace(source, select={**source.select, dim: label}) for label in labels)


def _levels(field: xr.DataArray, dim: str, path: str) -> tuple[float, ...]:
    values = field[dim].values
    levels = tuple(float(v) for v in values) if values.dtype.kind in "iuf" else ()
    if dim not in field.coords or not levels or not all(0 < level < 1 for level in levels):
        raise InputError(
            f"{path}: {field.name}: expected levels between 0 and 1 along {dim}; found "
            f"{', '.join(map(str, values[:5]))}"
        )
    return tuple(sorted(levels))
