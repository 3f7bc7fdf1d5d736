"""Means over cells between any grids, against exact overlaps, kept totals and linear fields."""

import numpy as np
import pytest

from app.grids import Grid, sphere
from app.grids.regrid import regridder_between


def regular(lat0, n_lat, d_lat, lon0, n_lon, d_lon):
    return Grid(lat0 + d_lat * np.arange(n_lat), lon0 + d_lon * np.arange(n_lon))


def turned(n, spacing, turn, centre=(60.0, 10.0)):
    """n × n cells around `centre` on the plane that touches the sphere there."""
    along = (np.arange(n) - (n - 1) / 2) * np.radians(spacing)
    c, s = np.cos(np.radians(turn)), np.sin(np.radians(turn))
    x, y = c * along[None] - s * along[:, None], s * along[None] + c * along[:, None]
    phi, lam = np.radians(centre)
    up = np.array([np.cos(phi) * np.cos(lam), np.cos(phi) * np.sin(lam), np.sin(phi)])
    east = np.array([-np.sin(lam), np.cos(lam), 0])
    points = up + x[..., None] * east + y[..., None] * np.cross(up, east)
    return Grid(*sphere.lat_lon(points), ("y", "x"))


def as_2d(grid):
    return Grid(*grid.mesh(), ("y", "x"))


def height(grid):
    """A field linear in space, in which the mean over a cell is the value at its centre."""
    points = sphere.unit_vectors(*grid.mesh())
    return points @ np.array([30.0, -20.0, 50.0])


@pytest.mark.parametrize("lat0", [-0.125, 48.125, 78.0])
@pytest.mark.parametrize("which", ["source", "target", "both"])
def test_overlaps_are_those_of_latitudes_and_longitudes(lat0, which):
    source = regular(lat0, 40, 0.25, -9.875, 44, 0.25)
    target = regular(lat0 + 1.9, 9, 0.675, -7.5, 11, 0.675)
    noise = np.random.default_rng(0).random((3, *source.shape))
    exact = regridder_between(source, target, "conservative")(noise)
    source = as_2d(source) if which != "target" else source
    target = as_2d(target) if which != "source" else target
    result = regridder_between(source, target, "conservative")(noise)
    np.testing.assert_allclose(result, exact, atol=1e-3)


@pytest.mark.parametrize("turn", [0, 33, 90])
def test_totals_constants_and_linear_fields_are_kept(turn):
    source, target = turned(30, 0.2, 10), turned(12, 0.8, turn)
    apply = regridder_between(source, target, "conservative")
    np.testing.assert_allclose(apply(np.full(source.shape, 281.5))[4:8, 4:8], 281.5, rtol=1e-6)
    linear = height(target)[4:8, 4:8]
    result = apply(height(source))[4:8, 4:8]
    np.testing.assert_allclose(result, linear, atol=1e-3 * np.ptp(height(source)))
    noise = np.random.default_rng(1).random(source.shape)
    areas = [sphere.cell_areas(grid.corners).ravel() for grid in (source, target)]
    total = areas[1] @ (apply.weights @ noise.ravel())
    assert total == pytest.approx(areas[0] @ noise.ravel(), rel=1e-6)


def test_fine_targets_take_the_value_of_the_cell_around_them():
    source, target = turned(6, 1.0, 20), turned(20, 0.05, 20)
    noise = np.random.default_rng(2).random(source.shape)
    result = regridder_between(source, target, "conservative")(noise)
    np.testing.assert_allclose(result[:10, :10], noise[2, 2], atol=1e-5)
    np.testing.assert_allclose(result[10:, :10], noise[3, 2], atol=1e-5)
    np.testing.assert_allclose(result[:10, 10:], noise[2, 3], atol=1e-5)


def test_the_pole_and_the_date_line_are_covered():
    source = turned(80, 0.5, 15, centre=(90.0, 0.0))
    target = regular(81, 5, 2.0, -175, 36, 10.0)
    apply = regridder_between(source, target, "conservative")
    np.testing.assert_allclose(apply.weights.sum(axis=1), 1, atol=1e-5)
    # The mean of sin φ over a band, weighted by the area, is the middle of its edges' sines.
    sines = np.sin(np.radians(target.edges[0]))
    by_hand = (sines[1:] + sines[:-1]) / 2
    result = apply(np.sin(np.radians(source.lat))).mean(axis=1)
    np.testing.assert_allclose(result, by_hand, atol=2e-4)


@pytest.mark.parametrize("kinds", ["1d 1d", "2d 1d", "1d 2d", "2d 2d"])
def test_fine_sources_are_averaged_unless_told_otherwise(kinds):
    source, target = regular(50, 40, 0.1, 5, 40, 0.1), regular(50.5, 6, 0.5, 5.5, 6, 0.5)
    source = as_2d(source) if kinds.startswith("2d") else source
    target = as_2d(target) if kinds.endswith("2d") else target
    assert regridder_between(source, target, "auto").method == "conservative"
    assert regridder_between(target, source, "auto").method == "bilinear"
    assert regridder_between(source, source, "auto").method == "bilinear"
    # Alternating stripes: their mean is found, not the stripe under the centre.
    stripes = np.tile([[0.0, 1.0]], (40, 20))
    result = regridder_between(source, target, "auto")(stripes)
    np.testing.assert_allclose(result, 0.5, atol=0.11)
