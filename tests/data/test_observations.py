"""Stations on the grid: cells, means and units by hand, and what batches hold of them."""

import numpy as np
import pytest
import xarray as xr
from shard_helpers import field, perfect_prog, write

from app.data.description import Variable
from app.data.shards import Shards
from app.data.shards.prepare import prepare
from app.data.streaming.batches import batches
from app.data.streaming.observations import Observations, nearest_cells, open_observations
from app.data.streaming.sampler import Sampler
from app.data.times import Stamps
from app.errors import InputError
from app.grids import Grid

GRID = Grid(lat=50.0 + np.arange(4), lon=np.arange(5) * 1.0)
T, DEW = Variable("t", "t", units="K"), Variable("dew", "dew", units="K")
START = np.datetime64("2001-01-01", "ns")


def stations(lat, lon, values, name="t", units="degC", hours=(0, 1)):
    """A file's dataset: values (time, station)."""
    times = START + np.array(hours) * np.timedelta64(1, "h")
    data = xr.Dataset(
        {name: (("time", "station"), np.asarray(values, float), {"units": units})},
        {"time": times, "lat": ("station", lat), "lon": ("station", lon)},
    )
    return data


def opened(dataset, tmp_path, variables=(T,)):
    dataset.to_netcdf(tmp_path / "stations.nc")
    return open_observations(tmp_path / "stations.nc", variables, GRID, "standard")


def test_nearest_cells_across_the_grid_and_beyond_it():
    lat, lon = np.array([50.4, 52.6, 53.4, 55.0, np.nan]), np.array([0.6, 3.9, 360.2, 2.0, 1.0])
    cells, near = nearest_cells(GRID, lat, lon)
    assert near.tolist() == [True, True, True, False, False]
    assert cells[:3].tolist() == [1, 3 * 5 + 4, 3 * 5]


def test_values_in_the_predictands_units_and_means_where_stations_share_a_cell(tmp_path):
    data = stations([50.1, 49.9, 53.0, 80.0], [0.1, 0.2, 4.0, 0.0], [[1, 3, np.nan, 9], [5] * 4])
    found = opened(data, tmp_path)
    seconds = Stamps.of(START + np.array([1, 0, 7]) * np.timedelta64(1, "h")).seconds
    fields = found.fields(seconds)
    assert fields.shape == (3, 4, 5, 1)
    expected = np.full((3, 4, 5, 1), np.nan)
    expected[0, 0, 0] = expected[0, 3, 4] = 278.15
    expected[1, 0, 0] = 275.15
    np.testing.assert_allclose(fields, expected, atol=1e-4)


@pytest.mark.parametrize("units", ["", " "])
def test_stations_without_units_are_taken_as_the_predictand_and_told(tmp_path, units, caplog):
    found = opened(stations([50.0], [0.0], [[280.0], [281.0]], units=units), tmp_path)
    assert found.fields(found.stamps.seconds)[:, 0, 0, 0].tolist() == [280.0, 281.0]
    assert "t has no units; it is taken to be in K" in caplog.text


def test_a_predictand_that_is_not_observed_is_missing(tmp_path):
    found = opened(stations([50.0], [0.0], [[1.0], [2.0]]), tmp_path, (DEW, T))
    known = np.isfinite(found.fields(found.stamps.seconds)).sum(axis=(0, 1, 2))
    assert known.tolist() == [0, 2]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda d: d.rename(t="other"), "expected a time and one of t"),
        (lambda d: d.drop_vars("lat"), "expected lat of the stations"),
        (lambda d: d.assign_coords(lat=d.lat + 30), "none of 1 stations lies on the grid"),
        (lambda d: d.expand_dims(height=2), "expected time and station"),
        (lambda d: d.convert_calendar("noleap"), "calendar noleap, expected standard"),
    ],
)
def test_files_that_do_not_fit_are_refused_in_one_line(change, expected, tmp_path):
    with pytest.raises(InputError, match=expected) as caught:
        opened(change(stations([50.0], [0.0], [[1.0], [2.0]])), tmp_path)
    assert "\n" not in str(caught.value)


def test_no_file(tmp_path):
    with pytest.raises(InputError, match=r"none\.nc: cannot be read"):
        open_observations(tmp_path / "none.nc", (T,), GRID, "standard")


def test_batches_hold_them_on_the_padded_grid_and_in_patches(tmp_path):
    """7×9 cells at scale 2 are padded to 8×10, at the lower and the right edge or as it comes."""
    lat, lon = np.arange(7) + 40.0, np.arange(9) * 1.0
    path = write(tmp_path / "a.nc", field(lat=lat, lon=lon))
    shards = Shards.open(prepare(perfect_prog(path), scale=2, cache_dir=tmp_path / "c"))
    stamps = shards.stamps("train")
    values = np.arange(2.0 * len(stamps)).reshape(-1, 2, 1)
    told = Observations(stamps, np.array([0, 3 * 9 + 5]), values, (7, 9))
    sampler = Sampler(len(stamps), seed=1, batch_size=4)
    with batches(shards, "train", sampler, observations=told) as stream:
        whole = list(stream)
    top, _, left, _ = shards.geometry.pad
    for batch in whole:
        expected = np.full((4, *shards.geometry.padded_shape, 1), np.nan)
        expected[:, top, left] = values[batch["index"], 0]
        expected[:, top + 3, left + 5] = values[batch["index"], 1]
        np.testing.assert_array_equal(batch["observed"], expected)
    with batches(shards, "train", sampler, patch=4, observations=told) as stream:
        for full, cut in zip(whole, stream, strict=True):
            for i, (row, column) in enumerate(2 * cut["origin"]):
                part = full["observed"][i, row : row + 4, column : column + 4]
                np.testing.assert_array_equal(cut["observed"][i], part)
