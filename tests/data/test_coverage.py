"""Inputs that do not cover what is made of them are refused, or leave it missing."""

from pathlib import Path

import numpy as np
import pytest

from app.data.description import Source, TimeSteps
from app.data.shards.plan import coarse_input, plan_of, statics_on
from app.data.shards.time_plan import plan_in_time
from app.errors import InputError
from app.grids import Geometry, Grid
from tests.data.shard_helpers import field, perfect_prog, source, write

FINE = Geometry.build(Grid(np.arange(40, 48, 0.5), np.arange(-4, 4, 0.5)), 4)
LAT, LON = np.arange(36.0, 54, 2), np.arange(-10.0, 12, 2)


def low(tmp_path: Path, lat: np.ndarray = LAT, lon: np.ndarray = LON) -> Source:
    return source(write(tmp_path / "low.nc", field(2, lat, lon)))


@pytest.mark.parametrize(
    ("lat", "lon", "count", "edge"),
    [
        (LAT[LAT <= 42], LON, 8, "it ends at 42 N, 47.5 N is needed"),
        (LAT[LAT >= 44], LON, 8, "it ends at 44 N, 40 N is needed"),
        (LAT, LON[LON <= 0], 4, "it ends at 0 E, 3.5 E is needed"),
        (LAT, LON[LON >= 0], 8, "it ends at 0 E, 4 W is needed"),
        (LAT[LAT <= 42], LON[LON <= 0], 10, "42 N, 47.5 N is needed; it ends at 0 E, 3.5 E is"),
        (LAT, LON[LON <= 0] + 360, 4, "it ends at 0 E, 3.5 E is needed"),
    ],
)
def test_a_missing_edge_is_named_with_the_share_outside(tmp_path, lat, lon, count, edge):
    """Coarse centres lie at 40.75 to 46.75 N and 3.25 W to 2.75 E, four by four of them."""
    with pytest.raises(InputError, match=rf"cells \({count} of 16\) lie outside it: .*{edge}"):
        coarse_input("low_resolution", low(tmp_path, lat, lon), FINE)


def test_uncovered_cells_are_missing_if_masked(tmp_path):
    part = low(tmp_path, lat=LAT[LAT <= 42])
    opened = coarse_input("low_resolution", part, FINE, "mask")
    assert opened.uncovered[:8].sum() == 0
    assert opened.uncovered[8:].all()
    fields = opened.to_coarse(opened.opened.read(np.arange(2)))
    np.testing.assert_array_equal(
        np.isfinite(fields).all(axis=(0, 1, 3)), [True, True, False, False]
    )


def test_the_date_line_and_the_poles_are_no_edges(tmp_path):
    globe = source(write(tmp_path / "globe.nc", field(2, np.arange(-89.5, 90), np.arange(360.0))))
    for lat, lon in [
        (np.arange(-88, 90, 4.0), np.arange(-180, 180, 4.0)),
        (np.arange(86, 90, 0.5), np.arange(176, 186, 0.5)),
        (np.arange(-8, 8, 0.5), np.arange(-6, 6, 0.5)),
    ]:
        geometry = Geometry.build(Grid(lat, lon), 2)
        assert not coarse_input("predictors", globe, geometry).uncovered.any()
    pacific = source(
        write(tmp_path / "pacific.nc", field(2, np.arange(-10.0, 10), np.arange(170.0, 186)))
    )
    beyond = Geometry.build(Grid(np.arange(-4, 4, 0.5), np.arange(-178, -168, 0.5)), 2)
    with pytest.raises(InputError, match=r"it ends at 175 W, 168\.5 W is needed"):
        coarse_input("predictors", pacific, beyond)


@pytest.mark.parametrize("halo", [0, 1])
@pytest.mark.parametrize("rows", [16, 17])
def test_the_same_domain_in_single_precision_is_covered(tmp_path, halo, rows):
    """Also where the last block is filled in part, whose whole centre would lie outside."""
    lat, lon = 60.3 + np.arange(rows) / 10, 150.1 + np.arange(rows) / 10
    same = source(write(tmp_path / "same.nc", field(2, lat.astype("f4"), lon.astype("f4"))))
    geometry = Geometry.build(Grid(lat, lon), 4, halo)
    opened = coarse_input("predictors", same, geometry)
    assert not opened.uncovered.any()
    fine = opened.opened.read(np.arange(2))
    coarse = opened.to_coarse(fine)
    np.testing.assert_allclose(coarse, geometry.coarsen(fine), atol=2e-3)


def test_a_halo_beyond_the_source_takes_the_values_of_its_edge(tmp_path):
    geometry = Geometry.build(FINE.fine, 4, halo=1)
    inner = low(tmp_path, lat=LAT[(LAT >= 40) & (LAT <= 48)])
    opened = coarse_input("predictors", inner, geometry)
    fields = opened.to_coarse(opened.opened.read(np.arange(2)))
    np.testing.assert_array_equal(fields[:, :, 0], fields[:, :, 1])
    assert np.abs(fields[:, :, -1] - fields[:, :, -2]).min() > 0
    assert np.isfinite(fields).all()


def test_a_curved_source_that_ends_short(tmp_path):
    import xarray as xr

    y, x = np.meshgrid(np.arange(36.0, 44.1, 0.5), np.arange(-10.0, 10.1, 0.5), indexing="ij")
    lat, lon = y + 0.01 * x, x + 0.02 * (y - 40)
    curved = xr.Dataset(
        {"t": (("time", "y", "x"), np.zeros((2, *lat.shape), "f4"), {"units": "K"})},
        {
            "time": np.arange(2).astype("datetime64[h]").astype("datetime64[ns]"),
            "lat": (("y", "x"), lat, {"units": "degrees_north"}),
            "lon": (("y", "x"), lon, {"units": "degrees_east"}),
        },
    )
    curved.to_netcdf(tmp_path / "curved.nc")
    with pytest.raises(InputError, match=r"\(8 of 16\) lie .* it ends at 44.\d* N, 47.5 N is"):
        coarse_input("predictors", source(str(tmp_path / "curved.nc")), FINE)


def test_statics_that_end_short(tmp_path):
    part = source(
        write(tmp_path / "z.nc", field(1, LAT[LAT <= 44] + 0.1, LON + 0.1, name="z")), names=("z",)
    )
    with pytest.raises(InputError, match=r"static\[0\] .* fine cells \(80 of 256\) lie outside"):
        statics_on((part,), FINE.fine)
    _, fields, outside = statics_on((part,), FINE.fine, "mask")
    np.testing.assert_array_equal(np.isnan(fields[0]), outside)
    assert outside.sum() == 80


def test_targets_beyond_a_predictor_are_missing(tmp_path):
    lat, lon = np.arange(40, 48, 0.5), np.arange(-4, 4, 0.5)
    fine = write(tmp_path / "fine.nc", field(12, lat, lon))
    part = write(tmp_path / "p.nc", field(12, LAT[LAT <= 42], LON, name="p"))
    described = perfect_prog(fine, predictors=(source(part, names=("p",)),))
    with pytest.raises(InputError, match=r"predictors\[0\] .*50 % of the coarse cells"):
        plan_of(described, 4, 0)
    masked = perfect_prog(fine, predictors=described.predictors, uncovered="mask")
    blocks = plan_of(masked, 4, 0).splits["train"].read(np.arange(3))
    assert np.isnan(blocks["hr"][:, :, 8:]).all()
    assert np.isfinite(blocks["hr"][:, :, :8]).all()
    assert np.isfinite(blocks["lr"]).all()


def test_frames_beyond_their_guidance_are_missing(tmp_path):
    fine = write(tmp_path / "fine.nc", field(30, FINE.fine.lat, FINE.fine.lon))
    guide = write(tmp_path / "u.nc", field(30, LAT[LAT <= 42], LON, name="u"))
    asked = {"predictors": (source(guide, names=("u",)),), "time_steps": TimeSteps(10800, 3600)}
    with pytest.raises(
        InputError, match=r"predictors\[0\] .* fine cells \(144 of 256\) lie outside"
    ):
        plan_in_time(perfect_prog(fine, **asked), asked["time_steps"])
    masked = plan_in_time(perfect_prog(fine, **asked, uncovered="mask"), asked["time_steps"])
    blocks = masked.splits["train"].read(np.arange(2))
    beyond = np.broadcast_to(FINE.fine.lat[:, None] > 43, FINE.fine.shape)
    for role in ("hr", "predictors"):
        np.testing.assert_array_equal(np.isnan(blocks[role][0, 0]), beyond)
