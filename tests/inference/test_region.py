"""A model on another region than its own."""

from pathlib import Path

import keras
import numpy as np
import pytest

from app.data.description import Source, Variable
from app.data.shards.coordinate_channels import NAMES, coordinate_fields
from app.errors import InputError
from app.grids import Geometry, Grid
from app.inference.region import moved, own_statics
from app.models import Channel, LinearGuess, ModelArrays, ModelSpec, PhysicalModel, build_network
from app.options import ModelConfig
from tests.data.shard_helpers import field, write

SCALE = 2


def geometry_of(south: float, west: float, rows: int = 6, columns: int = 8) -> Geometry:
    return Geometry.build(Grid(south + np.arange(rows) * 0.5, west + np.arange(columns) * 0.5), 2)


def model_of(statics: tuple[str, ...], static: np.ndarray | None, **options) -> PhysicalModel:
    keras.utils.set_random_seed(2)
    home = geometry_of(40, 0)
    channel = (Channel("t", "K"),)
    place = {**home.to_dict(), "pad": list(home.pad)}
    spec = ModelSpec(channel, channel, 1, place, statics=statics, **options)
    one, count = np.ones(1), len(statics)
    arrays = ModelArrays(
        280 * one,
        5 * one,
        280 * one,
        5 * one,
        np.ones((6, 8, 1)),
        static=static,
        static_offset=np.full(count, 0.1),
        static_scale=np.full(count, 0.2),
    )
    config = ModelConfig(n_filters=4, n_blocks=1, dropout_rate=0)
    network = build_network(config, n_inputs=1, n_static=count, n_outputs=1, scale=SCALE)
    return PhysicalModel(spec, arrays, network)


def test_coordinates_are_those_of_the_new_region():
    """Moved home nothing changes; elsewhere the same weather gives something else."""
    model = model_of(NAMES, coordinate_fields(geometry_of(40, 0).fine))
    coarse = np.random.default_rng(0).normal(280, 5, (2, 3, 4, 1)).astype("float32")
    batch = {"coarse": coarse, "time": np.zeros((2, 8), "float32")}
    home = model.predict_fields(batch)
    np.testing.assert_array_equal(moved(model, geometry_of(40, 0)).predict_fields(batch), home)
    there = moved(model, geometry_of(-20, 100, 10, 12))
    expected = coordinate_fields(geometry_of(-20, 100, 10, 12).fine)
    np.testing.assert_allclose(there.static, expected, atol=1e-7)
    wide = np.tile(coarse, (1, 2, 2, 1))[:, :5, :6]
    fields = there.predict_fields({**batch, "coarse": wide})
    assert fields.shape == (1, 2, 10, 12, 1)
    assert np.isfinite(fields).all()
    assert np.abs(fields[:, :, :2, :2] - home[:, :, :2, :2]).max() > 1e-3


def test_what_only_its_own_grid_has_ties_a_model():
    z = np.ones((6, 8, 1))
    with pytest.raises(InputError, match=r"the model has static fields; expected z"):
        moved(model_of(("z",), z), geometry_of(0, 0))
    held = model_of((), None, constraint="additive", twins=(0,))
    with pytest.raises(InputError, match=r"its own blocks, .* with --constraint=none for"):
        moved(held, geometry_of(0, 0))
    held.first_guess = LinearGuess((3, 4), n_lr=1, n_predictors=0, n_outputs=1, scale=SCALE)
    with pytest.raises(InputError, match="with --first_guess=bicubic and --constraint=none for"):
        moved(held, geometry_of(0, 0))


def test_static_fields_of_the_new_region_are_taken(tmp_path):
    """In the units of training, by the file's own name, and nothing where they end."""
    height = np.random.default_rng(0).normal(300, 100, (6, 8, 1))
    model = model_of(("z",), height, domain={"static_units": {"z": "m"}})
    there = geometry_of(10, 20)
    lat, lon = there.fine.lat, there.fine.lon
    own = field(1, lat, lon, name="oro")
    own.attrs["units"] = "km"
    source = Source((write(tmp_path / "oro.nc", own),), (Variable("oro", "oro"),))
    named = {"z": "oro"}
    statics, outside = own_statics(model.spec, there, [source], named, "refuse")
    there_model = moved(model, there, statics, outside)
    np.testing.assert_allclose(there_model.static[..., 0], 1000 * own.values[0], rtol=1e-6)
    coarse = np.random.default_rng(0).normal(280, 5, (1, 3, 4, 1)).astype("float32")
    batch = {"coarse": coarse, "time": np.zeros((1, 8), "float32")}
    home = moved(model, there, {"z": height[..., 0]})
    np.testing.assert_array_equal(home.predict_fields(batch), model.predict_fields(batch))
    with pytest.raises(InputError, match=r"as --static=FILE:VARIABLE,…; z is not among them"):
        own_statics(model.spec, there, [source], {}, "refuse")
    short = Source((write(tmp_path / "s.nc", own[:, :4] + 0),), source.variables)
    with pytest.raises(InputError, match=r"--static\[0\] .* fine cells \(16 of 48\) lie outside"):
        own_statics(model.spec, there, [short], named, "refuse")
    part = moved(model, there, *own_statics(model.spec, there, [short], named, "mask"))
    missing = np.isnan(part.predict_fields(batch)[0, 0, ..., 0])
    np.testing.assert_array_equal(missing, np.repeat(np.arange(6) > 3, 8).reshape(6, 8))


def test_files_of_another_region_are_served(tmp_path: Path) -> None:
    import xarray as xr

    from app.main import main
    from tests.system.conftest import QUICK, fields

    fields(n=30, y=8, x=12)[["t2m"]].to_netcdf(tmp_path / "fine.nc")
    with xr.open_dataset(tmp_path / "fine.nc") as fine:
        step = abs(float(fine.lat[1] - fine.lat[0]))
        east = abs(float(fine.lon[1] - fine.lon[0]))
    common = [f"--cache_dir={tmp_path / 'cache'}", "--notensorboard", "--noverbose", *QUICK]
    train = [f"--data={tmp_path / 'fine.nc'}", "--variable=t2m", "--scale=2", "--epochs=1"]
    train += ["--coordinate_channels", f"--save_path={tmp_path / 'run'}"]
    assert main(["train", *train, *common]) == 0
    lat, lon = -10 + 2 * step * np.arange(5), 178 + 2 * east * np.arange(7)
    coarse = xr.Dataset(
        {"t2m": (("time", "lat", "lon"), np.full((3, 5, 7), 281.0), {"units": "K"})},
        {"time": np.arange(3).astype("datetime64[D]"), "lat": lat, "lon": lon},
    )
    coarse["lat"].attrs["units"], coarse["lon"].attrs["units"] = "degrees_north", "degrees_east"
    coarse.to_netcdf(tmp_path / "there.nc")
    test = [f"--model={tmp_path / 'run'}", f"--input={tmp_path / 'there.nc'}"]
    test += [f"--save_path={tmp_path / 'there'}", "--input_grid=own"]
    assert main(["test", *test, *common]) == 0
    with xr.open_dataset(tmp_path / "there" / "y_hat.nc") as found:
        assert found.t2m.shape == (3, 10, 14)
        np.testing.assert_allclose(found.lat, -10 + step * (np.arange(10) - 0.5), atol=1e-6)
        np.testing.assert_allclose(found.lon, 178 + east * (np.arange(14) - 0.5), atol=1e-6)
        assert found.t2m.notnull().all()
    coarse.isel(lat=slice(None, None, 2)).to_netcdf(tmp_path / "wide.nc")
    test[1] = f"--input={tmp_path / 'wide.nc'}"
    assert main(["test", *test, *common]) == 2
