"""Windows of consecutive frames: which there are, and what batches of them hold."""

import numpy as np
import pytest
from shard_helpers import field, perfect_prog, source, write

from app.data.description import Splits
from app.data.shards import Shards
from app.data.shards.prepare import prepare
from app.data.streaming.batches import batches
from app.data.streaming.sampler import Sampler
from app.data.streaming.windows import samples, window_starts
from app.data.times import DAY, segments
from app.errors import InputError

HOUR = np.timedelta64(1, "h")
START = np.datetime64("2001-01-01", "ns")


def hours(*numbers: int) -> np.ndarray:
    return START + np.asarray(numbers) * HOUR


@pytest.mark.parametrize("frames", [2, 3, 5])
def test_starts_are_all_windows_within_segments(frames: int) -> None:
    draw = np.random.default_rng(frames)
    pieces = np.cumsum(draw.random(200) < 0.2)
    by_hand = [
        first
        for first in range(200 - frames + 1)
        if len(set(pieces[first : first + frames].tolist())) == 1
    ]
    assert window_starts(pieces, frames).tolist() == by_hand


@pytest.mark.parametrize(("frames", "stride"), [(3, 3), (4, 2), (5, 4)])
def test_strides_leave_out_no_row_of_a_long_segment(frames: int, stride: int) -> None:
    pieces = np.repeat(np.arange(4), [frames, 2 * frames + 1, frames - 1, 17])
    starts = window_starts(pieces, frames, stride)
    rows = {row for start in starts for row in range(start, start + frames)}
    long = np.flatnonzero(np.bincount(pieces)[pieces] >= frames)
    assert rows == set(long.tolist())
    assert set(starts.tolist()) <= set(window_starts(pieces, frames).tolist())
    assert window_starts(np.zeros(10), 5, 4).tolist() == [0, 4, 5]


def test_months_and_years_are_regular_steps() -> None:
    months = np.arange("2001-01", "2003-01", dtype="datetime64[M]").astype("datetime64[s]")
    seconds = months.astype(np.int64)
    assert not segments(seconds).any()
    assert segments(np.delete(seconds, 7)).tolist() == [0] * 7 + [1] * 16
    years = np.arange("1999", "2010", dtype="datetime64[Y]").astype("datetime64[s]")
    assert not segments(years.astype(np.int64)).any()
    assert segments(np.array([0, 10, 11, 21]) * DAY).tolist() == [0, 0, 1, 1]


@pytest.fixture(scope="module")
def shards(tmp_path_factory) -> Shards:
    """40 hours of 7×9 fine cells at scale 2; hours 6, 13 and 14 are missing in training."""
    folder = tmp_path_factory.mktemp("windows")
    lat, lon = np.arange(7) + 40.0, np.arange(9) * 1.0
    times = hours(*[n for n in range(43) if n not in (6, 13, 14)])
    height = field(1, lat, lon, "z", 2).isel(time=0, drop=True)
    description = perfect_prog(
        write(folder / "a.nc", field(times, lat, lon)),
        predictors=(source(write(folder / "b.nc", field(times, lat, lon, "u", 1)), names=("u",)),),
        static=(source(write(folder / "z.nc", height), names=("z",)),),
    )
    return Shards.open(prepare(description, scale=2, halo=1, cache_dir=folder / "c"))


def test_windows_cross_neither_gaps_nor_splits(shards: Shards) -> None:
    """Training: hours 0–5, 7–12, 15–22; windows of four begin at rows 0–2, 6–8 and 12–16."""
    assert samples(shards, "train", 4).tolist() == [0, 1, 2, 6, 7, 8, 12, 13, 14, 15, 16]
    assert samples(shards, "validation", 4).tolist() == list(range(7))
    assert samples(shards, "validation", 4, stride=4).tolist() == [0, 4, 6]
    for split in shards.splits:
        times = shards.times(split)
        for start in samples(shards, split, 4):
            assert (np.diff(times[start : start + 4]) == HOUR).all()
    assert samples(shards, "train", None).tolist() == list(range(20))


def test_step_is_the_records_even_where_a_split_is_thin(tmp_path) -> None:
    """Every third hour, and nothing else, is no regular record of its own."""
    times = hours(*range(30), *range(40, 60, 3))
    path = write(tmp_path / "a.nc", field(times))
    splits = Splits(
        kind="dates",
        train=(("2001-01-01T00", "2001-01-01T20"),),
        validation=(("2001-01-01T21", "2001-01-02T05"),),
        test=(("2001-01-02T16", "2001-01-03T12"),),
    )
    data = perfect_prog(path, splits=splits)
    shards = Shards.open(prepare(data, scale=2, halo=0, cache_dir=tmp_path / "c"))
    assert np.diff(shards.times("test")).min() == 3 * HOUR
    assert shards.step("test") == 3600
    assert shards.segments("test").tolist() == list(range(shards.size("test")))


def test_a_window_longer_than_any_stretch_is_refused(shards: Shards) -> None:
    with pytest.raises(InputError, match="--time_window=9: longer than any stretch") as caught:
        samples(shards, "train", 9)
    assert "the longest has 8 times at a step of 3600 s" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("patch", [None, 4])
def test_batches_hold_consecutive_frames(shards: Shards, patch: int | None) -> None:
    """All frames of a window are cut at the same place; statics and weights are the sample's."""
    starts = samples(shards, "train", 3)
    sampler = Sampler(len(starts), seed=1, batch_size=4)
    with batches(shards, "train", sampler, patch=patch, frames=3) as stream:
        found = list(stream)
    assert len(found) == sampler.steps
    static = shards.padded_static
    seen = []
    for step, batch in enumerate(found):
        indices, weights = sampler.batch(step)
        np.testing.assert_array_equal(batch["weight"], weights)
        seen += starts[indices[weights > 0]].tolist()
        for i, start in enumerate(starts[indices]):
            rows = np.arange(start, start + 3)
            inputs = [shards.read(role, "train", rows) for role in ("lr", "predictors")]
            coarse = np.concatenate(inputs, axis=-1)
            hr = np.full((3, 12, 14, 1), np.nan, np.float32)
            hr[:, 2:9, 2:11] = shards.read("hr", "train", rows)
            if patch:
                row, column = batch["origin"][i]
                coarse = coarse[:, row : row + 2, column : column + 2]
                cut = (slice(2 * row, 2 * row + 4), slice(2 * column, 2 * column + 4))
                hr = hr[:, *cut]
                np.testing.assert_array_equal(batch["static"][i], static[cut])
            np.testing.assert_array_equal(batch["coarse"][i], coarse)
            np.testing.assert_array_equal(batch["hr"][i], hr)
            np.testing.assert_array_equal(batch["time"][i], shards.time_features("train", rows))
    assert sorted(seen) == starts.tolist()
