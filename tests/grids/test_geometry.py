"""The fine grid and its coarse partner: padding, and coarsening against a loop."""

import json

import numpy as np
import pytest
from made_grids import field, rotated

from app.errors import InputError
from app.grids import Geometry, Grid, detect_grid


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
