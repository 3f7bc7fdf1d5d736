"""Prepared data of single sources and of pairs, and what is refused."""

import numpy as np
import pytest
import xarray as xr
from shard_helpers import LAT, LON, field, perfect_prog, source, write

from app.data.description import DataDescription, Region, Source, Splits, Variable
from app.data.shards import Shards
from app.data.shards.prepare import prepare
from app.errors import InputError


@pytest.fixture
def small(tmp_path):
    return perfect_prog(write(tmp_path / "a.nc", field()))


class TestPerfectProg:
    def test_shards_hold_fields_means_and_statics(self, tmp_path):
        data = field().isel(lat=slice(None, None, -1))
        height = field(1, name="z", seed=1).isel(time=0, drop=True)
        description = perfect_prog(
            write(tmp_path / "a.nc", data),
            static=(source(write(tmp_path / "z.nc", height), names=("z",)),),
        )
        shards = Shards.open(prepare(description, scale=2, cache_dir=tmp_path / "c"))
        fine = data.values[:, ::-1]
        np.testing.assert_array_equal(shards.read("hr", "validation", [3])[0, ..., 0], fine[23])
        areas = np.cos(np.radians(LAT))[:, None] * np.ones(8)
        blocks = (fine[23] * areas).reshape(3, 2, 4, 2).sum(axis=(1, 3))
        means = blocks / areas.reshape(3, 2, 4, 2).sum(axis=(1, 3))
        coarse = shards.read("lr", "validation", [3])[0, ..., 0]
        np.testing.assert_allclose(coarse, means, rtol=1e-5)
        np.testing.assert_array_equal(shards.static[..., 0], height.values)
        np.testing.assert_array_equal(shards.times("test"), data.time.values[30:])

    def test_scaling_is_fitted_on_the_training_period_alone(self, small, tmp_path):
        shards = Shards.open(prepare(small, scale=2, cache_dir=tmp_path / "c"))
        train = shards.read("hr", "train", range(20)).astype(np.float64)
        np.testing.assert_allclose(shards.scaling["hr"].mean, train.mean(), rtol=1e-12)
        np.testing.assert_allclose(shards.scaling["hr"].std, train.std(), rtol=1e-9)
        spread = np.ptp(train) / train.std()
        np.testing.assert_allclose(shards.scaling["hr"].data_range, spread, rtol=1e-9)

    def test_scaling_sees_transformed_values_per_pixel(self, tmp_path):
        path = write(tmp_path / "a.nc", field())
        variable = Variable("t", "t", transform="log1p", transform_scale=10.0)
        description = DataDescription(Source((path,), (variable,)), scaling_axes="pixel")
        shards = Shards.open(prepare(description, scale=2, cache_dir=tmp_path / "c"))
        train = np.log1p(shards.read("hr", "train", range(28)) / 10.0)
        assert shards.scaling["hr"].mean.shape == (6, 8, 1)
        np.testing.assert_allclose(shards.scaling["hr"].mean, train.mean(axis=0), rtol=1e-5)

    @pytest.mark.parametrize(("valid_min", "said"), [(None, True), (0.0, False)])
    def test_amounts_below_zero_that_a_transform_loses_are_said(
        self, tmp_path, caplog, valid_min, said
    ):
        data = field() - 275
        data = data.where(data > 0, 0.0)
        data[3, 2, :5], data[30, 1, :5], data[5, 0, 0] = -4.0, -7.5, -1e-5
        path = write(tmp_path / "a.nc", data)
        variable = Variable("t", "t", transform="log1p", valid_min=valid_min)
        description = DataDescription(Source((path,), (variable,)))
        with caplog.at_level("WARNING"):
            prepare(description, scale=2, cache_dir=tmp_path / "c")
        line = "10 values (0.5%) lie below 0, the least -7.5; transform log1p counts them as 0"
        assert (line in caplog.text) is said

    def test_region_and_halo(self, tmp_path):
        path = write(tmp_path / "a.nc", field())
        region = Region(lat=(40.5, 42.0), lon=(-1.0, 1.0))
        description = perfect_prog(path, region=region)
        shards = Shards.open(prepare(description, scale=2, halo=1, cache_dir=tmp_path / "c"))
        assert shards.shape("hr") == (4, 5, 1)
        assert shards.shape("lr") == (4, 5, 1)  # 2×3 blocks and a halo of one
        np.testing.assert_allclose(shards.geometry.fine.lon, LON[2:7])

    def test_statics_finer_than_the_predictand_become_means(self, tmp_path):
        lat, lon = np.arange(38.05, 44.9, 0.1), np.arange(-3.95, 4.0, 0.1)
        fine = field(1, lat, lon, "z").isel(time=0, drop=True)
        coarse = field(40, np.arange(39.0, 43.5, 1.0), np.arange(-2.0, 2.5, 1.0))
        description = perfect_prog(
            write(tmp_path / "a.nc", coarse),
            static=(source(write(tmp_path / "z.nc", fine), names=("z",)),),
        )
        shards = Shards.open(prepare(description, scale=2, cache_dir=tmp_path / "c"))
        # The cell at 40°N, 0°E runs over 10×10 fine cells.
        block = fine.sel(lat=slice(39.5, 40.5), lon=slice(-0.5, 0.5))
        assert block.shape == (10, 10)
        assert shards.static[1, 2, 0] == pytest.approx(float(block.mean()), abs=0.02)

    def test_era5_descending_and_hourly(self, real_data, tmp_path):
        file = real_data / "era5_t2m_uk_hourly_201903.nc"
        description = DataDescription(
            predictand=Source((str(file),), (Variable("tas", "t2m", units="degC"),)),
            static=(source(str(real_data / "era5_static_uk.nc"), names=("orography", "lsm")),),
        )
        shards = Shards.open(prepare(description, scale=4, cache_dir=tmp_path / "c"))
        with xr.open_dataset(file) as dataset:
            expected = dataset.t2m[-1].values[::-1] - 273.15
        last = shards.read("hr", "test", [shards.size("test") - 1])[0, ..., 0]
        np.testing.assert_allclose(last, expected, atol=1e-4)
        assert shards.geometry.fine.flipped
        assert shards.static.shape == (33, 49, 2)

    def test_noleap_calendar(self, real_data, tmp_path):
        file = str(real_data / "xclim_canesm2_quebec_daily_2095.nc")
        splits = Splits(
            "dates", (("2095-01", "2095-06"),), (("2095-07", "2095-08"),), (("2095-09", "2095"),)
        )
        description = DataDescription(source(file, names=("tasmax",)), splits=splits)
        shards = Shards.open(prepare(description, scale=3, cache_dir=tmp_path / "c"))
        assert [shards.size(split) for split in shards.splits] == [181, 62, 122]
        assert shards.stamps("train").calendar == "noleap"
        with xr.open_dataset(shards.folder / "test" / "hr-00000-of-00001.nc") as shard:
            assert shard.time.values[0] == shards.times("test")[0]
            assert shard.tasmax.attrs["units"] == "K"

    def test_rotated_grid(self, tmp_path):
        """2-D latitudes and the grid mapping travel into the shards."""
        data = field()
        rotated = data.rename(lat="rlat", lon="rlon").drop_vars(["rlat", "rlon"])
        north, east = np.meshgrid(LAT, LON, indexing="ij")
        rotated = rotated.assign_coords(
            rlat=("rlat", LAT - 42, {"units": "degrees", "standard_name": "grid_latitude"}),
            rlon=("rlon", LON, {"units": "degrees", "standard_name": "grid_longitude"}),
            lat=(("rlat", "rlon"), north + 0.01 * east, {"units": "degrees_north"}),
            lon=(("rlat", "rlon"), east + 0.01 * north, {"units": "degrees_east"}),
        )
        dataset = rotated.assign_attrs(grid_mapping="pole").to_dataset()
        dataset["pole"] = ((), 0, {"grid_mapping_name": "rotated_latitude_longitude"})
        dataset.to_netcdf(tmp_path / "a.nc")
        description = perfect_prog(str(tmp_path / "a.nc"))
        folder = prepare(description, scale=2, cache_dir=tmp_path / "c")
        with xr.open_dataset(folder / "train" / "hr-00000-of-00001.nc") as shard:
            np.testing.assert_array_equal(shard.t.values, data.values[:20])
            np.testing.assert_allclose(shard.t.lat.values, north + 0.01 * east)
            assert shard.t.attrs["grid_mapping"] == "pole"
        assert Shards.open(folder).geometry.coarse.shape == (3, 4)

    def test_irregular_steps_make_segments(self, real_data, tmp_path):
        file = str(real_data / "era5_wind_bengal_202505.nc")
        description = DataDescription(source(file, names=("u10", "v10")))
        shards = Shards.open(prepare(description, scale=4, cache_dir=tmp_path / "c"))
        assert shards.shape("hr") == (61, 73, 2)
        steps = np.diff(shards.times("train").astype("int64"))
        assert len(np.unique(steps)) > 1
        assert (
            shards.segments("train")[-1]
            == (steps != np.bincount(steps // 10**9).argmax() * 10**9).sum()
        )


class TestPairs:
    @pytest.fixture
    def iberia(self, real_data):
        def variables(*names):
            return tuple(Variable(name, name) for name in names)

        return DataDescription(
            predictand=Source(
                (str(real_data / "eobs_iberia_djf_1983-2002.nc"),),
                (Variable("tas", "tas"), Variable("pr", "pr", transform="sqrt", kind="ratio")),
            ),
            low_resolution=Source(
                (str(real_data / "ncep_sfc_iberia_djf_1983-2002.nc"),),
                (Variable("tas", "tas"), Variable("pr", "pr", valid_min=0.0)),
            ),
            predictors=(
                Source(
                    (str(real_data / "ncep_predictors_iberia_djf_1983-2002.nc"),),
                    (Variable("psl", "psl", units="hPa"), Variable("ta", "ta850")),
                    lags=(0, 1),
                ),
            ),
            static=(source(str(real_data / "static_iberia_eobs_grid.nc"), names=("orography",)),),
            splits=Splits(
                "dates",
                (("1982-12", "1995-12"),),
                (("1996", "1998"),),
                (("1999", "2002"),),
            ),
        )

    def test_eobs_and_ncep(self, iberia, tmp_path):
        shards = Shards.open(prepare(iberia, scale=4, cache_dir=tmp_path / "c"))
        assert shards.explicit
        assert shards.source_grid.shape == (6, 8)
        names = [v.name for v in shards.variables["predictors"]]
        assert names == ["psl", "ta", "psl_lag1", "ta_lag1"]
        assert shards.read("source", "train", range(1000))[..., 1].min() == 0  # clipped
        # Stamps come in winters; the first day of each lacks its lag.
        assert len(np.unique(shards.segments("train"))) == 14
        assert shards.size("test") == 31 + 29 + 31 + 28 + 30 + 31 + 31 + 31 + 28 + 30 + 31 - 4

    def test_fields_are_regridded_as_scipy_does(self, iberia, real_data, tmp_path):
        shards = Shards.open(prepare(iberia, scale=4, cache_dir=tmp_path / "c"))
        with xr.open_dataset(real_data / "ncep_sfc_iberia_djf_1983-2002.nc") as dataset:
            day = dataset.tas.sel(time=shards.times("train")[7])
            centre = shards.geometry.coarse
            expected = day.interp(lat=centre.lat[1:-1], lon=centre.lon[1:-2]).values
        lr = shards.read("lr", "train", [7])[0, 1:-1, 1:-2, 0]
        np.testing.assert_allclose(lr, expected, rtol=1e-4)

    def test_lagged_predictors_are_yesterday_s(self, iberia, tmp_path):
        shards = Shards.open(prepare(iberia, scale=4, cache_dir=tmp_path / "c"))
        fields = shards.read("predictors", "train", [10, 11])
        np.testing.assert_array_equal(fields[1, ..., 2:], fields[0, ..., :2])

    def test_daily_stamps_at_noon_against_midnight(self, tmp_path):
        days = np.arange("2001-01-01", "2001-02-10", dtype="datetime64[D]").astype("M8[ns]")
        fine = write(tmp_path / "a.nc", field(days))
        noon = write(tmp_path / "b.nc", field(days + np.timedelta64(12, "h"), seed=1))
        pair = perfect_prog(fine, low_resolution=source(noon, align="day"))
        shards = Shards.open(prepare(pair, scale=2, cache_dir=tmp_path / "c"))
        assert shards.size("train") == 20
        exact = perfect_prog(fine, low_resolution=source(noon))
        with pytest.raises(InputError, match=r"no time in common: .*align: day, or time_shift"):
            prepare(exact, scale=2, cache_dir=tmp_path / "c")

    def test_same_variable_takes_the_predictand_s_units(self, tmp_path):
        fine = field()
        low = fine - 273.15
        low.attrs["units"] = "degC"
        pair = perfect_prog(
            write(tmp_path / "a.nc", fine), low_resolution=source(write(tmp_path / "b.nc", low))
        )
        shards = Shards.open(prepare(pair, scale=2, cache_dir=tmp_path / "c"))
        np.testing.assert_allclose(
            shards.read("source", "train", [4])[0, ..., 0], fine.values[4], rtol=1e-6
        )

    def test_grids_that_do_not_overlap(self, tmp_path):
        pair = perfect_prog(
            write(tmp_path / "a.nc", field()),
            low_resolution=source(write(tmp_path / "b.nc", field(lon=LON + 100))),
        )
        with pytest.raises(InputError, match=r"low_resolution .*b\.nc: .*overlap"):
            prepare(pair, scale=2, cache_dir=tmp_path / "c")


class TestRefusals:
    def refused(self, description, tmp_path, message, **options):
        with pytest.raises(InputError, match=message) as caught:
            prepare(description, **{"scale": 2, "cache_dir": tmp_path / "c", **options})
        assert "\n" not in str(caught.value)
        assert not list((tmp_path / "c").glob("*/manifest.json"))

    def test_split_without_times(self, small, tmp_path):
        splits = Splits("dates", (("2001", "2001"),), (("2005", "2006"),))
        description = DataDescription(small.predictand, splits=splits)
        self.refused(description, tmp_path, "no time in validation .2005 to 2006.; the data have")

    def test_split_in_which_all_is_missing(self, tmp_path):
        data = field()
        data[30:] = np.nan
        description = perfect_prog(write(tmp_path / "a.nc", data))
        self.refused(description, tmp_path, "t: every value in the split test is missing")

    def test_periods_that_never_meet(self, tmp_path):
        later = np.datetime64("2010-01-01", "ns") + np.arange(9) * np.timedelta64(1, "h")
        description = perfect_prog(
            write(tmp_path / "a.nc", field()),
            predictors=(source(write(tmp_path / "b.nc", field(later, name="u")), names=("u",)),),
        )
        self.refused(
            description, tmp_path, r"2010-01-01.* to .* against 2001-01-01.* to 2001-01-02"
        )

    def test_calendars_that_differ(self, real_data, tmp_path):
        description = perfect_prog(
            write(tmp_path / "a.nc", field(lat=LAT + 2, lon=LON / 2 - 73.5)),
            predictors=(
                source(str(real_data / "xclim_canesm2_quebec_daily_2095.nc"), names=("pr",)),
            ),
        )
        self.refused(description, tmp_path, "calendar noleap, but the predictand's is standard")

    def test_twin_names(self, tmp_path):
        path = write(tmp_path / "a.nc", field())
        description = perfect_prog(path, predictors=(source(path), source(path)))
        self.refused(description, tmp_path, "predictors: two variables are named 't'")

    def test_scale_beyond_the_grid(self, small, tmp_path):
        self.refused(small, tmp_path, "scale 9 is larger than the grid", scale=9)

    def test_cache_that_cannot_be_made(self, small, tmp_path):
        (tmp_path / "file").write_text("")
        self.refused(small, tmp_path, "--cache_dir=", cache_dir=tmp_path / "file" / "c")
