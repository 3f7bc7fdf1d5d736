"""Regridding against SciPy, hand numbers, exactness on polynomials, and preserved integrals."""

from dataclasses import replace

import numpy as np
import pytest
import xarray as xr
from scipy.interpolate import RegularGridInterpolator
from scipy.ndimage import zoom
from scipy.spatial import Delaunay

from app.errors import InputError
from app.grids import Geometry, Grid, detect_grid, sphere
from app.grids.interpolation import locate
from app.grids.regrid import regridder, regridder_between

SOURCE = Grid(np.array([30.0, 31.5, 33.5, 36.0, 38.0]), np.array([-5.0, -3.0, -1.5, 0.0, 2.0, 5.0]))


def regular(lat0, n_lat, d_lat, lon0, n_lon, d_lon):
    return Grid(lat0 + d_lat * np.arange(n_lat), lon0 + d_lon * np.arange(n_lon))


def curved(n_rows=20, n_columns=24, spacing=0.5, turn=30.0, centre=(50.0, 10.0)):
    """A grid around `centre` that is turned against the meridians."""
    y, x = np.meshgrid(
        (np.arange(n_rows) - (n_rows - 1) / 2) * spacing,
        (np.arange(n_columns) - (n_columns - 1) / 2) * spacing,
        indexing="ij",
    )
    c, s = np.cos(np.radians(turn)), np.sin(np.radians(turn))
    lat = centre[0] + s * x + c * y
    return Grid(lat, centre[1] + (c * x - s * y) / np.cos(np.radians(centre[0])), ("y", "x"))


def test_bilinear_agrees_with_scipy():
    rng = np.random.default_rng(0)
    lat, lon = rng.uniform(30, 38, (7, 9)), rng.uniform(-5, 5, (7, 9))
    fields = rng.normal(280, 10, (3, 5, 6))
    ours = regridder(SOURCE, lat, lon, "bilinear")(fields)
    for field, result in zip(fields, ours, strict=True):
        theirs = RegularGridInterpolator((SOURCE.lat, SOURCE.lon), field)((lat, lon))
        np.testing.assert_allclose(result, theirs, rtol=1e-6)
    assert ours.dtype == np.float32


def test_nearest_agrees_with_scipy():
    rng = np.random.default_rng(1)
    lat, lon = np.sort(rng.uniform(30, 38, 8)), np.sort(rng.uniform(-5, 5, 9))
    field = rng.normal(size=(5, 6)).astype(np.float32)
    theirs = RegularGridInterpolator((SOURCE.lat, SOURCE.lon), field, method="nearest")
    expected = theirs(tuple(np.meshgrid(lat, lon, indexing="ij")))
    np.testing.assert_array_equal(regridder(SOURCE, lat, lon, "nearest")(field), expected)


def test_bicubic_by_hand():
    grid = Grid(np.arange(4.0), np.arange(6.0))
    field = np.tile(np.array([0.0, 0, 1, 0, 0, 0]), (4, 1))
    # Keys' kernel with a = -1/2 at distances 0.75, 0.25, 1.25, 1.75, 0.5, 1.5. At 0.25, distance
    # 1.75, there is also the cell before the first, 3·0 - 3·0 + 1, at distance 1.25.
    at = regridder(grid, [1.0], [1.25, 2.25, 3.25, 3.75, 1.5, 3.5, 0.25], "bicubic")(field)
    by_hand = [0.2265625, 0.8671875, -0.0703125, -0.0234375, 0.5625, -0.0625, -0.09375]
    np.testing.assert_allclose(at[0], by_hand, atol=1e-7)


def test_bicubic_is_exact_for_quadratics_up_to_the_edges():
    grid = regular(40, 6, 1.0, 0, 7, 2.0)
    lat, lon = np.linspace(40, 45, 31), np.linspace(0, 12, 41)

    def quadratic(lat, lon):
        y, x = lat[:, None] - 42, lon[None, :] - 5
        return 3 + y - 2 * x + 0.5 * y**2 + 0.25 * x**2 - 0.1 * x * y + 0.02 * x**2 * y**2

    result = regridder(grid, lat, lon, "bicubic")(quadratic(grid.lat, grid.lon))
    np.testing.assert_allclose(result, quadratic(lat, lon), atol=2e-5)


def test_bicubic_is_exact_for_quadratics_at_uneven_spacing():
    lat, lon = np.linspace(30, 38, 31), np.linspace(-5, 5, 41)

    def quadratic(lat, lon):
        y, x = lat[:, None] - 33, lon[None, :] + 1
        return 3 + y - 2 * x + 0.5 * y**2 + 0.25 * x**2 - 0.1 * x * y + 0.02 * x**2 * y**2

    result = regridder(SOURCE, lat, lon, "bicubic")(quadratic(SOURCE.lat, SOURCE.lon))
    np.testing.assert_allclose(result, quadratic(lat, lon), atol=5e-5)


def test_bicubic_is_exact_to_the_end_of_an_incomplete_block():
    fine = regular(50, 17, 0.25, -3, 19, 0.25)
    geometry = Geometry.build(fine, 4)
    row, column = np.mgrid[:17, :19]
    ramp = 2.0 * row - 3 * column
    means = np.array(
        [[ramp[i : i + 4, j : j + 4].mean() for j in range(0, 19, 4)] for i in range(0, 17, 4)]
    )
    result = regridder(geometry.coarse, fine.lat, fine.lon, "bicubic")(means)
    between = np.s_[2:17, 2:18]  # the outer centres: rows 1.5 and 16, columns 1.5 and 17
    np.testing.assert_allclose(result[between], ramp[between], atol=1e-5)


def rotated(rows, columns, spacing, south=-3.0, west=-4.0):
    """A rotated-pole grid, its own regular axes beside the 2-D coordinates."""
    rlat, rlon = south + spacing * np.arange(rows), west + spacing * np.arange(columns)
    points = sphere.unit_vectors(rlat[:, None], rlon)
    tilt = np.radians(50)
    turn = np.array([[np.cos(tilt), 0, np.sin(tilt)], [0, 1, 0], [-np.sin(tilt), 0, np.cos(tilt)]])
    lat, lon = sphere.lat_lon(points @ turn)
    return Grid(lat, lon, ("rlat", "rlon"), y=rlat, x=rlon)


@pytest.mark.parametrize("method", ["nearest", "bilinear", "bicubic"])
@pytest.mark.parametrize("sign", [1, -1])
def test_a_shared_projection_is_regridded_along_its_axes(method, sign):
    source, target = rotated(12, 14, 0.5), rotated(30, 25, 0.17, south=-2.8, west=-3.6)
    fields = np.random.default_rng(11).normal(size=(2, *source.shape))
    plain = [Grid(grid.y, grid.x) for grid in (source, target)]
    source, target = (replace(grid, y=sign * grid.y) for grid in (source, target))
    np.testing.assert_allclose(
        regridder_between(source, target, method)(fields),
        regridder_between(*plain, method)(fields),
        atol=1e-6,
    )


@pytest.mark.parametrize("halo", [0, 1])
@pytest.mark.parametrize("kind", ["projected", "curved", "plain"])
def test_a_file_on_the_coarse_grid_keeps_its_values(kind, halo):
    """Partial blocks at both ends; the file knows centres alone."""
    fine = {"projected": rotated(33, 18, 0.25), "curved": curved(33, 18, 0.25)}
    coarse = Geometry.build(fine.get(kind, regular(40, 33, 0.25, 0, 18, 0.25)), 4, halo).coarse
    values = np.random.default_rng(13).normal(size=coarse.shape).astype(np.float32)
    grid, _ = detect_grid(xr.Dataset({"v": (coarse.dims, values)}, coarse.coords()))
    result = regridder_between(grid, coarse, "auto")(values)
    np.testing.assert_allclose(result, values, atol=1e-6)


def test_axes_of_another_projection_are_not_mistaken_for_shared():
    source = curved(12, 14, 0.5)
    numbered = replace(source, y=np.arange(12.0), x=np.arange(14.0))
    target = curved(6, 6, 0.5, turn=-20)
    other = replace(target, y=np.arange(6.0), x=np.arange(6.0))
    fields = np.random.default_rng(12).normal(size=source.shape)
    np.testing.assert_array_equal(
        regridder_between(numbered, other, "bicubic")(fields),
        regridder_between(source, target, "bicubic")(fields),
    )


def test_bicubic_follows_the_rows_and_columns_of_a_curved_source():
    source, target = curved(), regular(49, 21, 0.1, 8.5, 31, 0.1)

    def waves(grid):
        lat, lon = grid.mesh()
        return np.sin(2 * lat) + np.cos(1.5 * lon)

    errors = {
        method: np.abs(regridder_between(source, target, method)(waves(source)) - waves(target))
        for method in ("bilinear", "bicubic")
    }
    assert errors["bicubic"].max() < 0.3 * errors["bilinear"].max() < 0.1
    # Between parallel rows and columns a plane is met exactly.
    lat, lon = target.mesh()
    plane = regridder_between(source, target, "bicubic")(3 * source.lat - source.lon)
    np.testing.assert_allclose(plane, 3 * lat - lon, atol=5e-3)  # the sphere's curvature


@pytest.mark.parametrize("n", [1, 2, 3])
def test_bicubic_on_few_cells(n):
    grid = Grid(np.arange(4.0), np.arange(n), lon_edges=np.arange(n + 1) - 0.5)
    field = np.tile(np.arange(n) ** (n - 1.0), (4, 1))
    lon = np.linspace(0, n - 1, 5)
    result = regridder(grid, [1.2], lon, "bicubic")(field)
    np.testing.assert_allclose(result[0], lon ** (n - 1.0), atol=1e-6)


@pytest.mark.parametrize("method", ["bilinear", "bicubic"])
def test_half_cell_centres(method):
    fine = regular(50, 24, 0.25, -3, 32, 0.25)
    ramp = 2 * fine.lat[:, None] - 3 * fine.lon[None, :]
    geometry = Geometry.build(fine, 4)
    again = regridder(geometry.coarse, fine.lat, fine.lon, method)
    # Area weights move a block's mean latitude a little off its middle.
    result = again(geometry.coarsen(ramp))
    np.testing.assert_allclose(result[2:-2, 2:-2], ramp[2:-2, 2:-2], atol=0.01)
    means = ramp.reshape(6, 4, 8, 4).mean(axis=(1, 3))
    np.testing.assert_allclose(again(means)[2:-2, 2:-2], ramp[2:-2, 2:-2], atol=2e-5)


def test_bilinear_halves_agree_with_image_resizing():
    coarse = np.random.default_rng(2).normal(size=(5, 6)).astype(np.float32)
    fine = regular(0.25, 20, 0.5, 0.25, 24, 0.5)
    grid = Geometry.build(fine, 4).coarse
    result = regridder(grid, fine.lat, fine.lon, "bilinear")(coarse)
    resized = zoom(coarse, 4, order=1, mode="nearest", grid_mode=True)
    np.testing.assert_allclose(result, resized, atol=1e-6)


@pytest.mark.parametrize("method", ["nearest", "bilinear", "bicubic"])
def test_clamped_within_half_a_cell_and_nan_beyond(method):
    field = np.arange(30.0).reshape(5, 6)
    lat = np.array([29.2, 29.3, 30.0, 38.9, 39.1])
    result = regridder(SOURCE, lat, [-5.0, 6.4, 6.6], method)(field)
    first, last = [0, 5, np.nan], [24, 29, np.nan]
    nothing = [np.nan] * 3
    np.testing.assert_allclose(result, [nothing, first, first, last, nothing], atol=1e-5)
    assert regridder(SOURCE, lat, [-5.0], method).outside == 0.4


def test_longitudes_match_modulo_360():
    field = np.random.default_rng(3).normal(size=(5, 6))
    lat, lon = np.linspace(30, 38, 7), np.linspace(-5, 5, 11)
    plain = regridder(SOURCE, lat, lon, "bilinear")(field)
    for shift in (-360, 360):
        shifted = Grid(SOURCE.lat, SOURCE.lon + shift)
        np.testing.assert_allclose(
            regridder(shifted, lat, lon, "bilinear")(field), plain, atol=1e-6
        )
    east = Grid(SOURCE.lat, np.arange(0, 360, 60.0))
    west = Grid(SOURCE.lat, np.arange(-180, 180, 60.0))
    for method in ("nearest", "bilinear", "bicubic", "conservative"):
        target = Grid(lat, np.linspace(-175, 175, 11))
        np.testing.assert_allclose(
            regridder_between(east, target, method)(field),
            regridder_between(west, target, method)(np.roll(field, 3, axis=1)),
            atol=1e-6,
        )


@pytest.mark.parametrize(("method", "tolerance"), [("bilinear", 4e-3), ("bicubic", 2e-4)])
def test_periodic_sources_wrap(method, tolerance):
    grid = Grid(np.arange(-80.0, 81, 10), np.arange(0.0, 360, 10))
    wave = np.cos(np.radians(grid.lon))[None, :] * np.ones((17, 1))
    lon = np.array([-7.0, -2.5, 0, 354.9, 359.99, 720])
    result = regridder(grid, [3.0], lon, method)(wave)
    np.testing.assert_allclose(result[0], np.cos(np.radians(lon)), atol=tolerance)


def integral(grid, field):
    lat, lon = grid.edges
    return np.sum(np.diff(np.sin(np.radians(lat)))[:, None] * np.diff(lon)[None, :] * field)


@pytest.mark.parametrize("shift", [0, 360])
def test_conservative_preserves_the_integral(shift):
    fine = regular(30.125, 40, 0.25, -9.875, 48, 0.25)
    coarse = regular(30.5, 10, 1.0, -9 + shift, 6, 2.0)
    fields = np.random.default_rng(4).normal(280, 10, (5, 40, 48))
    down = regridder_between(fine, coarse, "conservative")(fields)
    for field, result in zip(fields, down, strict=True):
        assert integral(coarse, result) == pytest.approx(integral(fine, field), rel=1e-6)
    uneven = Grid(np.array([30.7, 32.2, 36.1, 38.0]), np.array([-8.9, -6.0, 0.8]))
    uneven = Grid(
        uneven.lat, uneven.lon, lat_edges=[30, 31.4, 33, 39.1, 40], lon_edges=[-10, -7.7, -4.2, 2]
    )
    result = regridder_between(fine, uneven, "conservative")(fields[0])
    assert integral(uneven, result) == pytest.approx(integral(fine, fields[0]), rel=1e-6)


def test_conservative_around_the_globe():
    fine = regular(-87.5, 36, 5, 0.0, 72, 5)
    coarse = regular(-82.5, 12, 15, -180.0, 24, 15)
    field = np.random.default_rng(5).normal(size=fine.shape)
    result = regridder_between(fine, coarse, "conservative")(field)
    assert integral(coarse, result) == pytest.approx(integral(fine, field), rel=1e-4, abs=1e-3)
    # Coarse cell 0 is centred at 180° and covers the fine cells from 175 to 185° in full.
    rows = np.sin(np.radians([-90, -85, -80, -75]))
    by_hand = np.average(field[:3, 35:38].mean(axis=1), weights=np.diff(rows))
    assert result[0, 0] == pytest.approx(by_hand, rel=1e-5)


def test_conservative_equals_coarsening():
    fine = regular(30, 20, 0.5, 0, 28, 0.5)
    geometry = Geometry.build(fine, 4)
    fields = np.random.default_rng(6).normal(size=(3, 20, 28))
    fields[:, 2:7, 3:9] = np.nan
    np.testing.assert_allclose(
        regridder_between(fine, geometry.coarse, "conservative")(fields),
        geometry.coarsen(fields, 0.5),
        atol=1e-5,
    )


def test_missing_cells_are_renormalised_away():
    grid = Grid(np.arange(2.0), np.arange(3.0))
    field = np.array([[1.0, 3.0, np.nan], [1.0, 3.0, 7.0]])
    lon = [0.5, 1.25, 1.5, 1.75]
    row = regridder(grid, [0.0, 0.25], lon, "bilinear")(field)
    # Weights of the missing cell: in row 0 its share of longitude; in row 0.25 3/4 of that.
    np.testing.assert_allclose(row[0], [2, 3, 3, np.nan], atol=1e-6)
    by_hand = (0.5 * 3 + 0.125 * 7) / 0.625
    np.testing.assert_allclose(row[1, 2], by_hand, rtol=1e-6)
    assert np.isnan(row[1, 3]) == (0.25 + 0.75 * 0.25 < 0.5)


def test_bicubic_falls_back_to_bilinear_beside_missing_cells():
    grid = regular(0, 8, 1.0, 0, 10, 1.0)
    field = np.random.default_rng(7).normal(size=(2, 8, 10))
    spoilt = field.copy()
    spoilt[0, 4, 5] = np.nan
    lat, lon = np.linspace(0, 7, 29), np.linspace(0, 9, 37)
    cubic, linear = (regridder(grid, lat, lon, m) for m in ("bicubic", "bilinear"))
    result = cubic(spoilt)
    np.testing.assert_array_equal(result[1], cubic(field)[1])
    near = (abs(lat - 4) < 2)[:, None] & (abs(lon - 5) < 2)[None, :]
    np.testing.assert_array_equal(result[0][~near], cubic(field)[0][~near])
    on_lines = (lat % 1 == 0)[:, None] | (lon % 1 == 0)[None, :]
    np.testing.assert_array_equal(result[0][near & ~on_lines], linear(spoilt)[0][near & ~on_lines])


def test_delaunay_reproduces_linear_fields():
    source = curved()
    target = curved(8, 9, 0.6, turn=-10)

    def linear(grid):
        return 280 + 0.7 * (grid.lat - 50) - 0.4 * (grid.lon - 10)

    result = regridder_between(source, target, "bilinear")(linear(source))
    np.testing.assert_allclose(result, linear(target), atol=5e-3)  # the sphere's curvature
    exact = regridder_between(source, source, "bilinear")(linear(source))
    np.testing.assert_allclose(exact, linear(source), rtol=1e-6)


def test_delaunay_over_the_pole_and_the_date_line():
    y, x = np.meshgrid(np.arange(-10, 10.5), np.arange(-12, 12.5), indexing="ij")
    source = Grid(90 - np.hypot(x, y), np.degrees(np.arctan2(x, -y)))
    height = np.cos(np.radians(source.lat)) * np.cos(np.radians(source.lon))
    lat, lon = np.array([82.0, 85, 89, 90]), np.arange(-180.0, 181, 30)
    result = regridder(source, lat, lon, "bilinear")(height)
    truth = np.cos(np.radians(lat))[:, None] * np.cos(np.radians(lon))[None, :]
    np.testing.assert_allclose(result, truth, atol=2e-4)


def test_triangles_are_found_as_by_scipy():
    rng = np.random.default_rng(10)
    mesh = Delaunay(rng.random((400, 2)))
    points = rng.uniform(-0.1, 1.1, (3000, 2))
    simplex, weight = locate(mesh, points)
    np.testing.assert_array_equal(simplex, mesh.find_simplex(points))
    inside = simplex >= 0
    again = np.einsum("nk,nkd->nd", weight, mesh.points[mesh.simplices[simplex]])
    np.testing.assert_allclose(again[inside], points[inside], atol=1e-12)


def test_curved_sources_end_half_a_cell_outside():
    source = curved(10, 10, 1.0, turn=0.0, centre=(0.0, 0.0))
    field = np.arange(100.0).reshape(10, 10)
    lon = np.array([0.5, 4.5, 4.95, 5.05, 5.5])
    for method in ("nearest", "bilinear"):
        result = regridder(source, [0.5], lon, method)(field)
        np.testing.assert_allclose(result[0], [55, 59, 59, np.nan, np.nan], atol=2e-3)
        corner = regridder(source, [4.9], [4.9, -4.9], method)(field)
        np.testing.assert_allclose(corner[0], [99, 90], atol=2e-3)


@pytest.mark.parametrize(
    ("method", "tolerance"), [("bilinear", 0.01), ("bicubic", 5e-4), ("conservative", 0.02)]
)
def test_a_global_grid_about_another_pole_has_no_seam(method, tolerance):
    source = rotated(60, 120, 3.0, south=-88.5, west=-178.5)
    target = regular(-85, 18, 10.0, -180, 36, 10.0)  # the circle is cut at 0 and 180 degrees

    def plane(grid):
        return sphere.unit_vectors(*grid.mesh()) @ np.array([0.3, 0.2, 0.9])

    result = regridder_between(source, target, method)(plane(source))
    np.testing.assert_allclose(result, plane(target), atol=tolerance)


def test_curved_sources_may_touch_the_pole():
    lat, lon = np.meshgrid(np.arange(60.0, 91, 3), np.arange(0.0, 360, 10), indexing="ij")
    result = regridder(Grid(lat, lon), [70.0, 90.0], [5.0, -172.0], "bilinear")(lat)
    np.testing.assert_allclose(result, [[70, 70], [90, 90]], atol=0.1)
    with pytest.raises(InputError, match="span no area"):
        regridder(Grid(np.full((3, 4), 10.0), np.full((3, 4), 20.0)), [10.0], [20.0], "nearest")


def test_bays_of_a_curved_boundary_are_outside():
    angle, radius = np.meshgrid(np.radians(np.arange(0, 181, 5.0)), np.arange(10, 15.0))
    source = Grid(radius * np.sin(angle), radius * np.cos(angle))
    apply = regridder(source, [0.0, 5.0, 12.0], [0.0, 12.0], "bilinear")
    result = apply(radius)
    np.testing.assert_allclose(result, [[np.nan, 12], [np.nan, 13], [12, np.nan]], atol=0.03)


def test_nearest_on_a_curved_grid():
    source, target = curved(), curved(6, 6, 0.7, turn=10)
    fields = np.random.default_rng(8).normal(size=(2, 20, 24)).astype(np.float32)
    result = regridder_between(source, target, "nearest")(fields)
    for i, j in np.ndindex(6, 6):
        phi, phi_0 = np.radians(source.lat), np.radians(target.lat[i, j])
        east = np.sin(np.radians(source.lon - target.lon[i, j]) / 2)
        haversine = np.sin((phi - phi_0) / 2) ** 2 + np.cos(phi) * np.cos(phi_0) * east**2
        at = np.argmin(haversine)
        np.testing.assert_array_equal(result[:, i, j], fields.reshape(2, -1)[:, at])


def test_any_leading_dimensions_in_chunks(monkeypatch):
    apply = regridder(SOURCE, np.linspace(30, 38, 9), np.linspace(-5, 5, 8), "bilinear")
    fields = np.random.default_rng(9).normal(size=(4, 3, 5, 6))
    fields[2, 1, 0, 0] = np.nan
    whole = apply(fields)
    assert whole.shape == (4, 3, 9, 8)
    monkeypatch.setattr("app.grids.regrid.BLOCK_VALUES", 100)
    np.testing.assert_array_equal(apply(fields), whole)
    np.testing.assert_array_equal(apply(fields[0, 0]), whole[0, 0])


def test_what_cannot_be_regridded_is_refused():
    with pytest.raises(InputError, match=r"do not overlap: source lat 30 to 38.*lat 50 to 60"):
        regridder(SOURCE, [50.0, 60.0], [0.0, 1.0], "bilinear")
    with pytest.raises(InputError, match="'cubic', expected one of nearest"):
        regridder(SOURCE, [31.0], [0.0], "cubic")
    with pytest.raises(InputError, match="fields of 5×6"):
        regridder(SOURCE, [31.0], [0.0], "nearest")(np.zeros((6, 5)))
    assert (
        "20.0% of the target lies outside"
        in regridder(SOURCE, [31.0], [0, 1.0, 2, 3, 30], "nearest").describe()
    )


def test_real_predictors_reach_the_coarse_grid(real_data):
    names = ("ncep_predictors_iberia_djf_1983-2002.nc", "eobs_iberia_djf_1983-2002.nc")
    with (
        xr.open_dataset(real_data / names[0]) as data,
        xr.open_dataset(real_data / names[1]) as fine,
    ):
        source, canonicalise = detect_grid(data)
        coarse = Geometry.build(detect_grid(fine)[0], 4).coarse
        fields = canonicalise(data["ta850"].isel(time=slice(0, 3)))
        result = regridder(source, coarse.lat, coarse.lon, "bilinear")(fields)
        theirs = fields.interp(lat=coarse.lat, lon=coarse.lon)
    assert np.isfinite(result).all()
    np.testing.assert_allclose(result, theirs, rtol=1e-6)
