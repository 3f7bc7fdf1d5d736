"""Files that are read wrongly by whoever trusts the first file, or the reader library."""

from __future__ import annotations

import json
import logging

import netCDF4
import numpy as np
import pytest
import xarray as xr
from shard_helpers import LAT, LON, field, perfect_prog, source, write

from app.data.description import DataDescription, Region, Source, Splits, Variable
from app.data.reading.sources import open_source, open_static
from app.data.shards import Shards
from app.data.shards.prepare import prepare
from app.errors import InputError

HOURS = np.arange(40)


def whole(opened):
    return opened.read(np.arange(len(opened.stamps)))


def read(*files, names=("t",), **options):
    return whole(open_source(source(*map(str, files), names=names, **options)))


@pytest.fixture
def log(caplog):
    """The lines logged, warnings and information alike."""
    caplog.set_level(logging.INFO)
    return lambda: [record.getMessage() for record in caplog.records]


class TestEachFileByItsOwnAxes:
    """Later files, and later variables, stored in another order than the first."""

    def turned(self, data, axis):
        if axis == "lat":
            return data.isel(lat=slice(None, None, -1))
        if axis == "lon":
            return data.isel(lon=slice(None, None, -1))
        if axis == "circle":
            return data.assign_coords(lon=("lon", LON % 360, data.lon.attrs)).sortby("lon")
        return data.rename(lat="latitude", lon="longitude").transpose("longitude", "time", ...)

    @pytest.mark.parametrize("axis", ["lat", "lon", "circle", "names"])
    def test_second_file(self, tmp_path, axis):
        data = field()
        write(tmp_path / "a.nc", data.isel(time=slice(0, 20)))
        write(tmp_path / "b.nc", self.turned(data.isel(time=slice(20, 40)), axis))
        np.testing.assert_array_equal(read(tmp_path / "*.nc")[0], data.values)

    @pytest.mark.parametrize("axis", ["lat", "lon", "circle", "names"])
    def test_second_variable(self, tmp_path, axis):
        data, other = field(), field(name="u", seed=1)
        write(tmp_path / "a.nc", data)
        write(tmp_path / "b.nc", self.turned(other, axis))
        found = read(tmp_path / "*.nc", names=("t", "u"))
        np.testing.assert_array_equal(found, [data.values, other.values])

    def test_global_files_that_cut_the_circle_elsewhere(self, tmp_path):
        lon = np.arange(0.0, 360.0, 30.0)
        data = field(8, lon=lon)
        write(tmp_path / "a.nc", data.isel(time=slice(0, 4)))
        turned = data.isel(time=slice(4, 8)).assign_coords(lon=(lon + 180) % 360 - 180)
        write(tmp_path / "b.nc", turned.sortby("lon"))
        np.testing.assert_array_equal(read(tmp_path / "*.nc")[0], data.values)
        region = Region(lat=(40.0, 42.5), lon=(-60.0, 60.0))
        cut = open_source(source(str(tmp_path / "*.nc")), region)
        expected = data.sel(lon=[300, 330, 0, 30, 60]).values
        np.testing.assert_array_equal(whole(cut)[0], expected)

    def test_packing_differs_over_the_files(self, tmp_path):
        data = field()
        for number, (scale, offset) in enumerate(((0.01, 280.0), (0.005, 270.0))):
            encoding = {"t": {"dtype": "i2", "scale_factor": scale, "add_offset": offset}}
            part = data.isel(time=slice(20 * number, 20 * number + 20))
            write(tmp_path / f"{number}.nc", part, encoding=encoding)
        np.testing.assert_allclose(read(tmp_path / "*.nc")[0], data.values, atol=0.0051)

    def test_another_size_is_refused_with_both_grids(self, tmp_path):
        write(tmp_path / "a.nc", field(4))
        write(tmp_path / "b.nc", field(4, lat=LAT[:4]).assign_coords(time=field(8).time[4:]))
        with pytest.raises(InputError, match=r"b\.nc: t: its grid \(4×8.* differs from .*\(6×8"):
            read(tmp_path / "*.nc")

    def test_units_in_two_spellings_and_two_units(self, tmp_path, log):
        data = field()
        write(tmp_path / "a.nc", data.isel(time=slice(0, 20)))
        celsius = (data.isel(time=slice(20, 40)) - np.float32(273.15)).assign_attrs(units="Celsius")
        write(tmp_path / "b.nc", celsius.rename("t"))
        np.testing.assert_allclose(read(tmp_path / "*.nc")[0], data.values, atol=1e-4)
        assert any("different units over the files (K, degC)" in line for line in log())

    def test_units_missing_in_one_file(self, tmp_path, log):
        data = field()
        write(tmp_path / "a.nc", data.isel(time=slice(0, 20)))
        bare = data.isel(time=slice(20, 40))
        bare.attrs.clear()
        write(tmp_path / "b.nc", bare)
        options = Source((str(tmp_path / "*.nc"),), (Variable("t", "t", units="degC"),))
        np.testing.assert_allclose(whole(open_source(options))[0], data.values - 273.15, atol=1e-4)
        assert any("b.nc: t has no units in 1 of 2 files" in line for line in log())

    def test_variables_in_different_calendars(self, tmp_path):
        write(tmp_path / "a.nc", field(), encoding={"time": {"calendar": "standard"}})
        other = field(name="u").convert_calendar("noleap")
        write(tmp_path / "b.nc", other)
        with pytest.raises(InputError, match="t: standard, u: noleap"):
            read(tmp_path / "a.nc", tmp_path / "b.nc", names=("t", "u"))


def netcdf(path, values, attributes=(), fill=None, format="NETCDF4", dtype="f4"):
    """A file of `values` (time, lat, lon); masked cells are never written."""
    with netCDF4.Dataset(path, "w", format=format) as file:
        for name, numbers, units in (
            ("time", np.arange(len(values)), "hours since 2020-01-01"),
            ("lat", LAT, "degrees_north"),
            ("lon", LON, "degrees_east"),
        ):
            file.createDimension(name, len(numbers))
            file.createVariable(name, "f8", (name,))[:] = numbers
            file[name].units = units
        made = file.createVariable("t", dtype, ("time", "lat", "lon"), fill_value=fill)
        made.set_auto_maskandscale(False)
        made.setncatts({"units": "K", **dict(attributes)})
        known = np.ones(values.shape[2], bool)
        if np.ma.isMaskedArray(values):
            known = ~np.ma.getmaskarray(values).all(axis=(0, 1))
        for column in np.flatnonzero(known):
            made[:, :, column] = np.asarray(values[:, :, column])
    return path


class TestMissingValues:
    """The first two columns are missing, however that is said."""

    def values(self, mark, dtype="f4"):
        values = np.arange(4 * 6 * 8, dtype=dtype).reshape(4, 6, 8)
        values[:, :, :2] = mark
        return values

    def check(self, path, decode=lambda x: x, **options):
        variable = Variable("t", "t", **options)
        found = whole(open_source(Source((str(path),), (variable,))))[0]
        assert np.isnan(found[:, :, :2]).all()
        expected = decode(np.arange(4 * 6 * 8).reshape(4, 6, 8)[:, :, 2:])
        np.testing.assert_allclose(found[:, :, 2:], expected, rtol=1e-6)

    @pytest.mark.parametrize(
        "attributes",
        [
            {"missing_value": np.float64(-999.9)},
            {"missing_value": "-999.9"},
            {"missing_value": np.array([-1.0, -999.9], "f4")},
            {"CodeMissingValue": "-999.9"},
            {"valid_range": np.array([0, 500], "f4")},
            {"valid_min": np.float32(0)},
            {"valid_min": "0"},
        ],
    )
    def test_declared_in_any_way(self, tmp_path, attributes):
        self.check(netcdf(tmp_path / "a.nc", self.values(-999.9), attributes))

    def test_double_data_with_a_single_precision_mark(self, tmp_path):
        values = self.values(np.float64(np.float32(-999.9)), "f8")
        attributes = {"missing_value": np.float32(-999.9)}
        self.check(netcdf(tmp_path / "a.nc", values, attributes, dtype="f8"))

    @pytest.mark.parametrize("format", ["NETCDF4", "NETCDF3_CLASSIC"])
    @pytest.mark.parametrize("dtype", ["f4", "f8", "i2", "i4"])
    def test_cells_never_written(self, tmp_path, format, dtype):
        values = np.ma.masked_array(self.values(0, dtype), np.arange(8) * np.ones((4, 6, 1)) < 2)
        self.check(netcdf(tmp_path / "a.nc", values, format=format, dtype=dtype))

    def test_bounds_of_packed_data_in_the_stored_and_in_the_wide_type(self, tmp_path):
        packing = {"scale_factor": 0.5, "add_offset": 10.0}
        stored = {"valid_range": np.array([0, 500], "i2"), **packing}
        path = netcdf(tmp_path / "a.nc", self.values(-5, "i2"), stored, dtype="i2")
        self.check(path, lambda x: 0.5 * x + 10)
        wide = {"valid_range": np.array([10.0, 500.0]), **packing}
        path = netcdf(tmp_path / "b.nc", self.values(-5, "i2"), wide, dtype="i2")
        self.check(path, lambda x: 0.5 * x + 10)

    def test_unsigned_bytes_in_a_file_without_such_a_type(self, tmp_path):
        values = self.values(-1, "i2").astype("i1")  # 255, and 128 to 191 as negative numbers
        attributes = {"_Unsigned": "true", "valid_range": np.array([0, -2], "i1")}
        path = netcdf(tmp_path / "a.nc", values, attributes, np.int8(-1), "NETCDF3_CLASSIC", "i1")
        self.check(path)

    def test_packing_written_as_text(self, tmp_path):
        attributes = {"scale_factor": "0.5", "add_offset": "10"}
        values = self.values(-9999, "i2")
        path = netcdf(tmp_path / "a.nc", values, attributes, np.int16(-9999), dtype="i2")
        self.check(path, lambda x: 0.5 * x + 10)

    @pytest.mark.parametrize("scale", [0.0, np.nan, "a half"])
    def test_packing_that_is_no_number(self, tmp_path, scale):
        path = netcdf(tmp_path / "a.nc", self.values(0, "i2"), {"scale_factor": scale}, dtype="i2")
        with pytest.raises(InputError, match=r"a\.nc: t: scale_factor is"):
            open_source(source(str(path)))

    def test_declared_by_the_user_in_the_file_s_unit(self, tmp_path):
        path = netcdf(tmp_path / "a.nc", self.values(-999.9))
        self.check(path, lambda x: x - 273.15, missing=(-999.9,), units="degC")

    def test_bounds_mask_sentinels_and_clip_excursions(self, tmp_path):
        values = self.values(-9999.0)
        values[0, 0, 2] = -0.25
        path = netcdf(tmp_path / "a.nc", values)
        found = whole(open_source(Source((str(path),), (Variable("t", "t", valid_min=0.0),))))[0]
        assert np.isnan(found[:, :, :2]).all()
        assert found[0, 0, 2] == 0
        np.testing.assert_array_equal(found[1:, :, 2:], values[1:, :, 2:])

    @pytest.mark.parametrize("version", [2, 3])
    def test_zarr_zero_is_a_value_unless_declared(self, tmp_path, version):
        data = field(4) * 0
        store = tmp_path / "a.zarr"
        data.to_dataset().to_zarr(store, zarr_format=version, consolidated=False)
        if version == 2:
            for name, change in ((".zarray", {"fill_value": 0.0}), (".zattrs", {})):
                meta = store / "t" / name
                content = {
                    k: v for k, v in json.loads(meta.read_text()).items() if k != "_FillValue"
                }
                meta.write_text(json.dumps(content | change))
        np.testing.assert_array_equal(read(store)[0], 0)
        if version == 2:
            meta = store / "t" / ".zattrs"
            meta.write_text(json.dumps(json.loads(meta.read_text()) | {"missing_value": 0.0}))
            assert np.isnan(read(store)).all()


class TestUndeclaredSentinels:
    def findings(self, tmp_path, values, **options):
        path = netcdf(tmp_path / "a.nc", values)
        variable = Variable("t", "t", **options)
        description = DataDescription(Source((str(path),), (variable,)), splits=Splits())
        return Shards.open(prepare(description, scale=2, cache_dir=tmp_path / "cache")).findings

    @pytest.mark.parametrize("mark", [-9999, -999.9, 1e20, netCDF4.default_fillvals["f4"] / 2])
    def test_pointed_out_with_cells_and_share(self, tmp_path, mark):
        values = np.random.default_rng(0).normal(280, 5, (20, 6, 8)).astype("f4")
        values[:, 1:3, 2] = mark
        (line,) = self.findings(tmp_path, values)
        assert "a.nc: t: 40 values (4.2%) are" in line
        assert f"missing: {np.float32(mark):.7g}" in line

    @pytest.mark.parametrize("mark", [np.nan, 320.0, 99.0])
    def test_ordinary_data_are_not(self, tmp_path, mark):
        values = np.random.default_rng(0).uniform(90, 310, (20, 6, 8)).astype("f4")
        values[:, 1:3, 2] = mark
        assert self.findings(tmp_path, values) == ()

    def test_a_bound_that_most_values_lie_beyond_is_doubted(self, tmp_path):
        values = np.random.default_rng(0).normal(280, 5, (20, 6, 8)).astype("f4")
        (line,) = self.findings(tmp_path, values, valid_max=0.0, units="K")
        assert "960 values (100.0%) beyond valid_max 0 are set to it" in line
        assert line.endswith("is that in the unit of the values?")

    def test_not_once_they_are_declared_or_bounded(self, tmp_path):
        values = np.random.default_rng(0).normal(280, 5, (20, 6, 8)).astype("f4")
        values[:, 1:3, 2] = -9999
        assert self.findings(tmp_path, values, missing=(-9999.0,)) == ()
        (line,) = self.findings(tmp_path, values, valid_min=0.0)
        assert "40 values (4.2%) far beyond valid_min or valid_max count as missing" in line


def with_times(path, values, **attributes):
    """Hourly fields whose stored times and their attributes are given."""
    data = field(len(values)).drop_vars("time")
    data = data.assign_coords(time=("time", values, attributes))
    return write(path, data, encoding={"time": {"_FillValue": None}})


class TestTimes:
    def test_rounded_never_cut(self, tmp_path):
        days = np.round(737424 + HOURS / 24, 5)  # as text files and GrADS give them: within 0.5 s
        path = with_times(
            tmp_path / "a.nc", days, units="days since 0001-01-01", calendar="standard"
        )
        seconds = open_source(source(path)).stamps.seconds
        np.testing.assert_array_equal(seconds, seconds[0] + 3600 * HOURS)
        assert seconds[0] % 3600 == 0

    @pytest.mark.parametrize("calendar", ["standard", "proleptic_gregorian"])
    def test_dates_before_1582_keep_their_calendar(self, tmp_path, calendar):
        days = np.arange(40)
        path = with_times(tmp_path / "a.nc", days, units="days since 1000-02-27", calendar=calendar)
        description = perfect_prog(
            path, splits=Splits(train=(("1000-02-27", "1000-03-01"),), kind="dates")
        )
        shards = Shards.open(prepare(description, scale=2, cache_dir=tmp_path / "cache"))
        # 1000 is a leap year of the Julian calendar, and none of the Gregorian.
        leap = calendar == "standard"
        assert shards.size("train") == (4 if leap else 3)
        assert shards.stamps("train").text(2) == (
            "1000-02-29T00:00" if leap else "1000-03-01T00:00"
        )
        file = next((shards.folder / "train").glob("hr-*.nc"))
        with xr.open_dataset(file, decode_times=False) as dataset:
            assert dataset.time.calendar == calendar

    def test_the_dimension_s_own_coordinate_is_the_time(self, tmp_path):
        data = field().rename(time="time1")
        start = data.time1.values - np.timedelta64(18, "h")
        attributes = {"standard_name": "forecast_reference_time"}
        data = data.assign_coords(reftime1=("time1", start, attributes))
        opened = open_source(source(write(tmp_path / "a.nc", data)))
        np.testing.assert_array_equal(opened.stamps.decode(), data.time1.values)

    def test_auxiliary_times_half_a_step_away_are_not(self, tmp_path):
        data = field().rename(time="time_counter")
        middle = data.time_counter.values - np.timedelta64(30, "m")
        for name in ("time_centered", "time_instant"):
            data = data.assign_coords({name: ("time_counter", middle, {"standard_name": "time"})})
        opened = open_source(source(write(tmp_path / "a.nc", data)))
        np.testing.assert_array_equal(opened.stamps.decode(), data.time_counter.values)

    def test_reference_times_with_one_lead(self, tmp_path):
        data = field().rename(time="forecast_reference_time")
        stamps = data.forecast_reference_time.values
        data = data.assign_coords(lead_time=((), 6, {"units": "hours"}))
        opened = open_source(source(write(tmp_path / "a.nc", data)))
        np.testing.assert_array_equal(opened.stamps.decode(), stamps + np.timedelta64(6, "h"))

    @pytest.mark.parametrize("never_written", [np.nan, netCDF4.default_fillvals["f8"]])
    def test_a_missing_stamp_is_named(self, tmp_path, never_written):
        hours = HOURS.astype("f8")
        hours[-1] = never_written
        path = with_times(tmp_path / "a.nc", hours, units="hours since 2020-01-01")
        with pytest.raises(InputError, match=r"a\.nc: time: 1 of 40 time stamps are missing"):
            open_source(source(path))

    def test_a_file_without_times_is_named(self, tmp_path):
        write(tmp_path / "a.nc", field())
        with_none = field().isel(time=slice(0, 0))
        write(tmp_path / "b.nc", with_none, unlimited_dims=["time"])
        with pytest.raises(InputError, match=r"b\.nc: holds no time: its dimension time"):
            read(tmp_path / "*.nc")

    def test_files_that_share_a_stamp_are_named(self, tmp_path):
        data = field()
        for number, rows in enumerate((slice(0, 10), slice(10, 21), slice(20, 40))):
            write(tmp_path / f"{number}.nc", data.isel(time=rows))
        with pytest.raises(InputError, match=r"1\.nc: t: 1 time occurs twice.*in .*2\.nc"):
            read(tmp_path / "*.nc")

    @pytest.mark.parametrize(
        ("attributes", "message"),
        [
            ({"units": "day as %Y%m%d.%f"}, r"units 'day as %Y%m%d\.%f'.*20200101.*not decoded"),
            ({}, r"time has no units \(its first value is 20200101\)"),
            ({"units": "months since 2000-01-01"}, "cannot be decoded as times"),
            ({"units": "days since 2000-01-01", "calendar": "lunar"}, "calendar 'lunar' is none"),
        ],
    )
    def test_times_that_cannot_be_told(self, tmp_path, attributes, message):
        path = with_times(tmp_path / "a.nc", 20200101 + HOURS, **attributes)
        with pytest.raises(InputError, match=message):
            open_source(source(path))

    def test_text_times_of_wrf(self, tmp_path):
        texts = np.array([f"2020-01-01_{h:02d}:00:00" for h in range(20)], "S19")
        data = field(20).rename(time="Time").drop_vars("Time").to_dataset()
        data["Times"] = ("Time", texts)
        data.to_netcdf(tmp_path / "a.nc")
        with pytest.raises(InputError, match=r"a\.nc: the times along Time are text \(Times\)"):
            open_source(source(str(tmp_path / "a.nc")))


class TestLeftOut:
    def test_a_file_that_lacks_the_variable_is_counted(self, tmp_path, log):
        data = field()
        write(tmp_path / "a.nc", data.isel(time=slice(0, 30)))
        write(tmp_path / "b.nc", data.isel(time=slice(30, 40)).rename("VAR_2T"))
        assert len(read(tmp_path / "*.nc")[0]) == 30
        (line,) = [line for line in log() if "left out" in line]
        assert line.startswith("10 of 40 times left out: 1 of 2 files lacks t, the first")
        assert line.endswith("b.nc")

    def test_times_of_one_variable_alone_are_counted(self, tmp_path, log):
        data = field()
        write(tmp_path / "a.nc", data.isel(time=slice(0, 30)))
        write(tmp_path / "b.nc", data.isel(time=slice(20, 40)).rename("u"))
        assert read(tmp_path / "*.nc", names=("t", "u")).shape[1] == 10
        lines = [line for line in log() if "left out" in line]
        assert [line.split(":")[0] for line in lines] == [
            "10 of 40 times left out",
            "20 of 40 times left out",
        ]

    def test_nothing_is_said_where_each_variable_has_a_file_of_its_own(self, tmp_path, log):
        write(tmp_path / "a.nc", field())
        write(tmp_path / "b.nc", field(name="u"))
        read(tmp_path / "*.nc", names=("t", "u"))
        assert not [line for line in log() if "left out" in line]


class TestStatics:
    def test_coordinates_as_fields(self, tmp_path):
        path = write(tmp_path / "a.nc", field())
        _, fields = open_static(source(path, names=("lat", "lon")))
        np.testing.assert_allclose(fields[0], np.repeat(LAT[:, None], 8, axis=1))
        np.testing.assert_allclose(fields[1], np.repeat(LON[None], 6, axis=0))

    def test_two_dimensional_latitudes_through_the_shards(self, tmp_path):
        lat, lon = np.meshgrid(LAT, LON, indexing="ij")
        lat = lat + 0.01 * (lon - LON[0])  # not separable
        data = field().rename(lat="y", lon="x").drop_vars(["y", "x"])
        coords = {
            "lat": (("y", "x"), lat, {"units": "degrees_north"}),
            "lon": (("y", "x"), lon, {"units": "degrees_east"}),
        }
        path = write(tmp_path / "a.nc", data.assign_coords(coords))
        description = perfect_prog(path, static=(source(path, names=("lat",)),))
        shards = Shards.open(prepare(description, scale=2, cache_dir=tmp_path / "cache"))
        np.testing.assert_allclose(shards.static[..., 0], lat, rtol=1e-6)

    def test_boolean_masks(self, tmp_path):
        mask = field(1).isel(time=0, drop=True) > 280
        _, fields = open_static(source(write(tmp_path / "a.nc", mask)))
        np.testing.assert_array_equal(fields[0], mask.values.astype("f4"))

    def test_missing_everywhere(self, tmp_path):
        empty = field(1).isel(time=0, drop=True) * np.nan
        with pytest.raises(InputError, match=r"a\.nc: every value of t is missing"):
            open_static(source(write(tmp_path / "a.nc", empty)))
