"""Grids as files have them: found, turned into canonical order, and given back."""

from itertools import pairwise

import numpy as np
import pytest
import xarray as xr
from made_grids import expected, field, rotated

from app.errors import InputError
from app.grids import Geometry, Grid, detect_grid, to_canonical


@pytest.mark.parametrize(
    ("lat", "lon", "canonical_lon"),
    [
        ([10, 11, 12], [0, 5, 10], [0, 5, 10]),
        ([12, 11, 10], [0, 5, 10], [0, 5, 10]),
        ([12, 11, 10], [10, 5, 0], [0, 5, 10]),
        ([10, 11, 12], [350, 355, 0, 5], [-10, -5, 0, 5]),
        ([10, 11, 12], [0, 5, 350, 355], [-10, -5, 0, 5]),
        ([12, 11, 10], [-180, -175, 170, 175], [170, 175, 180, 185]),
        ([10, 11, 12], [170, 175, -180, -175], [170, 175, 180, 185]),
        ([10, 11, 12], [5, 0, 355, 350], [-10, -5, 0, 5]),
        ([10, 11, 12], [200, 210, 220], [200, 210, 220]),
        ([10, 11, 12], list(range(0, 360, 10)), list(range(0, 360, 10))),
        ([10, 11, 12], list(range(-180, 180, 10)), list(range(-180, 180, 10))),
    ],
)
@pytest.mark.parametrize("turned", [False, True])
def test_any_order_becomes_canonical_and_comes_back(lat, lon, canonical_lon, turned):
    data = field(np.array(lat, float), np.array(lon, float))
    grid, canonicalise = detect_grid(data.transpose() if turned else data)
    np.testing.assert_array_equal(grid.lat, np.sort(lat))
    np.testing.assert_array_equal(grid.lon, canonical_lon)
    canonical = canonicalise(data.transpose() if turned else data)
    np.testing.assert_array_equal(canonical, expected(grid))
    np.testing.assert_array_equal(canonical["lon"], canonical_lon)
    np.testing.assert_array_equal(grid.restore(canonical.values), data)
    coords = grid.coords()
    np.testing.assert_array_equal(coords["lat"][1], lat)
    np.testing.assert_array_equal(coords["lon"][1], lon)


@pytest.mark.parametrize(
    ("names", "attrs"),
    [
        (("lat", "lon"), False),
        (("latitude", "longitude"), False),
        (("Latitude", "Longitude"), False),
        (("phi", "lambda"), True),
    ],
)
def test_coordinates_are_found_by_name_or_units(names, attrs):
    grid, _ = detect_grid(field([1.0, 2.0], [3.0, 4.0, 5.0], names, attrs))
    assert grid.dims == grid.names == names
    assert grid.shape == (2, 3)


def test_coordinates_are_found_by_standard_name_and_axis_units():
    data = field([1.0, 2.0], [3.0, 4.0], ("a", "b"), attrs=False)
    data["a"].attrs.update(standard_name="latitude")
    data["b"].attrs.update(axis="X", units="degrees")
    assert detect_grid(data)[0].dims == ("a", "b")


def test_latitudes_on_a_dimension_of_another_name():
    data = xr.Dataset(
        {"v": (("y", "x"), np.arange(6.0).reshape(2, 3))},
        {"lat": ("y", [5.0, 4.0]), "lon": ("x", [1.0, 2.0, 3.0]), "y": [10, 20]},
    )
    grid, canonicalise = detect_grid(data)
    assert (grid.dims, grid.names) == (("y", "x"), ("lat", "lon"))
    np.testing.assert_array_equal(grid.y, [20, 10])
    np.testing.assert_array_equal(canonicalise(data["v"]), [[3, 4, 5], [0, 1, 2]])
    again = xr.Dataset(coords=grid.coords())
    np.testing.assert_array_equal(again["lat"], [5, 4])
    np.testing.assert_array_equal(again["y"], [10, 20])


def test_other_dimensions_keep_their_places():
    data = field([2.0, 1.0], [1.0, 2.0, 3.0]).expand_dims(member=[7], time=4)
    grid, canonicalise = detect_grid(data.transpose("lon", "member", "lat", "time"))
    canonical = canonicalise(data.transpose("lon", "member", "lat", "time"))
    assert canonical.dims == ("member", "time", "lat", "lon")
    np.testing.assert_array_equal(canonical[0, 2], expected(grid))


def test_canonical_order_is_lazy(tmp_path):
    lon = np.arange(0.0, 360, 30)
    data = field([2.0, 1.0], np.roll(lon, 3)).expand_dims(time=3).copy()
    data.to_netcdf(tmp_path / "f.nc")
    with xr.open_dataset(tmp_path / "f.nc") as opened:
        grid, canonicalise = detect_grid(opened)
        canonical = canonicalise(opened["v"])
        assert not canonical.variable._in_memory
        np.testing.assert_array_equal(canonical[1], expected(grid))


@pytest.mark.parametrize("flip_rows", [False, True])
@pytest.mark.parametrize("flip_columns", [False, True])
@pytest.mark.parametrize("turned", [False, True])
def test_rotated_pole(flip_rows, flip_columns, turned):
    lat, lon, rlat, rlon = rotated()
    data = xr.Dataset(
        {"tas": (("rlat", "rlon"), 1000 * lat + lon % 360), "rotated_pole": ((), 0)},
        {
            "lat": (("rlat", "rlon"), lat, {"standard_name": "latitude"}),
            "lon": (("rlat", "rlon"), lon, {"standard_name": "longitude"}),
            "rlat": ("rlat", rlat, {"standard_name": "grid_latitude", "units": "degrees"}),
            "rlon": ("rlon", rlon, {"standard_name": "grid_longitude", "units": "degrees"}),
        },
    )
    attributes = {
        "grid_mapping_name": "rotated_latitude_longitude",
        "grid_north_pole_latitude": np.float32(39.25),
    }
    data["rotated_pole"].attrs = attributes
    data = data.isel(rlat=slice(None, None, -1 if flip_rows else 1))
    data = data.isel(rlon=slice(None, None, -1 if flip_columns else 1))
    data = data.transpose("rlon", "rlat") if turned else data
    grid, canonicalise = detect_grid(data)
    assert not grid.rectilinear
    np.testing.assert_array_equal(grid.lat, lat)
    np.testing.assert_array_equal(grid.y, rlat)
    np.testing.assert_array_equal(canonicalise(data["tas"]), expected(grid))
    again = xr.Dataset(coords=grid.coords())
    for name in ("rlat", "rlon", "lat", "lon"):
        xr.testing.assert_equal(
            again[name].variable, data[name].transpose(*again[name].dims).variable
        )
    assert again["rotated_pole"].attrs["grid_north_pole_latitude"] == 39.25


def test_projected_grid_across_the_date_line_without_index_coordinates():
    lat = np.linspace(-20, -17, 4)[:, None] + 0.01 * np.arange(5)
    lon = np.repeat(np.array([[178.0, 179, -180, -179, -178]]), 4, axis=0)
    data = xr.Dataset(
        {"v": (("time", "y", "x"), np.zeros((2, 4, 5))), "lat": (("y", "x"), lat)},
        {"lon": (("y", "x"), lon)},
    )
    grid, _ = detect_grid(data)
    assert (grid.flipped, grid.flipped_columns, grid.dims) == (False, False, ("y", "x"))
    coarse = Geometry.build(grid, 2).coarse
    np.testing.assert_allclose(coarse.lon[0] % 360, [178.5, 180.5, 182], atol=1e-4)


@pytest.mark.parametrize(
    ("lat", "lon", "problem"),
    [
        ([1, 2, 2, 3], [1, 2], "repeats after 2"),
        ([1, 3, 2], [1, 2], "turns after 3"),
        ([1, 2], [1, 2, 2], "longitude 2 repeats"),
        ([1, 2], [0, 90, 180, 270, 360], "repeats modulo 360"),
        ([1, 2], [3, 1, 2, 5], "not in order"),
        ([1, np.nan], [1, 2], "missing values"),
        ([1, 95], [1, 2], "between -90 and 90"),
        ([1], [1, 2], "1×2 cells"),
    ],
)
def test_unusable_coordinates_are_refused(lat, lon, problem):
    with pytest.raises(InputError, match=problem):
        detect_grid(field(np.array(lat, float), np.array(lon, float)))


def test_errors_name_file_variables_and_dimensions():
    data = xr.Dataset({"t2m": (("foo", "bar"), np.zeros((2, 3)))}, {"foo": [1, 2]})
    with pytest.raises(InputError, match=r"a\.nc: no latitude among t2m, foo.*'foo': 2, 'bar': 3"):
        detect_grid(data, "a.nc")
    stations = xr.Dataset(coords={"lat": ("cell", [1.0, 2]), "lon": ("cell", [1.0, 2])})
    with pytest.raises(InputError, match="not a list of points"):
        detect_grid(stations)
    with pytest.raises(InputError, match="sizes"):
        to_canonical(field([1.0, 2.0], [1.0, 2.0]), Grid(np.arange(3), np.arange(2)))


def test_cell_boundaries_are_not_taken_for_latitudes():
    data = xr.Dataset(
        {"lat_bnds": (("lat", "bnds"), np.zeros((2, 2)), {"units": "degrees_north"})},
        {"lat": ("lat", [1.0, 2.0], {"bounds": "lat_bnds"}), "lon": ("lon", [1.0, 2.0])},
    )
    grid, _ = detect_grid(data)
    assert grid.dims == ("lat", "lon")
    assert "bounds" not in grid.coords()["lat"][2]


def test_real_files(real_data):
    shapes = {
        "eobs_iberia_djf_1983-2002.nc": (19, 29),
        "era5_t2m_uk_hourly_201903.nc": (33, 49),
        "xclim_canesm2_quebec_daily_2095.nc": (36, 36),
    }
    for name, shape in shapes.items():
        with xr.open_dataset(real_data / name) as data:
            grid, canonicalise = detect_grid(data, name)
            assert grid.shape == shape
            assert all(a < b for a, b in pairwise(grid.lat))
            variable = next(v for v in data.data_vars.values() if v.ndim == 3)
            fields = canonicalise(variable.isel(time=[0]))
            np.testing.assert_array_equal(
                grid.restore(fields.values), variable.isel(time=[0]).values
            )
            for label in grid.names:
                np.testing.assert_array_equal(grid.coords()[label][1], data[label].values)
