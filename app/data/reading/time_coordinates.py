"""The times of a field: which coordinate tells them, and what they are."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import xarray as xr

from app.arrays import Array
from app.data.reading.decoding import decoder_of
from app.data.time_units import counts_time
from app.data.times import FRACTIONS, UNIT_SECONDS, Stamps
from app.errors import InputError, one_line

TIME_NAMES = ("time", "valid_time", "Time", "t", "date", "XTIME")
TIME_DIMENSION = re.compile(r"(valid_?)?(date)?time\d*|t|date|day|days|time_counter|times", re.I)
REFERENCE_NAME = "forecast_reference_time"
REFERENCES = re.compile(
    r"(forecast_)?ref(erence)?_?(time|date)\d*|(initial|init|analysis)_?(time|date)\d*|dtg", re.I
)
LEADS = re.compile(r"step|lead|lead_?(time|hour)s?|forecast_(period|hour)\d*|fhour|leadtime", re.I)
AUXILIARY = re.compile(r".*(bnds|bounds)", re.I)


def time_coordinate(
    field: xr.DataArray, dataset: xr.Dataset | None = None
) -> tuple[str | None, xr.DataArray] | None:
    """The time dimension and the coordinate with its stamps; (None, …) for a single time.

    The coordinate that carries the dimension's name is the time, unless it holds reference
    times of forecasts; valid times come next. None where there are no times.
    """
    coords = [c for c in field.coords.values() if _is_time(c)]
    if dataset is not None:
        known = {c.name for c in coords}
        coords += [
            v for name, v in dataset.data_vars.items()
            if name not in known and _is_time(v) and set(v.dims) <= set(field.dims)
            and not AUXILIARY.fullmatch(str(name))
        ]  # fmt: skip
    if dataset is not None and not coords:
        coords = [
            c.squeeze(drop=True) for c in dataset.coords.values()
            if c.size == 1 and c.dims == (c.name,) and _is_time(c)
        ]  # fmt: skip
    valid = [c for c in coords if not _is_reference(c)]
    along = [c for c in valid if c.dims]
    candidates = along or valid
    if not candidates:
        return _from_reference(field, [c for c in coords if _is_reference(c)])
    best = min(candidates, key=lambda c: _rank(c, field))
    return (str(best.dims[0]) if best.dims else None), best


def _rank(coord: xr.DataArray, field: xr.DataArray) -> tuple[int, int]:
    name = str(coord.name)
    standard = str(coord.attrs.get("standard_name", ""))
    own = bool(coord.dims) and name == coord.dims[0]
    place = TIME_NAMES.index(name) if name in TIME_NAMES else len(TIME_NAMES)
    if own and standard != "time" and _has_lead(field):
        return 3, place  # the start of the forecast, where a valid time stands beside it
    if own:
        return 0, place
    if name == "valid_time":
        return 1, place
    axis = str(coord.attrs.get("axis", "")).upper()
    return (1 if standard == "time" or axis == "T" else 2), place


def _is_time(coord: xr.DataArray) -> bool:
    if coord.ndim > 1:
        return False
    if np.issubdtype(coord.dtype, np.datetime64):
        return True
    if coord.dtype.kind in "fiu":
        return counts_time(coord.attrs.get("units", ""))
    if coord.dtype == object and coord.size:
        return hasattr(coord.values.ravel()[0], "calendar")
    return False


def _is_reference(coord: xr.DataArray) -> bool:
    if str(coord.attrs.get("standard_name", "")) == REFERENCE_NAME:
        return True
    return REFERENCES.fullmatch(str(coord.name)) is not None


def _lead_of(field: xr.DataArray) -> xr.DataArray | None:
    for coord in field.coords.values():
        standard = str(coord.attrs.get("standard_name", ""))
        if coord.ndim <= 1 and (standard == "forecast_period" or LEADS.fullmatch(str(coord.name))):
            result: xr.DataArray | None = coord
            return result
    return None


def _has_lead(field: xr.DataArray) -> bool:
    return _lead_of(field) is not None


def _from_reference(
    field: xr.DataArray, references: list[xr.DataArray]
) -> tuple[str | None, xr.DataArray] | None:
    """Valid times as reference time plus lead, both of one dimension at the most.

    Where there is no lead at all, as in analyses, it is none: the reference is the time.
    """
    if not references:
        return None
    lead = _lead_of(field)
    reference = max(references, key=lambda c: c.ndim)
    if lead is None:
        return (str(reference.dims[0]) if reference.dims else None), reference
    dims = {*reference.dims, *lead.dims}
    if len(dims) > 1:
        return None
    source = reference.encoding.get("source", "")
    start = stamps_of(reference, ": ".join(filter(None, (source, str(reference.name)))))
    seconds = start.seconds + _lead_seconds(lead)
    if start.calendar != "standard":
        return None
    valid = xr.DataArray(
        np.asarray(seconds).reshape(-1).astype("datetime64[s]") if dims
        else np.asarray(seconds).reshape(-1)[0].astype("datetime64[s]"),
        dims=tuple(dims),
        name="valid_time",
    )  # fmt: skip
    return (str(next(iter(dims))) if dims else None), valid


def _lead_seconds(lead: xr.DataArray) -> Array:
    if np.issubdtype(lead.dtype, np.timedelta64):
        return lead.values / np.timedelta64(1, "s")
    unit = str(lead.attrs.get("units", "hours")).strip().lower()
    if unit in FRACTIONS:
        result: Array = np.round(lead.values / FRACTIONS[unit]).astype(np.int64)
        return result
    if unit not in UNIT_SECONDS:
        raise InputError(f"{lead.name}: units {unit!r}; expected those of a time, such as hours")
    result = np.round(lead.values * np.float64(UNIT_SECONDS[unit])).astype(np.int64)
    return result


def stamps_of(coordinate: xr.DataArray, where: str) -> Stamps:
    """The stamps (n,) of a time coordinate, in their own calendar and rounded to the second.

    InputError, naming `where`: missing stamps, or units that cannot be decoded.
    """
    values = np.atleast_1d(coordinate.values)
    if values.dtype.kind == "M":
        _refuse_missing(np.isnat(values), where)
        return Stamps.of(values)
    if values.dtype == object:
        return Stamps.of(values)
    decoder = decoder_of(coordinate.attrs, values.dtype, where=where)
    _refuse_missing(_missing(values, decoder), where)
    if decoder.packed:
        values = values * decoder.scale + decoder.offset
    units = str(coordinate.attrs.get("units", ""))
    calendar = coordinate.attrs.get("calendar")
    try:
        return Stamps.of_numbers(values, units, None if calendar is None else str(calendar))
    except (ValueError, TypeError, OverflowError) as error:
        raise InputError(
            f"{where}: cannot be decoded as times, with the units {units!r} ({one_line(error)}); "
            "expected such as 'hours since 2000-01-01'"
        ) from error


def _missing(values: Array, decoder: Any) -> Array:
    lost = ~np.isfinite(values) if values.dtype.kind == "f" else np.zeros(values.shape, bool)
    for fill in (*decoder.fills, *decoder.single_fills, decoder.default):
        lost |= values == fill
    return lost


def _refuse_missing(lost: Array, where: str) -> None:
    if lost.any():
        first = int(np.flatnonzero(lost)[0])
        raise InputError(
            f"{where}: {int(lost.sum())} of {lost.size} time stamps are missing, the first at "
            f"position {first + 1}; is the file still being written? expected a stamp for every "
            "field"
        )


def refuse_undecoded(
    field: xr.DataArray, dataset: xr.Dataset, spatial: set[str], path: str
) -> None:
    """InputError for a dimension that is time, but whose times cannot be told."""
    for dim in map(str, field.dims):
        if dim in spatial or not _is_time_dimension(dim, field):
            continue
        if field.sizes[dim] == 0:
            raise InputError(f"{path}: holds no time: its dimension {dim} has the length 0")
        found = time_coordinate(field, dataset)
        if found is not None and found[0] == dim:
            continue
        raise InputError(f"{path}: {_why_undecoded(dim, field, dataset)}")


def undecoded_dimensions(field: xr.DataArray, spatial: set[str]) -> set[str]:
    """Dimensions that are time by name or attributes, whether or not their times can be told."""
    return {d for d in map(str, field.dims) if d not in spatial and _is_time_dimension(d, field)}


def _is_time_dimension(dim: str, field: xr.DataArray) -> bool:
    if dim in field.coords:
        coord = field.coords[dim]
        standard = str(coord.attrs.get("standard_name", ""))
        if standard:
            return standard == "time" or (standard == REFERENCE_NAME)
        if str(coord.attrs.get("axis", "")).upper() == "T":
            return True
    return TIME_DIMENSION.fullmatch(dim) is not None or REFERENCES.fullmatch(dim) is not None


def _why_undecoded(dim: str, field: xr.DataArray, dataset: xr.Dataset) -> str:
    expected = "expected a coordinate with units such as 'hours since 2000-01-01'"
    texts = [
        str(name) for name, v in dataset.variables.items()
        if dim in v.dims and v.dtype.kind in "SUO" and v.ndim <= 2
    ]  # fmt: skip
    if dim not in field.coords:
        if texts:
            return (
                f"the times along {dim} are text ({texts[0]}), as WRF writes them; {expected} "
                "(such as XTIME), or convert the file, for instance by 'cdo -f nc4 copy'"
            )
        return f"its dimension {dim} has no coordinate that tells the times; {expected}"
    coord = field.coords[dim]
    if _is_reference(coord):
        return (
            f"{dim} holds the starts of forecasts, and its lead times are along another "
            f"dimension; expected a valid_time along {dim}, or one lead (select: …)"
        )
    if coord.dtype.kind in "SUO":
        first = coord.values.ravel()[0]
        text = first.decode(errors="replace") if isinstance(first, bytes) else first
        return f"the times along {dim} are text ({text}); {expected}"
    units = coord.attrs.get("units")
    first = coord.values.ravel()[0] if coord.size else "nothing"
    if units is None:
        return f"{dim} has no units (its first value is {first}); {expected}"
    hint = ""
    if "%" in str(units):
        hint = "; dates written as numbers: convert them, for instance by 'cdo -r copy IN OUT'"
    return (
        f"{dim} has the units {units!r} (its first value is {first}), not decoded; {expected}{hint}"
    )
