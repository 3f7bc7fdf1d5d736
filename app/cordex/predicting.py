"""Predicted fields as a submission has them: both targets in one file on the template's grid."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import netCDF4
import numpy as np

from app.arrays import Array
from app.cordex import protocol
from app.cordex.template import TIME, Coordinate, Template, coordinates_of, opened, stamps_of
from app.data.units import conversion
from app.errors import RunError
from app.running.disk_space import writing

BLOCK_VALUES = 2**24  # copied at once
MODELS = "model_sha256"  # attribute: of which models a file is


def write_prediction(
    fields: Mapping[str, Path], predictors: Path, template: Template, target: Path, models: str
) -> None:
    """Join predicted fields of each target into one file; it is there whole or not at all.

    fields: files of the stage test by target, at the times of the predictors. models: what the
    fields are of, kept in the file. RunError where times or grids are others.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        with writing(target), netCDF4.Dataset(temporary, "w") as out:
            out.setncatts({"Conventions": "CF-1.8", MODELS: models})
            out.set_auto_maskandscale(False)
            count = _write_times(predictors, out)
            _write_coordinates(template, out)
            for name, path in fields.items():
                with opened(path) as file:
                    _write_fields(file, path, name, template, predictors, out, count)
        os.replace(temporary, target)
    finally:
        temporary.unlink(missing_ok=True)


def models_of(path: Path) -> str | None:
    """What the fields of a file are of; None where there is no such file."""
    try:
        with netCDF4.Dataset(path) as file:
            return str(file.getncattr(MODELS))
    except (OSError, RuntimeError, AttributeError):
        return None


def _write_times(predictors: Path, out: netCDF4.Dataset) -> int:
    """The time axis as the file of predictors has it, type, unit and calendar included."""
    with opened(predictors) as file:
        own = file[TIME]
        out.createDimension(TIME, own.size)
        variable = out.createVariable(TIME, own.dtype, (TIME,))
        variable.setncatts(
            {n: own.getncattr(n) for n in own.ncattrs() if n not in ("bounds", "_FillValue")}
        )
        variable[:] = own[:]
        return int(own.size)


def _write_coordinates(template: Template, out: netCDF4.Dataset) -> None:
    for name, own in template.coordinates.items():
        for dim, size in zip(own.dims, own.values.shape, strict=True):
            if dim not in out.dimensions:
                out.createDimension(dim, size)
        variable = out.createVariable(name, own.values.dtype, own.dims)
        variable.setncatts(own.attributes)
        if own.values.dtype.kind in "fiu":
            variable[...] = own.values
    for dim, size in zip(template.dims, template.shape, strict=True):
        if dim not in out.dimensions:
            out.createDimension(dim, size)


def _write_fields(
    file: netCDF4.Dataset,
    path: Path,
    name: str,
    template: Template,
    predictors: Path,
    out: netCDF4.Dataset,
    count: int,
) -> None:
    own = file[name]
    with opened(predictors) as inputs:
        wanted, there = stamps_of(inputs[TIME]), stamps_of(file[TIME])
    if not np.array_equal(wanted.seconds, there.seconds):
        raise RunError(
            f"{path}: {len(there)} times, {there.span()}; expected the {len(wanted)} of "
            f"{predictors}, {wanted.span()}"
        )
    members = own.shape[0] if own.ndim == 4 else 0
    if members and protocol.MEMBER not in out.dimensions:
        out.createDimension(protocol.MEMBER, members)
    dims = (*((protocol.MEMBER,) if members else ()), TIME, *template.dims)
    attributes = template.attributes[name]
    variable = out.createVariable(name, "f4", dims, compression="zlib", complevel=1, shuffle=True)
    variable.setncatts(attributes)
    change = conversion(str(own.units), str(attributes.get("units", own.units)), str(path))
    order = _order(coordinates_of(file), template, path)
    each = max(1, int(np.prod(own.shape)) // max(1, count))
    step = max(1, BLOCK_VALUES // each)
    for start in range(0, count, step):
        part = slice(start, min(start + step, count))
        block = change(np.asarray(own[:, part] if members else own[part])[order])
        if members:
            variable[:, part] = block
        else:
            variable[part] = block


def _order(there: Mapping[str, Coordinate], template: Template, path: Path) -> Any:
    """Index that brings rows and columns to the template's order. RunError for another grid."""
    index: list[Any] = [Ellipsis]
    for axis, dim in enumerate(template.dims):
        own, wanted = _line(there, dim, axis), _line(template.coordinates, dim, axis)
        if own is None or wanted is None or _alike(own, wanted):
            index.append(slice(None))
        elif _alike(own[::-1], wanted):
            index.append(slice(None, None, -1))
        else:
            raise RunError(f"{path}: its {dim} is not that of the template; expected that grid")
    return tuple(index)


def _alike(own: Array, wanted: Array) -> bool:
    return own.shape == wanted.shape and np.allclose(own, wanted, rtol=0, atol=1e-3)


def _line(coordinates: Mapping[str, Coordinate], dim: str, axis: int) -> Array | None:
    """The coordinate of a dimension, or the middle of the latitudes or longitudes along it."""
    if dim in coordinates and coordinates[dim].values.ndim == 1:
        return coordinates[dim].values.astype(np.float64)
    for name in ("lat", "lon")[axis : axis + 1]:
        values = coordinates[name].values if name in coordinates else np.zeros(0)
        if values.ndim == 2:
            middle = values.shape[1 - axis] // 2
            line = values[:, middle] if axis == 0 else values[middle]
            return np.asarray(line, np.float64)
    return None
