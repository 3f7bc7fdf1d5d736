"""Records of a known truth, cut into files that differ in every way files of one source may."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cftime
import netCDF4
import numpy as np
import xarray as xr
from hypothesis import strategies as st

FORMATS = (
    "NETCDF3_CLASSIC",
    "NETCDF3_64BIT_OFFSET",
    "NETCDF4",
    "NETCDF4_CLASSIC",
    "zarr2",
    "zarr3",
)
KINDS = ("f4", "f8", "i2", "i4")
# How missing cells are stored: as what, and how that is declared.
FILLS = (
    "nan",
    "fill_value",
    "missing_value",
    "missing_double",
    "missing_text",
    "valid_min",
    "default",
)
CALENDARS = {
    "standard": ("standard", "gregorian", "proleptic_gregorian"),
    "noleap": ("noleap", "365_day"),
    "360_day": ("360_day",),
}
TIME_UNITS = {"hours": 3600, "days": 86400, "seconds": 1, "minutes": 60}
UNITS = {"K": 0.0, "Kelvin": 0.0, "deg_K": 0.0, "degC": -273.15, "Celsius": -273.15}
NAMES = (("lat", "lon"), ("latitude", "longitude"), ("LAT", "LON"), ("nav_lat", "nav_lon"))
MARK, PACKED_MARK = -9999, -29999  # stored where missing, but for NaN and the default fill
STEP = 0.002  # of packed values


@dataclass(frozen=True)
class Style:
    """How one file is written."""

    format: str
    kind: str
    fill: str
    units: str
    names: tuple[str, str]
    time_name: str
    time_unit: str
    time_type: str
    calendar: str
    reference: int  # year
    zone: int  # hours ahead of UTC, in which the times count
    flipped: bool
    full_circle: bool
    reversed_columns: bool
    order: tuple[int, int, int]
    big_endian: bool
    chunked: bool
    shuffled: bool


@dataclass(frozen=True, eq=False)
class Truth:
    """Values (variable, time, lat, lon) in K, NaN where missing; seconds since 2001-01-01."""

    lat: np.ndarray
    lon: np.ndarray
    hours: np.ndarray
    calendar: str
    values: np.ndarray


@st.composite
def truths(draw) -> Truth:
    """A small record of one or two variables with a few missing cells."""
    variables, times = draw(st.integers(1, 2)), draw(st.integers(6, 16))
    rows, columns = draw(st.integers(2, 5)), draw(st.integers(2, 5))
    lat = draw(st.sampled_from([-10.0, -1.0, 40.0, 80.0])) + 2.0 * np.arange(rows)
    lon = draw(st.sampled_from([-4.0, 10.0, 172.0, -175.0])) + 2.0 * np.arange(columns)
    hours = draw(st.sampled_from([1, 3, 24])) * np.arange(times)
    share = draw(st.sampled_from([0.0, 0.1, 0.4]))
    random = np.random.default_rng(draw(st.integers(0, 2**16)))
    values = random.normal(280, 6, (variables, times, rows, columns)).astype("f4")
    lost = random.random(values.shape) < share
    lost[..., 0, 0] = False  # something is left in every split
    values[lost] = np.nan
    return Truth(lat, lon, hours, draw(st.sampled_from(sorted(CALENDARS))), values)


@st.composite
def styles(draw, truth: Truth) -> Style:
    kind = draw(st.sampled_from(KINDS))
    fills = FILLS if kind[0] == "f" else FILLS[1:]
    form = draw(st.sampled_from(FORMATS))
    if form.startswith("zarr"):  # NetCDF's default fill is none of Zarr's
        fills = tuple(f for f in fills if f != "default")
    return Style(
        format=form,
        kind=kind,
        fill=draw(st.sampled_from(fills)),
        units=draw(st.sampled_from(sorted(UNITS))),
        names=draw(st.sampled_from(NAMES)),
        time_name=draw(st.sampled_from(["time", "valid_time", "Time", "t"])),
        time_unit=draw(st.sampled_from(sorted(TIME_UNITS))),
        time_type=draw(st.sampled_from(["f8", "i4"])),
        calendar=draw(st.sampled_from(CALENDARS[truth.calendar])),
        reference=draw(st.sampled_from([1, 1850, 2001])),
        zone=draw(st.sampled_from([0, 0, 2, -5])),
        flipped=draw(st.booleans()),
        full_circle=draw(st.booleans()),
        reversed_columns=draw(st.booleans()),
        order=draw(st.sampled_from([(0, 1, 2), (0, 2, 1), (1, 2, 0), (2, 1, 0)])),
        big_endian=draw(st.booleans()),
        chunked=draw(st.booleans()),
        shuffled=draw(st.booleans()),
    )


@st.composite
def cuts(draw, truth: Truth) -> list[np.ndarray]:
    """Rows of one to five files, each time in one of them, in any order."""
    n = len(truth.hours)
    owners = draw(st.lists(st.integers(0, draw(st.integers(0, 4))), min_size=n, max_size=n))
    return [rows for k in range(5) if len(rows := np.flatnonzero(np.array(owners) == k))]


def write_file(path: Path, truth: Truth, rows: np.ndarray, variables: list[int], style: Style):
    """Write some times of some variables (named v0, v1) in a style; its path."""
    if style.shuffled:
        rows = rows[::-1]
    dataset, fills = _stored(truth, rows, variables, style)
    if style.format.startswith("zarr"):
        path = path.with_suffix(".zarr")
        version = int(style.format[-1])
        for name, fill in fills.items():
            if fill is not None:
                dataset[name].encoding["_FillValue"] = fill
        dataset.to_zarr(path, mode="w", zarr_format=version, consolidated=False)
        return path
    path = path.with_suffix(".nc")
    _write_netcdf(path, dataset, fills, style)
    return path


def _stored(truth: Truth, rows: np.ndarray, variables: list[int], style: Style):
    """The raw numbers of the file, and each variable's _FillValue (None: none)."""
    lat_name, lon_name = style.names
    lon = (truth.lon % 360) if style.full_circle else ((truth.lon + 180) % 360 - 180)
    columns = np.argsort(lon)
    if style.reversed_columns:
        columns = columns[::-1]
    latitudes = np.arange(len(truth.lat))[:: -1 if style.flipped else 1]
    dims = np.array([style.time_name, lat_name, lon_name])
    data, fills = {}, {}
    for v in variables:
        values = truth.values[v][rows][:, latitudes][:, :, columns]
        numbers, attributes, fill = _encoded(values, style)
        numbers = np.transpose(numbers, style.order)
        data[f"v{v}"] = (tuple(dims[list(style.order)]), numbers, attributes)
        fills[f"v{v}"] = fill
    coords = {
        lat_name: (lat_name, truth.lat[latitudes], {"units": "degrees_north"}),
        lon_name: (lon_name, lon[columns], {"units": "degrees_east"}),
        style.time_name: (style.time_name, *_times(truth, rows, style)),
    }
    return xr.Dataset(data, coords=coords), fills


def _times(truth: Truth, rows: np.ndarray, style: Style):
    units = f"{style.time_unit} since {style.reference:04d}-01-01"
    start = cftime.date2num(
        cftime.datetime(2001, 1, 1, calendar=style.calendar), units, style.calendar
    )
    hours = truth.hours[rows] + style.zone  # of the zone's clock
    if style.zone:
        units += f" 00:00:00 {style.zone:+03d}:00"
    numbers = start + hours * 3600 / TIME_UNITS[style.time_unit]
    whole = np.array_equal(numbers, np.round(numbers)) and np.abs(numbers).max() < 2**31
    kind = style.time_type if whole else "f8"
    if style.time_unit == "days":
        numbers = np.round(numbers, 5)  # within half a second
    return numbers.astype(kind), {"units": units, "calendar": style.calendar}


def _encoded(values: np.ndarray, style: Style):
    own = values.astype("f8") + UNITS[style.units]
    attributes = {"units": style.units}
    fill = None
    if style.kind[0] == "i":
        attributes |= {"scale_factor": STEP, "add_offset": float(np.round(np.nanmean(own)))}
        own = np.round((own - attributes["add_offset"]) / STEP)
    kind = np.dtype(style.kind)
    if style.fill == "nan":
        mark = kind.type(np.nan)
    elif style.fill == "default":
        mark = kind.type(netCDF4.default_fillvals[style.kind])
    else:
        mark = kind.type(PACKED_MARK if kind.kind == "i" else MARK)
    numbers = np.where(np.isnan(own), mark, own).astype(kind)
    if style.fill == "fill_value":
        fill = mark
    elif style.fill == "missing_value":
        attributes["missing_value"] = mark
    elif style.fill == "missing_double":
        attributes["missing_value"] = np.float64(mark)
    elif style.fill == "missing_text":
        attributes["missing_value"] = str(mark)
    elif style.fill == "valid_min":
        attributes["valid_min"] = kind.type(mark + 1)
    return numbers, attributes, fill


def _write_netcdf(path: Path, dataset: xr.Dataset, fills: dict, style: Style) -> None:
    with netCDF4.Dataset(path, "w", format=style.format) as file:
        for dim, size in dataset.sizes.items():
            file.createDimension(dim, size)
        for name, variable in dataset.variables.items():
            options = {}
            if style.format.startswith("NETCDF4") and style.chunked and name in fills:
                options = {
                    "zlib": True,
                    "chunksizes": tuple(max(1, s // 2) for s in variable.shape),
                }
            if style.format == "NETCDF4" and style.big_endian and name in fills:
                options["endian"] = "big"  # of the values as they are stored
            made = file.createVariable(
                name, variable.dtype, variable.dims, fill_value=fills.get(name), **options
            )
            made.set_auto_maskandscale(False)
            made.setncatts(variable.attrs)
            made[:] = variable.values
