"""Whatever files a record comes in, its shards hold the truth."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import numpy as np
from generated_sources import STEP, cuts, styles, truths, write_file
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.data.description import DataDescription, Source, Splits, Variable
from app.data.shards import Shards
from app.data.shards.prepare import prepare

EXAMPLES = int(os.environ.get("FINESCALE_EXAMPLES", "50"))
FLOAT = 6e-5  # K: float32 of 280 K, read and converted


@settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(st.data())
def test_shards_equal_the_truth_whatever_the_files_look_like(data):
    truth = data.draw(truths())
    parts = data.draw(cuts(truth))
    together = data.draw(st.booleans())  # all variables in each file, or files of their own
    groups = (
        [list(range(len(truth.values)))] if together else [[v] for v in range(len(truth.values))]
    )
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        packed = False
        files = []
        for group in groups:
            for number, rows in enumerate(parts):
                style = data.draw(styles(truth))
                packed |= style.kind[0] == "i"
                stem = folder / f"file{number}_{group[0]}"
                files.append(str(write_file(stem, truth, rows, group, style)))
        variables = tuple(Variable(f"v{v}", f"v{v}", units="K") for v in range(len(truth.values)))
        description = DataDescription(
            predictand=Source(tuple(files), variables),
            splits=Splits(fractions=(0.5, 0.25, 0.25)),
        )
        shards = Shards.open(prepare(description, scale=1, cache_dir=folder / "cache"))
        tolerance = FLOAT + (STEP / 2 if packed else 0)
        _compare(shards, truth, tolerance)


def _compare(shards, truth, tolerance):
    fields = np.concatenate(
        [shards.read("hr", split, np.arange(shards.size(split))) for split in shards.splits]
    )
    found = np.moveaxis(fields, -1, 0)
    grid = shards.geometry.fine
    east = (grid.lon - truth.lon + 180) % 360 - 180
    np.testing.assert_allclose(grid.lat, truth.lat, atol=1e-9)
    np.testing.assert_allclose(east, 0, atol=1e-9)
    np.testing.assert_array_equal(np.isnan(found), np.isnan(truth.values))
    np.testing.assert_allclose(found, truth.values, atol=tolerance, rtol=0)
    hours = np.concatenate([shards.stamps(split).seconds for split in shards.splits]) // 3600
    np.testing.assert_array_equal(hours - hours[0], truth.hours)
    stamps = shards.stamps("train")
    assert stamps.calendar == truth.calendar
    assert stamps.text(0) == "2001-01-01T00:00"
