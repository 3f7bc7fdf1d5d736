"""Latitude and longitude as static fields."""

import numpy as np
import pytest
from shard_helpers import field, perfect_prog, source, write

from app.data.shards import Shards
from app.data.shards.coordinate_channels import coordinate_fields, with_coordinates
from app.data.shards.prepare import prepare
from app.data.streaming.batches import batches
from app.data.streaming.sampler import Sampler
from app.grids import Grid


def test_no_jump_at_the_date_line_and_none_between_conventions():
    """Longitudes 359, 1 and 179, 181 lie as near in their channels as 1, 3."""
    fields = coordinate_fields(Grid(np.array([0.0, 30.0]), np.array([179.0, 181.0])))
    np.testing.assert_allclose(fields[:, 0, 0], [0, 0.5], atol=1e-7)
    step = 2 * np.sin(np.radians(1))
    assert np.linalg.norm(fields[0, 1] - fields[0, 0]) == pytest.approx(step, rel=1e-4)
    turned = coordinate_fields(Grid(np.array([0.0, 30.0]), np.array([-181.0, -179.0])))
    np.testing.assert_allclose(turned, fields, atol=1e-6)


def test_grids_of_two_dimensions():
    lat, lon = np.meshgrid([10.0, 20.0, 30.0], [5.0, 15.0], indexing="ij")
    expected = coordinate_fields(Grid(lat[:, 0], lon[0]))
    np.testing.assert_array_equal(coordinate_fields(Grid(lat, lon)), expected)


@pytest.mark.parametrize("statics", [True, False])
def test_they_stand_behind_the_statics_in_batches_too(statics, tmp_path):
    height = field(1, name="z").isel(time=0, drop=True)
    description = perfect_prog(
        write(tmp_path / "a.nc", field()),
        static=(source(write(tmp_path / "z.nc", height), names=("z",)),) if statics else (),
    )
    plain = Shards.open(prepare(description, scale=2, cache_dir=tmp_path / "c"))
    shards = with_coordinates(plain)
    names = [v.name for v in shards.variables["static"]]
    assert names == ["z"] * statics + ["sin_latitude", "sin_longitude", "cos_longitude"]
    assert plain.static.shape == (6, 8, int(statics))
    encoded = shards.scaling["static"].encode(shards.static)
    np.testing.assert_allclose(encoded.mean(axis=(0, 1)), 0, atol=1e-4)
    np.testing.assert_allclose(encoded.std(axis=(0, 1)), 1, atol=1e-3)
    with batches(shards, "train", Sampler(20, batch_size=5), patch=4) as stream:
        batch = next(stream)
    row = batch["origin"][0, 0] * 2
    expected = np.sin(np.radians(shards.geometry.fine.lat[row : row + 4]))
    np.testing.assert_allclose(batch["static"][0, :, 0, int(statics)], expected, rtol=1e-6)
