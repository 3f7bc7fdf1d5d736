"""From stored numbers to values: packing, and everything that a file declares to be missing.

xarray masks what CF names exactly. Files declare missing values in more ways: of another type
than the data, as text, by netCDF's default fill, by a valid range, or under another name.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import netCDF4
import numpy as np
from numpy.typing import NDArray

from app.arrays import Array, DType, Json
from app.errors import InputError

# Names of attributes as they are compared: lower case, letters only.
FILL_NAMES = frozenset(
    {
        "fillvalue", "missingvalue", "codemissingvalue", "missing", "nodata", "nodatavalue",
        "nodataval", "undef", "undefinedvalue",
    }
)  # fmt: skip
OTHER_PACKING = frozenset({"slope", "intercept", "scale", "offset", "gain", "scaling", "bias"})
RANGE_NAMES = ("valid_range", "valid_min", "valid_max")
SMALL = 1e36  # netCDF's default fill of floating-point numbers lies above
Number = float | int
Values = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Decoder:
    """How the stored numbers of one variable of one file become float32 values.

    `fills` are stored numbers that mean "missing", exact in the stored type; `single_fills`
    those given in another precision than the data, compared in single precision; `default` is
    what netCDF leaves in floating-point cells that are never written; `value_fills`
    and `missing` are given as unpacked values. Stored numbers outside `low` to `high`, or
    values outside `value_low` to `value_high`, are missing. value = scale · stored + offset.
    """

    fills: tuple[Number, ...] = ()
    single_fills: tuple[float, ...] = ()
    default: float | None = None
    value_fills: tuple[float, ...] = ()
    low: Number | None = None
    high: Number | None = None
    value_low: float | None = None
    value_high: float | None = None
    scale: float = 1.0
    offset: float = 0.0
    unsigned: DType | None = None

    @property
    def packed(self) -> bool:
        return self.scale != 1.0 or self.offset != 0.0

    def __call__(self, stored: Array) -> Values:
        """Stored numbers of any shape → float32 values, NaN where missing."""
        return self.decode(stored)[0]

    def decode(self, stored: Array) -> tuple[Values, int]:
        """Values as of `__call__`, and how many of them are missing for the valid range alone."""
        if self.unsigned is not None:
            stored = stored.view(self.unsigned)
        values = self._unpacked(stored)
        for lost in self._lost(stored, values):
            if lost.any():
                values[lost] = np.nan
        outside = 0
        for lost in self._outside(stored, values):
            outside += int(lost.sum())
            values[lost] = np.nan
        return values, outside

    def _unpacked(self, stored: Array) -> Values:
        if not self.packed:
            with np.errstate(over="ignore"):  # float64 beyond float32 becomes infinite, then NaN
                return stored.astype(np.float32, copy=not stored.flags.writeable)
        return (stored * np.float64(self.scale) + self.offset).astype(np.float32)

    def _lost(self, stored: Array, values: Values) -> list[NDArray[np.bool_]]:
        lost = [stored == fill for fill in self.fills]
        if self.default is not None and values.size and np.fmax.reduce(values, None) > SMALL:
            lost.append(stored == self.default)
        if self.single_fills:
            with np.errstate(over="ignore"):
                single = stored.astype(np.float32)
                lost += [single == np.float32(fill) for fill in self.single_fills]
        for fill in self.value_fills:
            reach = max(abs(self.scale) / 2 if self.packed else 0.0, 4 * _spacing(fill))
            lost.append(np.abs(values - np.float32(fill)) <= reach)
        return lost

    def _outside(self, stored: Array, values: Values) -> list[NDArray[np.bool_]]:
        """Values that are there, but below or above the valid range; in turn."""
        lost = []
        for bound, numbers in ((self.low, stored), (self.value_low, values)):
            if bound is not None:
                lost.append((numbers < bound) & ~np.isnan(values))
        for bound, numbers in ((self.high, stored), (self.value_high, values)):
            if bound is not None:
                lost.append((numbers > bound) & ~np.isnan(values))
        return lost


def _spacing(value: float) -> float:
    """Distance of single-precision numbers near a value."""
    return float(np.spacing(np.float32(abs(value))))


def decoder_of(
    attributes: Mapping[Any, Any],
    dtype: DType,
    *,
    missing: tuple[float, ...] = (),
    default_fill: bool = True,
    where: str = "",
) -> Decoder:
    """The decoder that a variable's attributes ask for.

    `missing`: values, in the file's unit, that the user declares missing. `default_fill`:
    whether cells never written hold netCDF's default (not so in Zarr). InputError, naming
    `where`: a scale_factor or add_offset that is no finite number, or a scale_factor of 0.
    """
    attributes = _with_usual_names(attributes)
    scale = _number(attributes, "scale_factor", 1.0, where)
    offset = _number(attributes, "add_offset", 0.0, where)
    if scale == 0:
        raise InputError(f"{where}: scale_factor is 0; expected another number")
    unsigned = _unsigned(attributes, dtype)
    stored_type = unsigned or dtype
    packed = scale != 1.0 or offset != 0.0
    fills: list[Number] = []
    single: list[float] = []
    unpacked = [float(value) for value in missing]
    declared = _declared_fills(attributes, dtype, unsigned)
    for fill, same_type in declared:
        if stored_type.kind in "iu":
            if float(fill).is_integer():
                fills.append(int(fill))
            else:
                unpacked.append(float(fill))
        elif not np.isnan(fill):
            (fills if same_type else single).append(float(fill))
    if packed and stored_type.kind in "iu":  # flags among packed numbers are no quantities
        flags = _numbers(attributes.get("flag_values", ""))
        fills += [int(flag) for flag in flags if flag.is_integer()]
    default = None
    if default_fill and not any(_plain_name(n) == "fillvalue" for n in attributes):
        default = _default_fill(stored_type)
        if isinstance(default, int):
            fills.append(default)
    bounds = _bounds(attributes, stored_type, unsigned, packed, where)
    return Decoder(
        fills=tuple(dict.fromkeys(fills)),
        single_fills=tuple(dict.fromkeys(single)),
        default=default if isinstance(default, float) else None,
        value_fills=tuple(unpacked),
        **bounds,
        scale=scale,
        offset=offset,
        unsigned=unsigned,
    )


def _with_usual_names(attributes: Mapping[Any, Any]) -> dict[Any, Any]:
    """Attributes of packing and of valid ranges by CF's names, however a file writes these."""
    usual = {_plain_name(name): name for name in ("scale_factor", "add_offset", *RANGE_NAMES)}
    return {usual.get(_plain_name(name), name): v for name, v in attributes.items()} | {
        name: attributes[name] for name in usual.values() if name in attributes
    }


def other_packing(attributes: Mapping[Any, Any]) -> str | None:
    """Attributes that may tell of a packing which is not applied, in words; None without."""
    known = {_plain_name(name) for name in attributes}
    if "scalefactor" in known or "addoffset" in known:
        return None
    found = [
        f"{name} {numbers[0]:g}"
        for name, value in attributes.items()
        if _plain_name(name) in OTHER_PACKING
        and len(numbers := _numbers(value)) == 1
        and numbers[0] not in (0, 1)
    ]
    return ", ".join(found) or None


def declares_range(attributes: Mapping[Any, Any]) -> str | None:
    """The valid range that a file declares, in words; None without."""
    attributes = _with_usual_names(attributes)
    found = [
        f"{name} {' to '.join(f'{number:g}' for number in _numbers(attributes[name]))}"
        for name in RANGE_NAMES
        if _said(attributes, name)
    ]
    return ", ".join(found) or None


def _plain_name(name: Any) -> str:
    return re.sub(r"[^a-z]", "", str(name).lower())


def _numbers(value: Any) -> list[float]:
    """Numbers of an attribute of any type, also written as text; none where there are none."""
    if isinstance(value, bytes):
        value = value.decode(errors="replace")
    if isinstance(value, str):
        parts: list[Any] = re.split(r"[\s,;]+", value.strip(" []()"))
    else:
        parts = list(np.ravel(np.asarray(value)))
    numbers = []
    for part in parts:
        for text in (part, str(part).rstrip("fFdDsSbBlL")):  # CDL ends 0.01f with its type
            try:
                numbers.append(float(text))
            except (TypeError, ValueError):
                continue
            break
    return numbers


def _said(attributes: Mapping[Any, Any], name: str) -> bool:
    """Whether an attribute is there and no empty text."""
    value = attributes.get(name)
    return value is not None and bool(str(value).strip())


def _number(attributes: Mapping[Any, Any], name: str, default: float, where: str) -> float:
    if not _said(attributes, name):
        return default
    numbers = _numbers(attributes[name])
    if len(numbers) != 1 or not np.isfinite(numbers[0]):
        raise InputError(f"{where}: {name} is {attributes[name]!r}; expected one finite number")
    return numbers[0]


def _unsigned(attributes: Mapping[Any, Any], dtype: DType) -> DType | None:
    """The unsigned type that a file without such types asks for.

    It does so by `_Unsigned`, and of bytes by a valid range that ends beyond 127 (NetCDF Users
    Guide, Attribute Conventions).
    """
    flag = str(attributes.get("_Unsigned", "")).strip().lower()
    if dtype == np.int8 and not flag:
        ends = [n for name in ("valid_range", "valid_max") for n in _numbers(attributes.get(name))]
        flag = "true" if max(ends, default=0) > np.iinfo(np.int8).max else flag
    if dtype.kind == "i" and flag == "true":
        return np.dtype(f"{dtype.byteorder}u{dtype.itemsize}")
    if dtype.kind == "u" and flag == "false":
        return np.dtype(f"{dtype.byteorder}i{dtype.itemsize}")
    return None


def _declared_fills(
    attributes: Mapping[Any, Any], dtype: DType, unsigned: DType | None
) -> list[tuple[float, bool]]:
    """Declared missing values, and whether each is of the data's own type."""
    found = []
    for name, value in attributes.items():
        if _plain_name(name).removesuffix("s") not in FILL_NAMES:
            continue
        numeric = isinstance(value, (np.ndarray, np.generic))
        same = numeric and np.asarray(value).dtype.newbyteorder("=") == dtype.newbyteorder("=")
        found += [(_reinterpreted(v, dtype, unsigned), same) for v in _numbers(value)]
    return found


def _reinterpreted(value: float, dtype: DType, unsigned: DType | None) -> float:
    """A number of the stored type as one of the type that it is meant to be."""
    if unsigned is None or not float(value).is_integer():
        return value
    information = np.iinfo(dtype)
    if not information.min <= value <= information.max:
        return value
    return float(np.array(int(value), dtype.newbyteorder("=")).view(unsigned.newbyteorder("=")))


def _default_fill(dtype: DType) -> Number | None:
    """What netCDF leaves in cells that are never written; bytes have no such value."""
    code = f"{dtype.kind}{dtype.itemsize}"
    if dtype.kind not in "iuf" or dtype.itemsize == 1 or code not in netCDF4.default_fillvals:
        return None
    fill = netCDF4.default_fillvals[code]
    return float(np.dtype(code).type(fill)) if dtype.kind == "f" else int(fill)


def _bounds(
    attributes: Mapping[Any, Any],
    dtype: DType,
    unsigned: DType | None,
    packed: bool,
    where: str,
) -> Json:
    """valid_range, or valid_min and valid_max: of stored numbers, or of values.

    Of values where the data are packed integers and the bounds are given in a wider, floating
    type (NetCDF Users Guide, Attribute Conventions).
    """
    low, high = None, None
    source: Any = None
    if _said(attributes, "valid_range"):
        source = attributes["valid_range"]
        numbers = _numbers(source)
        if len(numbers) != 2:
            raise InputError(f"{where}: valid_range is {source!r}; expected two numbers")
        low, high = numbers
    for name in ("valid_min", "valid_max"):
        if _said(attributes, name) and not _said(attributes, "valid_range"):
            source = attributes[name]
            numbers = _numbers(source)
            if len(numbers) != 1:
                raise InputError(f"{where}: {name} is {source!r}; expected one number")
            low, high = (numbers[0], high) if name == "valid_min" else (low, numbers[0])
    low, high = (None if b is None or not np.isfinite(b) else b for b in (low, high))
    of_values = packed and dtype.kind in "iu" and np.asarray(source).dtype.kind not in "iu"
    if not of_values and unsigned is not None:
        plain = np.dtype(f"{'i' if unsigned.kind == 'u' else 'u'}{unsigned.itemsize}")
        low, high = (None if b is None else _reinterpreted(b, plain, unsigned) for b in (low, high))
    if low is not None and high is not None and low > high:
        raise InputError(f"{where}: its valid range runs from {low:g} to {high:g}")
    prefix = "value_" if of_values else ""
    if dtype.kind == "f":
        low, high = (None if b is None else float(dtype.type(b)) for b in (low, high))
    return {f"{prefix}low": low, f"{prefix}high": high}
