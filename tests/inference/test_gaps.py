"""Missing inputs leave their fine cells missing; what training never had is missing too."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

from app.data.description import Variable
from app.data.shards import Shards
from app.data.shards.prepare import prepare
from app.data.times import Stamps
from app.distributed import Communicator
from app.grids import Geometry, Grid
from app.inference.gaps import Gaps, GuideGaps
from app.inference.predict import CoarseRecord, write_record
from app.inference.windows import Windows
from app.inference.writer import Layout
from app.methods.known_inputs import known_inputs
from app.models import Drawing
from app.models.known_inputs import KnownInputs
from app.ranks import Ranks
from tests.data.shard_helpers import field, perfect_prog, source, write

GEOMETRY = Geometry.build(Grid(np.arange(6.0), np.arange(8.0)), 2)
N = 10


class Repeats:
    """A model that repeats the first input in all fine cells, missing as -1 (its training mean)."""

    def predict_fields(
        self, batch: dict[str, Any], seed: int, members: int, how: Drawing
    ) -> np.ndarray:
        fine = GEOMETRY.fine_cells(np.nan_to_num(batch["coarse"][..., 0], nan=-1.0))
        return np.stack([fine[..., None] + number for number in range(members)])


@pytest.fixture(autouse=True)
def _lines_are_kept(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", logger="absl")


def gaps(valid: np.ndarray | None = None, channels: int = 2) -> Gaps:
    known = np.ones((3, 4, channels), bool) if valid is None else valid
    ends = np.zeros(channels)
    names = ("t", "q")[:channels]
    return Gaps(names, KnownInputs.from_dict(KnownInputs(known, ends, ends).to_dict()), GEOMETRY)


def inputs() -> np.ndarray:
    return np.random.default_rng(0).normal(280, 5, (N, 3, 4, 2)).astype("float32")


def served(path: Path, coarse: np.ndarray, found: Gaps, **options: Any) -> np.ndarray:
    """Fields (n, y, x) of the first member."""
    members = options.get("members", 1)
    stamps = Stamps(3600 * np.arange(N))
    layout = Layout(GEOMETRY.fine, (Variable("t", "t", units="K"),), {}, members=members)
    record = CoarseRecord(
        Repeats(), lambda rows: coarse[rows], stamps, batch_size=4, seed=0, gaps=found, **options
    )
    write_record(record, layout, path, communicator=Communicator(Ranks()))
    with xr.open_dataset(path) as written:
        fields = written["t"].transpose(..., "time", "lat", "lon").values
    return fields[0] if fields.ndim == 4 else fields


@pytest.mark.parametrize("channel", [0, 1])
@pytest.mark.parametrize("frames", [None, 4])
def test_a_gap_leaves_its_fine_cells_missing_and_no_others(tmp_path, caplog, channel, frames):
    """Of the low resolution or of a predictor, frame by frame or in windows."""
    coarse = inputs()
    coarse[3, 1, 2, channel] = np.nan
    coarse[7, :, 0, channel] = np.nan
    windows = frames and Windows.over(np.zeros(N, int), frames, bidirectional=True)
    fields = served(tmp_path / "y.nc", coarse, gaps(), windows=windows)
    expected = GEOMETRY.fine_cells(np.isnan(coarse).any(axis=-1))
    np.testing.assert_array_equal(np.isnan(fields), expected)
    kept = GEOMETRY.fine_cells(coarse[..., 0])
    np.testing.assert_allclose(fields[~expected], kept[~expected], rtol=1e-6)
    assert "4 of 12 coarse cells of the input (33.3 %) are missing" in caplog.text
    assert "(3.33 % of all values)" in caplog.text  # 4 of 120


def test_members_have_the_same_gaps(tmp_path):
    coarse = inputs()
    coarse[3, 1, 2, 0] = np.nan
    fields = served(tmp_path / "y.nc", coarse, gaps(), members=2)
    np.testing.assert_array_equal(np.isnan(fields), GEOMETRY.fine_cells(np.isnan(coarse[..., 0])))


def test_what_training_never_had_is_used_as_in_training(tmp_path, caplog):
    """Missing as ever: the model's own value. Given now: missing all the same, and said."""
    sea = np.ones((3, 4, 2), bool)
    sea[2, 3] = False
    coarse = inputs()
    coarse[:, 2, 3] = np.nan
    coarse[4:, 2, 3, 0] = 300
    fields = served(tmp_path / "y.nc", coarse, gaps(sea))
    assert np.isfinite(fields).all()
    np.testing.assert_array_equal(fields[:, 4:, 6:], -1)
    assert "t has values in 1 coarse cells where training never had any" in caplog.text
    assert "left missing" not in caplog.text


def test_the_cells_around_a_gap_see_the_nearest_value():
    coarse = inputs()[:1]
    coarse[0, 0, 1, 0] = np.nan
    coarse[0, :, 2:, 0] = np.nan
    closed, missing = gaps().closed(coarse)
    np.testing.assert_array_equal(missing, np.isnan(coarse[..., 0]))
    assert closed[0, 1, 3, 0] == coarse[0, 1, 1, 0]
    assert closed[0, 0, 1, 0] in (coarse[0, 0, 0, 0], coarse[0, 1, 1, 0])
    np.testing.assert_array_equal(closed[..., 1], coarse[..., 1])
    none, missing = gaps().closed(np.full_like(coarse, np.nan))
    assert missing.all()
    assert np.isnan(none).all()


def test_what_is_known_is_that_of_the_training_period(tmp_path):
    """Land only, a predictor that starts late, and values of the test period left out."""
    fine = field(40)
    fine[:, :2, :2] = np.nan
    fine[30:] += 100
    guide = field(40, name="q", seed=1)
    guide[:, 4:, 6:] = np.nan
    guide[19, 5, 7] = 280
    described = perfect_prog(
        write(tmp_path / "t.nc", fine),
        predictors=(source(write(tmp_path / "q.nc", guide), names=("q",)),),
    )
    shards = Shards.open(prepare(described, scale=2, cache_dir=tmp_path / "cache"))
    known = known_inputs(shards)
    expected = np.ones((3, 4, 2), bool)
    expected[0, 0, 0] = expected[2, 3, 1] = False
    np.testing.assert_array_equal(known.valid, expected)
    lr = shards.read("lr", "train", np.arange(20))
    assert known.low[0] == pytest.approx(np.nanmin(lr))
    assert known.high[0] == pytest.approx(np.nanmax(lr))


def test_between_known_frames_what_a_guide_lacks_is_missing(caplog):
    """Of one field and one guide, which training had but for its first cell."""
    known = np.ones((3, 4, 2), bool)
    known[0, 0, 1] = False
    gaps = GuideGaps(KnownInputs(known, np.zeros(2), np.ones(2)), 1)
    frames = np.random.default_rng(0).normal(size=(2, 4, 3, 4, 2)).astype("float32")
    frames[0, 1, 2, 3, 1] = np.nan
    frames[1, 3] = np.nan  # no frame after the last interval
    closed = gaps.closed(frames)
    expected = frames.copy()
    expected[0, 1, 2, 3, 0] = np.nan
    expected[..., 0, 0, 1] = np.nan
    np.testing.assert_array_equal(closed, expected)
    gaps.report(Communicator(Ranks()))
    assert "1 of 12 cells of the guidance (8.33 %) are missing" in caplog.text
