"""Areas, windows and equality of grids, by spherical geometry and by hand."""

import numpy as np
import pytest
from made_grids import expected, field, rotated

from app.errors import InputError
from app.grids import Grid, columns_of, detect_grid, same_grid


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
