import os
from pathlib import Path

import cftime
import numpy as np
import pytest
import xarray as xr
from shard_helpers import LAT, LON, field, source, write

from app.data.description import Region, Source, Variable
from app.data.reading.files import identity
from app.data.reading.sources import open_source, open_static
from app.errors import InputError
from app.grids import detect_grid, same_grid


def whole(opened):
    return opened.read(np.arange(len(opened.stamps)))


def one(file, **options):
    """A source of one variable t whose Variable takes `options`."""
    return Source((str(file),), (Variable("t", "t", **options),))


def test_values_in_any_order_are_the_file_s(tmp_path):
    data = field()
    opened = open_source(source(write(tmp_path / "a.nc", data)))
    rows = np.array([30, 2, 3, 3, 17])
    np.testing.assert_array_equal(opened.read(rows)[0], data.values[rows])
    np.testing.assert_array_equal(opened.stamps.decode(), data.time.values)


def test_descending_latitude_comes_ascending(tmp_path):
    data = field().isel(lat=slice(None, None, -1))
    opened = open_source(source(write(tmp_path / "a.nc", data)))
    np.testing.assert_array_equal(opened.grid.lat, LAT)
    np.testing.assert_array_equal(whole(opened)[0], data.values[:, ::-1])


def test_dimensions_in_another_order(tmp_path):
    data = field()
    opened = open_source(source(write(tmp_path / "a.nc", data.transpose("lon", "time", "lat"))))
    np.testing.assert_array_equal(whole(opened)[0], data.values)


def test_region_across_greenwich_on_0_to_360(tmp_path):
    lon = np.arange(0.0, 360.0, 10.0)
    data = field(3, np.arange(-80.0, 81.0, 10.0), lon)
    region = Region(lat=(30.0, 50.0), lon=(-20.0, 15.0))
    opened = open_source(source(write(tmp_path / "a.nc", data)), region)
    assert opened.grid.shape == (3, 4)
    np.testing.assert_allclose(opened.grid.lon, [-20, -10, 0, 10])
    expected = data.sel(lat=[30, 40, 50], lon=[340, 350, 0, 10]).values
    np.testing.assert_array_equal(whole(opened)[0], expected)


def test_packed_integers_and_fill_value(tmp_path):
    data = field()
    data[3, 2, 1] = np.nan
    encoding = {
        "t": {"dtype": "i2", "scale_factor": 0.01, "add_offset": 280.0, "_FillValue": -32767}
    }
    opened = open_source(source(write(tmp_path / "a.nc", data, encoding=encoding)))
    values = whole(opened)[0]
    assert np.isnan(values[3, 2, 1])
    np.testing.assert_allclose(values, data.values, atol=0.0051)


def test_units_are_converted_and_clipped(tmp_path):
    data = field()
    opened = open_source(one(write(tmp_path / "a.nc", data), units="degC", valid_min=0.0))
    assert opened.variables[0].units == "degC"
    np.testing.assert_allclose(whole(opened)[0], np.maximum(data.values - 273.15, 0), atol=1e-4)


def test_units_stay_as_in_the_file_unless_asked_for(tmp_path):
    assert open_source(one(write(tmp_path / "a.nc", field()))).variables[0].units == "K"


def test_many_files_unsorted_are_put_in_order(tmp_path):
    data = field()
    for name, part in (("b", slice(0, 20)), ("a", slice(20, 40))):
        write(tmp_path / f"{name}.nc", data.isel(time=part))
    write(tmp_path / "c.nc", data.rename("u"))
    opened = open_source(source(str(tmp_path / "*.nc"), names=("t", "u")))
    np.testing.assert_array_equal(whole(opened)[0], data.values)
    np.testing.assert_array_equal(opened.read(np.array([19, 20]))[1], data.values[19:21])


def test_times_out_of_order_in_one_file_are_sorted(tmp_path):
    data = field()
    order = np.random.default_rng(0).permutation(40)
    opened = open_source(source(write(tmp_path / "a.nc", data.isel(time=order))))
    np.testing.assert_array_equal(whole(opened)[0], data.values)


def test_zarr(tmp_path):
    data = field()
    data.to_dataset().to_zarr(tmp_path / "a.zarr")
    opened = open_source(source(str(tmp_path / "a.zarr")))
    np.testing.assert_array_equal(whole(opened)[0], data.values)
    assert identity(str(tmp_path / "a.zarr"))[1] > 0


@pytest.mark.parametrize("level", [850.0, 85000.0])
@pytest.mark.parametrize(("name", "units", "factor"), [("plev", "Pa", 100), ("level", "hPa", 1)])
def test_level_in_pascal_or_hectopascal(tmp_path, level, name, units, factor):
    levels = xr.DataArray([500.0 * factor, 850.0 * factor], dims=name, attrs={"units": units})
    data = field()
    cube = (data * xr.DataArray([0.0, 1.0], {name: levels}, (name,))).rename("t")
    opened = open_source(one(write(tmp_path / "a.nc", cube), level=level))
    np.testing.assert_array_equal(whole(opened)[0], data.values)
    with pytest.raises(InputError, match=f"no level 700; {name} has 5"):
        open_source(one(tmp_path / "a.nc", level=700.0))


def test_member_and_select(tmp_path):
    data = field()
    cube = data.expand_dims(number=[0, 1, 2], step=[0, 6]).copy()
    cube = cube + xr.DataArray([0, 10, 20], dims="number") + xr.DataArray([0, 1], dims="step")
    cube["step"].attrs["units"] = "hours"
    path = write(tmp_path / "a.nc", cube.rename("t").astype(np.float32))
    opened = open_source(source(path, member=2, select={"step": "6h"}))
    np.testing.assert_allclose(whole(opened)[0], data.values + 21, rtol=1e-6)
    with pytest.raises(InputError, match=r"dimension number has 3 entries \(0, 1, 2\).*member:"):
        open_source(source(path, select={"step": 6}))
    with pytest.raises(InputError, match="number has no 7; there are: 0, 1, 2"):
        open_source(source(path, member=7, select={"step": 6}))
    with pytest.raises(InputError, match="no dimension lead"):
        open_source(source(path, member=1, select={"lead": 6}))


def test_new_era5_files_with_valid_time_and_expver(tmp_path):
    data = field().rename(time="valid_time")
    final, recent = data.where(data.valid_time < data.valid_time[30]), data + 0
    both = xr.concat([final, recent], xr.DataArray([1, 5], dims="expver", name="expver"))
    both = both.assign_coords(number=0, expver=["0001", "0005"])
    opened = open_source(source(write(tmp_path / "a.nc", both.rename("t"))))
    np.testing.assert_array_equal(whole(opened)[0], data.values)


def test_reference_time_and_step_give_valid_times(tmp_path):
    data = field().expand_dims(step=[6])
    valid = data.time.values + np.timedelta64(6, "h")
    data = data.assign_coords(valid_time=(("step", "time"), valid[None]))
    opened = open_source(source(write(tmp_path / "a.nc", data)))
    np.testing.assert_array_equal(opened.stamps.decode(), valid)


def test_daily_means_leave_out_what_is_not_whole(tmp_path):
    data = field(60)  # two days and a half
    path = write(tmp_path / "a.nc", data)
    opened = open_source(source(path, aggregate="1D:mean"))
    assert len(opened.stamps) == 2
    expected = data.values[:48].reshape(2, 24, 6, 8).mean(axis=1)
    np.testing.assert_allclose(whole(opened)[0], expected, rtol=1e-6)
    for method, function in (("sum", np.sum), ("max", np.max), ("min", np.min)):
        values = whole(open_source(source(path, aggregate=f"12h:{method}")))[0]
        np.testing.assert_allclose(
            values, function(data.values.reshape(5, 12, 6, 8), axis=1), rtol=1e-6
        )


def test_time_shift_comes_before_aggregation(tmp_path):
    data = field(48)
    shifted = open_source(
        source(write(tmp_path / "a.nc", data), aggregate="1D:sum", time_shift="-1h")
    )
    assert len(shifted.stamps) == 1  # hours 1 to 24 make the only whole day
    np.testing.assert_allclose(whole(shifted)[0, 0], data.values[1:25].sum(axis=0), rtol=1e-6)


@pytest.mark.parametrize("option", ["1D", "1D:median", "soon:mean", "-1D:mean"])
def test_wrong_aggregation(tmp_path, option):
    with pytest.raises(InputError, match="expected a"):
        open_source(source(write(tmp_path / "a.nc", field()), aggregate=option))


def test_noleap_calendar_of_a_real_file(real_data):
    file = real_data / "xclim_canesm2_quebec_daily_2095.nc"
    variable = Variable("pr", "pr", units="mm day-1", kind="ratio")
    opened = open_source(Source((str(file),), (variable,)))
    assert opened.stamps.calendar == "noleap"
    assert opened.stamps.decode()[59] == cftime.DatetimeNoLeap(2095, 3, 1)
    assert opened.grid.lat[0] < opened.grid.lat[-1]
    with xr.open_dataset(file) as dataset:
        expected = dataset.pr.values[:, ::-1] * 86400
    np.testing.assert_allclose(whole(opened)[0], expected, rtol=1e-5)


def test_static_of_a_real_file_and_time_mean(real_data, tmp_path, caplog):
    caplog.set_level("INFO", logger="absl")
    names = ("orography", "lsm")
    _, fields = open_static(source(str(real_data / "era5_static_uk.nc"), names=names))
    with xr.open_dataset(real_data / "era5_static_uk.nc") as dataset:
        np.testing.assert_array_equal(fields[0], dataset.orography.values[::-1])
    assert not caplog.records
    data = field()
    _, mean = open_static(source(write(tmp_path / "a.nc", data)))
    said = f"{data.name} has {len(data)} times; their mean is the static field"
    assert said in caplog.text
    np.testing.assert_allclose(mean[0], data.values.mean(axis=0), rtol=1e-6)


@pytest.mark.parametrize("attributes", [{}, {"units": ""}, {"units": " "}])
def test_blank_units_are_none(tmp_path, attributes):
    data = field()
    data.attrs = attributes
    opened = open_source(source(write(tmp_path / "a.nc", data)))
    assert opened.unitless == (data.name,)
    data.attrs = {"units": "1"}
    assert open_source(source(write(tmp_path / "b.nc", data))).unitless == ()


def test_same_grid_allows_for_rounding_and_full_turns():
    base, other = (open_grid(lon) for lon in (LON, LON.astype(np.float32) + 360))
    assert same_grid(base, other)
    assert not same_grid(base, open_grid(LON + 0.1))


def open_grid(lon):
    return detect_grid(field(1, lon=lon))[0]


class TestErrors:
    @pytest.fixture
    def path(self, tmp_path):
        return write(tmp_path / "a.nc", field())

    def refused(self, one_source, message, region=None):
        with pytest.raises(InputError, match=message) as caught:
            open_source(one_source, region)
        assert "\n" not in str(caught.value)

    def test_missing_file_and_glob(self, tmp_path):
        self.refused(source(str(tmp_path / "b.nc")), r"b\.nc: no such file")
        self.refused(source(str(tmp_path / "b*.nc")), r"b\*\.nc: no file matches")

    def test_missing_variable_lists_those_there(self, path):
        self.refused(source(path, names=("pr",)), "no variable 'pr'; there are: t")

    def test_corrupt_file(self, path, tmp_path):
        broken = tmp_path / "broken.nc"
        broken.write_bytes(Path(path).read_bytes()[:2000])
        self.refused(source(str(broken)), r"broken\.nc: .*not downloaded or copied whole")

    def test_no_time(self, tmp_path):
        still = field().isel(time=0, drop=True)
        self.refused(
            source(write(tmp_path / "s.nc", still)),
            "s.nc: t has no time; expected a dimension of times",
        )

    def test_duplicate_times(self, tmp_path):
        data = field().isel(time=[0, 1, 1, 2])
        path = write(tmp_path / "d.nc", data)
        self.refused(source(path), "1 time occurs twice, the first 2001-01-01T01:00, within it")

    def test_no_level(self, path):
        self.refused(one(path, level=850.0), "there is no vertical dimension")

    def test_no_member(self, path):
        self.refused(source(path, member=1), "there is no ensemble dimension")

    def test_units_that_do_not_convert(self, path):
        self.refused(one(path, units="mm"), "t: cannot convert 'K' to 'mm'")

    def test_region_outside(self, path):
        region = Region(lat=(-10.0, 0.0), lon=(0.0, 2.0))
        self.refused(source(path), r"a\.nc: t: region lat -10 to 0", region)

    def test_files_on_different_grids(self, path, tmp_path):
        write(tmp_path / "b.nc", field(lon=LON + 1))
        self.refused(source(str(tmp_path / "*.nc")), r"b\.nc: t: its grid .* differs from")

    def test_text_is_no_field(self, tmp_path):
        data = field().copy(data=np.full((40, 6, 8), "a"))
        self.refused(source(write(tmp_path / "x.nc", data)), "expected numbers")

    def test_variables_without_common_time(self, path, tmp_path):
        later = field().rename("u")
        later["time"] = later.time + np.timedelta64(1000, "h")
        other = write(tmp_path / "u.nc", later)
        self.refused(source(path, other, names=("t", "u")), "no time in common")


def test_a_file_put_back_with_the_size_and_time_of_another_is_told_apart(tmp_path: Path) -> None:
    path, times = tmp_path / "a.nc", []
    for value in (b"\0", b"\1"):
        path.write_bytes(b"head" + value * 500_000)
        os.utime(path, (1e9, 1e9))
        times.append(identity(str(path)))
    first, second = times
    assert first[:3] == second[:3]
    assert first != second


@pytest.mark.parametrize("place", [0, 5_000_000, 9_999_999])
def test_begin_middle_and_end_of_a_long_file_are_looked_at(tmp_path: Path, place: int) -> None:
    path = tmp_path / "a.nc"
    path.write_bytes(bytes(10_000_000))
    os.utime(path, (1e9, 1e9))
    before = identity(str(path))
    with path.open("r+b") as file:
        file.seek(max(0, place - 400_000))
        file.write(b"\1" * (min(place + 400_000, 10_000_000) - file.tell()))
    os.utime(path, (1e9, 1e9))
    assert identity(str(path)) != before


def test_an_empty_file_has_an_identity(tmp_path: Path) -> None:
    (tmp_path / "a.nc").touch()
    assert identity(str(tmp_path / "a.nc"))[1] == 0
