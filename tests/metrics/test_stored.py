"""Fields on disk, as several ranks write and read them."""

from pathlib import Path

import numpy as np
import pytest

from app.metrics.stored import StoredFields
from app.running.disk_space import NoRoom

LAYERS, TIMES, Y, X, C = 3, 11, 5, 4, 2
BANDS = [slice(0, 2), slice(2, 4), slice(4, 5)]


def test_bands_hold_what_all_ranks_have_written(tmp_path: Path) -> None:
    """One rank has no times at all."""
    fields = np.random.default_rng(0).normal(size=(LAYERS, TIMES, Y, X, C)).astype(np.float32)
    shares = [range(0, 7), range(7, 7), range(7, 11)]
    paths: list[Path | None] = [tmp_path / f"fields-{rank}" for rank in range(3)]
    ranks = [StoredFields((LAYERS, Y, X, C), BANDS, shares, rank) for rank in range(3)]
    for rank, path in zip(ranks, paths, strict=True):
        rank.open(tmp_path, path)
        share = shares[rank.rank]
        for indices in (np.array(share[:3]), np.array(share[3:])):
            if len(indices):
                rank.write(0, indices, fields[:1, indices])
                rank.write(1, indices, fields[1:, indices])
                np.testing.assert_array_equal(rank.read(0, indices), fields[0, indices])
    for rank in ranks:
        with rank:
            rank.join(paths)
            for band in BANDS:
                np.testing.assert_array_equal(rank.band(band), fields[:, :, band])


def test_without_a_name_the_file_is_gone_when_it_is_closed(tmp_path: Path) -> None:
    stored = StoredFields((1, Y, X, C), BANDS, [range(2)])
    with stored.open(tmp_path):
        fields = np.ones((1, 2, Y, X, C), np.float32)
        stored.write(0, np.arange(2), fields)
        stored.join([None])
        np.testing.assert_array_equal(stored.band(BANDS[1]), fields[:, :, BANDS[1]])
    assert not list(tmp_path.iterdir())


def test_no_room_is_told_before_anything_is_written(tmp_path: Path) -> None:
    stored = StoredFields((1, 10**6, 10**6, 1), [slice(0, 1)], [range(10**6)])
    with pytest.raises(NoRoom, match="no space left"):
        stored.open(tmp_path)
