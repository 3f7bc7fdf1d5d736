"""Files whose groups, dimensions, types and attributes are not those of the textbook."""

from __future__ import annotations

import h5py
import netCDF4
import numpy as np
import pytest
import xarray as xr
from shard_helpers import LAT, LON, field, source, write

from app.data.description import DataDescription, Source, Variable
from app.data.reading.sources import open_source, open_static
from app.data.shards import Shards
from app.data.shards.prepare import prepare
from app.errors import InputError


def whole(opened):
    return opened.read(np.arange(len(opened.stamps)))


def read(*files, names=("t",), **options):
    return whole(open_source(source(*map(str, files), names=names, **options)))


class TestGroups:
    @pytest.fixture
    def path(self, tmp_path):
        """IMERG's way: dimensions in a group, one field beside them, another one group further."""
        path = tmp_path / "a.nc"
        write(path, field(), group="Grid")
        with netCDF4.Dataset(path, "a") as file:
            inner = file["Grid"].createGroup("Inner")
            inner.createVariable("u", "f4", ("time", "lat", "lon"))[:] = field(seed=1).values
        return path

    @pytest.mark.parametrize(
        ("name", "seed"), [("t", 0), ("Grid/t", 0), ("u", 1), ("Grid/Inner/u", 1)]
    )
    def test_variables_in_groups_are_found(self, path, name, seed):
        opened = open_source(source(str(path), names=(name,)))
        np.testing.assert_array_equal(whole(opened)[0], field(seed=seed).values)
        np.testing.assert_array_equal(opened.stamps.decode(), field().time.values)

    def test_variables_of_several_groups_together(self, path):
        expected = [field(seed=1).values, field().values]
        np.testing.assert_array_equal(read(path, names=("u", "t")), expected)

    def test_shards_of_a_variable_given_by_its_path(self, path, tmp_path):
        variable = Variable("Grid/Inner/u", "Grid/Inner/u")
        description = DataDescription(Source((str(path),), (variable,)))
        shards = Shards.open(prepare(description, scale=2, cache_dir=tmp_path / "cache"))
        assert [one.name for one in shards.variables["hr"]] == ["Grid_Inner_u"]
        fields = shards.read("hr", "train", np.arange(shards.size("train")))[..., 0]
        np.testing.assert_array_equal(fields, field(seed=1).values[: len(fields)])

    def test_a_name_in_two_groups_is_refused(self, path):
        write(path, field(), group="Other", mode="a")
        with pytest.raises(InputError, match=r"in several groups; expected one of Grid/t, Other/t"):
            read(path)
        np.testing.assert_array_equal(read(path, names=("Other/t",))[0], field().values)

    @pytest.mark.parametrize("version", [2, 3])
    def test_groups_of_zarr(self, tmp_path, version):
        store = tmp_path / "a.zarr"
        dry = field() * 0
        for group in ("0", "1"):
            dry.rename(f"t{group}").to_zarr(
                store, group=group, mode="a", zarr_format=version, consolidated=False
            )
        np.testing.assert_array_equal(read(store, names=("1/t1",))[0], dry.values)

    def test_what_is_in_groups_is_listed(self, path):
        with pytest.raises(InputError, match=r"a\.nc: no variable 'x'; in its groups are: Grid/t"):
            read(path, names=("x",))


class TestDimensions:
    def test_hdf5_without_scales(self, tmp_path):
        with h5py.File(tmp_path / "a.h5", "w") as file:
            file["t"], file["lat"], file["lon"] = np.zeros((9, 6, 8)), LAT, LON
        with pytest.raises(InputError, match=r"a\.h5: t: 3 of its 3 dimensions have no names"):
            read(tmp_path / "a.h5")

    @pytest.mark.parametrize("opening", [open_source, open_static])
    def test_numbers_and_series_are_no_fields(self, tmp_path, opening):
        data = field().to_dataset().assign(one=3.0, many=("time", np.arange(40.0)))
        data.to_netcdf(tmp_path / "a.nc")
        for name in ("one", "many"):
            with pytest.raises(InputError, match=rf"a\.nc: {name} is no field: its dimensions are"):
                opening(source(str(tmp_path / "a.nc"), names=(name,)))

    def test_one_time_that_the_field_does_not_carry(self, tmp_path):
        data = field(4)
        for hour in range(4):
            one = data.isel(time=hour, drop=True).to_dataset()
            one.assign_coords(time=data.time[hour : hour + 1]).to_netcdf(tmp_path / f"{hour}.nc")
        np.testing.assert_array_equal(read(tmp_path / "*.nc")[0], data.values)

    def test_the_file_without_time_is_named(self, tmp_path):
        write(tmp_path / "a.nc", field())
        write(tmp_path / "b.nc", field(1).isel(time=0, drop=True))
        with pytest.raises(InputError, match=r"b\.nc: t has no time;.* as other files have"):
            read(tmp_path / "*.nc")


class TestLevels:
    def files(self, folder, levels, units):
        for number, (level, unit) in enumerate(zip(levels, units, strict=True)):
            rows = slice(20 * number, 20 * number + 20)
            data = field().isel(time=rows).assign_coords(plev=((), level, {"units": unit}))
            write(folder / f"{number}.nc", data)
        return folder / "*.nc"

    def test_files_at_different_levels_are_refused(self, tmp_path):
        files = self.files(tmp_path, (85000.0, 50000.0), ("Pa", "Pa"))
        with pytest.raises(
            InputError, match=r"1\.nc: t is that of plev 50000 Pa, in .*0\.nc of 85000"
        ):
            read(files)

    @pytest.mark.parametrize(
        ("levels", "units"), [((85000.0, 85000.0), ("Pa", "Pa")), ((850.0, 85000.0), ("hPa", "Pa"))]
    )
    def test_the_same_level_is_not(self, tmp_path, levels, units):
        files = self.files(tmp_path, levels, units)
        np.testing.assert_array_equal(read(files)[0], field().values)

    def test_another_member_than_the_file_has_is_refused(self, tmp_path):
        path = write(tmp_path / "a.nc", field().assign_coords(number=3))
        np.testing.assert_array_equal(read(path, member=3)[0], field().values)
        with pytest.raises(InputError, match=r"a\.nc: t: number has no 1; there are: 3"):
            read(path, member=1)

    @pytest.mark.parametrize(
        ("units", "level"), [("kPa", 85.0), ("mbar", 850.0), ("Pa", 85000.0), (None, 85000.0)]
    )
    def test_pressure_in_any_unit(self, tmp_path, units, level):
        attributes = {} if units is None else {"units": units}
        data = xr.concat([field(), field() + 1], "lev")
        data = data.assign_coords(lev=("lev", [level, 2 * level], attributes))
        path = write(tmp_path / "a.nc", data)
        opened = open_source(Source((path,), (Variable("t", "t", level=850.0),)))
        np.testing.assert_array_equal(whole(opened)[0], field().values)


class TestGrids:
    def curvilinear(self, folder, change=lambda lat, lon: None, **more):
        """Fields on a skewed grid, whose coordinates no attribute names."""
        lat, lon = np.meshgrid(LAT, LON, indexing="ij")
        lat, lon = lat + 0.02 * lon, lon - 0.01 * lat
        change(lat, lon)
        data = {"t": (("time", "y", "x"), field().values)}
        for name, values in {"one_lat": lat, "one_lon": lon, **more}.items():
            units = {"units": "degrees_north" if "lat" in name else "degrees_east"}
            data[name] = (("y", "x"), values, units)
        dataset = xr.Dataset(data, {"time": field().time})
        dataset.to_netcdf(folder / "a.nc")
        return folder / "a.nc"

    def test_places_that_are_not_known_are_refused(self, tmp_path):
        def unknown(lat, lon):
            lat[:3, :4] = lon[:3, :4] = 0

        with pytest.raises(
            InputError, match=r"a\.nc: 9 cells have the same one_lat and one_lon as"
        ):
            read(self.curvilinear(tmp_path, unknown))

    def test_two_latitudes_along_the_same_dimensions_are_pointed_out(self, tmp_path, monkeypatch):
        lines = []
        monkeypatch.setattr("absl.logging.warning", lambda text, *rest: lines.append(text % rest))
        read(self.curvilinear(tmp_path))
        assert not lines
        read(self.curvilinear(tmp_path, two_lat=np.zeros((6, 8))))
        assert len(lines) == 1
        assert "a.nc: t: one_lat is taken as its latitude, but two_lat lies along" in lines[0]

    def test_axes_of_a_rotated_pole_are_no_latitudes(self, tmp_path):
        data = field().rename(lat="rlat", lon="rlon")
        for name, axis in (("rlat", "Y"), ("rlon", "X")):
            data[name].attrs = {"units": "degrees", "axis": axis}
        with pytest.raises(InputError, match="rlat and rlon are the axes of a projection"):
            read(write(tmp_path / "a.nc", data))

    def test_variables_on_two_grids_are_named(self, tmp_path):
        write(tmp_path / "a.nc", field())
        write(tmp_path / "b.nc", field(lon=LON[1:] - 0.25, name="u"))
        with pytest.raises(
            InputError, match=r"b\.nc: u: its grid \(6×7.* differs from .*a\.nc: t's"
        ):
            read(tmp_path / "*.nc", names=("t", "u"))


class TestTypes:
    def test_lists_and_compounds(self, tmp_path):
        path = tmp_path / "a.nc"
        write(path, field())
        with netCDF4.Dataset(path, "a") as file:
            lists = file.createVLType("f4", "lists")
            file.createVariable("w", lists, ("time", "lat", "lon"))
            pair = file.createCompoundType(np.dtype([("re", "f4"), ("im", "f4")]), "pair")
            file.createVariable("c", pair, ("time", "lat", "lon"))
        np.testing.assert_array_equal(read(path)[0], field().values)
        with pytest.raises(InputError, match=r"a\.nc: w holds lists, expected numbers"):
            read(path, names=("w",))
        with pytest.raises(InputError, match=r"a\.nc: c holds a compound of re, im, expected num"):
            read(path, names=("c",))

    def test_attributes_of_other_types(self, tmp_path):
        path = tmp_path / "a.nc"
        write(path, field())
        with h5py.File(path, "a") as file:
            file["t"].attrs["units"] = np.bytes_("K")
            file["lat"].attrs["units"] = np.array([b"degrees_north"])
            file["lon"].attrs["axis"] = np.array([88, 89])
            file["time"].attrs["bounds"] = np.array([1.0, 2.0])
            file["t"].attrs["cell_methods"] = np.array([1.0, 2.0])
        np.testing.assert_array_equal(read(path)[0], field().values)


class TestStaticsNeedNoTimes:
    @pytest.mark.parametrize("attributes", [{}, {"units": "day as %Y%m%d.%f"}, {"units": "years"}])
    @pytest.mark.parametrize("times", [1, 3])
    def test_whatever_their_times_are(self, tmp_path, attributes, times):
        data = field(times).drop_vars("time")
        data = data.assign_coords(time=("time", np.arange(times) + 20010101, attributes))
        _, fields = open_static(source(write(tmp_path / "a.nc", data)))
        np.testing.assert_allclose(fields[0], data.values.mean(axis=0), rtol=1e-6)

    def test_the_static_fields_of_wrf(self, tmp_path):
        data = field(1).drop_vars("time").rename(time="Time").to_dataset(name="HGT_M")
        data["Times"] = ("Time", np.array(["0000-00-00_00:00:00"], "S19"))
        data.to_netcdf(tmp_path / "geo_em.nc")
        _, fields = open_static(source(str(tmp_path / "geo_em.nc"), names=("HGT_M",)))
        np.testing.assert_array_equal(fields, field(1).values)


class TestWhatAttributesDeclare:
    def opened(self, folder, stored, **attributes):
        data = xr.DataArray(stored, field(len(stored)).coords, ("time", "lat", "lon"), "t")
        data = data.assign_attrs(units="K", **attributes)
        path = write(folder / "a.nc", data, encoding={"t": {"_FillValue": None}})
        return open_source(Source((path,), (Variable("t", "t"),)))

    def test_flags_among_packed_numbers_are_missing(self, tmp_path):
        stored = np.arange(2 * 6 * 8, dtype="i2").reshape(2, 6, 8)
        stored[:, 0, 0] = -32767
        flags = {"flag_values": np.array([-32767], "i2"), "flag_meanings": "ice"}
        found = whole(self.opened(tmp_path, stored, scale_factor=0.5, **flags))[0]
        assert np.isnan(found[:, 0, 0]).all()
        np.testing.assert_array_equal(found[:, 1:], stored[:, 1:] * 0.5)

    def test_flags_that_are_the_data_are_not(self, tmp_path):
        stored = np.arange(2 * 6 * 8, dtype="i2").reshape(2, 6, 8) % 3
        flags = {"flag_values": np.arange(3, dtype="i2"), "flag_meanings": "sea land ice"}
        np.testing.assert_array_equal(whole(self.opened(tmp_path, stored, **flags))[0], stored)

    @pytest.mark.parametrize(
        "attributes",
        [
            {"valid_min": np.float32(np.nan), "valid_max": np.float32(np.inf)},
            {"valid_range": np.array([-np.inf, np.nan], "f4")},
            {"valid_range": "", "scale_factor": "", "add_offset": " "},
        ],
    )
    def test_bounds_that_bound_nothing(self, tmp_path, attributes):
        stored = field(2).values
        np.testing.assert_array_equal(whole(self.opened(tmp_path, stored, **attributes))[0], stored)

    @pytest.mark.parametrize(
        "attributes",
        [
            {"Scale_Factor": 0.5, "AddOffset": 10.0},
            {"scale_factor": "0.5f", "add_offset": "10.0d", "Scale_Factor": 7.0},
        ],
    )
    def test_packing_in_other_spellings(self, tmp_path, attributes):
        stored = np.arange(2 * 6 * 8, dtype="i2").reshape(2, 6, 8)
        found = whole(self.opened(tmp_path, stored, **attributes))[0]
        np.testing.assert_array_equal(found, stored * 0.5 + 10)

    def test_packing_by_other_names_is_pointed_out(self, tmp_path, monkeypatch):
        lines = []
        monkeypatch.setattr("absl.logging.warning", lambda text, *rest: lines.append(text % rest))
        stored = np.arange(2 * 6 * 8, dtype="i2").reshape(2, 6, 8)
        self.opened(tmp_path, stored, slope=0.5, offset=10.0)
        assert len(lines) == 1
        assert "a.nc: t: slope 0.5, offset 10 are not applied" in lines[0]
        self.opened(tmp_path, stored, slope=0.5, scale_factor=0.5, scale=1.0)
        assert len(lines) == 1

    def test_bytes_whose_range_ends_beyond_127_are_unsigned(self, tmp_path):
        values = np.arange(2 * 6 * 8).reshape(2, 6, 8) * 2
        stored = values.astype("u1").view("i1")
        opened = self.opened(tmp_path, stored, valid_range=np.array([0, 200], "i2"))
        np.testing.assert_array_equal(whole(opened)[0], values)

    @pytest.mark.parametrize("name", ["Missing_Value", "missing_values", "nodatavals"])
    def test_other_names_of_missing_values(self, tmp_path, name):
        stored = field(2).values
        stored[:, 0, 0] = -99
        found = whole(self.opened(tmp_path, stored, **{name: -99.0}))[0]
        np.testing.assert_array_equal(np.isnan(found), stored == -99)

    def test_values_outside_the_range_are_counted_without_the_missing_ones(self, tmp_path):
        stored = np.full((2, 6, 8), 5, "f4")
        stored[:, 0, 0], stored[:, 1, :2] = -9999, 50
        marks = {"missing_value": np.float32(-9999), "valid_range": np.array([0, 10], "f4")}
        opened = self.opened(tmp_path, stored, **marks)
        assert np.isnan(whole(opened)).sum() == 6
        assert opened.tallies[0].outside == 4
