"""Blending of windows: weights by hand, every frame once, the same whoever computes it."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from app.data.times import Stamps
from app.distributed import Communicator
from app.inference.predict import CoarseRecord, write_record
from app.inference.windows import Windows, blended
from app.models import Drawing
from app.ranks import Ranks

PIECES = np.repeat([0, 1, 2, 3, 4], [9, 2, 14, 1, 5])  # gapless stretches of a record
N = len(PIECES)
T = 5


def positions(rows: np.ndarray) -> np.ndarray:
    """A model that answers with the position of each frame in its window: (1, W, T, 1, 1, 1)."""
    where = np.broadcast_to(np.arange(rows.shape[1], dtype="float32"), rows.shape)
    return where[None, ..., None, None, None].astype("float32")


def run(windows: Windows, predicted=positions, batch_size: int = 4) -> np.ndarray:
    return np.concatenate(list(blended(windows, batch_size, predicted)), axis=1)[0, :, 0, 0, 0]


def test_every_frame_is_blended_from_all_its_windows_by_hand() -> None:
    """Frame 4 of nine is at positions 4 … 0 of five windows; the weights are 1 2 3 2 1."""
    found = run(Windows.over(PIECES, T, bidirectional=True))
    assert len(found) == N
    assert found[4] == pytest.approx(2)
    assert found[0] == 0
    assert found[1] == pytest.approx((2 * 1 + 1 * 0) / 3)
    assert found[2] == pytest.approx((3 * 2 + 2 * 1 + 1 * 0) / 6)
    assert found[8] == 4
    np.testing.assert_allclose(found[26:], [0, 1, 2, 3, 4])  # a stretch of just one window


def test_networks_that_look_back_count_most_late_in_a_window() -> None:
    """Defect: to keep frame 0 of each window, which has seen no other frame.

    Weights 1 … 5 of positions 0 … 4: their mean is 40 / 15.
    """
    found = run(Windows.over(PIECES, T, bidirectional=False))
    assert found[4] == pytest.approx(40 / 15)
    assert found[8] == 4
    chosen = run(Windows.over(PIECES, T, bidirectional=False, blend=False))
    np.testing.assert_array_equal(chosen[:9], [0, 1, 2, 3, 4, 4, 4, 4, 4])


def test_unblended_frames_come_from_where_they_have_most_context() -> None:
    chosen = run(Windows.over(PIECES, T, bidirectional=True, blend=False))
    np.testing.assert_array_equal(chosen[:9], [0, 1, 2, 2, 2, 2, 2, 3, 4])


def test_windows_keep_to_their_stretch_and_weights_add_up_to_one() -> None:
    for frames in (2, 3, 5, 8, 13):
        windows = Windows.over(PIECES, frames, bidirectional=True)
        for rows, weights in zip(windows.rows, windows.weights, strict=True):
            assert len(set(PIECES[rows])) == 1
            assert (np.diff(rows) >= 0).all()
            counted = rows[weights > 0]
            assert len(set(counted)) == len(counted)
        totals = np.bincount(windows.rows.ravel(), windows.weights.ravel(), minlength=N)
        np.testing.assert_allclose(totals, 1)


def test_short_stretches_are_filled_with_their_edges() -> None:
    """Two frames in five: one copy before, two behind; a single one five times."""
    windows = Windows.over(PIECES, T, bidirectional=True)
    rows = {tuple(r) for r in windows.rows.tolist()}
    assert (9, 9, 10, 10, 10) in rows
    assert (25, 25, 25, 25, 25) in rows
    assert run(windows)[[9, 10, 25]].tolist() == [1, 2, 2]


def noise(rows: np.ndarray) -> np.ndarray:
    """Something different for every frame of every window, whatever batch it is in."""
    values = [
        np.random.default_rng([int(w[0]), int(w[-1]), k]).normal(280, 5, (3, 2, 1))
        for w in rows
        for k in range(rows.shape[1])
    ]
    return np.asarray(values, "float32").reshape(1, *rows.shape, 3, 2, 1)


@pytest.mark.parametrize("frames", [2, 5, 9])
def test_blending_equals_the_weighted_mean_for_any_batch_size_and_rank(frames: int) -> None:
    windows = Windows.over(PIECES, frames, bidirectional=True)
    fields = noise(windows.rows)[0].astype("float64")
    expected = np.zeros((N, 3, 2, 1))
    np.add.at(expected, windows.rows, windows.weights[..., None, None, None] * fields)
    for batch_size in (1, 3, 100):
        whole = np.concatenate(list(blended(windows, batch_size, noise)), axis=1)[0]
        np.testing.assert_allclose(whole, expected, rtol=1e-6)
        for size in (2, 3):
            parts = [
                block
                for rank in range(size)
                for block in blended(windows.of(Ranks(rank, size).share(N)), batch_size, noise)
            ]
            np.testing.assert_array_equal(np.concatenate(parts, axis=1)[0], whole)


def test_frames_do_not_wait_longer_than_needed() -> None:
    """What has been asked for and not yet been given never exceeds a batch and a window."""
    asked, given = [0], 0

    def predicted(rows: np.ndarray) -> np.ndarray:
        asked[0] = int(rows.max()) + 1
        return positions(rows)

    windows = Windows.over(np.zeros(500, int), T, bidirectional=True)
    for block in blended(windows, 8, predicted):
        assert asked[0] - given <= 8 + 2 * T
        given += block.shape[1]
    assert given == 500


class Recorder:
    """A layout that keeps what is written, and a model of windows beside it."""

    members = 1

    def __init__(self) -> None:
        self.attributes: dict[str, str] = {}
        self.blocks: dict[int, np.ndarray] = {}
        self.written = 0

    def growing_file(
        self, path: Path, stamps: Stamps, as_in_file: bool, confirm: Any
    ) -> "Recorder":
        return self

    def __enter__(self) -> "Recorder":
        return self

    def __exit__(self, *nothing: object) -> None:
        pass

    def fields_of(self, fields: np.ndarray) -> list[np.ndarray]:
        return [fields[0, ..., 0]]

    def append(self, fields: list[np.ndarray]) -> None:
        self.blocks[self.written] = fields[0]
        self.written += len(fields[0])

    def predict_fields(
        self, batch: dict[str, Any], seed: int, members: int, how: Drawing
    ) -> np.ndarray:
        assert batch["coarse"].shape[:2] == (6, T)
        np.testing.assert_allclose(batch["time"].shape, (6, T, 8))
        return np.repeat(np.repeat(batch["coarse"], 2, axis=2), 2, axis=3)[None]


def test_predict_reads_each_frame_and_writes_the_record_in_order(tmp_path: Path) -> None:
    """A model that repeats its input gives the record back: frames go to their own places."""
    record = np.random.default_rng(0).normal(size=(N, 2, 3, 1)).astype("float32")
    seconds = 3600 * (np.arange(N) + 10 * PIECES)
    recorder: Any = Recorder()
    windows = Windows.over(PIECES, T, bidirectional=True)
    coarse = CoarseRecord(
        recorder, lambda rows: record[rows], Stamps(seconds), batch_size=6, seed=0, windows=windows
    )
    path = tmp_path / "record.nc"
    write_record(coarse, recorder, path, communicator=Communicator(Ranks()))
    starts = sorted(recorder.blocks)
    written = np.concatenate([recorder.blocks[start] for start in starts])
    lengths = [len(recorder.blocks[start]) for start in starts]
    assert starts == [0, *np.cumsum(lengths)[:-1].tolist()]
    np.testing.assert_allclose(written, record[..., 0].repeat(2, 1).repeat(2, 2), rtol=1e-6)
