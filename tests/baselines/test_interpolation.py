"""Interpolation baselines: from where to where, and which channel goes with which."""

import numpy as np
import pytest
from memory_shards import fine_grid, fitted, held, perfect_prog

from app.baselines.base import time_blocks
from app.baselines.bias import BiasCorrected
from app.baselines.interpolation import Interpolation, match_channels
from app.data.description import Variable
from app.errors import InputError
from app.grids import Geometry, Grid

ALL = np.arange(2)
NAMES = (
    "nearest",
    "bilinear",
    "bicubic",
    "climatology",
    "bias_corrected",
    "linear",
    "quantile_mapping",
    "bcsd",
)


def ramp(n=10, rows=8, columns=12):
    """Fields linear in the row and column number, one unit a cell."""
    y, x = np.mgrid[:rows, :columns].astype(float)
    return (y + 2 * x + np.zeros((n, 1, 1)))[..., None]


@pytest.mark.parametrize("halo", [0, 1])
@pytest.mark.parametrize("name", ["bilinear", "bicubic"])
def test_a_ramp_is_met_exactly_between_the_outer_centres(name, halo):
    shards = perfect_prog(ramp(), scale=2, halo=halo)
    fields = Interpolation(name, shards).predict(ALL, "test")
    # area weights bend the coarse mean by less than 1 % of a cell
    inner = slice(1, -1) if name == "bilinear" else slice(3, -3)
    np.testing.assert_allclose(
        fields[:, inner, inner], ramp(2)[:, inner, inner].astype(np.float32), atol=0.02
    )


@pytest.mark.parametrize("halo", [0, 1])
@pytest.mark.parametrize("axes", [True, False])
def test_every_baseline_exists_on_grids_with_2d_coordinates(axes, halo):
    """A regular grid written with 2-D coordinates gives what it gives with 1-D ones."""
    plain = fine_grid(9, 14)
    numbers = {"y": np.arange(9.0), "x": np.arange(14.0)} if axes else {}
    hr = np.random.default_rng(0).gamma(2.0, size=(60, 9, 14, 1))
    rain = (Variable("pr", "pr", units="mm", kind="ratio"),)
    known = {
        grid: fitted(perfect_prog(hr, scale=4, halo=halo, grid=grid, variables=rain), NAMES)
        for grid in (plain, Grid(*plain.mesh(), ("y", "x"), **numbers))
    }
    for one, other in zip(*known.values(), strict=True):
        expected = one.predict(ALL, "test")
        assert np.isfinite(expected).all()
        np.testing.assert_allclose(other.predict(ALL, "test"), expected, rtol=2e-3, atol=2e-3)


def test_nearest_repeats_the_coarse_cell():
    shards = perfect_prog(ramp(), scale=2)
    fields = Interpolation("nearest", shards).predict(ALL, "test")[0, ..., 0]
    coarse = shards.read("lr", "test", ALL)[0, ..., 0]
    np.testing.assert_array_equal(fields, np.kron(coarse, np.ones((2, 2))))


def test_explicit_pairs_start_from_the_sources_own_grid():
    fine = fine_grid(4, 4, step=0.5)
    source = Grid(lat=np.array([39.0, 40.75, 42.5]), lon=np.array([-11.0, -9.25, -7.5]))
    low = np.broadcast_to(source.lat[None, :, None, None], (1, 3, 3, 1))
    tas = (Variable("tas", "tas", units="K"),)
    shards = held(
        geometry=Geometry.build(fine, 2),
        times=np.array(["2001-01-01"], "datetime64[ns]"),
        splits={"train": np.arange(0), "test": np.arange(1)},
        fields={"source": low},
        variables={"hr": tas, "source": tas, "lr": tas},
        source_grid=source,
    )
    fields = Interpolation("bilinear", shards).predict(np.arange(1), "test")[0, ..., 0]
    np.testing.assert_allclose(fields, fine.lat[:, None] * np.ones(4), rtol=1e-6)


def named(*pairs):
    return tuple(Variable(name, name, units=units) for name, units in pairs)


@pytest.mark.parametrize(
    ("wanted", "offered", "expected"),
    [
        (named(("tas", "K"), ("pr", "mm")), named(("pr", "mm"), ("tas", "K")), (1, 0)),
        (named(("tas", "K")), named(("t2m", "K"), ("tp", "mm")), (0,)),
        (named(("pr", "mm")), named(("psl", "Pa")), (None,)),
        (named(("x", "K"), ("tas", "K")), named(("tas", "K")), (None, 0)),
        (named(("tas", "K"), ("pr", "mm")), named(("tas", "K")), (0, None)),
        (named(("rr", "mm/day")), named(("pr", "mm day-1")), (0,)),
    ],
)
def test_channels_are_matched_by_name_then_by_place(wanted, offered, expected):
    assert match_channels(wanted, offered) == expected


def test_a_predictand_without_twin_is_missing():
    shards = perfect_prog(np.concatenate([ramp(), ramp()], axis=-1))
    shards.variables["lr"] = named(("v1", "K"), ("other", "Pa"))
    fields = Interpolation("bilinear", shards).predict(ALL, "test")
    assert np.isnan(fields[..., 0]).all()
    assert np.isfinite(fields[..., 1]).all()


def test_overshoot_is_held_to_the_valid_range():
    rng = np.random.default_rng(0)
    rain = np.maximum(rng.normal(size=(10, 12, 12, 1)), 0) ** 3
    pr = (Variable("pr", "pr", units="mm", valid_min=0.0),)
    free = perfect_prog(rain)
    assert Interpolation("bicubic", free).predict(ALL, "test").min() < 0
    assert (
        Interpolation("bicubic", perfect_prog(rain, variables=pr)).predict(ALL, "test").min() == 0
    )


def test_bias_correction_removes_the_mean_error_per_cell():
    rng = np.random.default_rng(1)
    offsets = rng.normal(size=(8, 12, 1))
    hr = ramp() + offsets
    shards = perfect_prog(hr)
    fields = BiasCorrected(shards).predict(np.arange(1), "test")
    # the ramp does not change with time, so its error is all mean error
    np.testing.assert_allclose(fields[0], hr[-1], atol=1e-5)


def test_unknown_names_are_refused():
    with pytest.raises(InputError, match=r"'cubic'.*known: nearest"):
        fitted(perfect_prog(ramp()), ["cubic"])


def test_blocks_cover_everything_once():
    blocks = list(time_blocks(1000, 100_000))
    assert len(blocks) > 1
    np.testing.assert_array_equal(np.concatenate(blocks), np.arange(1000))
