"""Grids as files have them, and coarsening, against loops and spherical geometry by hand."""

import json
from itertools import pairwise

import numpy as np
import pytest
import xarray as xr

from app.errors import InputError
from app.grids import Geometry, Grid, columns_of, detect_grid, same_grid, to_canonical


def field(lat, lon, dims=("lat", "lon"), attrs=True):
    """A variable whose value at every cell is 1000 lat + (lon modulo 360)."""
    values = 1000 * np.asarray(lat)[:, None] + np.asarray(lon)[None, :] % 360
    units = ({"units": "degrees_north"}, {"units": "degrees_east"}) if attrs else ({}, {})
    coords = {d: (d, c, u) for d, c, u in zip(dims, (lat, lon), units, strict=True)}
    return xr.DataArray(values, coords, dims, name="v")


def expected(grid):
    lat, lon = grid.mesh()
    return 1000 * lat + lon % 360


def rotated(n_rows=12, n_columns=15, spacing=0.5, pole=(39.25, -162.0)):
    """Latitude and longitude of a rotated-pole grid, by two rotations of the sphere."""
    rlat = np.radians((np.arange(n_rows) - n_rows / 2) * spacing)[:, None]
    rlon = np.radians((np.arange(n_columns) - n_columns / 2) * spacing)[None, :]
    x, y, z = np.cos(rlat) * np.cos(rlon), np.cos(rlat) * np.sin(rlon), np.sin(rlat) + 0 * rlon
    tilt, turn = np.radians(90 - pole[0]), np.radians(pole[1] + 180)
    x, z = x * np.cos(tilt) - z * np.sin(tilt), x * np.sin(tilt) + z * np.cos(tilt)
    lat = np.degrees(np.arcsin(z))
    lon = np.degrees(np.arctan2(y, x) + turn)
    return lat, lon, np.degrees(rlat[:, 0]), np.degrees(rlon[0])


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


def test_areas_are_spherical():
    grid = Grid(np.arange(-88.75, 90, 2.5), np.arange(0, 360, 2.5))
    assert grid.periodic
    areas = grid.cell_areas()
    assert areas.mean() == pytest.approx(1, abs=1e-12)
    by_hand = np.sin(np.radians(60)) - np.sin(np.radians(57.5))
    share = areas[np.argmin(abs(grid.lat - 58.75)), 0] / areas.sum()
    assert share == pytest.approx(by_hand * 2.5 / 360 / 2, rel=1e-9)


def test_areas_of_quadrilaterals_agree_with_bands():
    lat, lon = np.meshgrid(np.arange(50, 55, 0.25), np.arange(3, 8, 0.25), indexing="ij")
    bands = Grid(lat[:, 0], lon[0]).cell_areas()
    np.testing.assert_allclose(Grid(lat, lon).cell_areas(), bands, rtol=2e-4)


def test_gaussian_edges_reach_the_poles():
    lat = np.degrees(np.arcsin(np.polynomial.legendre.leggauss(32)[0]))
    edges = Grid(lat, np.arange(0, 360, 5.625)).edges[0]
    assert (edges[0], edges[-1]) == (-90, 90)
    assert Grid(np.arange(30, 40.0), np.arange(5.0)).edges[0][0] == 29.5


@pytest.mark.parametrize("kind", ["straddling", "rotated"])
def test_json_round_trip_is_exact(kind):
    if kind == "straddling":
        grid, _ = detect_grid(field(np.array([2, 1]) / 3, np.array([0, 5, 350, 355]) + 0.1))
    else:
        lat, lon, rlat, rlon = rotated()
        grid = Grid(lat, lon, ("rlat", "rlon"), y=rlat, x=rlon)
    geometry = Geometry.build(grid, 2, 1)
    again = Geometry.from_dict(json.loads(json.dumps(geometry.to_dict())))
    for name, value in vars(geometry.fine).items():
        np.testing.assert_equal(getattr(again.fine, name), value)
    assert (again.scale, again.halo, again.pad) == (2, 1, geometry.pad)


def test_window_and_take():
    grid, _ = detect_grid(field(np.arange(60, 39.0, -1), np.arange(0.0, 360, 10)))
    rows, columns = grid.window((44.5, 50), (-20, 15))
    part = grid.take(rows, columns)
    np.testing.assert_array_equal(part.lat, np.arange(45, 51))
    np.testing.assert_array_equal(part.lon, [-20, -10, 0, 10])
    np.testing.assert_array_equal(expected(grid)[rows[:, None], columns], expected(part))
    np.testing.assert_array_equal(part.coords()["lat"][1], np.arange(50, 44, -1))
    whole = grid.take(*grid.window((-90, 90), (0, 360)))
    np.testing.assert_array_equal(whole.coords()["lon"][1], grid.lon)
    with pytest.raises(InputError, match="region lat 0 to 9"):
        grid.window((0, 9), (0, 20))
    lat, lon, *_ = rotated()
    curved = Grid(lat, lon)
    rows, columns = curved.window((50, 51), (17, 19))
    part = curved.take(rows, columns)
    inside = (lat >= 50) & (lat <= 51) & (lon >= 17) & (lon <= 19)
    assert (
        inside.sum()
        == ((part.lat >= 50) & (part.lat <= 51) & (part.lon >= 17) & (part.lon <= 19)).sum()
    )


def coarse_loop(values, areas, scale, fraction):
    """Block means one cell at a time."""
    shape = [-(-size // scale) for size in values.shape]
    out = np.full(shape, np.nan)
    for i, j in np.ndindex(*shape):
        block = np.s_[i * scale : (i + 1) * scale, j * scale : (j + 1) * scale]
        v, a = values[block].ravel(), areas[block].ravel()
        good = ~np.isnan(v)
        if good.any() and good.mean() >= fraction:
            out[i, j] = sum(v[good] * a[good]) / sum(a[good])
    return out


def iberia():
    return Grid(np.arange(35.25, 44.5, 0.5), np.arange(-9.75, 4.5, 0.5))


def test_iberia_is_padded_as_designed():
    geometry = Geometry.build(iberia(), 4)
    assert geometry.fine_shape == (19, 29)
    assert geometry.pad == (0, 1, 0, 3)
    assert geometry.padded_shape == (20, 32)
    assert geometry.coarse_shape == geometry.coarse.shape == (5, 8)
    # The last coarse cells hold three rows and one column: 43 to 44.5 and 4 to 4.5 degrees.
    np.testing.assert_allclose(geometry.coarse.lat, [36, 38, 40, 42, 43.75])
    np.testing.assert_allclose(geometry.coarse.lon, [*range(-9, 5, 2), 4.25])
    np.testing.assert_allclose(geometry.coarse.edges[0], [35, 37, 39, 41, 43, 44.5])
    assert "padded to 20×32" in geometry.describe()
    assert "only 3 of 4 rows and 1 of 4 columns" in geometry.describe()
    wide = Geometry.build(iberia(), 4, halo=2)
    assert wide.pad == (8, 9, 8, 11)
    np.testing.assert_allclose(wide.coarse.lat, [*range(32, 43, 2), 43.75, 45.75, 48])


@pytest.mark.parametrize("halo", [0, 2])
def test_the_mean_of_a_partial_block_stands_where_its_cells_are(halo):
    """Linear in longitude: a coarse value equals the field at its own centre."""
    plain = Geometry.build(iberia(), 4, halo)
    lat, lon = np.meshgrid(iberia().lat, iberia().lon, indexing="ij")
    curved = Geometry.build(
        Grid(lat, lon, ("y", "x"), y=np.arange(19.0), x=np.arange(29.0)), 4, halo
    )
    inner = np.s_[halo : halo + 5, halo : halo + 8]
    mean = plain.coarsen(lon)[inner]
    np.testing.assert_allclose(mean, np.tile(plain.coarse.lon, (len(plain.coarse.lat), 1))[inner])
    np.testing.assert_allclose(mean, curved.coarse.lon[inner], atol=0.02)
    np.testing.assert_allclose(curved.coarse.x[halo : halo + 8], [*np.arange(1.5, 26, 4), 28])


@pytest.mark.parametrize("scale", [2, 3, 4, 5, 19])
@pytest.mark.parametrize("fraction", [0.0, 0.5, 1.0])
def test_coarsening_agrees_with_a_loop(scale, fraction):
    rng = np.random.default_rng(scale)
    values = rng.normal(280, 10, (3, 2, 19, 29)).astype(np.float32)
    values[rng.random(values.shape) < 0.3] = np.nan
    values[0, 0] = 281
    values[:, :, :6, :6] = np.nan
    geometry = Geometry.build(iberia(), scale)
    coarse = geometry.coarsen(values, fraction)
    assert coarse.dtype == np.float32
    areas = np.cos(np.radians(geometry.fine.lat))[:, None] * np.ones(29)
    for index in np.ndindex(3, 2):
        by_loop = coarse_loop(values[index].astype(float), areas, scale, fraction)
        np.testing.assert_allclose(coarse[index], by_loop, rtol=3e-7)


@pytest.mark.parametrize("halo", [0, 1])
def test_coarsening_preserves_constants_and_means(halo):
    rng = np.random.default_rng(0)
    fine = Grid(np.arange(20.5, 60), np.arange(0.5, 30))
    geometry = Geometry.build(fine, 5, halo)
    values = rng.normal(280, 10, (4, 40, 30))
    coarse = geometry.coarsen(values)
    inside = coarse[:, halo : halo + 8, halo : halo + 6]
    bands = np.diff(np.sin(np.radians(np.arange(20, 61, 5))))
    mean = np.average(inside.mean(axis=2), axis=1, weights=bands)
    truth = np.average(
        values.mean(axis=2), axis=1, weights=np.diff(np.sin(np.radians(np.arange(20, 61))))
    )
    np.testing.assert_allclose(mean, truth, rtol=1e-7)
    np.testing.assert_array_equal(geometry.coarsen(np.full((40, 30), 281.5)), np.float32(281.5))


def test_coarsening_in_chunks(monkeypatch):
    values = np.random.default_rng(1).normal(size=(50, 19, 29))
    geometry = Geometry.build(iberia(), 4, 1)
    whole = geometry.coarsen(values)
    monkeypatch.setattr("app.grids.geometry.BLOCK_CELLS", 3000)
    np.testing.assert_array_equal(geometry.coarsen(values), whole)


def test_blocks_outside_take_the_nearest_value():
    geometry = Geometry.build(iberia(), 4, halo=1)
    plain = Geometry.build(iberia(), 4)
    values = np.random.default_rng(2).normal(size=(19, 29))
    np.testing.assert_array_equal(
        geometry.coarsen(values), np.pad(plain.coarsen(values), 1, mode="edge")
    )


def test_the_halo_wraps_around_the_globe():
    fine = Grid(np.arange(-80.0, 81, 10), np.arange(0.0, 360, 10))
    values = np.random.default_rng(3).normal(size=fine.shape)
    coarse = Geometry.build(fine, 2, halo=2).coarsen(values)
    inner = Geometry.build(fine, 2).coarsen(values)
    np.testing.assert_array_equal(
        coarse, np.pad(inner, ((2, 2), (0, 0)), "edge")[:, np.arange(-2, 20) % 18]
    )


def test_coarse_centres_on_a_rotated_grid():
    lat, lon, rlat, rlon = rotated(12, 15)
    geometry = Geometry.build(Grid(lat, lon, ("rlat", "rlon"), y=rlat, x=rlon), 3, halo=1)
    assert geometry.coarse_shape == (6, 7)
    np.testing.assert_allclose(np.diff(geometry.coarse.y), 1.5)
    wide_lat, wide_lon, *_ = rotated(36, 45)  # the same grid, carried on by 12 and 15 cells
    centres = (slice(10, 28, 3), slice(13, 34, 3))
    np.testing.assert_allclose(geometry.coarse.lat, wide_lat[centres], atol=0.02)
    np.testing.assert_allclose(geometry.coarse.lon, wide_lon[centres], atol=0.02)
    inner = geometry.coarsen(lat.astype(np.float32))[1:-1, 1:-1]
    np.testing.assert_allclose(inner, lat[1::3, 1::3], atol=0.01)


def test_incomplete_blocks_of_a_rotated_grid_are_centred_on_their_cells():
    lat, lon, rlat, rlon = rotated(9, 11)
    geometry = Geometry.build(Grid(lat, lon, ("rlat", "rlon"), y=rlat, x=rlon), 4, halo=1)
    coarse = geometry.coarse
    assert coarse.shape == geometry.coarse_shape == (5, 5)
    np.testing.assert_allclose(np.diff(coarse.y), 0.5 * np.array([4, 4, 2.5, 4]))
    np.testing.assert_allclose(np.diff(coarse.x), 0.5 * np.array([4, 4, 3.5, 4]))
    last = np.s_[8:, 8:]
    np.testing.assert_allclose(coarse.lat[3, 3], lat[last].mean(), atol=3e-3)
    np.testing.assert_allclose(coarse.lon[3, 3], lon[last].mean(), atol=3e-3)
    sums = [np.add.reduceat(np.add.reduceat(geometry.fine.cell_areas(), (0, 4, 8)), (0, 4, 8), 1)]
    inner = coarse.cell_areas()[1:-1, 1:-1]
    np.testing.assert_allclose(inner / inner.sum(), sums[0] / sums[0].sum(), rtol=1e-3)


def test_padding_and_cropping_are_inverse():
    geometry = Geometry.build(iberia(), 4, halo=1)
    values = np.random.default_rng(4).normal(size=(2, 19, 29, 3)).astype(np.float32)
    padded = geometry.pad_field(values, axes=(1, 2))
    assert padded.shape == (2, *geometry.padded_shape, 3)
    assert np.isnan(padded).sum() == 6 * (28 * 40 - 19 * 29)
    np.testing.assert_array_equal(geometry.crop(padded, axes=(1, 2)), values)
    weights = geometry.weights()
    assert weights.sum() == pytest.approx(19 * 29)
    np.testing.assert_array_equal(geometry.crop(weights) > 0, True)


@pytest.mark.parametrize(
    ("scale", "halo", "problem"),
    [(0, 0, "at least 1"), (2.5, 0, "whole"), (20, 0, "larger than the grid"), (2, -1, "halo")],
)
def test_impossible_geometries_are_refused(scale, halo, problem):
    with pytest.raises(InputError, match=problem):
        Geometry.build(iberia(), scale, halo)


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


@pytest.mark.parametrize(
    ("step", "shift", "same"),
    [
        (0.25, 0.0, True),
        (0.25, 360.0, True),
        (0.25, 0.0002, True),  # less than a thousandth of a cell
        (0.25, 0.001, False),
        (0.002, 0.0, True),  # single precision: 1.5e-5 degrees, more than 2e-6
        (0.0005, 0.00009, False),  # a fifth of a cell
    ],
)
def test_one_grid_is_told_from_another(step, shift, same):
    """A file's coordinates in single precision, as every source and prediction is compared."""
    lat, lon = 40 + step * np.arange(5), 300 + step * np.arange(7)
    stored = Grid(lat.astype("float32"), (lon.astype("float32") + shift))
    assert same_grid(stored, Grid(lat, lon)) == same
    assert not same_grid(Grid(lat[1:], lon), Grid(lat, lon))


@pytest.mark.parametrize("curvilinear", [False, True])
def test_global_files_are_matched_wherever_they_cut_the_circle(curvilinear):
    lat, east = np.arange(-80.0, 81, 20), np.arange(0.0, 360, 30)
    cuts = east, np.arange(-180.0, 180, 30), np.arange(30.0, 390, 30)
    grids = [Grid(lat, lon) for lon in cuts]
    if curvilinear:
        grids = [Grid(*grid.mesh(), ("j", "i")) for grid in grids]
    fields = [np.cos(np.radians(lon)) + np.sin(np.radians(lon)) * 2 for lon in cuts]
    for grid, field_here in zip(grids, fields, strict=True):
        for other, field_there in zip(grids, fields, strict=True):
            columns = columns_of(grid, other)
            np.testing.assert_allclose(field_there[columns], field_here, atol=1e-12)
    np.testing.assert_array_equal(columns_of(grids[0], grids[0]), np.arange(12))
    np.testing.assert_array_equal(columns_of(grids[0], grids[1])[:3], [6, 7, 8])


def test_columns_of_other_cells_are_not_matched():
    lat, lon = np.arange(-80.0, 81, 20), np.arange(0.0, 360, 30)
    grid = Grid(lat, lon)
    assert columns_of(grid, Grid(lat, lon - 165)) is None  # half a cell further
    assert columns_of(grid, Grid(lat + 5, lon - 180)) is None
    assert columns_of(grid, Grid(lat, lon[:-1])) is None
    assert columns_of(grid, Grid(*grid.mesh())) is None
    region = Grid(lat, np.arange(0.0, 120, 10))
    assert columns_of(region, Grid(lat, np.arange(30.0, 150, 10))) is None
