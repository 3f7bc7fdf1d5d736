"""GRIB files, written here message by message with ecCodes, come as what they were made of."""

import sys

import numpy as np
import pytest
import xarray as xr

from app.data.description import Region, Source, Variable
from app.data.reading.files import open_lazily
from app.data.reading.sources import open_source, open_static
from app.errors import InputError

eccodes = pytest.importorskip("eccodes")
pytest.importorskip("cfgrib")

LAT, LON = np.arange(50.0, 45.0, -1.0), np.arange(0.0, 360.0, 30.0)
SURFACE, LEVEL = "regular_ll_sfc_grib2", "regular_ll_pl_grib2"
PACKING = 1e-4  # of 16 bits over a range of less than 6
TWO_METRES = {"typeOfLevel": "heightAboveGround", "level": 2, "shortName": "2t"}
TEN_METRES = {"typeOfLevel": "heightAboveGround", "level": 10, "shortName": "10u"}
RAIN = {"productDefinitionTemplateNumber": 8, "shortName": "tp", "stepType": "accum"}


def values(seed):
    """(lat, lon) of LAT from north to south and LON from 0 to 330."""
    return np.random.default_rng(seed).uniform(0, 5, (len(LAT), len(LON)))


def message(field, sample=SURFACE, lat=LAT, lon=LON, date=20200101, hour=0, **keys):
    """One message's bytes; `keys` are ecCodes' own."""
    handle = eccodes.codes_grib_new_from_samples(sample)
    keys = {
        "Ni": len(lon), "Nj": len(lat), "dataDate": date, "dataTime": 100 * hour,
        "latitudeOfFirstGridPointInDegrees": lat[0], "latitudeOfLastGridPointInDegrees": lat[-1],
        "longitudeOfFirstGridPointInDegrees": lon[0] % 360,
        "longitudeOfLastGridPointInDegrees": lon[-1] % 360,
        "jDirectionIncrementInDegrees": abs(lat[1] - lat[0]),
        "iDirectionIncrementInDegrees": abs(lon[1] - lon[0]),
        "jScansPositively": int(lat[0] < lat[-1]), "iScansNegatively": int(lon[0] > lon[-1]),
    } | keys  # fmt: skip
    for key, value in keys.items():
        eccodes.codes_set(handle, key, value)
    if field is not None:
        eccodes.codes_set_values(handle, np.where(np.isnan(field), 9999.0, field).ravel())
    content = eccodes.codes_get_message(handle)
    eccodes.codes_release(handle)
    return content


def source(path, name, source_name=None, **options):
    own = {key: options.pop(key) for key in ("level",) if key in options}
    return Source((str(path),), (Variable(name, source_name or name, **own),), **options)


def read(path, name, **options):
    """(time, lat, lon) with ascending latitudes, and the opened source."""
    opened = open_source(source(path, name, **options))
    return opened.read(np.arange(len(opened.stamps)))[0], opened


def hours(opened):
    """Hours from the beginning of 2020 on."""
    start = np.datetime64("2020-01-01", "s").astype(np.int64)
    return ((opened.stamps.seconds - start) / 3600).tolist()


def north_up(*fields):
    return np.stack(fields)[:, ::-1]


@pytest.fixture
def mixed(tmp_path):
    """Several types, levels, members and steps in one file, as archives give them."""
    parts = []
    for hour in range(3):
        parts.append(message(values(hour), hour=hour, **TWO_METRES))
        parts.append(message(values(10 + hour), hour=hour, **TEN_METRES))
        for level in (850, 500):
            field = values(level + hour)
            parts.append(message(field, LEVEL, hour=hour, shortName="t", level=level))
        parts.append(message(values(500 - hour), LEVEL, hour=hour, shortName="z", level=500))
    for step in (1, 2):
        parts.append(message(values(20 + step), **RAIN, stepRange=f"{step - 1}-{step}"))
    parts.append(message(values(30), shortName="lsm"))
    path = tmp_path / "mixed.grib"
    path.write_bytes(b"".join(parts))
    return path


class TestOneFileOfManyKinds:
    @pytest.mark.parametrize("engine", [None, "cfgrib"])
    def test_each_variable_has_its_own_values_and_times(self, mixed, engine, caplog):
        for name, first in (("t2m", 0), ("u10", 10)):
            found, opened = read(mixed, name, engine=engine)
            expected = north_up(*(values(first + hour) for hour in range(3)))
            np.testing.assert_allclose(found, expected, atol=PACKING)
            assert hours(opened) == [0, 1, 2]
            np.testing.assert_allclose(opened.grid.lat, LAT[::-1])
        assert not caplog.records

    def test_levels(self, mixed):
        for level in (850, 500, 85000):
            key = level if level < 2000 else level // 100
            found, _ = read(mixed, "t", level=level)
            expected = north_up(*(values(key + hour) for hour in range(3)))
            np.testing.assert_allclose(found, expected, atol=PACKING)
        found, _ = read(mixed, "z", level=500)
        np.testing.assert_allclose(
            found, north_up(*(values(500 - hour) for hour in range(3))), atol=PACKING
        )
        read(mixed, "u10", level=10)
        with pytest.raises(InputError, match="no level 2; "):
            read(mixed, "u10", level=2)
        with pytest.raises(InputError, match=r"isobaricInhPa has 2 entries \(850.0, 500.0\)"):
            read(mixed, "t")

    def test_amounts_stand_at_the_end_of_their_interval_and_are_known_for_sums(self, mixed):
        found, opened = read(mixed, "tp")
        np.testing.assert_allclose(found, north_up(values(21), values(22)), atol=PACKING)
        assert hours(opened) == [1, 2]
        assert opened.variables[0].time_method == "sum"

    def test_a_static_field(self, mixed):
        _, fields = open_static(source(mixed, "lsm"))
        np.testing.assert_allclose(fields, north_up(values(30)), atol=PACKING)

    def test_what_is_not_there_is_answered_with_what_is(self, mixed):
        with pytest.raises(InputError, match="t2m, u10, t, z, tp, lsm"):
            read(mixed, "rain")

    def test_nothing_is_written_beside_it_and_values_are_read_when_asked_for(
        self, mixed, monkeypatch
    ):
        dataset = open_lazily(str(mixed), None)
        reads = []
        original = eccodes.codes_grib_new_from_file
        monkeypatch.setattr(
            eccodes,
            "codes_grib_new_from_file",
            lambda *a, **k: reads.append(1) or original(*a, **k),
        )
        dataset["t2m"].isel(valid_time=1).values  # noqa: B018
        assert len(reads) == 1
        assert [p.name for p in mixed.parent.iterdir()] == [mixed.name]

    def test_a_region_across_greenwich(self, mixed):
        region = Region(lat=(46.0, 48.0), lon=(-30.0, 30.0))
        opened = open_source(source(mixed, "t2m"), region)
        np.testing.assert_allclose(opened.grid.lon, [-30, 0, 30])
        expected = north_up(values(1))[:, 0:3][..., [11, 0, 1]]
        np.testing.assert_allclose(opened.read(np.array([1]))[0], expected, atol=PACKING)


class TestNames:
    def test_one_name_on_two_types_of_level(self, tmp_path):
        path = tmp_path / "a.grib"
        path.write_bytes(
            message(values(1), LEVEL, shortName="t", level=850)
            + message(values(2), typeOfLevel="surface", shortName="t")
        )
        with pytest.raises(InputError, match="t_isobaricInhPa, t_surface"):
            read(path, "t")
        found, _ = read(path, "t_surface")
        np.testing.assert_allclose(found, north_up(values(2)), atol=PACKING)

    def test_the_short_name_of_grib_serves_where_it_is_one_variable_s(self, mixed):
        np.testing.assert_array_equal(read(mixed, "2t")[0], read(mixed, "t2m")[0])

    def test_amounts_of_several_lengths_that_end_together(self, tmp_path):
        path = tmp_path / "a.grib"
        path.write_bytes(
            b"".join(
                message(values(10 * end + start), **RAIN, stepRange=f"{start}-{end}")
                for end, starts in ((6, (0, 3)), (9, (3, 6)))
                for start in starts
            )
        )
        with pytest.raises(InputError, match="tp_6h, tp_3h"):
            read(path, "tp")
        found, opened = read(path, "tp_3h")
        np.testing.assert_allclose(found, north_up(values(63), values(96)), atol=PACKING)
        assert hours(opened) == [6, 9]

    def test_parameters_without_a_name(self, tmp_path):
        path = tmp_path / "a.grib"
        path.write_bytes(
            b"".join(message(values(n), parameterCategory=192, parameterNumber=n) for n in (3, 4))
        )
        found, _ = read(path, "param_0_192_4")
        np.testing.assert_allclose(found, north_up(values(4)), atol=PACKING)

    def test_analysis_and_forecast(self, tmp_path):
        path = tmp_path / "a.grib"
        path.write_bytes(
            message(values(1), dataType="an", **TWO_METRES)
            + message(values(2), dataType="fc", stepRange="3", **TWO_METRES)
        )
        found, opened = read(path, "t2m_fc")
        np.testing.assert_allclose(found, north_up(values(2)), atol=PACKING)
        assert hours(opened) == [3]
        assert hours(read(path, "t2m_an")[1]) == [0]

    def test_variables_on_two_grids(self, tmp_path):
        path = tmp_path / "a.grib"
        other = values(2)[:3, :6]
        path.write_bytes(
            message(values(1), **TWO_METRES)
            + message(other, lat=LAT[:3], lon=np.arange(-2.0, 4.0), **TEN_METRES)
        )
        found, opened = read(path, "u10")
        np.testing.assert_allclose(found, north_up(other), atol=PACKING)
        np.testing.assert_allclose(opened.grid.lon, np.arange(-2.0, 4.0))
        assert read(path, "t2m")[1].grid.shape == (5, 12)
        path.write_bytes(
            path.read_bytes() + message(other, lat=LAT[:3], lon=np.arange(6.0), **TWO_METRES)
        )
        assert read(path, "t2m_grid1")[1].grid.shape == (5, 12)
        np.testing.assert_allclose(read(path, "t2m_grid3")[0], north_up(other), atol=PACKING)


class TestTimes:
    def test_valid_times_of_forecasts_that_follow_each_other(self, tmp_path):
        path = tmp_path / "a.grib"
        starts = ((20191231, 18, (7, 8)), (20200101, 6, (1, 2)))
        path.write_bytes(
            b"".join(
                message(values(step), date=date, hour=hour, stepRange=step, **TWO_METRES)
                for date, hour, steps in starts
                for step in steps
            )
        )
        found, opened = read(path, "t2m")
        assert hours(opened) == [1, 2, 7, 8]
        np.testing.assert_allclose(found, north_up(*map(values, (7, 8, 1, 2))), atol=PACKING)

    def test_forecasts_that_overlap_are_chosen_by_their_step(self, tmp_path):
        path = tmp_path / "a.grib"
        path.write_bytes(
            b"".join(
                message(values(hour + step), hour=hour, stepRange=step, **TWO_METRES)
                for hour in (0, 6)
                for step in (6, 12)
            )
        )
        found, opened = read(path, "t2m", select={"step": 12})
        assert hours(opened) == [12, 18]
        np.testing.assert_allclose(found, north_up(values(12), values(18)), atol=PACKING)
        with pytest.raises(InputError, match="step"):
            read(path, "t2m")

    def test_amounts_since_the_start_of_the_forecast_are_not_taken_for_a_series(
        self, tmp_path, caplog
    ):
        caplog.set_level("INFO")
        path = tmp_path / "a.grib"
        path.write_bytes(
            b"".join(message(values(s), **RAIN, stepRange=f"0-{s}") for s in (3, 6, 9))
        )
        with pytest.raises(InputError, match="step"):
            read(path, "tp")
        assert "tp is gathered over 3 to 9 hours since the start of each forecast" in caplog.text
        found, opened = read(path, "tp", select={"step": 6})
        np.testing.assert_allclose(found, north_up(values(6)), atol=PACKING)
        assert hours(opened) == [6]

    def test_minutes(self, tmp_path):
        path = tmp_path / "a.grib"
        path.write_bytes(
            b"".join(
                message(values(m), stepUnits="m", stepRange=m, **TWO_METRES) for m in (0, 15, 30)
            )
        )
        assert hours(read(path, "t2m")[1]) == [0, 0.25, 0.5]

    def test_combinations_without_a_message_are_counted(self, tmp_path, caplog):
        path = tmp_path / "a.grib"
        parts = [(0, 850), (0, 500), (1, 850)]
        path.write_bytes(
            b"".join(
                message(values(hour + level), LEVEL, hour=hour, shortName="t", level=level)
                for hour, level in parts
            )
        )
        found, _ = read(path, "t", level=500)
        np.testing.assert_allclose(found[0], values(500)[::-1], atol=PACKING)
        assert np.isnan(found[1]).all()
        assert "t: 1 of 4 combinations" in caplog.text

    def test_the_same_message_twice_is_left_out(self, tmp_path):
        path = tmp_path / "a.grib"
        path.write_bytes(message(values(1), **TWO_METRES) * 2)
        with pytest.raises(InputError, match="2t has 1 message of the same level"):
            read(path, "t2m")


class TestGrids:
    @pytest.mark.parametrize("lat", [LAT, LAT[::-1]], ids=["north first", "south first"])
    @pytest.mark.parametrize(
        "lon",
        [np.arange(0.0, 6.0), np.arange(357.0, 363.0), np.arange(5.0, -1.0, -1.0)],
        ids=["eastward", "across Greenwich", "westward"],
    )
    def test_any_order_of_points(self, tmp_path, lat, lon):
        path = tmp_path / "a.grib"
        field = lat[:, None] + 0.01 * lon
        path.write_bytes(message(field, lat=lat, lon=lon, **TWO_METRES))
        found, opened = read(path, "t2m")
        there = (opened.grid.lon + 180) % 360 - 180
        shown = np.where(there < lon.min(), there + 360, there)
        expected = opened.grid.lat[:, None] + 0.01 * shown
        np.testing.assert_allclose(found[0], expected, atol=PACKING)

    def test_gaussian_latitudes(self, tmp_path):
        path = tmp_path / "a.grib"
        handle = eccodes.codes_grib_new_from_samples("regular_gg_sfc_grib2")
        lats = eccodes.codes_get_array(handle, "latitudes")
        lons = eccodes.codes_get_array(handle, "longitudes")
        eccodes.codes_set(handle, "shortName", "2t")
        eccodes.codes_set_values(handle, 0.01 * lats + np.cos(np.deg2rad(lons)))
        path.write_bytes(eccodes.codes_get_message(handle))
        found, opened = read(path, "t2m")
        expected = 0.01 * opened.grid.lat[:, None] + np.cos(np.deg2rad(opened.grid.lon))
        np.testing.assert_allclose(found[0], expected, atol=PACKING)

    def test_a_rotated_grid_has_latitudes_and_longitudes_of_two_dimensions(self, tmp_path):
        path = tmp_path / "a.grib"
        handle = eccodes.codes_grib_new_from_samples("rotated_ll_sfc_grib2")
        eccodes.codes_set(handle, "angleOfRotationInDegrees", 0)
        eccodes.codes_set(handle, "latitudeOfSouthernPoleInDegrees", -40)
        eccodes.codes_set(handle, "longitudeOfSouthernPoleInDegrees", 10)
        lats = eccodes.codes_get_array(handle, "latitudes")
        eccodes.codes_set_values(handle, 0.01 * lats)
        path.write_bytes(eccodes.codes_get_message(handle))
        found, opened = read(path, "t")
        assert opened.grid.lat.ndim == 2
        np.testing.assert_allclose(found[0], 0.01 * opened.grid.lat, atol=PACKING)

    def test_missing_values(self, tmp_path):
        path = tmp_path / "a.grib"
        field = values(1)
        field[2, 3] = np.nan
        path.write_bytes(message(field, bitmapPresent=1, **TWO_METRES))
        found, _ = read(path, "t2m")
        np.testing.assert_array_equal(np.isnan(found[0]), np.isnan(field[::-1]))

    def test_members_with_the_control_forecast(self, tmp_path):
        path = tmp_path / "a.grib"
        kinds = [("cf", 0), ("pf", 1), ("pf", 2)]
        path.write_bytes(
            b"".join(
                message(
                    values(n), productDefinitionTemplateNumber=1, dataType=kind, number=n,
                    **TWO_METRES,
                )
                for kind, n in kinds
            )
        )  # fmt: skip
        for n in range(3):
            found, _ = read(path, "t2m", member=n)
            np.testing.assert_allclose(found, north_up(values(n)), atol=PACKING)

    def test_what_cannot_be_used_is_named(self, tmp_path, caplog):
        path = tmp_path / "a.grib"
        handle = eccodes.codes_grib_new_from_samples("reduced_gg_pl_32_grib2")
        reduced = eccodes.codes_get_message(handle)
        path.write_bytes(reduced)
        with pytest.raises(InputError, match="on a grid of type reduced_gg; interpolate it"):
            read(path, "t")
        path.write_bytes(reduced + message(values(1), **TWO_METRES))
        read(path, "t2m")
        assert "left out: t is on a grid of type reduced_gg" in caplog.text
        path.write_bytes(message(values(1), jPointsAreConsecutive=1, **TWO_METRES))
        with pytest.raises(InputError, match="unusual order"):
            read(path, "t2m")


class TestContainer:
    def test_behind_the_header_of_a_bulletin(self, tmp_path):
        path = tmp_path / "a.bin"
        path.write_bytes(b"\x01\r\r\n123\r\r\nHTGE85 ECMF 010000\r\r\n" + message(values(1)))
        np.testing.assert_allclose(read(path, "t")[0], north_up(values(1)), atol=PACKING)

    def test_the_first_edition(self, tmp_path):
        path = tmp_path / "a.nc"
        path.write_bytes(message(values(1), "regular_ll_sfc_grib1", indicatorOfParameter=167))
        np.testing.assert_allclose(read(path, "t2m")[0], north_up(values(1)), atol=PACKING)

    def test_a_cut_file(self, tmp_path):
        path = tmp_path / "a.grib"
        content = message(values(1), **TWO_METRES) + message(values(2), hour=1, **TWO_METRES)
        for kept in (len(content) - 1, len(content) // 2 + 3, 40):
            path.write_bytes(content[:kept])
            with pytest.raises(
                InputError, match=r"GRIB file that is not downloaded.* whole: it has"
            ):
                read(path, "t2m")
        path.write_bytes(content + bytes(100))
        assert hours(read(path, "t2m")[1]) == [0, 1]

    @pytest.mark.parametrize("sample", [SURFACE, "regular_ll_sfc_grib1"])
    def test_contradicting_lengths(self, tmp_path, sample):
        path = tmp_path / "a.grib"
        content = bytearray(message(values(1), sample, shortName="2t"))
        path.write_bytes(content)
        read(path, "t2m")
        first_section = 16 if sample == SURFACE else 8
        content[first_section + 2] += 1
        path.write_bytes(content)
        with pytest.raises(InputError, match="message at byte 0 has sections that do not fit in"):
            read(path, "t2m")

    def test_without_the_extra(self, mixed, monkeypatch):
        monkeypatch.setitem(sys.modules, "cfgrib", None)
        with pytest.raises(InputError, match=r"a GRIB file; .*pip install 'finescale\[grib\]'"):
            read(mixed, "t2m")

    def test_an_engine_for_another_format(self, tmp_path, mixed):
        with pytest.raises(InputError, match="a GRIB file, not for engine: netcdf4"):
            open_lazily(str(mixed), "netcdf4")
        xr.Dataset({"t": ("x", [1.0])}).to_netcdf(tmp_path / "a.nc")
        with pytest.raises(InputError, match="a NetCDF file, not for engine: cfgrib"):
            open_lazily(str(tmp_path / "a.nc"), "cfgrib")
