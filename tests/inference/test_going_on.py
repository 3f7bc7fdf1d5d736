"""A prediction that was ended goes on where it was, whatever ended it."""

import multiprocessing
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

from app.data.description import Variable
from app.data.times import Stamps
from app.distributed import Communicator
from app.errors import Interrupted, RunError
from app.grids import Grid
from app.inference import writer
from app.inference.predict import CoarseRecord, write_record
from app.inference.windows import Windows
from app.inference.writer import Layout, unfinished
from app.models import Drawing
from app.ranks import Ranks

FORK = multiprocessing.get_context("fork")
N, T, BATCH = 50, 4, 6
SECONDS = 3600 * np.arange(N)
ATTRIBUTES = {"data_fingerprint": "abc", "model_sha256": "def", "seed": "0"}
GRID = Grid(np.arange(3.0), np.arange(4.0))
VARIABLES = (Variable("t2m", "t2m", units="K"), Variable("pr", "pr", units="mm"))
Work = Callable[..., list[int]]


class Counting:
    """A model whose fields follow from time and member alone; it counts what it is asked for."""

    def __init__(self) -> None:
        self.asked: list[int] = []

    def predict_fields(
        self, batch: dict[str, Any], seed: int, members: int, how: Drawing
    ) -> np.ndarray:
        rows = batch["coarse"][..., 0, 0, 0]
        self.asked += sorted({int(row) for row in rows.ravel()})
        layers = rows[None, ..., None, None, None] + 100 * np.arange(members).reshape(
            -1, *(1,) * (rows.ndim + 3)
        )
        noise = np.random.default_rng(0).normal(size=(3, 4, 2))
        return (layers + noise).astype("float32")


def work(
    path: Path,
    check: Callable[[], None] = lambda: None,
    windows: Windows | None = None,
    members: int = 2,
    rank: int = 0,
    size: int = 1,
    model: Counting | None = None,
    **attributes: str | None,
) -> list[int]:
    """Predict; the rows that the model was asked for."""
    model = model or Counting()
    known = {n: v for n, v in {**ATTRIBUTES, **attributes}.items() if v is not None}
    record = CoarseRecord(
        model,
        lambda rows: rows[:, None, None, None].astype("float32"),
        Stamps(SECONDS),
        batch_size=BATCH,
        seed=0,
        members=members,
        windows=windows,
    )
    layout = Layout(GRID, VARIABLES, known, members=members)
    everyone = Communicator(Ranks(rank, size))
    write_record(record, layout, path, communicator=everyone, check=check)
    return model.asked


def after(batches: int, act: Callable[[], None]) -> Callable[[], None]:
    left = iter(range(batches))

    def check() -> None:
        if next(left, None) is None:
            act()

    return check


def interrupt() -> None:
    raise Interrupted("SIGTERM")


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def same(one: Path, other: Path) -> bool:
    with xr.open_dataset(one) as a, xr.open_dataset(other) as b:
        return a.identical(b.assign_attrs(a.attrs)) and bool(a.notnull().all().to_array().all())


def test_interrupted_prediction_goes_on(tmp_path: Path) -> None:
    work(tmp_path / "whole.nc")
    path = tmp_path / "y.nc"
    with pytest.raises(Interrupted):
        work(path, after(3, interrupt))
    assert not path.exists()
    assert work(path)[0] == 4 * BATCH
    assert same(path, tmp_path / "whole.nc")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["whole.nc", "y.nc"]


@pytest.mark.parametrize("batches", [0, 3])
def test_killed_prediction_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, batches: int
) -> None:
    monkeypatch.setattr(writer, "KEEP_EVERY", 0.0)
    work(tmp_path / "whole.nc")
    path = tmp_path / "y.nc"
    process = FORK.Process(target=work, args=(path, after(batches, die)))
    process.start()
    process.join(30)
    assert process.exitcode == -signal.SIGKILL
    assert work(path)[0] == (batches + 1) * BATCH
    assert same(path, tmp_path / "whole.nc")


def test_killed_before_the_first_note_it_begins_anew(tmp_path: Path) -> None:
    path = tmp_path / "y.nc"
    process = FORK.Process(target=work, args=(path, after(3, die)))
    process.start()
    process.join(30)
    assert unfinished(path)[0].exists()
    assert work(path)[0] == 0
    work(tmp_path / "whole.nc")
    assert same(path, tmp_path / "whole.nc")


def test_windows_are_blended_as_without_a_break(tmp_path: Path) -> None:
    windows = Windows.over(np.zeros(N, int), T, bidirectional=True)
    work(tmp_path / "whole.nc", windows=windows)
    path = tmp_path / "y.nc"
    for batches in (1, 2):
        with pytest.raises(Interrupted):
            work(path, after(batches, interrupt), windows)
    asked = work(path, windows=windows)
    assert asked[0] > 2 * BATCH
    with xr.open_dataset(path) as broken, xr.open_dataset(tmp_path / "whole.nc") as whole:
        xr.testing.assert_allclose(broken, whole, rtol=1e-6)


@pytest.mark.parametrize(
    "other",
    [{"data_fingerprint": "another"}, {"model_sha256": "another"}, {"seed": "1"}, {"members": 3}],
)
def test_what_another_call_left_is_not_taken(tmp_path: Path, other: dict[str, Any]) -> None:
    path = tmp_path / "y.nc"
    with pytest.raises(Interrupted):
        work(path, after(3, interrupt))
    assert work(path, **other)[0] == 0


def test_finished_and_unfinished_parts_of_ranks_are_kept(tmp_path: Path) -> None:
    """One rank has finished its part, the other not: the second alone has more to do."""
    path = tmp_path / "y.nc"
    with pytest.raises(RunError):
        work(path, rank=0, size=2)  # nobody wrote the other part
    with pytest.raises(Interrupted):
        work(path, after(1, interrupt), rank=1, size=2)
    assert work(path, rank=1, size=2)[0] == 25 + 2 * BATCH
    assert work(path, rank=0, size=2) == []
    work(tmp_path / "whole.nc")
    assert same(path, tmp_path / "whole.nc")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["whole.nc", "y.nc"]


class Broken(Counting):
    """A model that fails at some row."""

    def __init__(self, row: int) -> None:
        super().__init__()
        self.row = row

    def predict_fields(
        self, batch: dict[str, Any], seed: int, members: int, how: Drawing
    ) -> np.ndarray:
        if self.row in batch["coarse"][..., 0, 0, 0]:
            raise OSError("the disk is full")
        return super().predict_fields(batch, seed, members, how)


def test_what_was_there_before_an_error_stays(tmp_path: Path) -> None:
    path = tmp_path / "y.nc"
    with pytest.raises(RunError, match="the disk is full"):
        work(path, model=Broken(row=20))
    assert work(path)[0] == 3 * BATCH
    work(tmp_path / "whole.nc")
    assert same(path, tmp_path / "whole.nc")


def test_nothing_stays_where_nothing_was_there_or_nobody_knows_of_what(tmp_path: Path) -> None:
    with pytest.raises(RunError):
        work(tmp_path / "y.nc", model=Broken(row=0))
    assert not list(tmp_path.iterdir())
    nameless = {"data_fingerprint": None}
    with pytest.raises(RunError):
        work(tmp_path / "y.nc", model=Broken(row=20), **nameless)
    assert not list(tmp_path.iterdir())
