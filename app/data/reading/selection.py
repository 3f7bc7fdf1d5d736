"""One variable of one file, without the dimensions that are neither time nor space."""

from __future__ import annotations

from collections.abc import Hashable
from difflib import get_close_matches
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from app.arrays import Array
from app.data.description import Source, Variable
from app.data.units import conversion, normalise_unit
from app.errors import InputError

PRESSURE_NAMES = frozenset(
    {"level", "lev", "plev", "pressure", "pressure_level", "isobaricInhPa", "isobaricInPa"}
)
LEVEL_NAMES = PRESSURE_NAMES | {
    "height", "heightAboveGround", "depth", "altitude", "z", "model_level", "hybrid", "bottom_top",
}  # fmt: skip
MEMBER_NAMES = frozenset(
    {"member", "number", "realization", "realisation", "ensemble", "ens", "ensemble_member"}
)
MERGED = "expver"  # ERA5 and its preliminary version ERA5T, valid at different times
SHOWN_NAMES = 20  # variables listed in a message
UNNAMED = "phony_dim"  # how the NetCDF library calls dimensions without a name
LEVEL_TOLERANCE = 1e-4  # relative: float32 level coordinates
PRESSURES = {"Pa": 1.0, "hPa": 100.0, "kPa": 1000.0}  # in Pa


def find_variable(dataset: xr.Dataset, variable: Variable, path: str) -> xr.DataArray:
    """By its name, or in GRIB by its short name (2t for t2m) where only one variable has it.

    InputError lists the variables that the file has.
    """
    wanted = variable.source_name
    if wanted in dataset.variables:
        return dataset[wanted]
    short = [f for f in dataset.data_vars.values() if f.attrs.get("GRIB_shortName") == wanted]
    if len(short) != 1:
        raise InputError(f"{path}: no variable {wanted!r}; there are: {names_in(dataset, wanted)}")
    return short[0]


def names_in(dataset: xr.Dataset, wanted: str = "") -> str:
    """Names of variables, those first that are like the wanted one; "none" without any."""
    names = [str(name) for name in dataset.data_vars]
    alike = get_close_matches(wanted.lower(), [name.lower() for name in names], SHOWN_NAMES)
    names.sort(key=lambda n: alike.index(n.lower()) if n.lower() in alike else len(alike))
    more = f", … ({len(names)} in all)" if len(names) > SHOWN_NAMES else ""
    return (", ".join(names[:SHOWN_NAMES]) or "none") + more


def refuse_unnamed_dimensions(field: xr.DataArray, where: str) -> None:
    """InputError for a variable of a plain HDF5 file, whose axes nothing tells."""
    unnamed = [str(dim) for dim in field.dims if str(dim).startswith(UNNAMED)]
    if unnamed:
        raise InputError(
            f"{where}: {len(unnamed)} of its {field.ndim} dimensions have no names (HDF5 without "
            "dimension scales); expected scales for time, latitude and longitude, as NetCDF-4 has"
        )


def fixed_places(field: xr.DataArray) -> dict[str, tuple[float, str]]:
    """Value and units of the level, or the member, that a field is of as a whole."""
    return {
        str(c.name): (float(c.values.ravel()[0]), str(c.attrs.get("units", "")))
        for c in field.coords.values()
        if c.size == 1 and c.dtype.kind in "iuf" and (_is_vertical(c) or c.name in MEMBER_NAMES)
    }


def pick(
    field: xr.DataArray, variable: Variable, source: Source, kept: tuple[str, ...], path: str
) -> xr.DataArray:
    """The field with level, member and `select` chosen: dimensions `kept` (and expver) remain."""
    where = f"{path}: {variable.source_name}"
    if variable.level is not None:
        field = _pick_level(field, variable.level, variable.level_units, where)
    if source.member is not None:
        field = _pick_member(field, source.member, where)
    for dim, label in source.select.items():
        field = _pick_label(field, dim, label, where)
    field = field.squeeze([d for d in field.dims if field.sizes[d] == 1 and d not in kept])
    extra = [str(d) for d in field.dims if d not in kept and d != MERGED]
    if extra:
        dim = extra[0]
        raise InputError(
            f"{where}: dimension {dim} has {field.sizes[dim]} entries "
            f"({_labels(field, dim)}); choose one with {_option_for(dim)}"
        )
    return field


def _option_for(dim: str) -> str:
    if dim in LEVEL_NAMES:
        return f"level: or select: {{{dim}: …}}"
    return "member:" if dim in MEMBER_NAMES else f"select: {{{dim}: …}}"


def _labels(field: xr.DataArray, dim: str) -> str:
    if dim not in field.coords:
        return f"0 to {field.sizes[dim] - 1}"
    values = field[dim].values
    shown = ", ".join(str(value) for value in values[:12])
    return shown + (", …" if len(values) > 12 else "")


def _is_vertical(coord: xr.DataArray) -> bool:
    return (
        coord.name in LEVEL_NAMES
        or str(coord.attrs.get("axis")).upper() == "Z"
        or "positive" in coord.attrs
        or str(coord.attrs.get("standard_name")) == "air_pressure"
    )


def _pick_level(field: xr.DataArray, wanted: float, units: str | None, where: str) -> xr.DataArray:
    """By value; without units a pressure level may be in hPa or Pa whatever the file has."""
    vertical = [c for c in field.coords.values() if c.ndim <= 1 and _is_vertical(c)]
    if not vertical:
        raise InputError(f"{where}: level {wanted:g} asked for, but there is no vertical dimension")
    level = max(vertical, key=lambda c: c.size)
    values = np.atleast_1d(np.asarray(level.values, np.float64))
    factors: tuple[float, ...] = (1.0, *_pressure_factors(level))
    own = level.attrs.get("units")
    unit = ""
    if units is not None and own is not None:
        unit = f" {own}"
        change = conversion(units, str(own), f"{where}, level")
        wanted, factors = float(change(np.array([wanted]))[0]), (1.0,)
    for factor in factors:
        matches = np.isclose(values, wanted * factor, rtol=LEVEL_TOLERANCE, atol=0)
        if matches.any():
            return field.isel({level.dims[0]: int(np.argmax(matches))}) if level.ndim else field
    there = ", ".join(f"{value:g}" for value in values)
    raise InputError(f"{where}: no level {wanted:g}{unit}; {level.name} has {there}")


def _pressure_factors(level: xr.DataArray) -> tuple[float, ...]:
    """By what a level in hPa or Pa becomes one in the coordinate's unit; none but of pressures."""
    units = normalise_unit(str(level.attrs.get("units", "")))
    if units in PRESSURES:
        return (PRESSURES["hPa"] / PRESSURES[units], PRESSURES["Pa"] / PRESSURES[units])
    if units == "1" and level.name in PRESSURE_NAMES:
        return (PRESSURES["hPa"], 1 / PRESSURES["hPa"])
    return ()


def _pick_member(field: xr.DataArray, wanted: int | str, where: str) -> xr.DataArray:
    dims = [str(d) for d in field.dims if d in MEMBER_NAMES or _is_realization(field, d)]
    if not dims:
        for name in MEMBER_NAMES & field.coords.keys():
            if field.coords[name].ndim == 0:
                return _pick_label(field.expand_dims(name), name, wanted, where)
        raise InputError(f"{where}: member {wanted} asked for, but there is no ensemble dimension")
    return _pick_label(field, dims[0], wanted, where)


def _is_realization(field: xr.DataArray, dim: Hashable) -> bool:
    return field[dim].attrs.get("standard_name") == "realization"


def _pick_label(field: xr.DataArray, dim: str, wanted: Any, where: str) -> xr.DataArray:
    """By label, or by position along a dimension that has none."""
    if dim not in field.dims:
        raise InputError(
            f"{where}: no dimension {dim} to select {wanted} from; "
            f"there are: {', '.join(map(str, field.dims))}"
        )
    labels = field[dim].values if dim in field.coords else np.arange(field.sizes[dim])
    value = _as_label(wanted, labels, str(field[dim].attrs.get("units", "")))
    if np.issubdtype(labels.dtype, np.number) and isinstance(value, (int, float)):
        matches = np.isclose(labels.astype(np.float64), value, rtol=LEVEL_TOLERANCE, atol=0)
    else:
        matches = np.array([str(label) == str(value) for label in labels])
    if not matches.any():
        raise InputError(f"{where}: {dim} has no {wanted}; there are: {_labels(field, dim)}")
    return field.isel({dim: int(np.argmax(matches))})


def _as_label(wanted: Any, labels: Array, units: str) -> Any:
    """ "6h" as a number in the coordinate's own unit where the labels are numbers."""
    if not isinstance(wanted, str) or not np.issubdtype(labels.dtype, np.number):
        return wanted
    try:
        return float(wanted)
    except ValueError:
        pass
    try:
        return pd.Timedelta(wanted) / pd.Timedelta(1, unit=units.split(" ")[0] or "h")
    except ValueError:
        return wanted
